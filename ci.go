package main

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// CI is the roles that GitHub Actions assumes by OIDC, without any access key.
type CI struct {
	pulumi.ResourceState

	DeployRoleARN  pulumi.StringOutput // for workflows in the GitHub environment; empty without CI
	PreviewRoleARN pulumi.StringOutput // for pull requests; empty without CI
}

// CIArgs are the arguments of newCI.
type CIArgs struct {
	Settings     settings.CI
	RoleName     string // of the role that the deploy role may assume in every account; empty: it deploys with permissions of its own
	Organization *Organization
}

// newCI creates the roles for workflows of ci.repository, if it is set.
func newCI(ctx *pulumi.Context, name string, s scope.Scope, args CIArgs) (*CI, error) {
	cfg, org := args.Settings, args.Organization
	empty := pulumi.String("").ToStringOutput()
	ci := &CI{DeployRoleARN: empty, PreviewRoleARN: empty}
	if cfg.Repository == "" {
		return ci, nil
	}
	account := org.account(cfg.Account)
	if err := ctx.RegisterComponentResource("llm:platform:CI", name, ci, pulumi.Providers(account.Provider)); err != nil {
		return nil, err
	}
	var ready []pulumi.Resource
	if cfg.CreateProvider {
		// AWS knows the certificates of GitHub by itself and needs no thumbprint.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
		provider, err := iam.NewOpenIdConnectProvider(ctx, name+"-github", &iam.OpenIdConnectProviderArgs{
			Url:           pulumi.String("https://" + policy.GitHubHost),
			ClientIdLists: pulumi.ToStringArray([]string{"sts.amazonaws.com"}),
		}, pulumi.Parent(ci))
		if err != nil {
			return nil, fmt.Errorf("OIDC provider: %w", err)
		}
		ready = append(ready, provider)
	}
	access := policy.CI{
		Partition: s.Partition,
		Prefix:    s.Prefix + "-", // as Pulumi.yaml's autonaming pattern creates the names of roles
		State:     cfg.StateBucketARN,
		StateKey:  cfg.StateKMSKeyARN,
	}
	role := func(purpose, description, subject string, permissions pulumi.StringOutput) (pulumi.StringOutput, error) {
		created, err := s.NewRole(ctx, name+"-"+purpose, scope.RoleArgs{
			Description: description,
			Trust: scope.Document(account.ID, func(id string) policy.Document {
				return policy.GitHubTrust(s.Partition, id, subject)
			}),
			Permissions: permissions,
			Parent:      ci,
			DependsOn:   ready,
		})
		if err != nil {
			return empty, fmt.Errorf("%s %w", purpose, err)
		}
		return created.Arn, nil
	}
	var err error
	ci.DeployRoleARN, err = role("deploy", "Deploys from GitHub Actions", cfg.DeploySubject(),
		deployPermissions(access, cfg.DeployAssumeRoles, args.RoleName, account, org))
	if err != nil {
		return nil, err
	}
	ci.PreviewRoleARN, err = role("preview", "Previews pull requests from GitHub Actions, read-only", cfg.PreviewSubject(),
		scope.Document(account.ID, func(id string) policy.Document {
			access := access
			access.Account, access.Roles = id, cfg.PreviewAssumeRoles
			return access.Preview()
		}))
	if err != nil {
		return nil, err
	}
	return ci, ctx.RegisterResourceOutputs(ci, pulumi.Map{"deployRoleArn": ci.DeployRoleARN, "previewRoleArn": ci.PreviewRoleARN})
}

// deployPermissions returns what the deploy role may do: assume the further roles, and roleName in every account
// or, if that is empty, deploy into its own account.
func deployPermissions(access policy.CI, further []string, roleName string, account scope.Account, org *Organization) pulumi.StringOutput {
	ids := pulumi.StringArray{}
	for _, member := range org.Accounts {
		ids = append(ids, member.ID)
	}
	return pulumi.All(account.ID, ids.ToStringArrayOutput()).ApplyT(func(args []any) (string, error) {
		access := access
		access.Account, access.Roles = args[0].(string), slices.Clone(further)
		if roleName == "" {
			return access.Deploy().JSON()
		}
		for _, id := range args[1].([]string) {
			access.Roles = append(access.Roles, policy.RoleARN(access.Partition, id, roleName))
		}
		return access.Assume().JSON()
	}).(pulumi.StringOutput)
}
