package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

// Documents are written as AWS writes them back, so that reading one is no change.
func TestJSON(t *testing.T) {
	got, err := Document{{
		Sid: "A", Effect: Deny, Principal: everyone(), Action: []string{"s3:*"}, Resource: []string{"a", "b"},
		Condition: Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
	}}.JSON()
	want := `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":["a","b"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
	if err != nil || got != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

// No document of ours allows everybody, or everything.
func TestNothingIsOpen(t *testing.T) {
	access := Access{ReadBuckets: []string{"arn:aws:s3:::r"}, WriteBuckets: []string{"arn:aws:s3:::w"}, Keys: []string{"arn:aws:kms:::key/k"}}
	documents := map[string]Document{
		"private bucket": PrivateBucket("arn:aws:s3:::b"),
		"log bucket":     LogBucket("arn:aws:s3:::b", "123456789012"),
		"trust":          ServiceTrust("sagemaker.amazonaws.com", "123456789012"),
		"access":         access.Document(),
		"sagemaker":      SageMaker("aws", "us-west-2", "123456789012", access),
	}
	// What has no resource-level permissions: the service authorization reference.
	anyResource := map[string]bool{"ecr:GetAuthorizationToken": true, "cloudwatch:PutMetricData": true}
	for name, document := range documents {
		if len(document) == 0 {
			t.Errorf("%s is empty", name)
		}
		for _, s := range document {
			if s.Effect != Allow {
				continue
			}
			if s.Principal != nil && len(s.Principal.AWS) > 0 {
				t.Errorf("%s: %s allows %v", name, s.Sid, s.Principal.AWS)
			}
			if s.Principal != nil && len(s.Condition["StringEquals"]["aws:SourceAccount"]) == 0 {
				t.Errorf("%s: %s lets a service act for any account", name, s.Sid)
			}
			for _, action := range s.Action {
				if strings.Contains(action, "*") {
					t.Errorf("%s: %s allows %s", name, s.Sid, action)
				}
				for _, resource := range s.Resource {
					if resource == "*" && !anyResource[action] {
						t.Errorf("%s: %s allows %s on everything", name, s.Sid, action)
					}
				}
			}
		}
	}
}

// Writing is allowed where it is asked for, and nowhere else.
func TestAccess(t *testing.T) {
	text, err := json.Marshal(Access{ReadBuckets: []string{"arn:aws:s3:::r"}, WriteBuckets: []string{"arn:aws:s3:::w"}}.Document())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"s3:PutObjectTagging"],"Resource":"arn:aws:s3:::w/*"`, `"Resource":["arn:aws:s3:::r","arn:aws:s3:::w"]`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("access lacks %s:\n%s", part, text)
		}
	}
	if strings.Contains(string(text), "kms:") {
		t.Error("KMS is allowed without a key")
	}
}
