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

// remedy is what to do about an error that contains one of the words, which are in lower case.
type remedy struct {
	words []string
	do    string
}

// remedies returns the remedies, the more specific first: the first that matches applies. The words are those of
// AWS's error codes (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and the pages of
// each service), of HTTP and of GitHub.
func remedies() []remedy {
	return []remedy{
		{[]string{"service control policy"},
			"A guardrail denies it: see guardrails.* of this stack, and the organization's other policies."},
		{[]string{"email_already_exists"},
			"An account with this e-mail address exists, perhaps created by an interrupted update: set organization.accounts.<name>.id to its id, or change the e-mail address."},
		{[]string{"the specified log group already exists"},
			"EKS and the CloudWatch agents create their log groups anew when they write their last lines after a destroy: run `aws logs delete-log-group --log-group-name <name>` with that account's credentials (docs/troubleshooting.md)."},
		{[]string{"alreadyexists", "already exists", "alreadyinuse", "alreadyowned", "resourceinuse", "entityalready", "conflictexception"},
			"A resource of that name exists, perhaps left by an interrupted update: docs/troubleshooting.md says how to import it. Otherwise delete or rename it."},
		// Before the quotas: EC2 answers RequestLimitExceeded to too many requests.
		{[]string{"requestlimitexceeded", "throttling", "throttled", "rate exceeded", "toomanyrequests", "too many requests", "slowdown", "rate limit", "concurrentmodification"},
			"Rate limited; retry in a few minutes."},
		{[]string{"limitexceeded", "limit exceeded", "quota", "toomanybuckets"},
			"A quota is exhausted: raise it under Service Quotas in the console, in that account and region."},
		{[]string{"insufficientinstancecapacity", "insufficient capacity", "insufficientcapacity"},
			"AWS has no capacity of this instance type: choose another zone (network.acceleratorZones) or a reservation (cluster.pools.<name>.capacity), or retry later."},
		{[]string{"accessdenied", "access denied", "unauthorized", "not authorized", "forbidden", "statuscode: 403"},
			"The identity lacks a permission: check `aws sts get-caller-identity`, and what organization.roleName allows in that account."},
		{[]string{"expiredtoken", "invalidclienttokenid", "unrecognizedclient", "statuscode: 401"},
			"The credentials are expired or invalid: log in again."},
		{[]string{"connection refused", "no such host", "i/o timeout", "connection reset", "tls handshake", "deadline exceeded"},
			"The endpoint cannot be reached: check the network. A private control plane is reachable from inside its VPC or from cluster.publicCidrs."},
	}
}

func remedyFor(message string) string {
	lower := strings.ToLower(message)
	for _, r := range remedies() {
		for _, word := range r.words {
			if strings.Contains(lower, word) {
				return r.do
			}
		}
	}
	return "Fix the cause above."
}
