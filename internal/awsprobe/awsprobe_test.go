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

// fakeSTS serves AssumeRole and returns the number of calls. Every call gets the next of the error codes, and calls
// after the last one get the last one; an empty code grants the role.
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
		messages int    // of progress
		fails    string // part of the error; empty: none
	}{
		"granted at once":                      {[]string{""}, time.Minute, 1, 0, ""},
		"granted after denials":                {[]string{"AccessDenied", "AccessDenied", ""}, time.Minute, 5, 2, ""},
		"granted, but not yet by every server": {[]string{"AccessDenied", "", "AccessDenied", ""}, time.Minute, 6, 2, ""},
		"never granted":                        {[]string{"AccessDenied"}, 20 * time.Millisecond, 0, 0, "role arn:aws:iam::123456789012:role/x: cannot be assumed"},
		"denied, no patience":                  {[]string{"AccessDenied"}, 0, 1, 0, "check that it exists"},
		"bad credentials":                      {[]string{"InvalidClientTokenId"}, time.Minute, 1, 0, "InvalidClientTokenId"},
		"region not enabled":                   {[]string{"RegionDisabledException"}, time.Minute, 1, 0, "enable the region"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := fakeSTS(t, c.codes...)
			var messages []string
			err := session.AwaitRole(context.Background(), c.patience, func(message string) { messages = append(messages, message) })
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error is %v, want %q", err, c.fails)
			}
			if c.calls > 0 && (calls.Load() != c.calls || len(messages) != c.messages) {
				t.Errorf("%d calls and messages %q, want %d and %d", calls.Load(), messages, c.calls, c.messages)
			}
			for _, message := range messages {
				if !strings.Contains(message, session.Role) {
					t.Errorf("the message does not name the role: %s", message)
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

// statusError is an error with the status code of an answer.
type statusError int

func (s statusError) Error() string       { return fmt.Sprint("status ", int(s)) }
func (s statusError) HTTPStatusCode() int { return int(s) }

// The answer to a HEAD request has no body, so only the status code tells what is wrong.
func TestStatusOfLookUps(t *testing.T) {
	for status, want := range map[statusError]string{
		301: "the bucket seems to be in another region: status 301",
		400: "the bucket seems to be in another region, or the credentials have expired: status 400",
	} {
		if got := explain(status); !errors.Is(got, status) || got.Error() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestObject(t *testing.T) {
	headers := map[string]string{} // of the next answer
	var payer string               // of the last request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payer = r.Header.Get("X-Amz-Request-Payer")
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); r.URL.Path != "/bucket/key" || owner != "" && owner != "123456789012" {
			w.WriteHeader(map[bool]int{true: http.StatusForbidden, false: http.StatusNotFound}[r.URL.Path == "/bucket/key"])
			return
		}
		w.Header().Set("ETag", `"tag"`)
		w.Header().Set("Content-Length", "7")
		for name, value := range headers {
			w.Header().Set(name, value)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	ambient := Session{Region: "us-west-2"}
	look := func(source Source) (Object, error) { return ambient.Object(context.Background(), source) }

	found, err := look(Source{Bucket: "bucket", Key: "key", Owner: "123456789012"})
	if err != nil || found != (Object{ETag: "tag", Size: 7}) || payer != "" {
		t.Errorf("found %+v, %v, at the expense of %q", found, err, payer)
	}
	if _, err := look(Source{Bucket: "bucket", Key: "key", RequesterPays: true}); err != nil || payer != "requester" {
		t.Errorf("requester pays: %v, at the expense of %q", err, payer)
	}
	if _, err := look(Source{Bucket: "bucket", Key: "other"}); err == nil || !strings.Contains(err.Error(), "s3://bucket/other: the object does not exist") {
		t.Errorf("missing object: %v", err)
	}
	_, err = look(Source{Bucket: "bucket", Key: "key", Owner: "999999999999"})
	if err == nil || !strings.Contains(err.Error(), "access denied") || !strings.Contains(err.Error(), "storage.requesterPays") {
		t.Errorf("another owner: %v", err)
	}

	const class, restore, tier = "X-Amz-Storage-Class", "X-Amz-Restore", "X-Amz-Archive-Status"
	for _, c := range []struct {
		headers map[string]string
		want    string
	}{
		{map[string]string{class: "STANDARD_IA"}, ""},
		{map[string]string{class: "GLACIER_IR"}, ""},
		{map[string]string{class: "GLACIER"}, "GLACIER"},
		{map[string]string{class: "DEEP_ARCHIVE"}, "DEEP_ARCHIVE"},
		{map[string]string{class: "DEEP_ARCHIVE", restore: `ongoing-request="true"`}, "DEEP_ARCHIVE"},
		{map[string]string{class: "GLACIER", restore: `ongoing-request="false", expiry-date="Fri, 21 Dec 2026 00:00:00 GMT"`}, ""},
		{map[string]string{class: "INTELLIGENT_TIERING"}, ""},
		{map[string]string{class: "INTELLIGENT_TIERING", tier: "DEEP_ARCHIVE_ACCESS"}, "DEEP_ARCHIVE_ACCESS"},
	} {
		headers = c.headers
		if found, err := look(Source{Bucket: "bucket", Key: "key"}); err != nil || found.Archived != c.want {
			t.Errorf("%v: archived in %q, %v, want %q", c.headers, found.Archived, err, c.want)
		}
	}
}
