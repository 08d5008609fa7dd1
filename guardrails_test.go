package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/policy"
)

const (
	controlPolicy = "aws:organizations/policy:Policy"
	attachment    = "aws:organizations/policyAttachment:PolicyAttachment"
)

// Guardrails are attached to the stack's OUs, to its accounts outside of these, and to nothing else, in a created and in
// an adopted organization.
func TestGuardrailTargets(t *testing.T) {
	stray := map[string]any{
		"organization.accounts.training": map[string]any{"organizationalUnit": "ou-abcd-12345678"},
		"organization.accounts.testing":  map[string]any{"id": "222222222222"},
	}
	for name, c := range map[string]struct {
		stack   string
		set     map[string]any
		targets []string
	}{
		"created": {"dev", nil, []string{"org-unit-infrastructure-id", "org-unit-workloads-id"}},
		"adopted": {"prod", nil, []string{"org-unit-infrastructure-id", "org-unit-workloads-id"}},
		"adopted, accounts outside of the OUs": {"prod", stray, []string{
			fmt.Sprintf("%012d", 100000000000+len("org-account-training")), "222222222222", "org-unit-infrastructure-id", "org-unit-workloads-id",
		}},
	} {
		g, err := run(t, c.stack, c.set, organization("SERVICE_CONTROL_POLICY", "111111111111"))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, a := range g.of(attachment) {
			got[a.inputs["targetId"].StringValue()]++
			if a.provider() != "org-management" {
				t.Errorf("%s: %s has the provider %s", name, a.name, a.provider())
			}
			if skip := a.inputs["skipDestroy"]; skip.IsBool() && skip.BoolValue() {
				t.Errorf("%s: a destroy would leave %s attached", name, a.name)
			}
		}
		if len(got) != len(c.targets) {
			t.Errorf("%s: attached to %v, want %v", name, got, c.targets)
		}
		for _, target := range c.targets {
			if got[target] == 0 || got[target] > policy.MaxGuardrails {
				t.Errorf("%s: %d guardrails on %s", name, got[target], target)
			}
		}
	}
}

// Organizations accepts one change at a time, and deletes a policy only when it is attached nowhere: every policy and
// attachment waits for the one before it, the first for accounts and OUs.
func TestGuardrailsAreCreatedOneAfterAnother(t *testing.T) {
	g := runShipped(t, "dev")
	first := g.one(t, "guardrails-baseline")
	for _, name := range []string{"org-organization", "org-unit-workloads", "org-unit-infrastructure", "org-account-training", "org-account-testing", "org-account-deployment"} {
		if !first.dependsOn(name) {
			t.Errorf("%s does not wait for %s", first.name, name)
		}
	}
	var chain []string
	for _, target := range []string{"guardrails-", "guardrails-unit-infrastructure-", "guardrails-unit-workloads-"} {
		for _, part := range []string{"baseline", "regions", "accelerators", "services", "data"} {
			chain = append(chain, target+part)
		}
	}
	chain = append(chain, "budgets-killswitch")
	for i, name := range chain[1:] {
		if !g.one(t, name).dependsOn(chain[i]) {
			t.Errorf("%s does not wait for %s", name, chain[i])
		}
	}
	if len(g.of(attachment)) != 10 {
		t.Errorf("%d attachments", len(g.of(attachment)))
	}
	for _, a := range g.of(attachment) {
		part := a.name[strings.LastIndex(a.name, "-")+1:]
		if id := a.inputs["policyId"].StringValue(); id != "guardrails-"+part+"-id" {
			t.Errorf("%s attaches %s", a.name, id)
		}
	}
}

// Policies name the id of the training account, and are no larger than AWS allows.
func TestGuardrailsNameTheTrainingAccount(t *testing.T) {
	g := runShipped(t, "dev")
	training := fmt.Sprintf("%012d", 100000000000+len("org-account-training"))
	s := statements(t, g.one(t, "guardrails-accelerators"), "content")["OnlyInTraining"]
	if got := s.Condition["StringNotEquals"]["aws:PrincipalAccount"]; !slices.Equal(got, []string{training}) {
		t.Errorf("%v may launch accelerators, want %s", got, training)
	}
	for _, p := range g.of(controlPolicy) {
		content := p.inputs["content"].StringValue()
		if len(content) > policy.MaxCharacters || strings.Contains(content, policy.AnyAccount) {
			t.Errorf("%s: %d characters: %s", p.name, len(content), content)
		}
		if p.inputs["type"].StringValue() != "SERVICE_CONTROL_POLICY" {
			t.Errorf("%s has type %v", p.name, p.inputs["type"])
		}
	}
}

// The roles that exempt roles trust, and all identity providers, are guarded like the exempt roles.
func TestGuardrailsGuardCIRoles(t *testing.T) {
	always := []string{
		"arn:*:iam::*:oidc-provider/*", "arn:*:iam::*:role/OrganizationAccountAccessRole", "arn:*:iam::*:role/llm-platform-dev-network-flow-role-???????",
		"arn:*:iam::*:role/llm-platform-dev-rescue", "arn:*:iam::*:saml-provider/*",
	}
	const reader = "arn:aws:iam::222222222222:role/ci/Reader"
	for repository, more := range map[string][]string{
		"o/r": {"arn:*:iam::*:role/llm-platform-dev-ci-deploy-???????", "arn:*:iam::*:role/llm-platform-dev-ci-preview-???????", reader},
		"":    {},
	} {
		set := map[string]any{"ci.repository": repository}
		if repository != "" {
			set["ci.previewAssumeRoles"] = []any{reader}
		}
		want := slices.Sorted(slices.Values(slices.Concat(always, more)))
		g := runWith(t, set)
		if got := statements(t, g.one(t, "guardrails-baseline"), "content")["ExemptRolesStay"].Resource; !slices.Equal(got, want) {
			t.Errorf("%q: guards %v", repository, got)
		}
	}
}

// There are no guardrails if they are disabled, and none without an organization.
func TestNoGuardrails(t *testing.T) {
	none := map[string]any{
		"organization.mode": "none", "organization.organizationalUnits": []any{},
		"organization.accounts": map[string]any{"training": map[string]any{"id": "222222222222"}},
		"budget.monthlyUSD":     map[string]any{"training": 50},
	}
	for name, set := range map[string]map[string]any{"off": {"guardrails.enabled": false, "budget.killSwitch": "none"}, "no organization": none} {
		g, err := run(t, "dev", set, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(g.of(controlPolicy)) + len(g.of(attachment)); n > 0 {
			t.Errorf("%s: %d", name, n)
		}
		if len(g.of("aws:budgets/budget:Budget")) == 0 {
			t.Errorf("%s: no budget", name)
		}
	}
	g, err := run(t, "dev", none, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Without an organization, the budget belongs to the account itself.
	budget := g.one(t, "budgets-training")
	if budget.provider() != "org-provider-training" || budget.inputs.HasValue("costFilters") {
		t.Errorf("the budget has the provider %s and the filters %v", budget.provider(), budget.inputs["costFilters"])
	}
}

// A budget counts one account, notifies subscribers, and triggers the kill switch of that account. The stack attaches
// the kill switch to nothing.
func TestBudgets(t *testing.T) {
	g := runShipped(t, "dev")
	all := g.of("aws:budgets/budget:Budget")
	if len(all) != 1 {
		t.Fatalf("%d budgets, want training's", len(all))
	}
	for _, budget := range all {
		account := strings.TrimPrefix(budget.name, "budgets-")
		id := fmt.Sprintf("%012d", 100000000000+len("org-account-"+account))
		filter := budget.inputs["costFilters"].ArrayValue()[0].ObjectValue()
		if filter["name"].StringValue() != "LinkedAccount" || filter["values"].ArrayValue()[0].StringValue() != id {
			t.Errorf("%s counts %v, want account %s", budget.name, filter, id)
		}
		kinds := map[string]int{}
		for _, n := range budget.inputs["notifications"].ArrayValue() {
			kinds[n.ObjectValue()["notificationType"].StringValue()]++
			if len(n.ObjectValue()["subscriberEmailAddresses"].ArrayValue()) == 0 {
				t.Errorf("%s notifies nobody: %v", budget.name, n)
			}
		}
		if kinds["ACTUAL"] == 0 || kinds["FORECASTED"] == 0 {
			t.Errorf("%s has notifications %v", budget.name, kinds)
		}
		action := g.one(t, "budgets-killswitch-"+account)
		scp := action.inputs["definition"].ObjectValue()["scpActionDefinition"].ObjectValue()
		if scp["policyId"].StringValue() != "budgets-killswitch-id" || scp["targetIds"].ArrayValue()[0].StringValue() != id {
			t.Errorf("%s attaches %v", action.name, scp)
		}
		if model := action.inputs["approvalModel"].StringValue(); model != "MANUAL" {
			t.Errorf("%s: approval is %s by default", action.name, model)
		}
		if !action.dependsOn("budgets-role-policy") {
			t.Errorf("%s does not wait for its role's permissions", action.name)
		}
		if budget.provider() != "org-management" || action.provider() != "org-management" {
			t.Errorf("%s has the provider %s, its action %s", budget.name, budget.provider(), action.provider())
		}
	}
	for _, a := range g.of(attachment) {
		if a.inputs["policyId"].StringValue() == "budgets-killswitch-id" {
			t.Errorf("%s attaches the kill switch", a.name)
		}
	}
	g, err := run(t, "dev", map[string]any{"budget.killSwitch": "automatic"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if model := g.one(t, "budgets-killswitch-training").inputs["approvalModel"].StringValue(); model != "AUTOMATIC" {
		t.Errorf("approval is %s", model)
	}
}

// CI roles exist only with ci.repository, in one account. The deploy role may assume organization.roleName in every
// account and nothing else; without organization.roleName it deploys itself.
func TestCI(t *testing.T) {
	g, err := run(t, "dev", map[string]any{"ci.repository": ""}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := g.resources["ci"]; ok || len(g.of("aws:iam/openIdConnectProvider:OpenIdConnectProvider")) > 0 {
		t.Error("CI without a repository")
	}

	g, err = run(t, "dev", map[string]any{"ci.repository": "o@1/r@2", "ci.account": "deployment"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ci-github", "ci-deploy", "ci-preview", "ci-deploy-policy", "ci-preview-policy"} {
		if r := g.one(t, name); r.provider() != "org-provider-deployment" {
			t.Errorf("%s has the provider %s", name, r.provider())
		}
	}
	trust := g.one(t, "ci-deploy").inputs["assumeRolePolicy"].StringValue()
	if !strings.Contains(trust, `"token.actions.githubusercontent.com:sub":"repo:o@1/r@2:environment:dev"`) || strings.Contains(trust, "*") {
		t.Errorf("deploy trusts %s", trust)
	}
	permissions := statements(t, g.one(t, "ci-deploy-policy"), "policy")
	if len(permissions) != 1 || len(permissions["AssumeRoles"].Resource) != 3 {
		t.Errorf("the deploy role is allowed %v", permissions)
	}
	if got := permissions["AssumeRoles"].Action; !slices.Equal(got, []string{"sts:AssumeRole", "sts:TagSession"}) {
		t.Errorf("deploy may %v", got) // GitHub's action tags its sessions
	}
	if hours := g.one(t, "ci-deploy").inputs["maxSessionDuration"]; !hours.IsNumber() || hours.NumberValue() != 4*3600 {
		t.Errorf("deploy may for %v seconds", hours)
	}
	for _, role := range permissions["AssumeRoles"].Resource {
		if !strings.HasSuffix(role, ":role/OrganizationAccountAccessRole") {
			t.Errorf("the deploy role may assume %s", role)
		}
	}

	g, err = run(t, "dev", map[string]any{
		"organization.mode": "none", "organization.organizationalUnits": []any{}, "organization.roleName": "",
		"organization.accounts": map[string]any{"training": map[string]any{"id": "222222222222"}},
		"budget.monthlyUSD":     map[string]any{}, "ci.createProvider": false,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.of("aws:iam/openIdConnectProvider:OpenIdConnectProvider")) > 0 {
		t.Error("a second OIDC provider")
	}
}

// A deployment in one account may manage all roles that the program creates there, and no other.
func TestOwnRoles(t *testing.T) {
	g, err := run(t, "dev", map[string]any{
		"organization.mode": "none", "organization.organizationalUnits": []any{}, "organization.roleName": "",
		"organization.accounts": map[string]any{"training": map[string]any{"id": "222222222222"}},
		"budget.monthlyUSD":     map[string]any{}, "storage.sourceBucket": "corpora", "storage.copies": map[string]any{},
		"storage.transfers": map[string]any{"corpus": map[string]any{"source": "corpus/"}},
		"roles.scientists":  []any{"arn:aws:iam::222222222222:role/r"}, "roles.imagePushers": []any{"arn:aws:iam::222222222222:role/r"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var created []string
	for _, role := range g.of("aws:iam/role:Role") {
		if !strings.HasPrefix(role.name, "ci-") {
			created = append(created, role.name)
		}
	}
	if slices.Sort(created); !slices.Equal(created, slices.Sorted(slices.Values(policy.OwnRoles()))) {
		t.Errorf("the program creates\n  %v; a deployment may create\n  %v", created, policy.OwnRoles())
	}
	if n := len(g.of("aws:iam/instanceProfile:InstanceProfile")) + len(g.of("aws:iam/policy:Policy")); n > 0 {
		t.Errorf("%d instance profiles and policies, which a deployment may not create", n)
	}
	for _, sid := range []string{"ManageOwnRoles", "GrantWithinBoundary", "PassOwnRoles"} {
		resources := statements(t, g.one(t, "ci-deploy-policy"), "policy")[sid].Resource
		if len(resources) != len(created) || !slices.Contains(resources, "arn:aws:iam::222222222222:role/llm-platform-dev-training-role-???????") {
			t.Errorf("%s is about %v", sid, resources)
		}
	}
}

// The rescue role exists in the accounts that a kill switch can reach, and trusts the deploying role there.
func TestRescueRole(t *testing.T) {
	g := runShipped(t, "dev")
	role := g.one(t, "budgets-rescue-training")
	if name := text(role.inputs, "name"); name != "llm-platform-dev-rescue" || role.provider() != "org-provider-training" {
		t.Errorf("%s with the provider %s", name, role.provider())
	}
	training := fmt.Sprintf("%012d", 100000000000+len("org-account-training"))
	trust := document(t, role, "assumeRolePolicy")[0]
	if got := trust.Condition["ArnLike"]["aws:PrincipalArn"]; !slices.Equal(got, []string{"arn:aws:iam::" + training + ":role/OrganizationAccountAccessRole"}) {
		t.Errorf("trusts %v", got)
	}
	exempt := statements(t, g.one(t, "budgets-killswitch"), "content")["NoResizing"].Condition["ArnNotLike"]["aws:PrincipalArn"]
	if !slices.Equal(exempt, []string{"arn:*:iam::*:role/llm-platform-dev-rescue"}) {
		t.Errorf("the kill switch exempts %v", exempt)
	}
	g, err := run(t, "dev", map[string]any{"budget.killSwitch": "none"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := g.resources["budgets-rescue-training"]; ok {
		t.Error("a rescue role without a kill switch")
	}
}

// The roles trust the server that git.provider and git.baseUrl name, and no other.
func TestCITrustsTheGitServer(t *testing.T) {
	for name, c := range map[string]struct {
		set                        map[string]any
		provider, issuer, audience string
		deploy, preview            string // subjects
	}{
		"GitHub Enterprise Server": {map[string]any{"git.baseUrl": "https://git.example.com/api/v3/", "ci.repository": "o/r"},
			"ci-github", "git.example.com/_services/token", "sts.amazonaws.com", "repo:o/r:environment:dev", "repo:o/r:environment:dev-preview repo:o/r:environment:dev-drift"},
		"GHE.com": {map[string]any{"git.baseUrl": "https://api.acme.ghe.com/", "ci.repository": "o/r"},
			"ci-github", "token.actions.acme.ghe.com", "sts.amazonaws.com", "repo:o/r:environment:dev", "repo:o/r:environment:dev-preview repo:o/r:environment:dev-drift"},
		"GitLab": {map[string]any{"git.provider": "gitlab", "git.repository": "g/scripts", "ci.repository": "g/s/p", "ci.environment": "live"},
			"ci-gitlab", "gitlab.com", "https://gitlab.com", "project_path:g/s/p:ref_type:branch:ref:live", "project_path:g/s/p:ref_type:branch:ref:*"},
	} {
		g := runWith(t, c.set)
		provider := g.one(t, c.provider)
		if audiences := list(provider.inputs, "clientIdLists"); text(provider.inputs, "url") != "https://"+c.issuer || len(audiences) != 1 || audiences[0].StringValue() != c.audience {
			t.Errorf("%s: provider has %v", name, provider.inputs)
		}
		for role, subject := range map[string]string{"ci-deploy": c.deploy, "ci-preview": c.preview} {
			trust := document(t, g.one(t, role), "assumeRolePolicy")[0]
			operator := "StringEquals"
			if strings.Contains(subject, "*") {
				operator = "StringLike"
			}
			if got := trust.Condition[operator][c.issuer+":sub"]; !slices.Equal(got, strings.Fields(subject)) {
				t.Errorf("%s: %s trusts %v", name, role, trust.Condition)
			}
			if got := trust.Condition["StringEquals"][c.issuer+":aud"]; !slices.Equal(got, []string{c.audience}) {
				t.Errorf("%s: %s trusts the audience %v", name, role, got)
			}
			if len(trust.Principal.Federated) != 1 || !strings.HasSuffix(trust.Principal.Federated[0], ":oidc-provider/"+c.issuer) {
				t.Errorf("%s: %s trusts %v", name, role, trust.Principal.Federated)
			}
		}
	}
}
