package advice

import (
	"errors"
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
		"creating CloudWatch Logs Log Group (/aws/eks/a/cluster): operation error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, ResourceAlreadyExistsException: The specified log group already exists": "delete-log-group",
		"AccessDenied: User: arn:aws:sts::1:assumed-role/a is not authorized to perform: s3:CreateBucket with an explicit deny in a service control policy":                                                                      "guardrails",
		"api error AccessDenied: User: arn:aws:sts::1:assumed-role/a is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/c\" with an explicit deny in a resource-based policy":                              "docs/data.md",
		`creating kubernetes ResourceQuota "training-quota" in c: AccessDeniedException: no`:                                                                                                                                     "lacks a permission",
		`pods "train-0" is forbidden: exceeded quota: accelerators`:                                                                                              "quota",
		`jobs.batch is forbidden: User "a" cannot create resource "jobs"`:                                                                                        "lacks a permission",
		"api error UnauthorizedOperation: You are not authorized to perform this operation.":                                                                     "lacks a permission",
		"waiting for AWS Organizations Account create: unexpected state 'FAILED', wanted target 'SUCCEEDED'. last error: EMAIL_ALREADY_EXISTS":                   "e-mail address",
		"waiting for AWS Organizations Account create: unexpected state 'FAILED', wanted target 'SUCCEEDED'. last error: ACCOUNT_LIMIT_EXCEEDED":                 "maximum number of accounts",
		"ConstraintViolationException: You have exceeded the allowed number of AWS Accounts.":                                                                    "maximum number of accounts",
		"ConstraintViolationException: ACCOUNT_CREATION_RATE_LIMIT_EXCEEDED":                                                                                     "in an hour",
		"FinalizingOrganizationException: AWS Organizations couldn't perform the operation because your organization hasn't finished initializing.":              "in an hour",
		"unexpected state 'FAILED': MISSING_PAYMENT_INSTRUMENT":                                                                                                  "payment method",
		"AlreadyInOrganizationException: This account is already a member of an organization.":                                                                   "organization.mode to adopt",
		"AWSOrganizationsNotInUseException: Your account is not a member of an organization":                                                                     "organization.mode to create",
		"DuplicateOrganizationalUnitException: An OU with the same name already exists":                                                                          "ou-…",
		"AWS account ID not allowed: 333333333333":                                                                                                               "organization.managementAccountId",
		"PendingVerification: Your request for accessing resources in this region is being validated":                                                            "four hours",
		"OptInRequired: You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.":                                                "enable-region",
		"RegionDisabledException: STS is not activated in this region for account:1":                                                                             "enable-region",
		"InvalidParameterCombination - The specified instance type is not eligible for Free Tier":                                                                "Free plan",
		"GH013: Repository rule violations found for refs/heads/main.":                                                                                           "rule of the repository",
		"PUT https://api.github.com/repos/a/b/contents/x: 422 Repository rule violations found":                                                                  "rule of the repository",
		"GH006: Protected branch update failed for refs/heads/x.":                                                                                                "rule of the repository",
		"PUT https://api.github.com/repos/a/b/contents/scripts/train.py: 409 scripts/train.py does not match 1f2e []":                                            "pulumi refresh",
		"InvalidTag: The TagValue you have provided is invalid":                                                                                                  "refuses a tag",
		"TagException: The request was rejected because one or more tags are not valid.":                                                                         "refuses a tag",
		"InvalidObjectState: The operation is not valid for the object's storage class":                                                                          "restore-object",
		"ResourceLimitExceeded: The account-level service limit 'ml.p4d.24xlarge for notebook instance usage' is 0":                                              "quota",
		"TooManyRequestsException: AWS Organizations is currently processing other requests":                                                                     "Rate limited",
		"no EC2 IMDS role found, operation error ec2imds: GetMetadata":                                                                                           "log in",
		"EntityAlreadyExists: Role with name x already exists.":                                                                                                  "interrupted update",
		"POST https://api.github.com/repos/a/b/git/refs: 422 Reference already exists []":                                                                        "interrupted update",
		"VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 0 allows":                                                      "quota",
		"AddressLimitExceeded: The maximum number of addresses has been reached.":                                                                                "quota",
		"InsufficientInstanceCapacity: We currently do not have sufficient p5.48xlarge capacity":                                                                 "network.acceleratorZones",
		"ThrottlingException: Rate exceeded":                                                                                                                     "Rate limited",
		"RequestLimitExceeded: Request limit exceeded.":                                                                                                          "Rate limited",
		"ConcurrentModificationException: AWS Organizations can't complete your request because it conflicts with another attempt":                               "Rate limited",
		"ExpiredToken: The security token included in the request is expired":                                                                                    "log in",
		"dial tcp 10.0.1.5:443: i/o timeout":                                                                                                                     "network",
		"unexpected state 'FAILED', wanted target 'SUCCEEDED'. last error: INVALID_EMAIL":                                                                        "organization.emailTemplate",
		"UnsupportedAvailabilityZoneException: Cannot create cluster 'a' because EKS does not support creating control plane instances in us-east-1e":            "network.zones",
		"InvalidParameterException: The following CIDRs are not allowed in publicAccessCidrs: [203.0.113.0/24]":                                                  "cluster.publicCidrs",
		"InvalidParameterException: Addon version specified is not supported":                                                                                    "Newer node images and add-ons",
		"Unsupported: Your requested instance type (p5.48xlarge) is not supported in your requested Availability Zone (us-east-1a).":                             "network.acceleratorZones",
		"ReservationCapacityExceeded: The requested reservation does not have sufficient compatible and available capacity for this request.":                    "no free instances",
		"EntityAlreadyExists: Provider with url https://token.actions.githubusercontent.com already exists.":                                                     "ci.createProvider to false",
		"InvalidParameterValue: nonsense":                                                                                                                        "Fix the cause above",
		"PUT https://api.github.com/repos/a/b/environments/dev: 422 Fail to create protected rule, please ensure billing plan include protected branch gate. []": "ci.reviewers",
	} {
		got := remedyFor(message)
		seen[got] = true
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", message, got)
		}
	}
	for _, r := range remedies() {
		if !seen[r.do] {
			t.Errorf("no message was tried for %q", r.do)
		}
	}
}

// The error of a look-up keeps its cause, and gets advice only where there is some.
func TestWith(t *testing.T) {
	cause := errors.New("RequestLimitExceeded: Request limit exceeded.")
	if got := With(cause); !errors.Is(got, cause) || got.Error() != cause.Error()+". Rate limited; retry in a few minutes." {
		t.Errorf("got %v", got)
	}
	unknown := errors.New("nonsense")
	if got := With(unknown); got != unknown {
		t.Errorf("got %v", got)
	}
	if With(nil) != nil {
		t.Error("no error became one")
	}
}
