package main

import (
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/policy"
)

// Every bucket and every key denies whoever is outside the organization, or without one outside the stack's accounts.
func TestPerimeter(t *testing.T) {
	for stack, want := range map[string][]string{"dev": {"o-0123456789"}, "prod": {"o-found"}, "solo": nil} {
		g := runShipped(t, stack)
		guarded := slices.Concat(g.of("aws:s3/bucketPolicy:BucketPolicy"), g.of("aws:kms/key:Key"))
		if len(guarded) < 8 {
			t.Fatalf("%s: %d buckets and keys: this test tests little", stack, len(guarded))
		}
		for _, r := range guarded {
			trusted := statements(t, r, "policy")["DenyOutsiders"].Condition["StringNotEqualsIfExists"]
			if got := trusted["aws:PrincipalOrgID"]; !slices.Equal(got, want) || len(trusted["aws:PrincipalAccount"]) != 1 {
				t.Errorf("%s: %s trusts %v", stack, r.name, trusted)
			}
		}
	}
	g, err := run(t, "solo", map[string]any{
		"organization.roleName": "platform",
		"organization.accounts": map[string]any{"training": map[string]any{"id": "444455556666"}, "testing": map[string]any{"id": "555566667777"}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	trusted := statements(t, g.one(t, "storage-dataset-policy"), "policy")["DenyOutsiders"].Condition["StringNotEqualsIfExists"]["aws:PrincipalAccount"]
	if !slices.Equal(trusted, []string{"444455556666", "555566667777"}) {
		t.Errorf("without an organization the accounts %v are trusted", trusted)
	}
}

// Objects are used from the VPC that the stack creates. The roles that are exempt from it, or bound to it, are called as
// the stack calls them.
func TestObjectsAreUsedFromTheVPC(t *testing.T) {
	const people = "arn:aws:iam::111122223333:role/research"
	for name, c := range map[string]struct {
		stack string
		set   map[string]any
		want  string // key of the condition with the roles; empty: no statement
	}{
		"deployed by a role":  {"dev", map[string]any{"roles.scientists": []any{people}, "storage.transfers": map[string]any{"a": map[string]any{}}}, "ArnNotLikeIfExists"},
		"deployed by anybody": {"solo", nil, "ArnLike"},
		"existing VPC": {"solo", map[string]any{
			"network.vpcId": "vpc-0123456789abcdef0", "network.privateSubnetIds": []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
			"network.acceleratorSubnetIds": map[string]any{"a": "subnet-0123456789abcdef2"},
		}, ""},
	} {
		g, err := run(t, c.stack, c.set, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, bucket := range bucketsOf(t, g) {
			statement, bound := statements(t, g.one(t, bucket.name+"-policy"), "policy")["DenyOutsideVPC"]
			if want := c.want != "" && bucket.name != "storage-logs"; bound != want {
				t.Errorf("%s: %s is bound to the VPC: %t, want %t", name, bucket.name, bound, want)
				continue
			}
			if !bound {
				continue
			}
			if vpc := statement.Condition["StringNotEqualsIfExists"]["aws:SourceVpc"]; !slices.Equal(vpc, []string{"network-vpc-id"}) {
				t.Errorf("%s: %s is bound to %v", name, bucket.name, vpc)
			}
			for _, arn := range statement.Condition[c.want]["aws:PrincipalArn"] {
				_, role, stacks := strings.Cut(arn, "role/llm-platform-"+c.stack+"-")
				if stacks {
					g.one(t, strings.TrimSuffix(role, "-???????")) // fails without a role of that name
				}
			}
			if len(statement.Condition[c.want]["aws:PrincipalArn"]) < 2 {
				t.Errorf("%s: %s has the condition %v", name, bucket.name, statement.Condition)
			}
		}
	}
}

// The S3 endpoint of the VPC permits the buckets that the settings name.
func TestS3Endpoint(t *testing.T) {
	g := runWith(t, map[string]any{"network.s3Buckets": []any{"tokenizers"}, "ci.stateBucketArn": "arn:aws:s3:::state"})
	further := statements(t, g.one(t, "network-s3"), "policy")["FurtherBuckets"]
	if want := []string{"arn:aws:s3:::state", "arn:aws:s3:::state/*", "arn:aws:s3:::tokenizers", "arn:aws:s3:::tokenizers/*"}; !slices.Equal(further.Resource, want) {
		t.Errorf("permits %v", further.Resource)
	}
}

// An organization that the stack creates has a trail, whose bucket is retained; one that it adopts has none of the stack's.
func TestTrail(t *testing.T) {
	g := runWith(t, map[string]any{"organization.trustedServices": []any{}})
	trail, bucket := g.one(t, "trail-organization"), g.one(t, "trail-logs")
	for _, on := range []string{"isOrganizationTrail", "isMultiRegionTrail", "includeGlobalServiceEvents", "enableLogFileValidation"} {
		if value := at(trail.inputs, on); !value.IsBool() || !value.BoolValue() {
			t.Errorf("%s is %v", on, value)
		}
	}
	writer := statements(t, g.one(t, "trail-logs-policy"), "policy")["WriteLogs"]
	if arn := writer.Condition["StringEquals"]["aws:SourceArn"]; !slices.Equal(arn, []string{"arn:aws:cloudtrail:us-west-2:111111111111:trail/" + text(trail.inputs, "name")}) {
		t.Errorf("the bucket is for %v", arn)
	}
	if !bucket.request.GetRetainOnDelete() || at(bucket.inputs, "forceDestroy").BoolValue() || bucket.provider() != "org-management" || !trail.dependsOn("trail-logs-policy") {
		t.Errorf("the bucket is retained: %t, by %s", bucket.request.GetRetainOnDelete(), bucket.provider())
	}
	if services := list(g.one(t, "org-organization").inputs, "awsServiceAccessPrincipals"); len(services) != 1 || services[0].StringValue() != "cloudtrail.amazonaws.com" {
		t.Errorf("trusted are %v", services)
	}
	for name, g := range map[string]*graph{"adopted": runShipped(t, "prod"), "switched off": runWith(t, map[string]any{"organization.trail": false})} {
		if created := g.of("aws:cloudtrail/trail:Trail"); len(created) > 0 {
			t.Errorf("%s: creates %v", name, created)
		}
	}
}

// Accounts that the stack creates block public access for good; existing ones are not touched.
func TestNewAccountsBlockPublicAccess(t *testing.T) {
	kinds := []string{
		"aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock", "aws:ebs/encryptionByDefault:EncryptionByDefault",
		"aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess", "aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess",
	}
	g := runWith(t, map[string]any{"organization.accounts.deployment": map[string]any{"id": "444455556666"}})
	for _, kind := range kinds {
		var providers []string
		for _, r := range g.of(kind) {
			providers = append(providers, r.provider())
			if !r.request.GetRetainOnDelete() || r.request.GetProtect() {
				t.Errorf("%s has retain %t: a destroy would switch it off", r.name, r.request.GetRetainOnDelete())
			}
		}
		if slices.Sort(providers); !slices.Equal(providers, []string{"org-provider-testing", "org-provider-training"}) {
			t.Errorf("%s in %v", kind, providers)
		}
		if solo := runShipped(t, "solo").of(kind); len(solo) > 0 {
			t.Errorf("an existing account gets %v", solo)
		}
	}
}

// With storage.encryption kms every log group has a key of the stack; without, none.
func TestLogGroupKey(t *testing.T) {
	for encryption, want := range map[string]bool{"kms": true, "aes256": false} {
		g := runWith(t, map[string]any{"storage.encryption": encryption})
		groups := g.of("aws:cloudwatch/logGroup:LogGroup")
		if len(groups) != 6 {
			t.Fatalf("%d log groups: this test tests little", len(groups))
		}
		for _, group := range groups {
			if got := group.inputs.HasValue("kmsKeyId"); got != want {
				t.Errorf("%s: %s has a key: %t", encryption, group.name, got)
			}
		}
		if want && statements(t, g.one(t, "cluster-logs-key"), "policy")["EncryptLogs"].Effect != policy.Allow {
			t.Error("CloudWatch may not use the key")
		}
	}
}

// The source bucket must be the training account's unless the settings name another owner, also for DataSync and SageMaker.
func TestSourceOwner(t *testing.T) {
	fakeS3(t, map[string]int64{"/company-data/a.jsonl": 1})
	for owner, want := range map[string]string{"": "222222222222", "999999999999": "999999999999"} {
		g, err := run(t, "prod", map[string]any{
			"organization.mode": "none", "organization.roleName": "", "storage.sourceBucket": "company-data", "storage.sourceAccountId": owner,
			"organization.accounts": map[string]any{"training": map[string]any{"id": "222222222222"}},
			"storage.copies":        map[string]any{"a": map[string]any{"source": "a.jsonl"}}, "storage.transfers": map[string]any{"b": map[string]any{}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(g.one(t, "storage-copy-a").inputs, "expectedSourceBucketOwner"); got != want {
			t.Errorf("copies from a bucket of %s, want %s", got, want)
		}
		for _, role := range []string{"storage-transfer-policy", "sagemaker-role-policy"} {
			read := statements(t, g.one(t, role), "policy")["ReadObjects"]
			owners := read.Condition["StringEquals"]["aws:ResourceAccount"]
			if slices.Index(owners, want) < 0 || slices.Index(owners, "222222222222") < 0 || len(owners) > 2 {
				t.Errorf("%s reads buckets of %v", role, owners)
			}
		}
	}
}
