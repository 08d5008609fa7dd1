package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Accounts, OUs and the organization are retained on destroy, and no edit replaces an account, in any stack.
func TestAccountsAreNeverLost(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		g := runShipped(t, stack)
		accounts := g.of("aws:organizations/account:Account")
		if len(accounts) != 3 {
			t.Fatalf("%s: %d accounts, want training, testing and deployment", stack, len(accounts))
		}
		for _, account := range accounts {
			for _, property := range []string{"email", "name", "roleName", "iamUserAccessToBilling"} {
				if !slices.Contains(account.request.GetIgnoreChanges(), property) {
					t.Errorf("%s: an edit of %s would replace %s", stack, property, account.name)
				}
			}
			if closing := account.inputs["closeOnDeletion"]; !closing.IsBool() || closing.BoolValue() {
				t.Errorf("%s: %s would be closed when deleted", stack, account.name)
			}
		}
		retained := append(accounts, g.of("aws:organizations/organizationalUnit:OrganizationalUnit")...)
		retained = append(retained, g.of("aws:organizations/organization:Organization")...)
		for _, r := range retained {
			if !r.request.GetRetainOnDelete() {
				t.Errorf("%s: %s is not retained", stack, r.name)
			}
			if r.request.GetProtect() != (stack == "prod") {
				t.Errorf("%s: protect of %s is %t", stack, r.name, r.request.GetProtect())
			}
		}
	}
}

// AWS creates one account at a time.
func TestAccountsAreCreatedOneAfterAnother(t *testing.T) {
	g := runShipped(t, "dev")
	if !g.one(t, "org-account-testing").dependsOn("org-account-deployment") || !g.one(t, "org-account-training").dependsOn("org-account-testing") {
		t.Error("accounts do not wait for one another")
	}
}

// Every account's provider assumes the role of that account and accepts no other account.
func TestAccountProviders(t *testing.T) {
	g := runShipped(t, "dev")
	for _, account := range g.of("aws:organizations/account:Account") {
		name := strings.TrimPrefix(account.name, "org-account-")
		provider := g.one(t, "org-provider-"+name)
		if provider.kind != "pulumi:providers:aws" {
			t.Fatalf("%s is a %s", provider.name, provider.kind)
		}
		if !provider.dependsOn(account.name) {
			t.Errorf("%s does not wait for its account", provider.name)
		}
		role := provider.inputs["assumeRole"].ObjectValue()["roleArn"].StringValue()
		id, what, _ := strings.Cut(strings.TrimPrefix(role, "arn:aws:iam::"), ":")
		if what != "role/OrganizationAccountAccessRole" || len(id) != 12 {
			t.Errorf("%s assumes %s", provider.name, role)
		}
		if allowed := provider.inputs["allowedAccountIds"].ArrayValue(); len(allowed) != 1 || allowed[0].StringValue() != id {
			t.Errorf("%s is allowed in %v, but its role is in %s", provider.name, allowed, id)
		}
		if tags := provider.inputs["defaultTags"].ObjectValue()["tags"].ObjectValue(); tags["Environment"].StringValue() != "dev" || tags["Project"].StringValue() != "llm-platform" {
			t.Errorf("%s has default tags %v", provider.name, tags)
		}
		if group := g.one(t, "org-group-"+name); group.provider() != provider.name {
			t.Errorf("%s has the provider %s", group.name, group.provider())
		}
	}
}

// An adopted organization is looked up and never registered. If it does not allow accounts or guardrails, nothing is
// created.
func TestAdoption(t *testing.T) {
	g := runShipped(t, "prod")
	if created := g.of("aws:organizations/organization:Organization"); len(created) > 0 {
		t.Errorf("prod adopts the organization, but registers %s", created[0].name)
	}
	if ou := g.one(t, "org-unit-workloads"); ou.inputs["parentId"].StringValue() != "r-found" {
		t.Errorf("the OU's parent is %v, not the root of the adopted organization", ou.inputs["parentId"])
	}
	for want, answer := range map[string]func(string) (resource.PropertyMap, error){
		"service control policies are disabled":      organization("TAG_POLICY", "111111111111"),
		"credentials belong to account 333333333333": organization("SERVICE_CONTROL_POLICY", "333333333333"),
	} {
		g, err := run(t, "prod", nil, answer)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
		if created := g.of("aws:organizations/account:Account"); len(created) > 0 {
			t.Errorf("%s: an account was registered", want)
		}
	}
}

// Existing accounts are used by id. In an adopted organization, they must be its members.
func TestExistingAccounts(t *testing.T) {
	accounts := func(id string) map[string]any { return map[string]any{"training": map[string]any{"id": id}} }
	_, err := run(t, "prod", map[string]any{"organization.accounts": accounts("666666666666")}, organization("SERVICE_CONTROL_POLICY", "111111111111"))
	if err == nil || !strings.Contains(err.Error(), "is not in organization o-found") {
		t.Errorf("an account outside the organization: %v", err)
	}
	g, err := run(t, "prod", map[string]any{"organization.mode": "none", "organization.roleName": "", "organization.accounts": accounts("222222222222")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if created := g.of("aws:organizations/account:Account"); len(created) > 0 || len(g.calls) > 0 {
		t.Errorf("without an organization: registered %v, looked up %v", created, g.calls)
	}
	provider := g.one(t, "org-provider-training")
	if allowed := provider.inputs["allowedAccountIds"].ArrayValue(); len(allowed) != 1 || allowed[0].StringValue() != "222222222222" || provider.inputs.HasValue("assumeRole") {
		t.Errorf("provider has inputs %v", provider.inputs)
	}
}
