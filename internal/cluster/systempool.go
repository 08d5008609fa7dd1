package cluster

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/nodepool"
)

// Schedulable is a cluster with nodes for its own pods.
type Schedulable struct {
	Nodes pulumi.Resource // the system pool; pods of the cluster wait for it

	joinable Joinable
}

// NewSystemPool creates the pool that runs CoreDNS and the other pods of the cluster itself.
func NewSystemPool(ctx *pulumi.Context, place Place, joinable Joinable, instanceType string, nodes int) (Schedulable, error) {
	group, err := newNodeGroup(ctx, place, joinable, nodeGroupArgs{
		node:    nodepool.DescribeSystem(instanceType),
		subnets: joinable.controlPlane.network.private,
		minimum: 1, nodes: nodes,
	})
	return Schedulable{Nodes: group, joinable: joinable}, err
}
