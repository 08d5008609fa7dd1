package platform

import (
	"crypto/md5"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// No edit of the copies deletes an object, also where destroy deletes the data: what is copied is there afterwards, and
// so is what was copied before.
func TestCopiesNeverDelete(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		if err := c.Put(simcloud.Resource{Type: "aws:s3/bucketV2:BucketV2", Account: "999999999999", Inputs: map[string]any{"bucket": "company-data"}}); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"one", "two"} {
			c.PutObject("company-data", key, []byte(key), 0)
		}
	})
	alone(t, s)
	set(t, s, "training.enabled", false)
	set(t, s, "storage.keepData", false)
	set(t, s, "storage.sourceBucket", "company-data")
	set(t, s, "storage.sourceAccountId", "999999999999")
	type copies = map[string][2]string // source and destination by name
	step := func(what string, to copies, want []string, objects map[string]string) {
		t.Helper()
		all := map[string]any{}
		for name, c := range to {
			all[name] = map[string]any{"source": c[0], "destination": c[1]}
		}
		set(t, s, "storage.copies", all)
		if want == nil {
			enginetest.Run(t, s, "up")
		} else {
			for i, change := range want {
				op, name, _ := strings.Cut(change, " ")
				want[i] = op + " aws:s3/objectCopy:ObjectCopy storage-copy-" + name
			}
			edited(t, s, what, want...)
		}
		bucket := single(t, cloud, "aws:s3/bucketV2:BucketV2", "storage-dataset").ID
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			etag, exists := cloud.Object(bucket, key)
			if expected := fmt.Sprintf("%x", md5.Sum([]byte(objects[key]))); !exists || etag != expected {
				t.Errorf("%s: %s is there: %v, with the content of %s: %v", what, key, exists, objects[key], etag == expected)
			}
		}
	}
	step("two copies", copies{"a": {"one", "a.txt"}, "b": {"two", "b.txt"}}, nil, map[string]string{"a.txt": "one", "b.txt": "two"})
	step("another source", copies{"a": {"two", "a.txt"}, "b": {"two", "b.txt"}}, []string{"replace a"}, map[string]string{"a.txt": "two", "b.txt": "two"})
	step("another name", copies{"c": {"two", "a.txt"}, "b": {"two", "b.txt"}}, []string{"create c", "delete a"}, map[string]string{"a.txt": "two", "b.txt": "two"})
	step("first source again", copies{"c": {"one", "a.txt"}, "b": {"two", "b.txt"}}, []string{"replace c"}, map[string]string{"a.txt": "one", "b.txt": "two"})
	step("swapped destinations", copies{"c": {"one", "b.txt"}, "b": {"two", "a.txt"}}, []string{"replace c", "replace b"}, map[string]string{"b.txt": "one", "a.txt": "two"})
	step("another destination", copies{"c": {"one", "c.txt"}, "b": {"two", "a.txt"}}, []string{"replace c"}, map[string]string{"a.txt": "two", "b.txt": "one", "c.txt": "one"})
	step("one copy less", copies{"b": {"two", "a.txt"}}, []string{"delete c"}, map[string]string{"a.txt": "two", "b.txt": "one", "c.txt": "one"})

	enginetest.Run(t, s, "destroy")
	for _, r := range cloud.Resources() {
		if strings.HasPrefix(r.Type, "aws:s3/") && r.ID != "company-data" {
			t.Errorf("destroy left %s %s", r.Type, r.ID)
		}
	}
}

// From S3's keys to KMS, buckets change in place, nothing that holds data is replaced, and the image repository keeps the
// encryption that it was created with.
func TestEncryptionByKMSLater(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	alone(t, s)
	set(t, s, "training.enabled", false)
	set(t, s, "storage.encryption", "aes256")
	enginetest.Run(t, s, "up")
	set(t, s, "storage.encryption", "kms")
	want := []string{
		"update pulumi:index:Stash standing", "create aws:kms/key:Key storage-key", "update aws:iam/rolePolicy:RolePolicy sagemaker-role-policy",
	}
	for _, bucket := range []string{"source", "dataset", "checkpoints", "artifacts"} {
		want = append(want, "update aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2 storage-"+bucket+"-encryption")
	}
	edited(t, s, "KMS", want...)
	repository := single(t, cloud, "aws:ecr/repository:Repository", "image-repository")
	if list, _ := repository.Inputs["encryptionConfigurations"].([]any); len(list) != 1 || list[0].(map[string]any)["encryptionType"] != "AES256" {
		t.Errorf("the image repository has the encryption %v", list)
	}
	rules, _ := single(t, cloud, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "storage-dataset-encryption").Inputs["rules"].([]any)
	if algorithm := stackfile.Get(rules[0].(map[string]any), "applyServerSideEncryptionByDefault.sseAlgorithm"); algorithm != "aws:kms" {
		t.Errorf("the dataset bucket is encrypted with %v", algorithm)
	}
}
