package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"

	"llm-platform/internal/settings"
)

func TestAccountQuota(t *testing.T) {
	members := func(n int) organizations.LookupOrganizationResult {
		found := organizations.LookupOrganizationResult{Id: "o-found"}
		for i := range n {
			found.Accounts = append(found.Accounts, organizations.GetOrganizationAccount{Email: fmt.Sprintf("A%d@example.com", i)})
		}
		return found
	}
	desired := map[string]settings.Account{
		"training": {Email: "new@example.com"}, "testing": {Email: "a0@example.com"}, "deployment": {ID: "222222222222"}, "lab": {Email: "lab@example.com"},
	}
	for n, want := range map[int]string{
		1: "", 8: "", 9: "organization o-found has 9 accounts, and this stack creates 2 more; AWS's default quota is 10", 60: "has 60 accounts",
	} {
		if got := accountQuota(members(n), desired); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%d members: %q, want %q", n, got, want)
		}
	}
	delete(desired, "training")
	delete(desired, "lab")
	if got := accountQuota(members(60), desired); got != "" {
		t.Errorf("nothing to create: %q", got)
	}
}
