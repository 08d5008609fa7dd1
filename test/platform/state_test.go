package platform

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llm-platform/internal/policy"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// The real CLI deploys and previews a stack whose state is in a bucket, with what the policies of the CI roles allow there
// and nothing else: it asks for nothing that they do not allow, and each of their resources is asked for.
func TestStateOfOneStack(t *testing.T) {
	t.Parallel()
	const bucket = "arn:aws:s3:::state"
	roles := policy.CI{Partition: "aws", Project: "llm-platform", Stack: "dev", State: bucket}
	store := &stateBucket{objects: map[string]string{}, asked: map[string]bool{}}
	server := httptest.NewServer(store)
	defer server.Close()
	_, s := enginetest.OpenWith(t, engine.Options{Stack: "dev", Env: map[string]string{
		"PULUMI_BACKEND_URL": "s3://state?region=us-west-2&s3ForcePathStyle=true&endpoint=" + url.QueryEscape(server.URL),
	}})
	store.limit(roles.Assume())
	for _, verb := range []string{"preview", "up", "up", "refresh"} {
		enginetest.Run(t, s, verb)
	}
	if _, err := s.CLI(t.Context(), "cancel", "--yes"); err != nil {
		t.Error(err)
	}
	var asked []string
	for _, statement := range roles.Assume() {
		for _, pattern := range statement.Resource {
			at := slices.IndexFunc(store.keys(), matching(strings.TrimPrefix(pattern, bucket+"/")))
			if strings.HasPrefix(pattern, bucket+"/") && at < 0 {
				t.Errorf("the engine asked for nothing of %s", pattern)
			} else if at >= 0 {
				asked = append(asked, store.keys()[at])
			}
		}
	}
	if len(asked) != 6 {
		t.Errorf("asked for %s; this test tests too little", asked)
	}
	store.limit(roles.Preview())
	enginetest.Run(t, s, "preview")
	if len(store.refused) > 0 {
		t.Errorf("refused: %s", store.refused)
	}
	if _, message := enginetest.Fail(t, s, "up"); len(store.refused) == 0 {
		t.Errorf("an up as the preview role: %s", message)
	}
}

// stateBucket is a bucket of S3 that allows what a policy allows.
type stateBucket struct {
	lock    sync.Mutex
	objects map[string]string
	asked   map[string]bool // keys
	policy  policy.Document // nil: everything is allowed
	refused []string
}

func (b *stateBucket) limit(document policy.Document) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.policy, b.asked = document, map[string]bool{}
}

func (b *stateBucket) keys() []string {
	b.lock.Lock()
	defer b.lock.Unlock()
	var keys []string
	for key := range b.asked {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// matching returns whether a text matches a pattern of a policy.
func matching(pattern string) func(string) bool {
	expression := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
	return expression.MatchString
}

func (b *stateBucket) allows(action, key string) bool {
	resource := strings.TrimSuffix("arn:aws:s3:::state/"+key, "/")
	allowed := b.policy == nil
	for _, statement := range b.policy {
		allowed = allowed || slices.Contains(statement.Action, action) && slices.ContainsFunc(statement.Resource, func(pattern string) bool { return matching(pattern)(resource) })
	}
	if !allowed {
		b.refused = append(b.refused, action+" "+key)
	}
	return allowed
}

// ServeHTTP answers the requests of https://docs.aws.amazon.com/AmazonS3/latest/API/ that the CLI makes, by path.
func (b *stateBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.lock.Lock()
	defer b.lock.Unlock()
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/state"), "/")
	if key != "" {
		b.asked[key] = true
	}
	source, err := url.PathUnescape(strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "state/"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action := map[string]string{http.MethodGet: "s3:GetObject", http.MethodHead: "s3:GetObject", http.MethodPut: "s3:PutObject", http.MethodDelete: "s3:DeleteObject"}[r.Method]
	if key == "" {
		action = "s3:ListBucket"
	}
	content, exists := b.objects[key]
	switch {
	case !b.allows(action, key) || source != "" && !b.allows("s3:GetObject", source):
		answer(w, http.StatusForbidden, "<Error><Code>AccessDenied</Code></Error>")
	case action == "s3:ListBucket":
		answer(w, http.StatusOK, b.list(r.URL.Query().Get("prefix"), r.URL.Query().Get("delimiter")))
	case action == "s3:PutObject" && source != "":
		b.objects[key] = b.objects[source]
		answer(w, http.StatusOK, "<CopyObjectResult></CopyObjectResult>")
	case action == "s3:PutObject":
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
			http.Error(w, fmt.Sprint("chunked, or ", err), http.StatusBadRequest)
			return
		}
		b.objects[key] = string(body)
	case action == "s3:DeleteObject":
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case !exists:
		answer(w, http.StatusNotFound, "<Error><Code>NoSuchKey</Code></Error>")
	default:
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = io.WriteString(w, content)
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// list returns the answer to ListObjectsV2, all on one page.
func (b *stateBucket) list(prefix, delimiter string) string {
	type object struct{ Key, LastModified, Size string }
	type folder struct{ Prefix string }
	var result struct {
		XMLName        xml.Name `xml:"ListBucketResult"`
		IsTruncated    bool
		Contents       []object
		CommonPrefixes []folder
	}
	for key, content := range b.objects {
		rest, found := strings.CutPrefix(key, prefix)
		if first, _, deeper := strings.Cut(rest, "/"); found && delimiter != "" && deeper {
			if within := (folder{prefix + first + "/"}); !slices.Contains(result.CommonPrefixes, within) {
				result.CommonPrefixes = append(result.CommonPrefixes, within)
			}
		} else if found {
			result.Contents = append(result.Contents, object{key, time.Now().UTC().Format(time.RFC3339), fmt.Sprint(len(content))})
		}
	}
	slices.SortFunc(result.Contents, func(a, b object) int { return strings.Compare(a.Key, b.Key) })
	text, err := xml.Marshal(result)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
