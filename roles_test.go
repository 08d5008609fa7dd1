package main

import (
	"fmt"
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
