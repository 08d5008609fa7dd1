package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-eks/sdk/v2/go/eks"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/eksversion"
	"llm-platform/internal/kubeconfig"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// newCluster makes the cluster that training runs on, with its network, nodes,
// add-ons and identities; or enters the one whose kubeconfig the stack gives.
func newCluster(ctx *pulumi.Context, name string, cfg settings.Settings, account *Account, store *Storage, opts ...pulumi.ResourceOption) (*Cluster, error) {
	empty := pulumi.String("").ToStringOutput()
	cluster := &Cluster{Name: empty, VPCID: empty, TrainingRoleARN: empty, Pools: map[string]Pool{}}
	if err := ctx.RegisterComponentResource("llm:platform:Cluster", name, cluster, opts...); err != nil {
		return nil, err
	}
	for _, pool := range slices.Sorted(maps.Keys(cfg.Cluster.Pools)) {
		cluster.Pools[pool] = podFacts(pool, cfg.Cluster.Pools[pool], cfg.Cluster.Given())
	}
	b := &clusterBuilder{ctx: ctx, name: name, cfg: cfg, account: account, store: store, cluster: cluster}
	if err := b.repository(); err != nil {
		return nil, fmt.Errorf("image repository: %w", err)
	}
	build := b.make
	if cfg.Cluster.Given() {
		build = b.enter
	}
	if err := build(); err != nil {
		return nil, err
	}
	return cluster, ctx.RegisterResourceOutputs(cluster, pulumi.Map{"name": cluster.Name})
}

// podFacts is what pods must know of a pool. The nodes of a cluster that exists
// carry the labels that the configuration gives, or ours if it gives none.
func podFacts(name string, pool settings.Pool, given bool) Pool {
	facts := Pool{
		Name:       name,
		Type:       pool.Type,
		Labels:     nodepool.Labels(name, pool),
		TaintKey:   pool.TaintKey,
		TaintValue: pool.TaintValue,
	}
	if pool.EFA {
		facts.EFA = pool.Type.EFAInterfaces
	}
	if given && len(pool.Labels) > 0 {
		facts.Labels = pool.Labels
	}
	return facts
}

// clusterBuilder is what the steps of newCluster share.
type clusterBuilder struct {
	ctx     *pulumi.Context
	name    string
	cfg     settings.Settings
	account *Account
	store   *Storage
	cluster *Cluster

	release      eksversion.Release
	net          *Network
	role         *iam.Role // of the control plane
	rolePolicies []pulumi.Resource
	nodeRole     *iam.Role
	nodePolicies []pulumi.Resource
	plane        *eks.Cluster
	group        pulumi.StringOutput // security group that EKS makes for control plane and nodes
	beforeNodes  []pulumi.Resource   // what must stand when a node starts
	system       pulumi.Resource     // the system nodes
	efa          *ec2.SecurityGroup  // among nodes with EFA, once a pool has it
}

// parent is the option of every resource of the cluster.
func (b *clusterBuilder) parent() pulumi.ResourceOption { return pulumi.Parent(b.cluster) }

// ready notes what must stand before a training pod.
func (b *clusterBuilder) ready(resources ...pulumi.Resource) {
	b.cluster.Ready = append(b.cluster.Ready, resources...)
}

// enter takes the cluster whose kubeconfig was given. Its nodes, device plugins and
// the rights of its service accounts are its owner's.
func (b *clusterBuilder) enter() error {
	b.cluster.Kubeconfig = pulumi.ToSecret(pulumi.String(b.cfg.Cluster.Kubeconfig.Reveal())).(pulumi.StringOutput)
	return b.provider(pulumi.String("given"))
}

// make makes the cluster, in the order in which its parts need each other.
func (b *clusterBuilder) make() error {
	var err error
	if b.release, err = eksversion.Lookup(b.cfg.Cluster.Version); err != nil {
		return err
	}
	if warning := b.release.Warning(time.Now()); warning != "" {
		if err := b.ctx.Log.Warn("cluster.version: "+warning, &pulumi.LogArgs{Resource: b.cluster}); err != nil {
			return err
		}
	}
	if b.net, err = newNetwork(b.ctx, "network", b.cfg, b.account, b.parent()); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	b.cluster.VPCID = b.net.VPCID
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"roles", b.roles},
		{"control plane", b.controlPlane},
		{"access", b.access},
		{"training role", b.trainingRole},
		{"add-ons", b.addonsBeforeNodes},
		{"system nodes", b.systemNodes},
		{"add-ons", b.addonsAfterNodes},
		{"pools", b.pools},
		{"device plugins", b.devicePlugins},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// controlPlaneLogs are all that a control plane writes.
// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
var controlPlaneLogs = []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}

// controlPlane makes the EKS cluster itself, and the way into it. Nodes and add-ons
// are made here and not by the component, whose own are of 2024: images that AWS
// has withdrawn, and no EFA.
func (b *clusterBuilder) controlPlane() error {
	// The name is the contract: EKS writes its logs to a group of that name, which
	// must be there first to have a retention.
	name := b.ctx.Project() + "-" + b.cfg.Stack
	logs, err := cloudwatch.NewLogGroup(b.ctx, b.name+"-logs", &cloudwatch.LogGroupArgs{
		Name:            pulumi.Sprintf("/aws/eks/%s/cluster", name),
		RetentionInDays: pulumi.Int(b.cfg.Cluster.LogDays),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("log group: %w", err)
	}
	document := b.account.ID.ApplyT(func(id string) (string, error) {
		return policy.AccountKey(catalog.Partition(b.cfg.Region), id).JSON()
	}).(pulumi.StringOutput)
	key, err := kms.NewKey(b.ctx, b.name+"-key", &kms.KeyArgs{
		Description:          pulumi.Sprintf("Kubernetes secrets of %s", name),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(30),
		Policy:               document,
	}, b.parent(), kept(b.cfg, false))
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}

	mode := eks.AuthenticationModeApi
	public := len(b.cfg.Cluster.PublicCIDRs) > 0
	args := &eks.ClusterArgs{
		Name:                   pulumi.String(name),
		Version:                pulumi.String(b.cfg.Cluster.Version),
		VpcId:                  b.net.VPCID,
		PrivateSubnetIds:       b.net.Private,
		SkipDefaultNodeGroup:   pulumi.BoolRef(true),
		UseDefaultVpcCni:       pulumi.BoolRef(true),
		AuthenticationMode:     &mode,
		ServiceRole:            b.role,
		InstanceRole:           b.nodeRole, // or the component makes one of its own
		EndpointPrivateAccess:  pulumi.Bool(true),
		EndpointPublicAccess:   pulumi.Bool(public),
		EnabledClusterLogTypes: pulumi.ToStringArray(controlPlaneLogs),
		EncryptionConfigKeyArn: key.Arn,
	}
	if public {
		args.PublicAccessCidrs = pulumi.ToStringArray(b.cfg.Cluster.PublicCIDRs)
	}
	b.plane, err = eks.NewCluster(b.ctx, b.name+"-eks", args, b.parent(),
		pulumi.Providers(b.account.Provider),
		pulumi.Protect(b.cfg.Protect),
		pulumi.DependsOn(append([]pulumi.Resource{logs}, b.rolePolicies...)),
		pulumi.Transforms([]pulumi.ResourceTransform{standardSupport}))
	if err != nil {
		return err
	}
	made := b.plane.EksCluster
	b.cluster.Name = made.Name()
	b.group = made.VpcConfig().ClusterSecurityGroupId().Elem()
	b.cluster.Kubeconfig = b.kubeconfig(made)
	return b.provider(made.Arn())
}

// standardSupport has EKS upgrade the control plane when a version leaves standard
// support, instead of billing extended support at six times the price. The component
// has no argument for it.
// https://docs.aws.amazon.com/eks/latest/userguide/view-upgrade-policy.html
func standardSupport(_ context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
	if args.Type != "aws:eks/cluster:Cluster" {
		return nil
	}
	args.Props["upgradePolicy"] = pulumi.Map{"supportType": pulumi.String("STANDARD")}
	return &pulumi.ResourceTransformResult{Props: args.Props, Opts: args.Opts}
}

// kubeconfig is written here and not by the component, whose own has no region and
// no role: it would enter with whatever credentials are in the shell.
func (b *clusterBuilder) kubeconfig(made awseks.ClusterOutput) pulumi.StringOutput {
	text := pulumi.All(made.Name(), made.Endpoint(), made.CertificateAuthority().Data().Elem(), b.account.Role).
		ApplyT(func(args []any) (string, error) {
			return kubeconfig.Cluster{
				Name: args[0].(string), Endpoint: args[1].(string), CA: args[2].(string),
				Region: b.cfg.Region, Role: args[3].(string),
			}.JSON()
		}).(pulumi.StringOutput)
	return pulumi.ToSecret(text).(pulumi.StringOutput)
}

// provider makes the way that Kubernetes objects go. Its identifier keeps a new
// kubeconfig of the same cluster from replacing everything in it.
func (b *clusterBuilder) provider(identifier pulumi.StringInput) error {
	var err error
	b.cluster.Provider, err = kubernetes.NewProvider(b.ctx, b.name+"-kubernetes", &kubernetes.ProviderArgs{
		Kubeconfig:            b.cluster.Kubeconfig,
		ClusterIdentifier:     identifier,
		EnableServerSideApply: pulumi.Bool(true),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("provider of Kubernetes: %w", err)
	}
	return nil
}

// access lets people and pipelines in. The role that makes the cluster is in already.
// https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
func (b *clusterBuilder) access() error {
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Cluster.Access)) {
		entry := b.cfg.Cluster.Access[name]
		permission := "AmazonEKSClusterAdminPolicy"
		scope := awseks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("cluster")}
		if entry.Role == settings.Scientist {
			permission = "AmazonEKSEditPolicy"
			scope = awseks.AccessPolicyAssociationAccessScopeArgs{
				Type:       pulumi.String("namespace"),
				Namespaces: pulumi.ToStringArray([]string{settings.TrainingNamespace}),
			}
		}
		made, err := awseks.NewAccessEntry(b.ctx, b.name+"-access-"+name, &awseks.AccessEntryArgs{
			ClusterName:  b.cluster.Name,
			PrincipalArn: pulumi.String(entry.Principal),
			Type:         pulumi.String("STANDARD"),
		}, b.parent())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := awseks.NewAccessPolicyAssociation(b.ctx, b.name+"-access-"+name+"-policy", &awseks.AccessPolicyAssociationArgs{
			ClusterName:  b.cluster.Name,
			PrincipalArn: made.PrincipalArn,
			PolicyArn:    pulumi.Sprintf("arn:%s:eks::aws:cluster-access-policy/%s", catalog.Partition(b.cfg.Region), permission),
			AccessScope:  scope,
		}, b.parent()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
