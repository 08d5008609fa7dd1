package main

import (
	_ "embed" // of stackPage

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/scientist"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// platformOutputs is what platform has created.
type platformOutputs struct {
	org       *Organization
	ci        *CI
	store     *Storage
	sageMaker *SageMaker
	branch    *GitBranch
	images    *ImageRepository
	cluster   *Cluster
	training  *Training
	roles     *Roles
	run       settings.Training
}

// export exports the stack outputs, which data scientists and other stacks read. docs/outputs.md explains each.
func export(ctx *pulumi.Context, s scope.Scope, p platformOutputs) {
	ctx.Export("region", pulumi.String(s.Region))
	ctx.Export("organizationId", p.org.ID)
	ctx.Export("accountIds", p.org.accountIDs())
	ctx.Export("trainingAccountArn", p.org.Training.ARN)
	ctx.Export("bucketName", p.store.Dataset.Name)
	ctx.Export("bucketEndpoint", p.store.Dataset.Endpoint)
	ctx.Export("sourceDataUrl", p.store.SourceURL)
	ctx.Export("destinationDataUrl", p.store.Dataset.url())
	ctx.Export("checkpointUrl", p.store.Checkpoints.url())
	ctx.Export("artifactUrl", p.store.Artifacts.url())
	ctx.Export("dataKeyArn", p.store.KeyARN)
	ctx.Export("transferTaskArns", p.store.Transfers)
	ctx.Export("sagemakerRoleArn", p.sageMaker.RoleARN)
	ctx.Export("notebookUrl", p.sageMaker.NotebookURL)
	ctx.Export("ciDeployRoleArn", p.ci.DeployRoleARN)
	ctx.Export("ciPreviewRoleArn", p.ci.PreviewRoleARN)
	ctx.Export("vpcId", p.cluster.VPCID)
	ctx.Export("clusterName", p.cluster.Name)
	ctx.Export("kubeconfig", p.cluster.Kubeconfig)
	ctx.Export("userKubeconfig", p.cluster.UserKubeconfig)
	ctx.Export("acceleratorPools", p.cluster.acceleratorPools())
	ctx.Export("imageRepositoryUrl", p.images.URL)
	ctx.Export("imagePushRoleArn", p.roles.PushARN)
	ctx.Export("scientistRoleArn", p.roles.ScientistARN)
	ctx.Export("trainingRoleArn", p.training.RoleARN)
	ctx.Export("branchName", p.branch.Name)
	ctx.Export("branchUrl", p.branch.URL)
	ctx.Export("scriptCommit", p.branch.Commit)
	ctx.Export("runName", pulumi.String(p.training.RunName))
	ctx.Export("runCheckpointUrl", p.training.CheckpointURL)
	ctx.Export("runArtifactUrl", p.training.ArtifactURL)
	ctx.Export("dataScientist", p.dataScientist(s))
	ctx.Export("readme", pulumi.String(stackPage))
}

// stackPage is what Pulumi Cloud shows on a stack's page, where it fills in the outputs.
// https://www.pulumi.com/docs/pulumi-cloud/projects-and-stacks/
//
//go:embed Pulumi.README.md
var stackPage string

// dataScientist returns what a data scientist needs, in one object.
func (p platformOutputs) dataScientist(s scope.Scope) pulumi.Output {
	return pulumi.ToOutput(pulumi.StringArray{
		p.org.Training.ID, p.roles.ScientistARN, p.store.Dataset.url(), p.store.Checkpoints.url(), p.store.Artifacts.url(),
		p.images.URL, p.roles.PushARN, p.cluster.Name, p.training.CheckpointURL, p.training.ArtifactURL, p.branch.Commit,
		p.branch.Name, p.branch.URL,
	}).ApplyT(func(known []string) (map[string]any, error) {
		return scientist.Platform{
			Region: s.Region, Account: known[0], Role: known[1], Dataset: known[2], Checkpoints: known[3], Artifacts: known[4],
			ImageRepository: scientist.ImageRepository{URL: known[5], PushRole: known[6]},
			Cluster:         scientist.Cluster{Name: known[7], Namespace: settings.TrainingNamespace},
			Runs: map[string]scientist.Run{p.run.Name: {
				Enabled: p.run.Enabled, Name: p.training.RunName, Pool: p.run.Pool, Nodes: p.run.Nodes,
				Checkpoints: known[8], Artifacts: known[9], Commit: known[10],
			}},
			Branch: scientist.Branch{Name: known[11], URL: known[12]},
		}.WithCommands(s.Stack).Value()
	})
}

// acceleratorPools returns what a data scientist needs to know of the pools, also of those without accelerators.
func (c *Cluster) acceleratorPools() pulumi.Map {
	pools := pulumi.Map{}
	for name, pool := range c.Pools {
		pools[name] = pulumi.Map{
			"instanceType":     pulumi.String(pool.Type.Name),
			"accelerator":      pulumi.String(pool.Type.Accelerator),
			"perNode":          pulumi.Int(pool.Type.Count),
			"resource":         pulumi.String(pool.Type.ResourceName()),
			"processesPerNode": pulumi.Int(pool.Type.Processes),
			"efaInterfaces":    pulumi.Int(pool.EFA),
			"nodeSelector":     pulumi.ToStringMap(pool.Labels),
			"taint":            pulumi.String(pool.TaintKey + "=" + pool.TaintValue),
		}
	}
	return pools
}
