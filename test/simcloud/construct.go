package simcloud

import (
	"context"
	"fmt"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	component "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// clusterArgs are the inputs of eks:index:Cluster that this program passes, besides the two roles.
type clusterArgs struct {
	Name                   pulumi.Input            `pulumi:"name"`
	Version                pulumi.Input            `pulumi:"version"`
	VpcID                  pulumi.Input            `pulumi:"vpcId"`
	PrivateSubnetIDs       pulumi.StringArrayInput `pulumi:"privateSubnetIds"`
	EndpointPrivateAccess  pulumi.Input            `pulumi:"endpointPrivateAccess"`
	EndpointPublicAccess   pulumi.Input            `pulumi:"endpointPublicAccess"`
	PublicAccessCidrs      pulumi.Input            `pulumi:"publicAccessCidrs"`
	EnabledClusterLogTypes pulumi.Input            `pulumi:"enabledClusterLogTypes"`
	EncryptionConfigKeyArn pulumi.Input            `pulumi:"encryptionConfigKeyArn"`
	AuthenticationMode     string                  `pulumi:"authenticationMode"`
	SkipDefaultNodeGroup   bool                    `pulumi:"skipDefaultNodeGroup"`
	UseDefaultVpcCni       bool                    `pulumi:"useDefaultVpcCni"`
}

// child is a resource of the component, with those of its outputs that are read here.
type child struct {
	pulumi.CustomResourceState
	Name     pulumi.StringOutput `pulumi:"name"`
	Endpoint pulumi.StringOutput `pulumi:"endpoint"`
}

type cluster struct{ pulumi.ResourceState }

// Construct imitates the component eks:index:Cluster of pulumi-eks 2.8.1 as this program uses it: in API mode, without
// default node group and VPC CNI, with an existing VPC and existing roles. The children have the real one's types,
// names, parents and main inputs (its cluster.js and securitygroup.js).
func (p *provider) Construct(ctx context.Context, req *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	if req.GetType() != "eks:index:Cluster" {
		return nil, unlisted(req.GetType())
	}
	engine, err := grpc.NewClient(instanceOf(ctx).engine, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	defer func() { _ = engine.Close() }()
	inputs, err := decode(req.GetInputs())
	if err != nil {
		return nil, err
	}
	serviceRole, nodeRole := p.roleARN(inputs["serviceRole"]), p.roleARN(inputs["instanceRole"])
	return component.Construct(ctx, req, engine, func(pctx *pulumi.Context, typ, name string, in component.ConstructInputs, options pulumi.ResourceOption) (*component.ConstructResult, error) {
		var args clusterArgs
		if err := in.CopyTo(&args); err != nil {
			return nil, err
		}
		if !args.SkipDefaultNodeGroup || !args.UseDefaultVpcCni || args.AuthenticationMode != "API" || serviceRole == nil || nodeRole == nil {
			return nil, fmt.Errorf("the simulator creates eks clusters only with skipDefaultNodeGroup, useDefaultVpcCni, authenticationMode API, serviceRole and instanceRole")
		}
		b := &builder{ctx: pctx, name: name, cluster: &cluster{}}
		if err := pctx.RegisterComponentResource(typ, name, b.cluster, options); err != nil {
			return nil, err
		}
		outputs := b.build(args, serviceRole, nodeRole)
		if b.err != nil {
			return nil, b.err
		}
		return &component.ConstructResult{URN: b.cluster.URN(), State: outputs}, pctx.RegisterResourceOutputs(b.cluster, outputs)
	})
}

// roleARN returns the ARN of a role that is passed as a resource and arrives as a reference; unknown if it is not
// created yet, nil if none is passed.
func (p *provider) roleARN(reference resource.PropertyValue) pulumi.Input {
	if reference.IsNull() {
		return nil
	}
	p.cloud.mu.Lock()
	defer p.cloud.mu.Unlock()
	for _, r := range p.cloud.records {
		if r.typ == roleType && text(reference) != "" && r.id == text(reference) {
			return pulumi.String(text(r.outputs["arn"]))
		}
	}
	return pulumi.UnsafeUnknownOutput(nil)
}

// builder registers the children of a cluster until the first error, which it keeps.
type builder struct {
	ctx     *pulumi.Context
	name    string
	cluster *cluster
	err     error
}

// add registers a child. Nothing is registered after an error, and the outputs of the children are then nil.
func (b *builder) add(typ, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) *child {
	r := &child{}
	if b.err == nil {
		b.err = b.ctx.RegisterResource(typ, b.name+"-"+name, present(inputs), r, append([]pulumi.ResourceOption{pulumi.Parent(b.cluster)}, opts...)...)
	}
	return r
}

// present returns the inputs that are set.
func present(inputs pulumi.Map) pulumi.Map {
	maps.DeleteFunc(inputs, func(_ string, v pulumi.Input) bool { return v == nil })
	return inputs
}

// group registers a security group.
func (b *builder) group(name string, vpc pulumi.Input) *child {
	return b.add("aws:ec2/securityGroup:SecurityGroup", name, pulumi.Map{
		"vpcId": vpc, "revokeRulesOnDelete": pulumi.Bool(true), "tags": pulumi.StringMap{"Name": pulumi.String(b.name + "-" + name)},
	})
}

// kubernetes registers one of the component's Kubernetes providers.
func (b *builder) kubernetes(name string, kubeconfig pulumi.Input) {
	var provider struct{ pulumi.ProviderResourceState }
	if b.err == nil {
		b.err = b.ctx.RegisterResource("pulumi:providers:kubernetes", b.name+"-"+name, pulumi.Map{"kubeconfig": kubeconfig}, &provider, pulumi.Parent(b.cluster))
	}
}

func (b *builder) build(args clusterArgs, serviceRole, nodeRole pulumi.Input) pulumi.Map {
	group := b.group("eksClusterSecurityGroup", args.VpcID)
	created := b.add("aws:eks/cluster:Cluster", "eksCluster", pulumi.Map{
		"name": args.Name, "roleArn": serviceRole, "version": args.Version, "enabledClusterLogTypes": args.EnabledClusterLogTypes,
		"tags": pulumi.StringMap{"Name": pulumi.String(b.name + "-eksCluster")},
		"vpcConfig": present(pulumi.Map{
			"securityGroupIds": pulumi.Array{group.ID()}, "subnetIds": args.PrivateSubnetIDs, "endpointPrivateAccess": args.EndpointPrivateAccess,
			"endpointPublicAccess": args.EndpointPublicAccess, "publicAccessCidrs": args.PublicAccessCidrs,
		}),
		"encryptionConfig": pulumi.Map{"provider": pulumi.Map{"keyArn": args.EncryptionConfigKeyArn}, "resources": pulumi.ToStringArray([]string{"secrets"})},
		"accessConfig":     pulumi.Map{"authenticationMode": pulumi.String("API"), "bootstrapClusterCreatorAdminPermissions": pulumi.Bool(true)},
	}, pulumi.IgnoreChanges([]string{"accessConfig.bootstrapClusterCreatorAdminPermissions"}))
	b.add("aws:eks/accessEntry:AccessEntry", "defaultNodeGroupInstanceRole", pulumi.Map{
		"clusterName": created.Name, "principalArn": nodeRole, "type": pulumi.String("EC2_LINUX"),
	}, pulumi.DependsOn([]pulumi.Resource{created}))
	nodes := b.group("nodeSecurityGroup", args.VpcID) // whether nodes use it or not
	for _, rule := range []struct {
		name, direction, protocol string
		from, to                  int
		of, source                *child // source: nil for everywhere; of itself for itself
	}{
		{"eksClusterInternetEgressRule", "egress", "-1", 0, 0, group, nil},
		{"eksNodeIngressRule", "ingress", "-1", 0, 0, nodes, nodes},
		{"eksNodeClusterIngressRule", "ingress", "tcp", 1025, 65535, nodes, group},
		{"eksExtApiServerClusterIngressRule", "ingress", "tcp", 443, 443, nodes, group},
		{"eksNodeInternetEgressRule", "egress", "-1", 0, 0, nodes, nil},
		{"eksClusterIngressRule", "ingress", "tcp", 443, 443, group, nodes},
	} {
		inputs := pulumi.Map{
			"type": pulumi.String(rule.direction), "protocol": pulumi.String(rule.protocol), "fromPort": pulumi.Int(rule.from), "toPort": pulumi.Int(rule.to),
			"securityGroupId": rule.of.ID(),
		}
		switch rule.source {
		case nil:
			inputs["cidrBlocks"] = pulumi.ToStringArray([]string{"0.0.0.0/0"})
		case rule.of:
			inputs["self"] = pulumi.Bool(true)
		default:
			inputs["sourceSecurityGroupId"] = rule.source.ID()
		}
		b.add("aws:ec2/securityGroupRule:SecurityGroupRule", rule.name, inputs)
	}
	if b.err != nil {
		return nil
	}
	kubeconfig := pulumi.Sprintf(`{"clusters": [{"cluster": {"server": "%s"}}]}`, created.Endpoint)
	b.kubernetes("eks-k8s", kubeconfig)
	b.kubernetes("provider", kubeconfig)
	return pulumi.Map{"eksCluster": pulumi.NewResourceOutput(created)}
}
