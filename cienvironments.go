package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-github/sdk/v6/go/github"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
	"llm-platform/internal/settings"
)

// newCIEnvironments creates the GitHub environments whose workflows the CI roles trust, if ci.reviewers names somebody: without
// them, GitHub creates an environment for whoever pushes a workflow that names it. They are retained on destroy, since GitHub
// deletes an environment with its secrets.
func newCIEnvironments(ctx *pulumi.Context, name string, cfg settings.CI, git settings.Git, parent pulumi.Resource) error {
	if cfg.Reviewers.Empty() {
		return nil
	}
	owner, repository := cfg.OwnerAndName()
	git.Owner = owner
	provider, err := newGitHub(ctx, name+"-environments", git, parent)
	if err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	options := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.Provider(provider), pulumi.RetainOnDelete(true)}
	found := github.LookupRepositoryOutput(ctx, github.LookupRepositoryOutputArgs{Name: pulumi.String(repository)}, pulumi.Parent(parent), pulumi.Provider(provider))
	for _, e := range cfg.Environments() {
		absent, err := ctx.RegisterResourceHook(name+"-absent-"+e.Name, environmentAbsent(ctx, provider, cfg, e.Name), &pulumi.ResourceHookOptions{OnDryRun: true})
		if err != nil {
			return fmt.Errorf("hook: %w", err)
		}
		args := &github.RepositoryEnvironmentArgs{
			Repository:      pulumi.String(repository),
			Environment:     pulumi.String(e.Name),
			CanAdminsBypass: pulumi.Bool(false),
		}
		if e.Reviewed {
			args.Reviewers = github.RepositoryEnvironmentReviewerArray{&github.RepositoryEnvironmentReviewerArgs{
				Teams: pulumi.ToIntArray(cfg.Reviewers.Teams), Users: pulumi.ToIntArray(cfg.Reviewers.Users),
			}}
			args.PreventSelfReview = pulumi.Bool(cfg.Reviewers.Several())
		}
		if e.DefaultBranch {
			args.DeploymentBranchPolicy = &github.RepositoryEnvironmentDeploymentBranchPolicyArgs{
				CustomBranchPolicies: pulumi.Bool(true), ProtectedBranches: pulumi.Bool(false),
			}
		}
		created, err := github.NewRepositoryEnvironment(ctx, name+"-environment-"+e.Name, args, append(slices.Clone(options),
			pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{absent}}))...)
		if err != nil {
			return fmt.Errorf("environment %s: %w", e.Name, err)
		}
		if !e.DefaultBranch {
			continue
		}
		_, err = github.NewRepositoryEnvironmentDeploymentPolicy(ctx, name+"-branch-"+e.Name, &github.RepositoryEnvironmentDeploymentPolicyArgs{
			Repository: pulumi.String(repository), Environment: created.Environment, BranchPattern: found.DefaultBranch(),
		}, options...)
		if err != nil {
			return fmt.Errorf("branch of environment %s: %w", e.Name, err)
		}
	}
	return nil
}

// environmentAbsent returns the hook that runs before an environment is created, and only then. GitHub would overwrite the rules
// of an existing one without a warning, and the provider take a branch rule that exists for one with the id 0, which it creates
// again and again. https://github.com/integrations/terraform-provider-github/issues/3611, read 2026-11-26
func environmentAbsent(ctx *pulumi.Context, provider pulumi.ProviderResource, cfg settings.CI, name string) pulumi.ResourceHookFunction {
	return func(*pulumi.ResourceHookArgs) error {
		owner, repository := cfg.OwnerAndName()
		found, err := github.GetRepositoryEnvironments(ctx, &github.GetRepositoryEnvironmentsArgs{Repository: repository}, pulumi.Provider(provider))
		if err != nil {
			return fmt.Errorf("ci.reviewers: cannot list the environments of %s/%s: %w", owner, repository, advice.With(err))
		}
		for _, e := range found.Environments {
			if strings.EqualFold(e.Name, name) {
				return fmt.Errorf("ci.reviewers: environment %s exists in %s/%s and was not created by this stack, and its rules would be overwritten: "+
					"delete it there, with its secrets, or import it (docs/troubleshooting.md)", name, owner, repository)
			}
		}
		return nil
	}
}
