package main

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/nodepool"
)

// Cluster is where training runs: one that we made, or one that was given.
type Cluster struct {
	pulumi.ResourceState

	Name       pulumi.StringOutput  // of the EKS cluster; empty for a given one
	Kubeconfig pulumi.StringOutput  // secret; kubectl takes it as it is
	Provider   *kubernetes.Provider // goes to the cluster as the training account's role
	Pools      map[string]Pool      // accelerator pools by name, as configured
	Ready      []pulumi.Resource    // depend on these before making a training pod: nodes, add-ons, device plugins, Pod Identity

	VPCID         pulumi.StringOutput // empty for a given cluster
	RepositoryURL pulumi.StringOutput // where training images are pushed to, without a tag
	Managed       bool                // false for a given cluster
}

// poolFacts is what a data scientist asks about the pools.
func (c *Cluster) poolFacts() pulumi.Map {
	facts := pulumi.Map{}
	for name, pool := range c.Pools {
		facts[name] = pulumi.Map{
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
	return facts
}

type Pool = nodepool.Facts
