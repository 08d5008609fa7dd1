package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"llm-platform/test/simcloud"
)

func TestJudge(t *testing.T) {
	findings := []finding{{"A", "bucket.one", "is open"}, {"A", "bucket.one", "is open"}, {"B", "bucket.two/a", "is old"}}
	for name, c := range map[string]struct {
		waivers []waiver
		want    []string
	}{
		"all waived": {[]waiver{{"A", []string{"bucket.*"}, "r"}, {"B", []string{"bucket.t*a"}, "r"}}, nil},
		"one is not": {[]waiver{{"A", []string{"bucket.*"}, "r"}}, []string{"B bucket.two/a: is old"}},
		"of another check": {[]waiver{{"A", []string{"bucket.*"}, "r"}, {"B", []string{"bucket.one", "bucket.two/*"}, "r"}},
			[]string{"waiver of B on bucket.one: matches no finding; remove it"}},
		"no reason": {[]waiver{{"A", []string{"*"}, "r"}, {"B", []string{"bucket*"}, ""}, {"C", nil, "r"}},
			[]string{"waiver of B: no reason", "waiver of C: names no resource"}},
		"none": {nil, []string{"A bucket.one: is open", "B bucket.two/a: is old"}},
	} {
		if got := judge(findings, c.waivers); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A bucket, what refers to it, and text that looks like a reference.
var resources = []simcloud.Resource{
	{Type: "aws:s3/bucketVersioningV2:BucketVersioningV2", ID: "platform-logs", URN: "b", Name: "logs-versioning", Inputs: map[string]any{"bucket": "platform-logs", "rules": []any{map[string]any{"maxDays": 3.0}}}},
	{Type: "aws:s3/bucketV2:BucketV2", ID: "platform-logs", URN: "a", Name: "logs", Inputs: map[string]any{"bucket": "platform-logs", "tags": map[string]any{"costCenter": "${x} <1>"}}, Outputs: map[string]any{"arn": "arn:aws:s3:::platform-logs"}},
	{Type: "kubernetes:core/v1:Service", ID: "s", URN: "c", Name: "s", Inputs: map[string]any{"kind": "Service"}},
}

func TestTerraform(t *testing.T) {
	got, err := terraform(resources)
	want := `resource "aws_s3_bucket_versioning" "logs-versioning" {
bucket = aws_s3_bucket.logs.id
rule {
max_days = 3
}
}
resource "aws_s3_bucket" "logs" {
bucket = "platform-logs"
tags = {"costCenter":"$${x} <1>"}
}
`
	if err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if objects := kubernetesObjects(resources); objects != "{\"kind\":\"Service\"}\n" {
		t.Errorf("objects: %q", objects)
	}
}

func TestCloudFormation(t *testing.T) {
	many := []simcloud.Resource{{Type: "aws:iam/role:Role", Name: "ci-deploy", Inputs: map[string]any{
		"name": "n", "assumeRolePolicy": `{"Version": "2012-10-17"}`, "maxSessionDuration": 3600.0, "tags": map[string]any{"b": "2", "a": "1"}, "__defaults": []any{},
	}}}
	if _, err := cloudFormation(many); err == nil || !strings.Contains(err.Error(), "only 1 resources") {
		t.Errorf("one resource: %v", err)
	}
	for i := range 50 {
		many = append(many, simcloud.Resource{Type: "aws:ec2/vpc:Vpc", Name: fmt.Sprint("vpc-", i)})
	}
	text, err := cloudFormation(many)
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]any }
	if err := json.Unmarshal([]byte(text), &template); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(template.Resources["Cideploy"])
	want := `{"Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17"},"MaxSessionDuration":3600,"RoleName":"n","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]},"Type":"AWS::IAM::Role"}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
