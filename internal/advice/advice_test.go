package advice

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	got := Explain(Refusal{
		Name: "storage-dataset", Type: "aws:s3/bucketV2:BucketV2", Operation: "create", Provider: "org-provider-training",
		Error: "operation error S3: CreateBucket, https response error StatusCode: 403, api error AccessDenied: no",
	})
	want := "storage-dataset (aws:s3/bucketV2:BucketV2): could not create it in account \"training\" (the output accountIds has its id). " +
		"The identity lacks the right: see what `aws sts get-caller-identity` says, and what organization.roleName may do in that account. " +
		"What was made is kept, and the next `pulumi up` goes on from there."
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for provider, place := range map[string]string{
		"org-management": "the management account", "cluster-kubernetes": "the cluster", "git-github": "GitHub", "git-gitlab": "GitLab", "": "its account",
	} {
		if got := Explain(Refusal{Operation: "update", Provider: provider}); !strings.Contains(got, "could not update it in "+place+". Mend what the error names.") {
			t.Errorf("%s: %s", provider, got)
		}
	}
}

// The errors are as AWS, GitHub and Kubernetes answer them.
func TestRemedies(t *testing.T) {
	seen := map[string]bool{}
	for message, want := range map[string]string{
		"AccessDenied: User: arn:aws:sts::1:assumed-role/a is not authorized to perform: s3:CreateBucket with an explicit deny in a service control policy": "guardrails",
		"api error UnauthorizedOperation: You are not authorized to perform this operation.":                                                                "lacks the right",
		"waiting for AWS Organizations Account create: unexpected state 'FAILED', wanted target 'SUCCEEDED'. last error: EMAIL_ALREADY_EXISTS":              "address",
		"EntityAlreadyExists: Role with name x already exists.":                                                                                             "interrupted up",
		"POST https://api.github.com/repos/a/b/git/refs: 422 Reference already exists []":                                                                   "interrupted up",
		"VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 0 allows":                                                 "quota",
		"AddressLimitExceeded: The maximum number of addresses has been reached.":                                                                           "quota",
		"InsufficientInstanceCapacity: We currently do not have sufficient p5.48xlarge capacity":                                                            "network.acceleratorZones",
		"ThrottlingException: Rate exceeded": "too much",
		"ConcurrentModificationException: AWS Organizations can't complete your request because it conflicts with another attempt": "too much",
		"ExpiredToken: The security token included in the request is expired":                                                      "log in",
		"dial tcp 10.0.1.5:443: i/o timeout": "network",
		"InvalidParameterValue: nonsense":    "Mend what the error names",
	} {
		got := remedyFor(message)
		seen[got] = true
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", message, got)
		}
	}
	if len(seen) != len(remedies())+1 {
		t.Errorf("%d remedies were tried of %d", len(seen)-1, len(remedies()))
	}
}
