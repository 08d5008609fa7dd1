package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"

	"llm-platform/internal/settings"
)

// defaultAccounts is how many accounts an organization may have unless AWS raised the quota (L-E619E033); closed accounts
// count until they are removed, and a new organization may have a lower quota.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html, read 2026-11-26
const defaultAccounts = 10

// accountQuota returns a warning if the accounts that are yet to be created exceed the default quota of an existing
// organization, or "". An account that a member's e-mail address belongs to is there already.
func accountQuota(found organizations.LookupOrganizationResult, desired map[string]settings.Account) string {
	created := 0
	for _, account := range desired {
		exists := slices.ContainsFunc(found.Accounts, func(member organizations.GetOrganizationAccount) bool {
			return strings.EqualFold(member.Email, account.Email)
		})
		if account.ID == "" && !exists {
			created++
		}
	}
	if created == 0 || len(found.Accounts)+created <= defaultAccounts {
		return ""
	}
	return fmt.Sprintf("organization.accounts: organization %s has %d accounts, and this stack creates %d more; AWS's default quota is %d. "+
		"Unless yours was raised, creating them fails (ACCOUNT_LIMIT_EXCEEDED): aws service-quotas get-service-quota --region us-east-1 "+
		"--service-code organizations --quota-code L-E619E033", found.Id, len(found.Accounts), created, defaultAccounts)
}
