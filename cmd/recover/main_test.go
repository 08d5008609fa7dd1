package main

import (
	"encoding/json"
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
  {"type": "creating", "resource": {"urn": "urn:pulumi:dev::llm-platform::pulumi:index:Stash::standing", "type": "pulumi:index:Stash", "inputs": {"input": {"name": "a"}}}},
  {"type": "updating", "resource": {"urn": "urn:pulumi:dev::llm-platform::aws:eks/nodeGroup:NodeGroup::pool-gpu", "type": "aws:eks/nodeGroup:NodeGroup"}}
]}}`

func TestRecover(t *testing.T) {
	var out, notes strings.Builder
	if err := run(strings.NewReader(export), &out, &notes); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
	  "nameTable": {
	    "storage": "urn:pulumi:dev::llm-platform::llm:platform:Storage::storage",
	    "org-training": "urn:pulumi:dev::llm-platform::llm:platform:Organization$pulumi:providers:aws::org-training"},
	  "resources": [
	    {"type": "aws:s3/bucketV2:BucketV2", "name": "storage-dataset", "id": "data-1234567", "parent": "storage", "provider": "org-training"},
	    {"type": "aws:ec2/vpc:Vpc", "name": "network-vpc", "id": "FILL IN"},
	    {"type": "kubernetes:core/v1:Service", "name": "training-service", "id": "training/train-1"}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if want := "storage-dataset (aws:s3/bucketV2:BucketV2, named data-1234567): if it exists"; !strings.Contains(notes.String(), want) || strings.Count(notes.String(), "\n") != 3 {
		t.Errorf("notes: %s", notes.String())
	}
}

func TestNothingPending(t *testing.T) {
	var out, notes strings.Builder
	if err := run(strings.NewReader(`{"version": 3, "deployment": {"pending_operations": []}}`), &out, &notes); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"resources": []`) || !strings.Contains(notes.String(), "no create is pending") {
		t.Errorf("%s%s", out.String(), notes.String())
	}
}

func TestBadState(t *testing.T) {
	provider := "urn:pulumi:dev::llm-platform::llm:platform:Organization$pulumi:providers:aws::org-training::0b3c"
	for name, c := range map[string]struct{ export, want string }{
		"no JSON":       {"no JSON", "state: "},
		"no deployment": {`{"version": 3, "deployment": 7}`, "state: deployment: "},
		"one name":      {strings.Replace(export, provider, "urn:pulumi:dev::llm-platform::pulumi:providers:aws::storage::0b3c", 1), "have the same name"},
		"no reference":  {strings.Replace(export, provider, "storage", 1), "state: provider of urn:pulumi:dev"},
	} {
		if err := run(strings.NewReader(c.export), &strings.Builder{}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
