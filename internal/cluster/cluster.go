// Package cluster creates an EKS cluster in steps. A step returns a type that only this package can fill,
// and the next step asks for that type, so the compiler keeps the order:
//
//	NewNetwork       Network, for the control plane and all nodes
//	NewControlPlane  ControlPlane, from a Network
//	NewAccess        access entries, with a ControlPlane
//	NewNodeAddons    Joinable, from a ControlPlane: nodes can join and become ready
//	NewSystemPool    Schedulable, from a Joinable: the cluster's own pods can run
//	NewPools         nodes to train on, from a Joinable: at the same time as the system pool
//	NewClusterAddons, NewDevicePlugins  pods of the cluster, with a Schedulable
//
// Logical names start with the name of the Place. The network, whose names start with network, and the node
// groups, named pool-<name>, are exceptions: their names are part of URNs, so they stay.
package cluster

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/scope"
)

// Place says where the parts of a cluster are created.
type Place struct {
	scope.Scope
	Account scope.Account
	Name    string          // start of logical names
	Parent  pulumi.Resource // of the parts; carries the account's AWS provider

	LogKey pulumi.StringInput // ARN of the KMS key of the log groups; nil: CloudWatch's own keys

	Hooks Hooks
}

// Hooks are called before each change of a resource of their kind.
type Hooks struct {
	NodeGroup, AccessEntry *pulumi.ResourceHookBinding
}

// child returns the option that makes a resource a part.
func (p Place) child() pulumi.ResourceOption { return pulumi.Parent(p.Parent) }

// tags returns the Name tag, the only name that many EC2 resources have.
func (p Place) tags(name string) pulumi.StringMap {
	return pulumi.StringMap{"Name": pulumi.String(p.Prefix + "-" + name)}
}
