package recovery

import (
	"reflect"
	"strings"
	"testing"
)

const export = `{"version": 3, "deployment": {"pending_operations": [
  {"type": "creating", "resource": {
    "urn": "urn:pulumi:dev::llm-platform::llm:platform:Storage$aws:s3/bucketV2:BucketV2::storage-dataset",
    "type": "aws:s3/bucketV2:BucketV2", "inputs": {"bucket": "data-1234567"},
    "parent": "urn:pulumi:dev::llm-platform::llm:platform:Storage::storage",
    "provider": "urn:pulumi:dev::llm-platform::llm:platform:Organization$pulumi:providers:aws::org-training::0b3c"}},
  {"type": "creating", "resource": {
    "urn": "urn:pulumi:dev::llm-platform::aws:ec2/vpc:Vpc::network-vpc", "type": "aws:ec2/vpc:Vpc", "inputs": {"cidrBlock": "10.0.0.0/16"}}},
  {"type": "creating", "resource": {
    "urn": "urn:pulumi:dev::llm-platform::kubernetes:core/v1:Service::training-service", "type": "kubernetes:core/v1:Service",
    "inputs": {"metadata": {"name": "train-1", "namespace": "training"}}}},
  {"type": "creating", "resource": {"urn": "urn:pulumi:dev::llm-platform::pulumi:providers:github::git-github", "type": "pulumi:providers:github"}},
  {"type": "updating", "resource": {"urn": "urn:pulumi:dev::llm-platform::aws:eks/nodeGroup:NodeGroup::pool-gpu", "type": "aws:eks/nodeGroup:NodeGroup"}}
]}}`

func TestPending(t *testing.T) {
	got, err := Pending([]byte(export))
	if err != nil {
		t.Fatal(err)
	}
	want := File{
		NameTable: map[string]string{
			"storage":      "urn:pulumi:dev::llm-platform::llm:platform:Storage::storage",
			"org-training": "urn:pulumi:dev::llm-platform::llm:platform:Organization$pulumi:providers:aws::org-training",
		},
		Resources: []Resource{
			{Type: "aws:s3/bucketV2:BucketV2", Name: "storage-dataset", ID: "data-1234567", Parent: "storage", Provider: "org-training",
				URN: "urn:pulumi:dev::llm-platform::llm:platform:Storage$aws:s3/bucketV2:BucketV2::storage-dataset", Called: "data-1234567"},
			{Type: "aws:ec2/vpc:Vpc", Name: "network-vpc", URN: "urn:pulumi:dev::llm-platform::aws:ec2/vpc:Vpc::network-vpc"},
			{Type: "kubernetes:core/v1:Service", Name: "training-service", ID: "training/train-1",
				URN: "urn:pulumi:dev::llm-platform::kubernetes:core/v1:Service::training-service", Called: "train-1"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestBadState(t *testing.T) {
	if _, err := Pending([]byte("no JSON")); err == nil || !strings.HasPrefix(err.Error(), "state: ") {
		t.Errorf("no JSON: %v", err)
	}
	same := strings.Replace(export, `"provider": "urn:pulumi:dev::llm-platform::llm:platform:Organization$pulumi:providers:aws::org-training::0b3c"`,
		`"provider": "urn:pulumi:dev::llm-platform::pulumi:providers:aws::storage::0b3c"`, 1)
	if _, err := Pending([]byte(same)); err == nil || !strings.Contains(err.Error(), "have one name") {
		t.Errorf("a parent and a provider of one name: %v", err)
	}
}
