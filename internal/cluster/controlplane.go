package cluster

import (
	"context"
	"fmt"

	awseks "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-eks/sdk/v2/go/eks"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/kubeconfig"
	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// ControlPlane is an EKS cluster without nodes.
type ControlPlane struct {
	Name           pulumi.StringOutput
	Kubeconfig     pulumi.StringOutput // secret
	UserKubeconfig pulumi.StringOutput // without a role
	Kubernetes     *kubernetes.Provider

	network       Network
	release       catalog.Release
	nodeRole      scope.Role
	securityGroup pulumi.StringOutput // id of the one that EKS creates for control plane and nodes
}

// eksName returns the name of the EKS cluster. It is fixed, because EKS writes its logs to a group of that name,
// which must exist before it to have a retention, and trust policies name the cluster.
func eksName(s scope.Scope) string { return s.Prefix }

// NewControlPlane creates the EKS cluster and its Kubernetes provider. Nodes and add-ons are steps of their own,
// not the EKS component's: its node images and add-on builds date from 2024, AWS has withdrawn some of them, and
// it does not support EFA.
func NewControlPlane(
	ctx *pulumi.Context, place Place, network Network, release catalog.Release, cfg settings.Cluster,
) (ControlPlane, error) {
	name := eksName(place.Scope)
	role, nodeRole, err := newRoles(ctx, place)
	if err != nil {
		return ControlPlane{}, err
	}
	logs, err := newLogGroup(ctx, place, "logs", controlPlaneLogGroup(name), cfg.LogDays)
	if err != nil {
		return ControlPlane{}, fmt.Errorf("log group: %w", err)
	}
	key, err := place.NewKey(ctx, place.Name+"-key", "Kubernetes secrets of "+name, place.Account, policy.AccountKey,
		place.child(), place.Keep(false))
	if err != nil {
		return ControlPlane{}, fmt.Errorf("key: %w", err)
	}
	mode := eks.AuthenticationModeApi
	public := len(cfg.PublicCIDRs) > 0
	args := &eks.ClusterArgs{
		Name:                   pulumi.String(name),
		Version:                pulumi.String(release.Version),
		VpcId:                  network.VPCID,
		PrivateSubnetIds:       network.private,
		SkipDefaultNodeGroup:   pulumi.BoolRef(true),
		UseDefaultVpcCni:       pulumi.BoolRef(true),
		AuthenticationMode:     &mode,
		ServiceRole:            role.Role,
		InstanceRole:           nodeRole.Role, // without it, the component creates one
		EndpointPrivateAccess:  pulumi.Bool(true),
		EndpointPublicAccess:   pulumi.Bool(public),
		EnabledClusterLogTypes: pulumi.ToStringArray(logTypes()),
		EncryptionConfigKeyArn: key.Arn,
	}
	if public {
		args.PublicAccessCidrs = pulumi.ToStringArray(cfg.PublicCIDRs)
	}
	component, err := eks.NewCluster(ctx, place.Name+"-eks", args, place.child(),
		pulumi.Providers(place.Account.Provider), // a component of another process does not inherit it
		pulumi.Protect(place.Protect),
		pulumi.DependsOn(append([]pulumi.Resource{logs}, role.Ready...)),
		pulumi.Transforms([]pulumi.ResourceTransform{adjustCluster}))
	if err != nil {
		return ControlPlane{}, err
	}
	created := component.EksCluster
	config := pulumi.ToSecret(newKubeconfig(place, created, place.Account.Role)).(pulumi.StringOutput)
	provider, err := NewKubernetes(ctx, place, config, created.Arn())
	if err != nil {
		return ControlPlane{}, err
	}
	return ControlPlane{
		Name:           created.Name(),
		Kubeconfig:     config,
		UserKubeconfig: newKubeconfig(place, created, pulumi.String("").ToStringOutput()),
		Kubernetes:     provider,
		network:        network,
		release:        release,
		nodeRole:       nodeRole,
		securityGroup:  created.VpcConfig().ClusterSecurityGroupId().Elem(),
	}, nil
}

// logTypes returns all kinds of logs that a control plane can write.
// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
func logTypes() []string {
	return []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
}

// newRoles creates the roles of control plane and nodes. Nodes can pull images and join the cluster: access to
// data belongs to pods, network addresses to the CNI.
func newRoles(ctx *pulumi.Context, place Place) (controlPlane, nodes scope.Role, err error) {
	controlPlane, err = place.NewRole(ctx, place.Name+"-role", scope.RoleArgs{
		Description: "Assumed by the EKS control plane",
		Account:     place.Account.ID,
		Trust: scope.Document(place.Account.ID, func(id string) policy.Document {
			return policy.ServiceTrust("eks.amazonaws.com", id)
		}),
		Managed: []string{"AmazonEKSClusterPolicy"},
		Parent:  place.Parent,
	})
	if err != nil {
		return scope.Role{}, scope.Role{}, fmt.Errorf("cluster role: %w", err)
	}
	nodes, err = place.NewRole(ctx, place.Name+"-node-role", scope.RoleArgs{
		Description: "Assumed by the nodes of the EKS cluster",
		Account:     place.Account.ID,
		Trust:       scope.Document(place.Account.ID, func(string) policy.Document { return policy.InstanceTrust() }),
		Managed:     []string{"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"},
		Parent:      place.Parent,
	})
	if err != nil {
		return scope.Role{}, scope.Role{}, fmt.Errorf("node role: %w", err)
	}
	return controlPlane, nodes, nil
}

// adjustCluster sets what the component has no arguments for.
//
// EKS upgrades the control plane when its version leaves standard support, in place of billing extended support at six
// times the price. https://docs.aws.amazon.com/eks/latest/userguide/view-upgrade-policy.html
//
// The control plane keeps the subnets that it was created with: EKS only accepts others in the same VPC and the same set
// of zones, so another zone in network.zones must not reach it.
// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, read 2026-11-26
func adjustCluster(_ context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
	if args.Type != "aws:eks/cluster:Cluster" {
		return nil
	}
	args.Props["upgradePolicy"] = pulumi.Map{"supportType": pulumi.String("STANDARD")}
	args.Opts.IgnoreChanges = append(args.Opts.IgnoreChanges, "vpcConfig.subnetIds")
	return &pulumi.ResourceTransformResult{Props: args.Props, Opts: args.Opts}
}

// newKubeconfig returns a kubeconfig that assumes a role, or with an empty one uses the credentials of the shell. The
// component's own names no region, and no role.
func newKubeconfig(place Place, created awseks.ClusterOutput, role pulumi.StringOutput) pulumi.StringOutput {
	// pulumix's typed applies fail on Outputs of a remote component's resources, which are nested.
	return pulumi.All(created.Name(), created.Endpoint(), created.CertificateAuthority().Data().Elem(), role).
		ApplyT(func(args []any) (string, error) {
			return kubeconfig.Cluster{
				Name: args[0].(string), Endpoint: args[1].(string), CA: args[2].(string),
				Region: place.Region, Role: args[3].(string),
			}.JSON()
		}).(pulumi.StringOutput)
}
