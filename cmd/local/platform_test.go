package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/internal/local"
	"llm-platform/internal/local/localtest"
	"llm-platform/internal/simcloud"
)

const program = "../.."

func expect(t *testing.T, what string, r local.Result, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := localtest.Changed(r); !slices.Equal(got, want) {
		t.Errorf("%s changed:\n  %s\nbut should have changed:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// The whole life of the dev stack on the real engine.
func TestLifeOfDev(t *testing.T) {
	cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) { c.DenyRoles(2) })

	preview := localtest.Run(t, w, "preview")
	if n := len(preview.Changed()); n < 50 {
		t.Fatalf("preview shows only %d changes", n)
	}
	if left := cloud.Resources(); len(left) > 0 {
		t.Fatalf("a preview made %v", left)
	}

	up := localtest.Run(t, w, "up")
	if got, want := localtest.Changed(up), localtest.Changed(preview); !slices.Equal(got, want) {
		t.Errorf("up did not do what the preview showed:\n%v\n%v", got, want)
	}
	if bucket, _ := up.Outputs["bucketName"].(string); !strings.HasPrefix(bucket, "llm-platform-dev-storage-dataset-") {
		t.Errorf("bucketName is %q", bucket)
	}
	waited := slices.ContainsFunc(up.Diagnostics, func(d apitype.DiagnosticEvent) bool { return strings.Contains(d.Message, "waiting for role") })
	if !waited {
		t.Error("the roles of new accounts were denied twice, but nothing said that the program waits for them")
	}

	expect(t, "a second up", localtest.Run(t, w, "up"))
	expect(t, "refresh", localtest.Run(t, w, "refresh"))

	// One edit, and exactly that.
	set(t, w, "storage.logDays", 60)
	edit := []string{"update aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 storage-logs-lifecycle"}
	expect(t, "preview of the edit", localtest.Run(t, w, "preview"), edit...)
	expect(t, "the edit", localtest.Run(t, w, "up"), edit...)
	expect(t, "an up after the edit", localtest.Run(t, w, "up"))

	localtest.Run(t, w, "destroy")
	kept := map[string]int{}
	for _, r := range cloud.Resources() {
		kept[r.Type]++
	}
	want := map[string]int{
		"aws:organizations/organization:Organization":             1,
		"aws:organizations/organizationalUnit:OrganizationalUnit": 2,
		"aws:organizations/account:Account":                       3,
	}
	for kind, n := range kept {
		if want[kind] != n {
			t.Errorf("destroy left %d of %s, want %d", n, kind, want[kind])
		}
	}
	if len(kept) != len(want) {
		t.Errorf("destroy left %v, want %v", kept, want)
	}
}

// prod protects what holds data and accounts: a destroy is refused whole.
func TestProdIsProtected(t *testing.T) {
	cloud, w := localtest.Open(t, program, "prod", func(c *simcloud.Cloud) {
		if err := c.Load("given/prod.yaml"); err != nil {
			t.Fatal(err)
		}
	})
	localtest.Run(t, w, "up")
	expect(t, "a second up", localtest.Run(t, w, "up"))
	expect(t, "refresh", localtest.Run(t, w, "refresh"))
	before := len(cloud.Resources())
	if _, message := localtest.Fail(t, w, "destroy"); !strings.Contains(message, "protected") {
		t.Errorf("destroy: %s", message)
	}
	if after := len(cloud.Resources()); after != before || before < 50 {
		t.Errorf("a refused destroy left %d of %d resources", after, before)
	}
}

// A copied object is copied again when its source changes, and not otherwise; one that
// is too large is refused before anything is made.
func TestForeignSource(t *testing.T) {
	cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) {
		if _, err := c.Put(simcloud.Resource{Type: "aws:s3/bucketV2:BucketV2", ID: "company-data"}); err != nil {
			t.Fatal(err)
		}
		c.PutObject("company-data", "a.jsonl", []byte("one"), 0)
		c.PutObject("company-data", "big/b.jsonl", []byte("big"), 5<<30+1)
	})
	set(t, w, "storage.sourceBucket", "company-data")
	set(t, w, "storage.copies", map[string]any{"a": map[string]any{"source": "a.jsonl"}})
	localtest.Run(t, w, "up")
	expect(t, "an up with the same source", localtest.Run(t, w, "up"))

	cloud.PutObject("company-data", "a.jsonl", []byte("two"), 0)
	again := "update aws:s3/objectCopy:ObjectCopy storage-copy-a"
	expect(t, "preview with a changed source", localtest.Run(t, w, "preview"), again)
	expect(t, "up with a changed source", localtest.Run(t, w, "up"), again)

	set(t, w, "storage.copies", map[string]any{"b": map[string]any{"source": "big/b.jsonl"}})
	if _, message := localtest.Fail(t, w, "preview"); !strings.Contains(message, "more than the 5 GiB") || !strings.Contains(message, "storage.transfers.b") {
		t.Errorf("preview of a large copy: %s", message)
	}
}

// A bad configuration ends before the first resource, with the way out.
func TestBadConfiguration(t *testing.T) {
	cloud, w := localtest.Open(t, program, "dev")
	set(t, w, "regoin", "us-west-2")
	_, message := localtest.Fail(t, w, "up")
	if !strings.Contains(message, "regoin: unknown key; did you mean region?") {
		t.Errorf("up: %s", message)
	}
	if made := cloud.Resources(); len(made) > 0 {
		t.Errorf("made %v", made)
	}
}

// set changes one path of the stack's file.
func set(t *testing.T, w *local.Workspace, path string, value any) {
	t.Helper()
	if err := w.Set("llm-platform:"+path, value); err != nil {
		t.Fatal(err)
	}
}

// secret changes one path of the stack's file to a secret.
func secret(t *testing.T, w *local.Workspace, path, value string) {
	t.Helper()
	if err := w.SetSecret(t.Context(), "llm-platform:"+path, value); err != nil {
		t.Fatal(err)
	}
}

// kubeconfig is of a cluster that exists.
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: given, cluster: {server: "https://given.example.com"}}]
users: [{name: given, user: {token: given}}]
contexts: [{name: given, context: {cluster: given, user: given}}]
current-context: given
`
