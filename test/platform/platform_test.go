// Package platform tests the program in the Pulumi engine against the simulator: previews, updates, refreshes, edits,
// failures and destroys of whole stacks.
package platform

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// The whole life of the dev stack as shipped.
func TestLifeOfDev(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) { c.DenyRoles(2) })

	preview := enginetest.Run(t, s, "preview")
	if n := len(preview.Changed()); n < 50 {
		t.Fatalf("preview shows only %d changes", n)
	}
	if left := cloud.Resources(); len(left) > 0 {
		t.Fatalf("a preview created %v", left)
	}

	up := enginetest.Run(t, s, "up")
	if got, want := up.Changes(), preview.Changes(); !slices.Equal(got, want) {
		t.Errorf("up did not do what the preview showed:\n%v\n%v", got, want)
	}
	if bucket, _ := up.Outputs["bucketName"].(string); !strings.HasPrefix(bucket, "llm-platform-dev-storage-dataset-") {
		t.Errorf("bucketName is %q", bucket)
	}
	waited := slices.ContainsFunc(up.Diagnostics, func(d apitype.DiagnosticEvent) bool { return strings.Contains(d.Message, "waiting until role") })
	if !waited {
		t.Error("the roles of new accounts were denied twice, but nothing said that the program waits for them")
	}

	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
	enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))

	// One edit, and exactly that.
	set(t, s, "storage.logDays", 60)
	edit := []string{"update aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 storage-logs-lifecycle"}
	enginetest.Expect(t, "preview of the edit", enginetest.Run(t, s, "preview"), edit...)
	enginetest.Expect(t, "the edit", enginetest.Run(t, s, "up"), edit...)
	enginetest.Expect(t, "an up after the edit", enginetest.Run(t, s, "up"))

	enginetest.Run(t, s, "destroy")
	retained := map[string]int{}
	for _, r := range cloud.Resources() {
		retained[r.Type]++
	}
	want := map[string]int{
		"aws:organizations/organization:Organization":             1,
		"aws:organizations/organizationalUnit:OrganizationalUnit": 2,
		"aws:organizations/account:Account":                       3,
		"aws:cloudwatch/logGroup:LogGroup":                        1, // EKS creates it anew

		// In each account; without them it would be open again.
		"aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock":    3,
		"aws:ebs/encryptionByDefault:EncryptionByDefault":             3,
		"aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess": 3,
		"aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess":       3,

		// The logs of the organization's trail.
		"aws:s3/bucketV2:BucketV2": 1, "aws:s3/bucketPolicy:BucketPolicy": 1, "aws:s3/bucketVersioningV2:BucketVersioningV2": 1,
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": 1, "aws:s3/bucketOwnershipControls:BucketOwnershipControls": 1,
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       1,
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": 1,
	}
	for kind, n := range retained {
		if want[kind] != n {
			t.Errorf("destroy left %d of %s, want %d", n, kind, want[kind])
		}
	}
	if len(retained) != len(want) {
		t.Errorf("destroy left %v, want %v", retained, want)
	}
}

// prod protects what holds data and accounts: a destroy is refused, and deletes nothing.
func TestProdIsProtected(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "prod", func(c *simcloud.Cloud) {
		if err := c.PutOrganization(); err != nil {
			t.Fatal(err)
		}
	})
	enginetest.Run(t, s, "up")
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
	enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))
	before := len(cloud.Resources())
	if _, message := enginetest.Fail(t, s, "destroy"); !strings.Contains(message, "protected") {
		t.Errorf("destroy: %s", message)
	}
	if after := len(cloud.Resources()); after != before || before < 50 {
		t.Errorf("a refused destroy left %d of %d resources", after, before)
	}
}

// An object is copied again when its source changes, and not otherwise; one that is too large is refused before anything
// is created.
func TestForeignSource(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		if err := c.Put(simcloud.Resource{Type: "aws:s3/bucketV2:BucketV2", ID: "company-data"}); err != nil {
			t.Fatal(err)
		}
		c.PutObject("company-data", "a.jsonl", []byte("one"), 0)
		c.PutObject("company-data", "big/b.jsonl", []byte("big"), 5<<30+1)
	})
	set(t, s, "storage.sourceBucket", "company-data")
	set(t, s, "storage.copies", map[string]any{"a": map[string]any{"source": "a.jsonl"}})
	enginetest.Run(t, s, "up")
	enginetest.Expect(t, "an up with the same source", enginetest.Run(t, s, "up"))

	cloud.PutObject("company-data", "a.jsonl", []byte("two"), 0)
	again := "update aws:s3/objectCopy:ObjectCopy storage-copy-a"
	enginetest.Expect(t, "preview with a changed source", enginetest.Run(t, s, "preview"), again)
	enginetest.Expect(t, "up with a changed source", enginetest.Run(t, s, "up"), again)

	set(t, s, "storage.copies", map[string]any{"b": map[string]any{"source": "big/b.jsonl"}})
	if _, message := enginetest.Fail(t, s, "preview"); !strings.Contains(message, "more than the 5 GiB") || !strings.Contains(message, "storage.transfers.b") {
		t.Errorf("preview of a large copy: %s", message)
	}
}

// An invalid configuration is refused before the first resource, with what to do.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	set(t, s, "regoin", "us-west-2")
	_, message := enginetest.Fail(t, s, "up")
	if !strings.Contains(message, "regoin") || !strings.Contains(message, "did you mean region?") {
		t.Errorf("up: %s", message)
	}
	if created := cloud.Resources(); len(created) > 0 {
		t.Errorf("created %v", created)
	}
}

// set sets a path of the stack's settings.
func set(t *testing.T, s *engine.Stack, path string, value any) {
	t.Helper()
	if err := s.Set("llm-platform:"+path, value); err != nil {
		t.Fatal(err)
	}
}

// secret sets a path of the stack's settings to a secret.
func secret(t *testing.T, s *engine.Stack, path, value string) {
	t.Helper()
	if err := s.SetSecret(t.Context(), "llm-platform:"+path, value); err != nil {
		t.Fatal(err)
	}
}

// The shipped dev stack previews with its placeholder, and an update refuses it before the first resource.
func TestPlaceholdersAreRefused(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.OpenWith(t, engine.Options{Stack: "dev", Placeholders: true})
	enginetest.Run(t, s, "preview")
	_, message := enginetest.Fail(t, s, "up")
	if !strings.Contains(message, "cluster.publicCidrs[0]: must not be a range reserved for examples") || !strings.Contains(message, "nothing was created") {
		t.Errorf("up: %s", message)
	}
	if created := cloud.Resources(); len(created) > 0 {
		t.Errorf("created %v", created)
	}
}
