// llm-platform is one Pulumi program that gives a team everything it needs to train large language models on AWS.
// See README.md.
package main

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/prices"
	"llm-platform/internal/review"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

func main() { pulumi.Run(platform) }

// platform calls one builder per concern. Each takes the Outputs of those above it, so the order of the calls is
// the order of the platform.
func platform(ctx *pulumi.Context) error {
	cfg, err := loadSettings(ctx)
	if err != nil {
		return err
	}
	for _, warning := range slices.Concat(cfg.Warnings(), prices.Warnings(cfg)) {
		if err := ctx.Log.Warn(warning, nil); err != nil {
			return err
		}
	}
	if block := review.Block(cfg); block != "" {
		if err := ctx.Log.Info(block, nil); err != nil {
			return err
		}
	}
	scripts, err := readScripts()
	if err != nil {
		return err
	}
	if err := explainFailures(ctx); err != nil {
		return fmt.Errorf("error hook: %w", err)
	}
	s := scope.New(ctx, cfg.Region, cfg.Protect, cfg.Tags, cfg.Organization.PermissionsBoundary)
	edit, err := reviewEdit(ctx, s, cfg)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	controls := cfg.Controls()

	org, err := newOrganization(ctx, "org", s, OrganizationArgs{
		Settings: cfg.Organization, CIAccount: cfg.CI.HomeAccount(), Objects: copiedObjects(s, cfg.Storage),
	})
	if err != nil {
		return fmt.Errorf("organization: %w", err)
	}
	if err := newTrail(ctx, "trail", s, TrailArgs{Organization: org, Settings: cfg.Organization, Storage: cfg.Storage}); err != nil {
		return fmt.Errorf("trail: %w", err)
	}
	guarded, err := newGuardrails(ctx, "guardrails", s, GuardrailArgs{
		Enabled: cfg.Guardrails.Enabled, Controls: controls, Settings: cfg.Organization, Organization: org,
	})
	if err != nil {
		return fmt.Errorf("guardrails: %w", err)
	}
	err = newBudgets(ctx, "budgets", s, BudgetArgs{Settings: cfg.Budget, Controls: controls, Organization: org, After: guarded})
	if err != nil {
		return fmt.Errorf("budgets: %w", err)
	}
	ci, err := newCI(ctx, "ci", s, CIArgs{
		Settings: cfg.CI, Git: cfg.Git, RoleName: cfg.Organization.RoleName, PreviewRoleName: cfg.Organization.PreviewRoleName, Organization: org,
	})
	if err != nil {
		return fmt.Errorf("ci: %w", err)
	}
	network, err := newClusterNetwork(ctx, "cluster", s, ClusterNetworkArgs{
		Account: org.Training, Network: cfg.ClusterNetwork(), Cluster: cfg.Cluster, EncryptLogs: cfg.Storage.Encryption == settings.KMS,
	})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	store, err := newStorage(ctx, "storage", s, StorageArgs{
		Settings: cfg.Storage, Account: org.Training, VPC: network.OwnVPC,
		DeployRole: cfg.Organization.RoleName, ExemptRoles: cfg.Guardrails.ExemptRoles,
	})
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	sageMaker, err := newSageMaker(ctx, "sagemaker", s, SageMakerArgs{Settings: cfg.SageMaker, Account: org.Training, Storage: store})
	if err != nil {
		return fmt.Errorf("sagemaker: %w", err)
	}
	branch, err := newGitBranch(ctx, "git", s, cfg.Git, scripts)
	if err != nil {
		return fmt.Errorf("git branch: %w", err)
	}
	images, err := newImageRepository(ctx, "image", s, ImageRepositoryArgs{Settings: cfg.Storage, Account: org.Training, Storage: store})
	if err != nil {
		return fmt.Errorf("image repository: %w", err)
	}
	hooks, err := edit.hooks(org.Training.Provider)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	cluster, err := newCluster(ctx, ClusterArgs{Network: network, Cluster: cfg.Cluster, Hooks: hooks})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	training, err := newTraining(ctx, "training", s, TrainingArgs{
		Settings: cfg.Training, Account: org.Training, Cluster: cluster, Storage: store, Branch: branch, Scripts: scripts,
	})
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	roles, err := newRoles(ctx, "roles", s, RolesArgs{
		Settings: cfg.Roles, Account: org.Training, Storage: store, Images: images, Cluster: cluster, Training: training,
		ScientistAccess: cfg.Cluster.ScientistAccess(),
	})
	if err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	if err := edit.describe(cluster, training); err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	export(ctx, s, platformOutputs{org, ci, store, sageMaker, branch, images, cluster, training, roles, cfg.Training})
	return nil
}
