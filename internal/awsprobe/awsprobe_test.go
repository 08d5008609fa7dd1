package awsprobe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeSTS answers each AssumeRole with the next of the codes, and the last for ever;
// "" is a yes.
func fakeSTS(t *testing.T, codes ...string) *atomic.Int32 {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(calls.Add(1))
		if code := codes[min(n, len(codes))-1]; code != "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>", code)
			return
		}
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	return &calls
}

var session = Session{Region: "us-west-2", Role: "arn:aws:iam::123456789012:role/x", pause: time.Millisecond}

func TestAwaitRole(t *testing.T) {
	for name, c := range map[string]struct {
		codes    []string
		patience time.Duration
		calls    int32  // AssumeRole calls
		said     int    // progress messages
		fails    string // what the error says
	}{
		"open at once":                 {[]string{""}, time.Minute, 1, 0, ""},
		"open after denials":           {[]string{"AccessDenied", "AccessDenied", ""}, time.Minute, 5, 2, ""},
		"open, but not yet everywhere": {[]string{"AccessDenied", "", "AccessDenied", ""}, time.Minute, 6, 2, ""},
		"never open":                   {[]string{"AccessDenied"}, 20 * time.Millisecond, 0, 0, "role arn:aws:iam::123456789012:role/x: cannot be assumed"},
		"closed, no patience":          {[]string{"AccessDenied"}, 0, 1, 0, "check that it exists"},
		"bad credentials":              {[]string{"InvalidClientTokenId"}, time.Minute, 1, 0, "InvalidClientTokenId"},
		"region not enabled":           {[]string{"RegionDisabledException"}, time.Minute, 1, 0, "enable the region"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := fakeSTS(t, c.codes...)
			var said []string
			err := session.AwaitRole(context.Background(), c.patience, func(message string) { said = append(said, message) })
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error is %v, want %q", err, c.fails)
			}
			if c.calls > 0 && (calls.Load() != c.calls || len(said) != c.said) {
				t.Errorf("%d calls and messages %q, want %d and %d", calls.Load(), said, c.calls, c.said)
			}
			for _, message := range said {
				if !strings.Contains(message, session.Role) {
					t.Errorf("message does not say what it waits for: %s", message)
				}
			}
		})
	}
}

// What is no answer of S3 gets advice.
func TestErrorsOfLookUpsGetAdvice(t *testing.T) {
	cause := errors.New("operation error S3: HeadObject, get identity: get credentials: no EC2 IMDS role found")
	if got := explain(cause); !errors.Is(got, cause) || !strings.Contains(got.Error(), "log in again") {
		t.Errorf("got %v", got)
	}
}

func TestObject(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); r.URL.Path != "/bucket/key" || owner != "" && owner != "123456789012" {
			w.WriteHeader(map[bool]int{true: http.StatusForbidden, false: http.StatusNotFound}[r.URL.Path == "/bucket/key"])
			return
		}
		w.Header().Set("ETag", `"tag"`)
		w.Header().Set("Content-Length", "7")
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	ambient := Session{Region: "us-west-2"}

	found, err := ambient.Object(context.Background(), "bucket", "key", "123456789012")
	if err != nil || found != (Object{ETag: "tag", Size: 7}) {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := ambient.Object(context.Background(), "bucket", "other", ""); err == nil || !strings.Contains(err.Error(), "s3://bucket/other: the object does not exist") {
		t.Errorf("missing object: %v", err)
	}
	if _, err := ambient.Object(context.Background(), "bucket", "key", "999999999999"); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("another owner: %v", err)
	}
}
