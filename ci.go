package main

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// CI is how GitHub Actions gets in, without any key that could leak.
type CI struct {
	pulumi.ResourceState

	DeployRoleARN  pulumi.StringOutput // for workflows in the environment; empty without CI
	PreviewRoleARN pulumi.StringOutput // for pull requests; empty without CI
}

// newCI makes the roles that workflows of the repository work as, if one is named.
func newCI(ctx *pulumi.Context, name string, cfg settings.Settings, org *Organization) (*CI, error) {
	ci := &CI{
		DeployRoleARN:  pulumi.String("").ToStringOutput(),
		PreviewRoleARN: pulumi.String("").ToStringOutput(),
	}
	if cfg.CI.Repository == "" {
		return ci, nil
	}
	account := org.account(cfg.CI.Account)
	if err := ctx.RegisterComponentResource("llm:platform:CI", name, ci, pulumi.Providers(account.Provider)); err != nil {
		return nil, err
	}
	roleOptions := []pulumi.ResourceOption{pulumi.Parent(ci)}
	if cfg.CI.CreateProvider {
		// AWS knows the certificates of GitHub by itself, and asks for no thumbprint.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
		provider, err := iam.NewOpenIdConnectProvider(ctx, name+"-github", &iam.OpenIdConnectProviderArgs{
			Url:           pulumi.String("https://" + policy.GitHubHost),
			ClientIdLists: pulumi.ToStringArray([]string{"sts.amazonaws.com"}),
		}, pulumi.Parent(ci))
		if err != nil {
			return nil, fmt.Errorf("OIDC provider: %w", err)
		}
		roleOptions = append(roleOptions, pulumi.DependsOn([]pulumi.Resource{provider}))
	}
	// role makes a role for workflows with the subject, which may do what may says of
	// the role's account and of others.
	role := func(purpose, description, subject string, others pulumi.StringArray, may func(access policy.CI, others []string) policy.Document) (pulumi.StringOutput, error) {
		none := pulumi.StringOutput{}
		partition := catalog.Partition(cfg.Region)
		trust := account.ID.ApplyT(func(id string) (string, error) {
			return policy.GitHubTrust(partition, id, subject).JSON()
		}).(pulumi.StringOutput)
		made, err := iam.NewRole(ctx, name+"-"+purpose, &iam.RoleArgs{
			Description:      pulumi.String(description),
			AssumeRolePolicy: trust,
		}, roleOptions...)
		if err != nil {
			return none, fmt.Errorf("%s role: %w", purpose, err)
		}
		document := pulumi.All(account.ID, others.ToStringArrayOutput()).ApplyT(func(args []any) (string, error) {
			return may(policy.CI{
				Partition: partition,
				Account:   args[0].(string),
				Prefix:    fmt.Sprintf("%s-%s-", ctx.Project(), cfg.Stack), // as Pulumi.yaml's autonaming makes them
				State:     cfg.CI.StateBucketARN,
				StateKey:  cfg.CI.StateKMSKeyARN,
			}, args[1].([]string)).JSON()
		}).(pulumi.StringOutput)
		_, err = iam.NewRolePolicy(ctx, name+"-"+purpose+"-policy", &iam.RolePolicyArgs{
			Role:   made.Name,
			Policy: document,
		}, pulumi.Parent(ci))
		if err != nil {
			return none, fmt.Errorf("%s role: permissions: %w", purpose, err)
		}
		return made.Arn, nil
	}
	ids := pulumi.StringArray{}
	for _, other := range org.Accounts {
		ids = append(ids, other.ID)
	}
	var err error
	ci.DeployRoleARN, err = role("deploy", "What deploys from GitHub", cfg.CI.DeploySubject(), ids, func(access policy.CI, accounts []string) policy.Document {
		access.Roles = slices.Clone(cfg.CI.DeployAssumeRoles)
		if cfg.Organization.RoleName == "" {
			return access.Deploy()
		}
		for _, id := range accounts {
			access.Roles = append(access.Roles, policy.RoleARN(access.Partition, id, cfg.Organization.RoleName))
		}
		return access.Assume()
	})
	if err != nil {
		return nil, err
	}
	ci.PreviewRoleARN, err = role("preview", "What previews pull requests from GitHub, and only reads", cfg.CI.PreviewSubject(), nil, func(access policy.CI, _ []string) policy.Document {
		access.Roles = cfg.CI.PreviewAssumeRoles
		return access.Preview()
	})
	if err != nil {
		return nil, err
	}
	return ci, ctx.RegisterResourceOutputs(ci, pulumi.Map{"deployRoleArn": ci.DeployRoleARN, "previewRoleArn": ci.PreviewRoleARN})
}
