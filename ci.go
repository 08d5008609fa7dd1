package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// CI is the roles that GitHub Actions or GitLab pipelines assume by OIDC, without any access key.
type CI struct {
	pulumi.ResourceState

	DeployRoleARN  pulumi.StringOutput // for workflows in the GitHub environment or on the GitLab branch; empty without CI
	PreviewRoleARN pulumi.StringOutput // for the GitHub environments <ci.environment>-preview and -drift, or all branches on GitLab; empty without CI
}

type CIArgs struct {
	Settings        settings.CI
	Git             settings.Git // the server and the token with which the environments of ci.repository are created
	RoleName        string       // of the role that the deploy role may assume in every account; empty: it deploys with permissions of its own
	PreviewRoleName string       // of the role that the preview role may assume in every account; empty: none
	Organization    *Organization
}

// deployHours is the longest session of the deploy role, in hours. An update that creates accounts, a cluster and pools
// that wait for capacity takes longer than the hour that is the default, and credentials of OIDC are not renewed.
const deployHours = 4

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
		// AWS verifies public certificates by itself and needs no thumbprint.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
		provider, err := iam.NewOpenIdConnectProvider(ctx, name+"-"+cfg.Server, &iam.OpenIdConnectProviderArgs{
			Url:           pulumi.String("https://" + cfg.Issuer),
			ClientIdLists: pulumi.ToStringArray([]string{cfg.Audience}),
		}, pulumi.Parent(ci))
		if err != nil {
			return nil, fmt.Errorf("OIDC provider: %w", err)
		}
		ready = append(ready, provider)
	}
	access := policy.CI{
		Partition: s.Partition,
		Prefix:    s.Prefix + "-", // as Pulumi.yaml's autonaming pattern creates the names of roles
		Project:   s.Project,
		Stack:     s.Stack,
		State:     cfg.StateBucketARN,
		StateKey:  cfg.StateKMSKeyARN,
	}
	tokens := policy.OIDC{Issuer: cfg.Issuer, Audience: cfg.Audience}
	role := func(purpose, description string, subjects []string, hours int, permissions pulumi.StringOutput) (pulumi.StringOutput, error) {
		created, err := s.NewRole(ctx, name+"-"+purpose, scope.RoleArgs{
			Description: description,
			Account:     account.ID,
			Trust: scope.Document(account.ID, func(id string) policy.Document {
				return tokens.Trust(s.Partition, id, subjects...)
			}),
			Permissions:  permissions,
			SessionHours: hours,
			Parent:       ci,
			DependsOn:    ready,
		})
		if err != nil {
			return empty, fmt.Errorf("%s %w", purpose, err)
		}
		return created.Arn, nil
	}
	var err error
	ci.DeployRoleARN, err = role("deploy", "Deploys from CI workflows", []string{cfg.DeploySubject()}, deployHours,
		deployPermissions(access, s, args, account))
	if err != nil {
		return nil, err
	}
	ci.PreviewRoleARN, err = role("preview", "Previews changes from CI workflows, read-only", cfg.PreviewSubjects(), 0,
		pulumi.All(account.ID, rolesIn(org, s.Partition, args.PreviewRoleName, cfg.PreviewAssumeRoles)).ApplyT(func(known []any) (string, error) {
			access := access
			access.Account, access.Roles = known[0].(string), known[1].([]string)
			return access.Preview().JSON()
		}).(pulumi.StringOutput))
	if err != nil {
		return nil, err
	}
	if err := newCIEnvironments(ctx, name, cfg, args.Git, ci); err != nil {
		return nil, fmt.Errorf("GitHub environments: %w", err)
	}
	return ci, ctx.RegisterResourceOutputs(ci, pulumi.Map{"deployRoleArn": ci.DeployRoleARN, "previewRoleArn": ci.PreviewRoleARN})
}

// deployPermissions returns what the deploy role may do: assume the further roles, and args.RoleName in every
// account or, if that is empty, deploy into its own account.
func deployPermissions(access policy.CI, s scope.Scope, args CIArgs, account scope.Account) pulumi.StringOutput {
	roles := rolesIn(args.Organization, s.Partition, args.RoleName, args.Settings.DeployAssumeRoles)
	return pulumi.All(account.ID, roles).ApplyT(func(known []any) (string, error) {
		access := access
		access.Account, access.Roles = known[0].(string), known[1].([]string)
		if args.RoleName != "" {
			return access.Assume().JSON()
		}
		if s.Boundary != "" {
			access.Boundary = policy.PolicyARN(s.Partition, access.Account, s.Boundary)
		}
		return access.Deploy().JSON()
	}).(pulumi.StringOutput)
}

// rolesIn returns the ARNs of the further roles and of the role of a name in each account. Without a name it depends on
// no account, so that a new account changes nothing.
func rolesIn(org *Organization, partition, roleName string, further []string) pulumi.StringArrayOutput {
	roles := pulumi.ToStringArray(further)
	if roleName != "" {
		for _, account := range org.Accounts {
			arn := account.ID.ApplyT(func(id string) string { return policy.RoleARN(partition, id, roleName) }).(pulumi.StringOutput)
			roles = append(roles, arn)
		}
	}
	return roles.ToStringArrayOutput()
}
