// llm-platform is one Pulumi program that gives a team all it needs to train large
// language models on AWS. See README.md.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	runs "llm-platform/internal/run"
)

func main() { pulumi.Run(platform) }

// platform calls one builder per concern. Each takes the Outputs of the ones above
// it, so the order of the calls is the order of the platform.
func platform(ctx *pulumi.Context) error {
	cfg, err := loadSettings(ctx)
	if err != nil {
		return err
	}
	scripts, err := runs.ReadScripts(os.DirFS("scripts"))
	if err != nil {
		return fmt.Errorf("folder scripts: %w", err)
	}
	if err := explainFailures(ctx); err != nil {
		return fmt.Errorf("error hook: %w", err)
	}
	org, err := newOrganization(ctx, "org", cfg)
	if err != nil {
		return fmt.Errorf("organization: %w", err)
	}
	if err := newGuardrails(ctx, "guardrails", cfg, org, cfg.Cluster.PoolTypes()); err != nil {
		return fmt.Errorf("guardrails: %w", err)
	}
	if err := newBudgets(ctx, "budgets", cfg, org); err != nil {
		return fmt.Errorf("budgets: %w", err)
	}
	ci, err := newCI(ctx, "ci", cfg, org)
	if err != nil {
		return fmt.Errorf("ci: %w", err)
	}
	store, err := newStorage(ctx, "storage", cfg, org.Training, pulumi.Providers(org.Training.Provider))
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	studio, err := newSageMaker(ctx, "sagemaker", cfg, org.Training, store, pulumi.Providers(org.Training.Provider))
	if err != nil {
		return fmt.Errorf("sagemaker: %w", err)
	}
	branch, err := newGitBranch(ctx, "git", cfg, scripts)
	if err != nil {
		return fmt.Errorf("git branch: %w", err)
	}
	cluster, err := newCluster(ctx, "cluster", cfg, org.Training, store, pulumi.Providers(org.Training.Provider))
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	training, err := newTraining(ctx, "training", cfg, cluster, store, branch, scripts)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}

	// What a data scientist or another stack reads. README.md says what each is.
	ctx.Export("region", pulumi.String(cfg.Region))
	ctx.Export("organizationId", org.ID)
	ctx.Export("accountIds", org.accountIDs())
	ctx.Export("trainingAccountArn", org.Training.ARN)
	ctx.Export("bucketName", store.Dataset.Name)
	ctx.Export("bucketEndpoint", store.Dataset.Endpoint)
	ctx.Export("sourceDataUrl", store.SourceURL)
	ctx.Export("destinationDataUrl", store.Dataset.url())
	ctx.Export("checkpointUrl", store.Checkpoints.url())
	ctx.Export("artifactUrl", store.Artifacts.url())
	ctx.Export("dataKeyArn", store.KeyARN)
	ctx.Export("transferTaskArns", store.Transfers)
	ctx.Export("sagemakerRoleArn", studio.RoleARN)
	ctx.Export("notebookUrl", studio.NotebookURL)
	ctx.Export("ciDeployRoleArn", ci.DeployRoleARN)
	ctx.Export("ciPreviewRoleArn", ci.PreviewRoleARN)
	ctx.Export("vpcId", cluster.VPCID)
	ctx.Export("clusterName", cluster.Name)
	ctx.Export("kubeconfig", cluster.Kubeconfig)
	ctx.Export("acceleratorPools", cluster.poolFacts())
	ctx.Export("imageRepositoryUrl", cluster.RepositoryURL)
	ctx.Export("trainingRoleArn", cluster.TrainingRoleARN)
	ctx.Export("branchName", branch.Name)
	ctx.Export("branchUrl", branch.URL)
	ctx.Export("scriptCommit", branch.Commit)
	ctx.Export("runName", pulumi.String(training.RunName))
	ctx.Export("runCheckpointUrl", training.CheckpointURL)
	ctx.Export("runArtifactUrl", training.ArtifactURL)
	return nil
}
