package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/policy"
)

// bucketParts are the parts of every bucket, in the order of their creation.
var bucketParts = []string{"ownership", "private", "versioning", "encryption", "lifecycle", "logging", "policy"}

func bucketsOf(t *testing.T, g *graph) []registered {
	t.Helper()
	buckets := slices.DeleteFunc(g.of("aws:s3/bucketV2:BucketV2"), func(r registered) bool { return r.parent() != "storage" })
	if len(buckets) != 5 {
		t.Fatalf("%d buckets, want source, dataset, checkpoints, artifacts and logs", len(buckets))
	}
	return buckets
}

// Every bucket has every part, and every part waits for the one before it. Where data is retained, so are the parts that
// keep it private.
func TestBucketsAreComplete(t *testing.T) {
	for _, stack := range shipped(t) {
		g := runShipped(t, stack)
		for _, bucket := range bucketsOf(t, g) {
			keep := stack == "prod"
			previous := bucket
			for _, part := range bucketParts {
				if part == "logging" && bucket.name == "storage-logs" {
					continue // it would receive logs of its own logs
				}
				created := g.one(t, bucket.name+"-"+part)
				if created.parent() != bucket.name || created.inputs["bucket"].StringValue() != bucket.name {
					t.Errorf("%s: %s is a part of %s, with the parent %s", stack, created.name, created.inputs["bucket"], created.parent())
				}
				if !created.dependsOn(previous.name) {
					t.Errorf("%s: %s does not wait for %s", stack, created.name, previous.name)
				}
				if created.request.GetRetainOnDelete() != keep {
					t.Errorf("%s: %s has retain %t", stack, created.name, !keep)
				}
				previous = created
			}
			if bucket.request.GetRetainOnDelete() != keep || bucket.request.GetProtect() != keep || bucket.inputs["forceDestroy"].BoolValue() == keep {
				t.Errorf("%s: %s has retain %t, protect %t, forceDestroy %v", stack, bucket.name,
					bucket.request.GetRetainOnDelete(), bucket.request.GetProtect(), bucket.inputs["forceDestroy"])
			}
			if bucket.provider() != "org-provider-training" {
				t.Errorf("%s: %s has the provider %s", stack, bucket.name, bucket.provider())
			}
		}
	}
}

func TestBucketsArePrivate(t *testing.T) {
	g := runShipped(t, "dev")
	for _, bucket := range bucketsOf(t, g) {
		private := g.one(t, bucket.name+"-private").inputs
		for _, block := range []resource.PropertyKey{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if !private[block].IsBool() || !private[block].BoolValue() {
				t.Errorf("%s: %s is not on", bucket.name, block)
			}
		}
		if got := g.one(t, bucket.name+"-ownership").inputs["rule"].ObjectValue()["objectOwnership"].StringValue(); got != "BucketOwnerEnforced" {
			t.Errorf("%s: ownership is %s", bucket.name, got)
		}
		if got := g.one(t, bucket.name+"-versioning").inputs["versioningConfiguration"].ObjectValue()["status"].StringValue(); got != "Enabled" {
			t.Errorf("%s: versioning is %s", bucket.name, got)
		}
		bySid := statements(t, g.one(t, bucket.name+"-policy"), "policy")
		for _, sid := range []string{"DenyWithoutTLS", "DenyOldTLS", "DenyCallerHeldKeys"} {
			if bySid[sid].Effect != policy.Deny {
				t.Errorf("%s: policy lacks %s", bucket.name, sid)
			}
		}
		for sid, statement := range bySid {
			if statement.Effect == policy.Allow && sid != "AllowLogDelivery" {
				t.Errorf("%s: policy allows %s", bucket.name, sid)
			}
		}
		for _, inline := range []resource.PropertyKey{"acl", "policy", "versionings", "lifecycleRules", "serverSideEncryptionConfigurations", "loggings"} {
			if bucket.inputs.HasValue(inline) {
				t.Errorf("%s: %s is set inline, and a resource of its own sets it too", bucket.name, inline)
			}
		}
	}
}

// Replaced and deleted versions are kept for a while: those of checkpoints, of which a run deletes many, for less.
func TestNoncurrentDays(t *testing.T) {
	g := runShipped(t, "prod")
	for _, bucket := range bucketsOf(t, g) {
		want := 90.0
		if bucket.name == "storage-checkpoints" {
			want = 3
		}
		var days []float64
		for _, rule := range g.one(t, bucket.name+"-lifecycle").inputs["rules"].ArrayValue() {
			if versions, ok := rule.ObjectValue()["noncurrentVersionExpiration"]; ok {
				days = append(days, versions.ObjectValue()["noncurrentDays"].NumberValue())
			}
		}
		if !slices.Equal(days, []float64{want}) {
			t.Errorf("%s keeps old versions for %v days, want %v", bucket.name, days, want)
		}
	}
}

func TestEncryption(t *testing.T) {
	algorithm := func(g *graph, bucket string) string {
		rule := g.one(t, bucket+"-encryption").inputs["rules"].ArrayValue()[0].ObjectValue()
		return rule["applyServerSideEncryptionByDefault"].ObjectValue()["sseAlgorithm"].StringValue()
	}
	g := runShipped(t, "dev")
	for _, bucket := range bucketsOf(t, g) {
		want := "aws:kms"
		if bucket.name == "storage-logs" {
			want = "AES256" // log delivery supports no other
		}
		if got := algorithm(g, bucket.name); got != want {
			t.Errorf("%s is encrypted with %s, want %s", bucket.name, got, want)
		}
	}
	g, err := run(t, "dev", map[string]any{"storage.encryption": "aes256"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, exists := g.resources["storage-key"]; algorithm(g, "storage-dataset") != "AES256" || exists {
		t.Errorf("with aes256: dataset has %s, a key exists: %v", algorithm(g, "storage-dataset"), exists)
	}
}

// The sample is copied after it is created, and again when its ETag changes.
func TestSampleCopy(t *testing.T) {
	g := runShipped(t, "dev")
	c := g.one(t, "storage-copy-sample")
	if got := c.inputs["copyIfMatch"].StringValue(); got != "etag-of-storage-sample" {
		t.Errorf("copies if the source's ETag is %q", got)
	}
	for _, name := range []string{"storage-sample", "storage-dataset-versioning", "storage-dataset-encryption", "storage-dataset-policy"} {
		if !c.dependsOn(name) {
			t.Errorf("copy does not wait for %s", name)
		}
	}
	if c.inputs.HasValue("acl") || c.inputs["taggingDirective"].StringValue() != "REPLACE" || c.inputs["source"].StringValue() != "storage-source/sample/corpus.txt" {
		t.Errorf("copy has inputs %v", c.inputs)
	}
	sample := g.one(t, "storage-sample")
	if !sample.dependsOn("storage-source-versioning") {
		t.Errorf("sample depends on %v", sample.request.GetDependencies())
	}
}

// fakeS3 answers HEAD requests for objects by key with their sizes in bytes; those below /archive/ are archived. With
// requester pays, the requester must say so.
func fakeS3(t *testing.T, sizes map[string]int64) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, ok := sizes[r.URL.Path]
		if r.Method != http.MethodHead || !ok {
			http.Error(w, "", http.StatusNotFound)
			return
		}
		if strings.Contains(r.URL.Path, "/paid/") && r.Header.Get("X-Amz-Request-Payer") != "requester" {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		if strings.Contains(r.URL.Path, "/archive/") {
			w.Header().Set("X-Amz-Storage-Class", "DEEP_ARCHIVE")
		}
		w.Header().Set("ETag", `"tag-of`+r.URL.Path+`"`)
		w.Header().Set("Content-Length", fmt.Sprint(size))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
}

// Objects of an existing bucket are looked up in the preview: they must exist and be small enough, and their ETag
// decides when they are copied again.
func TestCopiesOfAnExistingBucket(t *testing.T) {
	fakeS3(t, map[string]int64{
		"/company-data/a.jsonl": 5 << 30, "/company-data/big/b.jsonl": 5<<30 + 1, "/company-data/archive/d.jsonl": 1, "/company-data/paid/e.jsonl": 1,
	})
	existing := func(source string) map[string]any {
		return map[string]any{
			"organization.mode": "none", "organization.roleName": "",
			"organization.accounts":   map[string]any{"training": map[string]any{"id": "222222222222"}},
			"storage.sourceBucket":    "company-data",
			"storage.sourceAccountId": "999999999999",
			"storage.copies":          map[string]any{"sample": map[string]any{"source": source}},
		}
	}
	g, err := run(t, "prod", existing("a.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := g.one(t, "storage-copy-sample").inputs
	if c["copyIfMatch"].StringValue() != "tag-of/company-data/a.jsonl" || c["expectedSourceBucketOwner"].StringValue() != "999999999999" || c["source"].StringValue() != "company-data/a.jsonl" {
		t.Errorf("copy has inputs %v", c)
	}
	if _, ok := g.resources["storage-source"]; ok {
		t.Error("a source bucket is created in addition to the existing one")
	}
	if c.HasValue("requestPayer") {
		t.Errorf("copies at the expense of %v", c["requestPayer"])
	}
	paid := existing("paid/e.jsonl")
	paid["storage.requesterPays"] = true
	if g, err = run(t, "prod", paid, nil); err != nil {
		t.Fatal(err)
	}
	if payer := text(g.one(t, "storage-copy-sample").inputs, "requestPayer"); payer != "requester" {
		t.Errorf("with requester pays the copy is at the expense of %q", payer)
	}
	for source, want := range map[string][]string{
		"archive/d.jsonl": {"storage.copies.sample.source", "s3://company-data/archive/d.jsonl is archived (DEEP_ARCHIVE)", "aws s3api restore-object"},
		"paid/e.jsonl":    {"storage.copies.sample.source", "access denied", "storage.requesterPays"},
		"big/b.jsonl":     {"storage.copies.sample.source", "more than the 5 GiB", "storage.transfers.sample to {source: big/}"},
		"c.jsonl":         {"storage.copies.sample.source", "s3://company-data/c.jsonl", "the object does not exist"},
	} {
		_, err := run(t, "prod", existing(source), nil)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error is %v, want %q", source, err, part)
			}
		}
	}
}

func TestTransfers(t *testing.T) {
	g, err := run(t, "dev", map[string]any{"storage.transfers": map[string]any{
		"books": map[string]any{"source": "books/", "schedule": "rate(1 day)"}, "web": map[string]any{"source": "web/", "destination": "crawl/"},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	task := g.one(t, "storage-transfer-books")
	if got := task.inputs["schedule"].ObjectValue()["scheduleExpression"].StringValue(); got != "rate(1 day)" {
		t.Errorf("schedule is %s", got)
	}
	if got := g.one(t, "storage-transfer-web-to").inputs["subdirectory"].StringValue(); got != "/crawl/" {
		t.Errorf("web is copied to %s", got)
	}
	if !g.one(t, "storage-transfer-web-from").dependsOn("storage-transfer-policy") {
		t.Error("a location does not wait for the role's permissions, which DataSync checks")
	}
	permissions := statements(t, g.one(t, "storage-transfer-policy"), "policy")
	if permissions["WriteObjects"].Effect != policy.Allow || permissions["UseKeys"].Effect != policy.Allow {
		t.Errorf("DataSync is allowed %v", permissions)
	}
}

func TestNotebook(t *testing.T) {
	g := runShipped(t, "dev")
	if created := g.of("aws:sagemaker/notebookInstance:NotebookInstance"); len(created) > 0 {
		t.Error("a notebook is created by default")
	}
	g, err := run(t, "dev", map[string]any{
		"sagemaker.notebookInstanceType":     "ml.t3.medium",
		"sagemaker.notebookSubnetId":         "subnet-0123456789abcdef0",
		"sagemaker.notebookSecurityGroupIds": []any{"sg-0123456789abcdef0"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	inputs := g.one(t, "sagemaker-notebook").inputs
	if inputs["directInternetAccess"].StringValue() != "Disabled" || inputs["rootAccess"].StringValue() != "Disabled" || !strings.Contains(inputs["kmsKeyId"].StringValue(), "storage-key") {
		t.Errorf("notebook has inputs %v", inputs)
	}
	trust := g.one(t, "sagemaker-role").inputs["assumeRolePolicy"].StringValue()
	if !strings.Contains(trust, `"aws:SourceAccount":"1000`) {
		t.Errorf("SageMaker of any account could assume the role: %s", trust)
	}
	for sid := range statements(t, g.one(t, "sagemaker-role-policy"), "policy") {
		if sid == "" {
			t.Error("a statement has no name")
		}
	}
}

// Deleted checkpoints are kept for fewer days than other deleted objects.
func TestDeletedCheckpointsAreKeptForDays(t *testing.T) {
	g := runWith(t, map[string]any{"storage.noncurrentDays": 30, "storage.checkpointNoncurrentDays": 4})
	for bucket, want := range map[string]float64{"checkpoints": 4, "artifacts": 30, "dataset": 30, "logs": 30} {
		rule := g.one(t, "storage-"+bucket+"-lifecycle")
		if got := at(rule.inputs, "rules[1].noncurrentVersionExpiration.noncurrentDays"); !got.IsNumber() || got.NumberValue() != want {
			t.Errorf("%s: %v days, want %v", bucket, got, want)
		}
	}
}
