package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/cluster"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// Cluster is where training runs: an EKS cluster of this stack, or an existing Kubernetes cluster.
type Cluster struct {
	pulumi.ResourceState

	Managed    bool                // false for an existing cluster, which has another owner
	Name       pulumi.StringOutput // of the EKS cluster; empty for an existing one
	VPCID      pulumi.StringOutput // empty for an existing cluster
	Kubeconfig pulumi.StringOutput // secret; kubectl accepts it as it is
	// UserKubeconfig uses the credentials of the shell as they are. It holds no secret. Empty for an existing cluster
	UserKubeconfig pulumi.StringOutput
	Provider       *kubernetes.Provider      // assumes the training account's role
	Pools          map[string]nodepool.Facts // pools to train on, by name
	Ready          []pulumi.Resource         // depend on these before you create a pod on a pool
}

// ClusterNetwork is a cluster of which only the network exists. The buckets need it, and the cluster's pods the buckets.
type ClusterNetwork struct {
	OwnVPC pulumi.StringOutput // id of the VPC that the stack creates; empty if another owner has created it

	cluster *Cluster
	place   cluster.Place
	network cluster.Network // zero for an existing cluster
}

// ClusterNetworkArgs are what newClusterNetwork needs. Network is ignored for an existing cluster.
type ClusterNetworkArgs struct {
	Account     scope.Account
	Network     settings.Network
	Cluster     settings.Cluster
	EncryptLogs bool // with a KMS key of the stack
}

// newClusterNetwork registers the cluster and creates its network, or uses the existing one.
func newClusterNetwork(ctx *pulumi.Context, name string, s scope.Scope, args ClusterNetworkArgs) (*ClusterNetwork, error) {
	empty := pulumi.String("").ToStringOutput()
	c := &Cluster{Managed: !args.Cluster.Existing(), Name: empty, VPCID: empty, UserKubeconfig: empty, Pools: map[string]nodepool.Facts{}}
	if err := ctx.RegisterComponentResource("llm:platform:Cluster", name, c, pulumi.Providers(args.Account.Provider)); err != nil {
		return nil, err
	}
	n := &ClusterNetwork{OwnVPC: empty, cluster: c, place: cluster.Place{Scope: s, Account: args.Account, Name: name, Parent: c}}
	if !c.Managed {
		return n, nil
	}
	var err error
	if args.EncryptLogs {
		if n.place.LogKey, err = cluster.NewLogKey(ctx, n.place); err != nil {
			return nil, err
		}
	}
	if n.network, err = cluster.NewNetwork(ctx, n.place, args.Network); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	if c.VPCID = n.network.VPCID; args.Network.VPCID == "" {
		n.OwnVPC = c.VPCID
	}
	return n, nil
}

// ClusterArgs are what newCluster needs. Hooks are ignored for an existing cluster.
type ClusterArgs struct {
	Network *ClusterNetwork
	Cluster settings.Cluster
	Hooks   cluster.Hooks
}

// newCluster creates the EKS cluster, or connects to the one whose kubeconfig is configured.
func newCluster(ctx *pulumi.Context, args ClusterArgs) (*Cluster, error) {
	c, place := args.Network.cluster, args.Network.place
	place.Hooks = args.Hooks
	for pool, cfg := range args.Cluster.Pools {
		c.Pools[pool] = nodepool.NewFacts(pool, cfg, c.Managed)
	}
	build := c.create
	if !c.Managed {
		build = c.connect
	}
	if err := build(ctx, place, args); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": c.Name})
}

// connect uses an existing cluster. Its owner is responsible for nodes, device plugins and the permissions of
// service accounts.
func (c *Cluster) connect(ctx *pulumi.Context, place cluster.Place, args ClusterArgs) (err error) {
	c.Kubeconfig = pulumi.ToSecret(pulumi.String(args.Cluster.Kubeconfig.Reveal())).(pulumi.StringOutput)
	c.Provider, err = cluster.NewKubernetes(ctx, place, c.Kubeconfig, pulumi.String("existing"))
	return err
}

// create creates a cluster. Only what a pod on a pool needs is in Ready: a training must not wait for monitoring.
func (c *Cluster) create(ctx *pulumi.Context, place cluster.Place, args ClusterArgs) error {
	cfg := args.Cluster
	release, err := catalog.LookupRelease(cfg.Version)
	if err != nil {
		return err
	}
	if warning := release.Warning(time.Now()); warning != "" {
		if err := ctx.Log.Warn("cluster.version: "+warning, &pulumi.LogArgs{Resource: c}); err != nil {
			return err
		}
	}
	controlPlane, err := cluster.NewControlPlane(ctx, place, args.Network.network, release, cfg)
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	if err := cluster.NewAccess(ctx, place, controlPlane, cfg.Access); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	joinable, err := cluster.NewNodeAddons(ctx, place, controlPlane)
	if err != nil {
		return fmt.Errorf("node add-ons: %w", err)
	}
	schedulable, err := cluster.NewSystemPool(ctx, place, joinable, cfg.SystemInstanceType, cfg.SystemNodes)
	if err != nil {
		return fmt.Errorf("system pool: %w", err)
	}
	pools, err := cluster.NewPools(ctx, place, joinable, cfg.Pools)
	if err != nil {
		return fmt.Errorf("pools: %w", err)
	}
	dns, err := cluster.NewClusterAddons(ctx, place, schedulable, cfg)
	if err != nil {
		return fmt.Errorf("cluster add-ons: %w", err)
	}
	plugins, err := cluster.NewDevicePlugins(ctx, place, schedulable, c.Pools)
	if err != nil {
		return fmt.Errorf("device plugins: %w", err)
	}
	c.Name = controlPlane.Name
	c.Kubeconfig, c.UserKubeconfig, c.Provider = controlPlane.Kubeconfig, controlPlane.UserKubeconfig, controlPlane.Kubernetes
	c.Ready = slices.Concat(joinable.Addons, []pulumi.Resource{schedulable.Nodes}, pools, dns, plugins)
	return nil
}
