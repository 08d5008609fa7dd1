package advice

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	got := Explain(Refusal{
		Name: "storage-dataset", Type: "aws:s3/bucketV2:BucketV2", Operation: "create", Place: "account \"training\"",
		Error: "operation error S3: CreateBucket, https response error StatusCode: 403, api error AccessDenied: no",
	})
	want := "storage-dataset (aws:s3/bucketV2:BucketV2): create failed in account \"training\". " +
		"The identity lacks a permission: check `aws sts get-caller-identity`, and what organization.roleName allows in that account. " +
		"Completed changes are kept; the next `pulumi up` continues from there."
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The errors are quoted as AWS, GitHub and Kubernetes return them.
func TestRemedies(t *testing.T) {
	seen := map[string]bool{}
	for message, want := range map[string]string{
		"AccessDenied: User: arn:aws:sts::1:assumed-role/a is not authorized to perform: s3:CreateBucket with an explicit deny in a service control policy":                                                                      "guardrails",
		"api error UnauthorizedOperation: You are not authorized to perform this operation.":                                                                                                                                     "lacks a permission",
		"waiting for AWS Organizations Account create: unexpected state 'FAILED', wanted target 'SUCCEEDED'. last error: EMAIL_ALREADY_EXISTS":                                                                                   "e-mail address",
		"creating CloudWatch Logs Log Group (/aws/eks/a/cluster): operation error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, ResourceAlreadyExistsException: The specified log group already exists": "delete-log-group",
		"EntityAlreadyExists: Role with name x already exists.":                                                                                                                                                                  "interrupted update",
		"POST https://api.github.com/repos/a/b/git/refs: 422 Reference already exists []":                                                                                                                                        "interrupted update",
		"VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 0 allows":                                                                                                                      "quota",
		"AddressLimitExceeded: The maximum number of addresses has been reached.":                                                                                                                                                "quota",
		"InsufficientInstanceCapacity: We currently do not have sufficient p5.48xlarge capacity":                                                                                                                                 "network.acceleratorZones",
		"ThrottlingException: Rate exceeded":            "Rate limited",
		"RequestLimitExceeded: Request limit exceeded.": "Rate limited",
		"ConcurrentModificationException: AWS Organizations can't complete your request because it conflicts with another attempt": "Rate limited",
		"ExpiredToken: The security token included in the request is expired":                                                      "log in",
		"dial tcp 10.0.1.5:443: i/o timeout": "network",
		"InvalidParameterValue: nonsense":    "Fix the cause above",
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
