// Package advice says what to do about a change that a cloud has refused.
package advice

import (
	"fmt"
	"strings"
)

// Refusal is one change that failed.
type Refusal struct {
	Name, Type string // of the resource: its logical name and Pulumi's type token
	Operation  string // "create", "update" or "delete"
	Provider   string // logical name of the provider that made the attempt; empty if it is not known
	Error      string // what that answered
}

// Explain is one paragraph that names the resource and the place, and says what to do.
func Explain(r Refusal) string {
	return fmt.Sprintf("%s (%s): could not %s it in %s. %s What was made is kept, and the next `pulumi up` goes on from there.",
		r.Name, r.Type, r.Operation, place(r.Provider), remedyFor(r.Error))
}

// place is what a provider of this program works in.
func place(provider string) string {
	account, member := strings.CutPrefix(provider, "org-provider-")
	switch {
	case member:
		return fmt.Sprintf("account %q (the output accountIds has its id)", account)
	case provider == "org-management":
		return "the management account"
	case provider == "cluster-kubernetes":
		return "the cluster"
	case provider == "git-github":
		return "GitHub"
	case provider == "git-gitlab":
		return "GitLab"
	}
	return "its account"
}

// remedy is what to do about an error that has one of these words in it, in lower case.
type remedy struct {
	words []string
	do    string
}

// remedies are tried in this order, the more telling first. The words are of AWS's error codes
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and each service's own) and of HTTP.
func remedies() []remedy {
	return []remedy{
		{[]string{"service control policy"},
			"A guardrail forbids it: see guardrails.* of this stack, and the organization's own policies."},
		{[]string{"email_already_exists"},
			"An account has this address, perhaps one that an interrupted up has made: give it by its organization.accounts.<name>.id, or change the address."},
		{[]string{"alreadyexists", "already exists", "alreadyinuse", "alreadyowned", "resourceinuse", "entityalready", "conflictexception"},
			"Something of that name is there, perhaps left by an interrupted up: README.md, \"When an update was interrupted\", has the way to take it up. Otherwise remove or rename it."},
		{[]string{"vcpulimitexceeded", "limitexceeded", "limit exceeded", "quota", "servicequota", "toomanybuckets"},
			"A quota is used up: raise it in the console's Service Quotas, in that account and region."},
		{[]string{"insufficientinstancecapacity", "insufficient capacity", "insufficientcapacity"},
			"AWS has no such instance free now: choose another zone (network.acceleratorZones) or a reservation (cluster.pools.<name>.capacity), or try later."},
		{[]string{"throttling", "throttled", "rate exceeded", "toomanyrequests", "too many requests", "slowdown", "rate limit", "concurrentmodification"},
			"It was asked too much at once: wait a few minutes."},
		{[]string{"accessdenied", "access denied", "unauthorized", "not authorized", "forbidden", "statuscode: 403"},
			"The identity lacks the right: see what `aws sts get-caller-identity` says, and what organization.roleName may do in that account."},
		{[]string{"expiredtoken", "invalidclienttokenid", "unrecognizedclient", "statuscode: 401"},
			"The credentials are expired or wrong: log in anew."},
		{[]string{"connection refused", "no such host", "i/o timeout", "connection reset", "tls handshake", "deadline exceeded"},
			"It could not be reached: check the network. A private control plane is reached from inside its VPC, or from cluster.publicCidrs."},
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
	return "Mend what the error names."
}
