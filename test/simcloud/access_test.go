package simcloud

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// A bucket's policy decides about objects: by who writes, and from where.
func TestBucketPolicyDecides(t *testing.T) {
	const (
		role = "arn:aws:iam::222222222222:role/platform"
		vpc  = `"StringNotEqualsIfExists":{"aws:SourceVpc":"vpc-1"}`
	)
	deny := func(condition string) string {
		return `{"Statement":[{"Sid":"No","Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":"arn:aws:s3:::data/*","Condition":{` + condition + `}}]}`
	}
	for name, test := range map[string]struct{ policy, want string }{
		"no policy":                {"", ""},
		"from outside":             {deny(vpc), "explicit deny in a resource-based policy (No)"},
		"an exempt role":           {deny(vpc + `,"ArnNotLikeIfExists":{"aws:PrincipalArn":["arn:aws:iam::*:role/plat????"]}`), ""},
		"another exempt role":      {deny(vpc + `,"ArnNotLikeIfExists":{"aws:PrincipalArn":["arn:aws:iam::*:role/plat?"]}`), "AccessDenied"},
		"bound roles":              {deny(vpc + `,"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/pod"}`), ""},
		"without TLS":              {deny(`"Bool":{"aws:SecureTransport":"false"}`), ""},
		"old TLS":                  {deny(`"NumericLessThan":{"s3:TlsVersion":"1.2"}`), ""},
		"key of the caller":        {deny(`"Null":{"s3:x-amz-server-side-encryption-customer-algorithm":"false"}`), ""},
		"outside the organization": {deny(`"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-other"}`), "AccessDenied"}, // without one there is no value, which is no match
		"outside the account":      {deny(`"StringNotEqualsIfExists":{"aws:PrincipalAccount":"111111111111"}`), "AccessDenied"},
		"a service":                {deny(`"BoolIfExists":{"aws:PrincipalIsAWSService":"true"}`), ""},
		"an unknown operator":      {deny(`"DateLessThan":{"aws:CurrentTime":"2026-01-01"}`), "does not know the condition operator DateLessThan"},
		"nobody":                   {deny(""), "AccessDenied"},
	} {
		c := New()
		in := instance{account: "222222222222", partition: "aws", principal: role}
		if test.policy != "" {
			if err := c.Put(Resource{Type: bucketPolicyType, Account: in.account, Inputs: values{"bucket": "data", "policy": test.policy}}); err != nil {
				t.Fatal(err)
			}
		}
		c.PutObject("source", "a", []byte("a"), 0)
		for typ, inputs := range map[string]values{
			objectType: {"bucket": "data", "key": "a"}, copyType: {"bucket": "data", "key": "a", "source": "source/a"},
		} {
			err := c.written(&record{typ: typ, instance: in, inputs: resource.NewPropertyMapFromMap(inputs)})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%s: writing %s: %v, want %q", name, typ, err, test.want)
			}
		}
		// Reading is an action too.
		c.PutObject("data", "b", []byte("b"), 0)
		err := c.written(&record{typ: copyType, instance: in, inputs: resource.NewPropertyMapFromMap(values{"bucket": "other", "key": "b", "source": "data/b"})})
		if (err == nil) != (test.want == "") {
			t.Errorf("%s: reading: %v", name, err)
		}
	}
}

// A copy names the owner of its source.
func TestSourceOwnerDecides(t *testing.T) {
	c := New()
	if err := c.Put(Resource{Type: bucketType, Account: "999999999999", Region: "us-west-2", Inputs: values{"bucket": "corpora"}}); err != nil {
		t.Fatal(err)
	}
	c.PutObject("corpora", "a", []byte("a"), 0)
	for owner, want := range map[string]string{"999999999999": "", "": "", "222222222222": "another owner"} {
		inputs := values{"bucket": "data", "key": "a", "source": "corpora/a"}
		if owner != "" {
			inputs["expectedSourceBucketOwner"] = owner
		}
		err := c.written(&record{typ: copyType, inputs: resource.NewPropertyMapFromMap(inputs)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("expected owner %q: %v", owner, err)
		}
	}
}

// CloudTrail and CloudWatch Logs need permissions of the bucket and the key that they are given.
func TestServicesNeedPermissions(t *testing.T) {
	allow := func(service, action, more string) string {
		return `{"Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"` + action + `"` + more + `}]}`
	}
	c := New()
	trail := &record{typ: trailType, inputs: resource.NewPropertyMapFromMap(values{"name": "t", "s3BucketName": "logs"})}
	group := &record{typ: logGroupType, id: "g", instance: instance{region: "us-west-2"}, inputs: resource.NewPropertyMapFromMap(values{"kmsKeyId": "arn:aws:kms:us-west-2:222222222222:key/k"})}
	put := func(r Resource) {
		t.Helper()
		if err := c.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, err error, want string) {
		t.Helper()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	refused("no organization", c.trail(trail), "CloudTrailAccessNotEnabledException")
	put(Resource{Type: organizationType, Account: ManagementAccount, Inputs: values{"awsServiceAccessPrincipals": []any{"cloudtrail.amazonaws.com"}}})
	refused("no policy", c.trail(trail), "InsufficientS3BucketPolicyException")
	put(Resource{Type: bucketPolicyType, Inputs: values{"bucket": "logs", "policy": allow("cloudtrail.amazonaws.com", "s3:PutObject", `,"Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-west-2:1:trail/other"}}`)}})
	refused("the policy of another trail", c.trail(trail), "InsufficientS3BucketPolicyException")
	c.Edit(bucketPolicyType, "logs", "policy", allow("cloudtrail.amazonaws.com", "s3:PutObject", `,"Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-west-2:1:trail/t"}}`))
	refused("its policy", c.trail(trail), "")

	refused("no key", c.encrypted(group), "not allowed to be used with LogGroup")
	put(Resource{Type: keyType, Inputs: values{"arn": "arn:aws:kms:us-west-2:222222222222:key/k", "policy": allow("logs.us-west-2.amazonaws.com", "kms:GenerateDataKey*", "")}})
	refused("its key", c.encrypted(group), "")
	group.region = "eu-west-1"
	refused("a key of another region's", c.encrypted(group), "not allowed to be used with LogGroup")
}
