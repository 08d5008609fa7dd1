package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/policy"
)

// Roles of the cluster trust services only, and no policy of theirs allows a whole service.
func TestClusterRolesAreMinimal(t *testing.T) {
	g := runShipped(t, "prod")
	seen := 0
	check := func(r registered, input string) {
		if strings.HasPrefix(r.name, "cluster-") || strings.HasPrefix(r.name, "network-") {
			seen++
			for _, fault := range excess(document(t, r, input)) {
				t.Errorf("%s: %s", r.name, fault)
			}
		}
	}
	for _, role := range g.of("aws:iam/role:Role") {
		check(role, "assumeRolePolicy")
	}
	for _, inline := range g.of("aws:iam/rolePolicy:RolePolicy") {
		check(inline, "policy")
	}
	if seen < 6 {
		t.Fatalf("%d documents: this test tests little", seen)
	}
	attachments := g.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
	if len(attachments) < 4 {
		t.Fatalf("%d attachments: this test tests little", len(attachments))
	}
	for _, attachment := range attachments {
		if name := text(attachment.inputs, "policyArn"); strings.Contains(name, "S3") || strings.HasSuffix(name, "/AdministratorAccess") || strings.Contains(name, "FullAccess") {
			t.Errorf("%s attaches %s", attachment.name, name)
		}
	}
}

// With a permissions boundary every role has it, by the name of the policy in the role's account, and a deploy role that
// creates roles can create no others.
func TestPermissionsBoundary(t *testing.T) {
	for stack, set := range map[string]map[string]any{
		"dev": nil, "prod": {"ci.repository": "o/r"},
		"with everything": {
			"sagemaker.notebookInstanceType": "", "storage.sourceBucket": "theirs", "storage.copies": map[string]any{}, "storage.transfers": map[string]any{"all": map[string]any{}},
		},
	} {
		settings := map[string]any{"organization.permissionsBoundary": "team/Boundary"}
		maps.Copy(settings, set)
		if stack == "with everything" {
			stack = "dev"
		}
		g, err := run(t, stack, settings, organization("SERVICE_CONTROL_POLICY", "111111111111"))
		if err != nil {
			t.Fatal(err)
		}
		roles := g.of("aws:iam/role:Role")
		if len(roles) < 8 {
			t.Fatalf("%s: %d roles: this test tests little", stack, len(roles))
		}
		for _, role := range roles {
			account := "111111111111" // of role budgets-role
			if name, ok := strings.CutPrefix(role.provider(), "org-provider-"); ok {
				account = fmt.Sprintf("%012d", 100000000000+len("org-account-"+name))
			}
			if got, want := text(role.inputs, "permissionsBoundary"), "arn:aws:iam::"+account+":policy/team/Boundary"; got != want {
				t.Errorf("%s: %s has the boundary %q, want %s", stack, role.name, got, want)
			}
		}
	}
	for _, role := range runShipped(t, "dev").of("aws:iam/role:Role") {
		if role.inputs.HasValue("permissionsBoundary") {
			t.Errorf("%s has a boundary that nobody asked for", role.name)
		}
	}
	g := runWith(t, map[string]any{
		"organization": map[string]any{
			"mode": "none", "roleName": "", "permissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess", "previewRoleName": "", "organizationalUnits": []any{},
			"trustedServices": []any{}, "trail": true, "managementAccountId": "", "emailTemplate": "", "accounts": map[string]any{"training": map[string]any{"id": "222222222222"}},
		},
		"budget.monthlyUSD": map[string]any{},
	})
	grant := statements(t, g.one(t, "ci-deploy-policy"), "policy")["GrantWithinBoundary"]
	if got := grant.Condition["StringEquals"]["iam:PermissionsBoundary"]; !slices.Equal(got, []string{"arn:aws:iam::aws:policy/PowerUserAccess"}) {
		t.Errorf("the deploy role creates roles with %v", got)
	}
}

// excess returns what a document allows beyond named actions and named services as principals.
func excess(statements []policy.Statement) []string {
	var faults []string
	for _, statement := range statements {
		if statement.Effect != policy.Allow {
			continue
		}
		if len(statement.Action) == 0 {
			faults = append(faults, fmt.Sprintf("%q allows actions by exception", statement.Sid))
		}
		for _, action := range statement.Action {
			if strings.HasSuffix(action, "*") {
				faults = append(faults, fmt.Sprintf("%q allows %s", statement.Sid, action))
			}
		}
		if statement.Principal != nil && len(statement.Principal.AWS) > 0 {
			faults = append(faults, fmt.Sprintf("%q trusts %v", statement.Sid, statement.Principal.AWS))
		}
	}
	return faults
}

func TestExcessIsFound(t *testing.T) {
	for faults, statement := range map[int]string{
		0: `{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Principal":{"Service":"eks.amazonaws.com"}}`,
		1: `{"Effect":"Allow","Action":"s3:*"}`,
		2: `{"Effect":"Allow","Action":["s3:*","ec2:*"]}`,
		3: `{"Effect":"Allow","Action":["*","s3:Get*"],"Principal":{"AWS":"*"}}`,
	} {
		r := registered{inputs: resource.PropertyMap{"policy": resource.NewStringProperty(`{"Statement":[` + statement + `]}`)}}
		if got := excess(document(t, r, "policy")); len(got) != faults {
			t.Errorf("%s: %q, want %d", statement, got, faults)
		}
	}
}
