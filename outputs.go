package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/scope"
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
	ctx.Export("acceleratorPools", p.cluster.acceleratorPools())
	ctx.Export("imageRepositoryUrl", p.images.URL)
	ctx.Export("trainingRoleArn", p.training.RoleARN)
	ctx.Export("branchName", p.branch.Name)
	ctx.Export("branchUrl", p.branch.URL)
	ctx.Export("scriptCommit", p.branch.Commit)
	ctx.Export("runName", pulumi.String(p.training.RunName))
	ctx.Export("runCheckpointUrl", p.training.CheckpointURL)
	ctx.Export("runArtifactUrl", p.training.ArtifactURL)
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
