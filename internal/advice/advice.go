// Package advice explains changes that a cloud has refused.
package advice

import (
	"fmt"
	"strings"
)

// Refusal is one change that failed.
type Refusal struct {
	Name, Type string // logical name and type token of the resource
	Operation  string // create, update or delete
	Place      string // where the change was attempted, for example: the management account
	Error      string // the provider's answer
}

// Explain returns one paragraph that names the resource and the place, and says what to do.
func Explain(r Refusal) string {
	return fmt.Sprintf("%s (%s): %s failed in %s. %s Completed changes are kept; the next `pulumi up` continues from there.",
		r.Name, r.Type, r.Operation, r.Place, remedyFor(r.Error))
}

// remedy is what to do about an error that contains one of the words, which are in lower case. … stands for any text.
type remedy struct {
	words []string
	do    string
}

// remedies returns the remedies, the more specific first: the first that matches applies. The words are those of
// AWS's error codes (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and the pages of
// each service; read 2026-11-26), of HTTP and of GitHub.
func remedies() []remedy {
	return []remedy{
		{[]string{"service control policy"},
			"A guardrail denies it or, over budget, the kill switch: see guardrails.* and budget.* of this stack (docs/governance.md), and the organization's other policies."},
		{[]string{"explicit deny in a resource-based policy"},
			"The policy of the bucket or the key denies it: docs/data.md, \"Who reaches it\", says to whom. If that was another stack's or an older policy, change it as an administrator of its account (`aws s3api get-bucket-policy`)."},

		// Organizations.
		{[]string{"email_already_exists"},
			"An account with this e-mail address exists, perhaps created by an interrupted update: set organization.accounts.<name>.id to its id, or change the e-mail address."},
		{[]string{"invalid_email"},
			"AWS refuses the account's e-mail address: correct organization.emailTemplate, or organization.accounts.<name>.email."},
		{[]string{"account_limit_exceeded", "account_number_limit_exceeded", "allowed number of aws accounts"},
			"The organization has as many accounts as its quota allows (10 by default; closed accounts count for 90 days): raise \"Default maximum number of accounts\" of AWS Organizations under Service Quotas, in us-east-1 of the management account, or use existing accounts by id (organization.accounts.<name>.id)."},
		{[]string{"account_creation_rate_limit_exceeded", "concurrent_account_modification", "account_creation_not_complete", "finalizingorganization"},
			"AWS still creates the organization or another account: retry in an hour at the latest."},
		{[]string{"missing_payment_instrument", "business_validation"},
			"AWS must accept the management account's payment method and business first: see its Billing console."},
		{[]string{"alreadyinorganization"},
			"The account belongs to an organization: set organization.mode to adopt, with credentials of that organization's management account."},
		{[]string{"organizationsnotinuse"},
			"The account of the credentials has no organization: use credentials of the management account, or set organization.mode to create (once) or to none."},
		{[]string{"duplicateorganizationalunit"},
			"An OU of that name exists below the root, perhaps of an earlier life of this stack: list its id (ou-…) in organization.organizationalUnits in place of the name."},
		{[]string{"account id not allowed"},
			"The credentials belong to another account than the configuration names: check `aws sts get-caller-identity` and organization.managementAccountId, or organization.accounts.<name>.id."},

		// New accounts and regions.
		{[]string{"pendingverification"},
			"AWS still verifies the new account in this region, which takes up to four hours, once: retry later."},
		{[]string{"optinrequired", "regiondisabled", "not subscribed"},
			"The service or region is not enabled for the account: finish the account's registration, or enable the region (`aws account enable-region`), then retry."},
		{[]string{"not eligible for free tier", "free tier restriction"},
			"The account is on AWS's Free plan, which starts few instance types: upgrade it to a paid plan in the Billing console, or choose one of the types."},

		// The network and the cluster.
		{[]string{"unsupportedavailabilityzone"},
			"EKS puts no control plane into this zone: remove it from network.zones. The error names the valid zones."},
		{[]string{"not supported in your requested availability zone"},
			"The zone does not offer this instance type: choose another one (network.acceleratorZones), or another type."},
		{[]string{"not allowed in publicaccesscidrs"},
			"EKS refuses private and reserved ranges: set cluster.publicCidrs to public IPv4 ranges, for example your own address (`curl -s https://checkip.amazonaws.com`)."},
		{[]string{"addon version specified is not supported"},
			"EKS does not offer this build of the add-on for the version of Kubernetes: docs/troubleshooting.md, \"Newer node images and add-ons\", says how to update the table."},
		{[]string{"reservationcapacityexceeded"},
			"The reservation has no free instances: reduce the pool or stop what else uses the reservation, or enlarge it."},

		// GitHub and GitLab.
		{[]string{"billing plan"},
			"GitHub offers reviewers of environments in private repositories with GitHub Enterprise only: make ci.repository public, change the plan, or remove ci.reviewers."},
		{[]string{"repository rule violations", "gh013", "gh006", "protected branch"},
			"A rule of the repository forbids it: exempt the token's user from the ruleset or protection, or choose another git.branch."},
		{[]string{" 409 …does not match"},
			"The file was changed on the branch since the last update: run `pulumi refresh`, then `pulumi up`, which writes the scripts again."},
		{[]string{"the specified log group already exists"},
			"EKS and the CloudWatch agents create their log groups anew when they write their last lines after a destroy: run `aws logs delete-log-group --log-group-name <name>` with that account's credentials (docs/troubleshooting.md)."},
		{[]string{"provider with url …already exists"},
			"The account has an OIDC provider of this URL, and IAM allows one: set ci.createProvider to false to use it."},
		{[]string{"reference already exists", "alreadyexists", "already exists", "alreadyinuse", "alreadyowned", "resourceinuse", "entityalready", "conflictexception"},
			"A resource of that name exists, perhaps left by an interrupted update: docs/troubleshooting.md says how to import it. Otherwise delete or rename it."},

		// Before the quotas: EC2 answers RequestLimitExceeded to too many requests.
		{[]string{"requestlimitexceeded", "request limit exceeded", "throttling", "throttled", "rate exceeded", "toomanyrequests", "too many requests", "slowdown", "slow down", "rate limit", "concurrentmodification"},
			"Rate limited; retry in a few minutes."},
		// Before the quotas: the name of what was refused may contain "quota", as that of the namespace's ResourceQuota does. A
		// pod that exceeds a quota is forbidden, so that word is not here.
		{[]string{"accessdenied", "access denied", "unauthorized", "not authorized"}, permission},
		{[]string{"limitexceeded", "limit exceeded", "limit_exceeded", "quota", "toomanybuckets"},
			"A quota is exhausted: raise it under Service Quotas in the console, in that account and region."},
		{[]string{"insufficientinstancecapacity", "insufficient capacity", "insufficientcapacity"},
			"AWS has no capacity of this instance type: choose another zone (network.acceleratorZones) or a reservation (cluster.pools.<name>.capacity), or retry later."},

		// Data.
		{[]string{"invalidtag", "tagexception"},
			"AWS refuses a tag: use letters, digits, spaces and _.:/=+-@ in the names and values of tags."},
		{[]string{"invalidobjectstate"},
			"The object is archived: restore it first (`aws s3api restore-object`), then retry."},

		// Identity and network.
		{[]string{"expiredtoken", "invalidclienttokenid", "unrecognizedclient", "no valid credential", "no ec2 imds role found", "failed to refresh cached credentials", "statuscode: 401"},
			"The credentials are missing, expired or invalid, or the region is not enabled for the account: log in again, and check `aws sts get-caller-identity`."},
		{[]string{"forbidden", "statuscode: 403"}, permission},
		{[]string{"connection refused", "no such host", "i/o timeout", "connection reset", "tls handshake", "deadline exceeded"},
			"The endpoint cannot be reached: check the network. A private control plane is reachable from inside its VPC or from cluster.publicCidrs."},
	}
}

func remedyFor(message string) string {
	if do, known := find(message); known {
		return do
	}
	return "Fix the cause above."
}

func find(message string) (do string, known bool) {
	lower := strings.ToLower(message)
	for _, r := range remedies() {
		for _, word := range r.words {
			first, second, _ := strings.Cut(word, "…")
			if _, rest, ok := strings.Cut(lower, first); ok && strings.Contains(rest, second) {
				return r.do, true
			}
		}
	}
	return "", false
}

// With adds to the error of a look-up what to do, if that is known. Errors of changes get it by Explain.
func With(err error) error {
	if err == nil {
		return nil
	}
	do, known := find(err.Error())
	if !known {
		return err
	}
	return fmt.Errorf("%w. %s", err, do)
}

const permission = "The identity lacks a permission: check `aws sts get-caller-identity`, and what organization.roleName allows in that account."
