package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// AWS creates one account at a time, training first.
func TestAccountsAreCreatedOneAfterAnother(t *testing.T) {
	g := runShipped(t, "dev")
	if !g.one(t, "org-account-deployment").dependsOn("org-account-training") || !g.one(t, "org-account-testing").dependsOn("org-account-deployment") {
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
	const theirs = "organization.managementAccountId: must be the account of the credentials, got 111111111111, but they belong to account 333333333333"
	for stack, set := range map[string]map[string]any{"dev": nil, "prod": {"organization.managementAccountId": "111111111111"}} {
		g, err := run(t, stack, set, organization("SERVICE_CONTROL_POLICY", "333333333333"))
		if err == nil || !strings.Contains(err.Error(), theirs) {
			t.Errorf("%s with credentials of another account: %v", stack, err)
		}
		for _, kind := range []string{"organization:Organization", "organizationalUnit:OrganizationalUnit", "account:Account", "policy:Policy"} {
			if made := g.of("aws:organizations/" + kind); len(made) > 0 {
				t.Errorf("%s with credentials of another account: registered %s", stack, made[0].name)
			}
		}
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

// An error of a look-up says what to do.
func TestLookUpsGetAdvice(t *testing.T) {
	for want, failing := range map[string]string{
		"organization.mode adopt: rpc error": "aws:organizations/getOrganization:getOrganization",
		"credentials: rpc error":             "aws:index/getCallerIdentity:getCallerIdentity",
	} {
		_, err := run(t, "prod", nil, func(token string) (resource.PropertyMap, error) {
			if token == failing {
				return nil, errors.New("AWSOrganizationsNotInUseException: Your account is not a member of an organization")
			}
			return organization("SERVICE_CONTROL_POLICY", "111111111111")(token)
		})
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, " rpc error")) || !strings.Contains(err.Error(), "set organization.mode to create (once) or to none") {
			t.Errorf("%s: %v", failing, err)
		}
	}
}

// OUs have the stack's name in theirs, since two stacks share an organization; existing ones are taken by id, get
// guardrails and hold accounts.
func TestUnits(t *testing.T) {
	const existing = "ou-ab12-34cd56ef"
	for _, stack := range []string{"dev", "prod"} {
		g, err := run(t, stack, map[string]any{
			"organization.organizationalUnits": []any{"workloads", existing},
			"organization.accounts.training":   map[string]any{"organizationalUnit": existing},
			"organization.accounts.testing":    map[string]any{"organizationalUnit": "workloads"},
			"organization.accounts.deployment": map[string]any{"organizationalUnit": ""},
		}, organization("SERVICE_CONTROL_POLICY", "111111111111"))
		if err != nil {
			t.Fatal(err)
		}
		units := g.of("aws:organizations/organizationalUnit:OrganizationalUnit")
		if len(units) != 1 || text(units[0].inputs, "name") != "llm-"+stack+"-workloads" {
			t.Errorf("%s: units are %v", stack, units)
		}
		for account, parent := range map[string]string{"training": existing, "testing": "org-unit-workloads-id"} {
			if got := text(g.one(t, "org-account-"+account).inputs, "parentId"); got != parent {
				t.Errorf("%s: account %s is in %s, want %s", stack, account, got, parent)
			}
		}
		if got := text(g.one(t, "guardrails-unit-"+existing+"-baseline").inputs, "targetId"); got != existing {
			t.Errorf("%s: the guardrails of %s are on %s", stack, existing, got)
		}
		g.one(t, "guardrails-account-deployment-baseline") // is outside of the OUs
		if _, doubled := g.resources["guardrails-account-training-baseline"]; doubled {
			t.Errorf("%s: training has guardrails of its own beside those of its OU", stack)
		}
	}
}

// The read-only role is created where its name is the stack's, and trusts previews only; another must exist.
func TestPreviewRole(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if strings.HasSuffix(r.Form.Get("RoleArn"), "/OrganizationAccountAccessRole") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
			return
		}
		fmt.Fprint(w, "<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>")
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")

	g := runWith(t, map[string]any{"organization.previewRoleName": "llm-platform-{stack}-preview", "ci.account": "deployment"})
	for _, account := range []string{"training", "testing", "deployment"} {
		role := g.one(t, "org-preview-"+account)
		if role.provider() != "org-provider-"+account || text(role.inputs, "name") != "llm-platform-dev-preview" {
			t.Errorf("%s is created by %s with the name %s", role.name, role.provider(), text(role.inputs, "name"))
		}
		trust := statements(t, role, "assumeRolePolicy")
		if got := trust["ManagementAccount"].Principal.AWS; !slices.Equal(got, []string{"arn:aws:iam::111111111111:root"}) {
			t.Errorf("%s trusts %v", role.name, got)
		}
		ci := fmt.Sprintf("%012d", 100000000000+len("org-account-deployment"))
		if got := trust["PullRequests"].Condition["ArnLike"]["aws:PrincipalArn"]; !slices.Equal(got, []string{"arn:aws:iam::" + ci + ":role/llm-platform-dev-ci-preview-???????"}) {
			t.Errorf("%s trusts %v", role.name, got)
		}
		for _, action := range statements(t, g.one(t, role.name+"-policy"), "policy")["SeeResources"].Action {
			if _, verb, _ := strings.Cut(action, ":"); !strings.HasPrefix(verb, "Get") && !strings.HasPrefix(verb, "List") && !strings.HasPrefix(verb, "Describe") && !strings.HasPrefix(verb, "View") {
				t.Errorf("%s may %s", role.name, action)
			}
		}
		if assumed := text(g.one(t, "org-provider-"+account).inputs, "assumeRole.roleArn"); !strings.HasSuffix(assumed, ":role/llm-platform-dev-preview") {
			t.Errorf("a preview that is denied the administrator's role assumes %s", assumed)
		}
	}
	if may := statements(t, g.one(t, "ci-preview-policy"), "policy")["AssumeRoles"].Resource; len(may) != 3 {
		t.Errorf("the CI preview role may assume %v", may)
	}
	if roles := runWith(t, map[string]any{"organization.previewRoleName": "ReadOnly"}).resources; roles["org-preview-training"].name != "" {
		t.Error("a role that must exist is created")
	}
}
