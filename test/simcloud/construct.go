package simcloud

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	component "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// clusterArgs are the inputs of eks:index:Cluster that this stand-in understands.
type clusterArgs struct {
	Name                   pulumi.Input            `pulumi:"name"`
	Version                pulumi.Input            `pulumi:"version"`
	VpcID                  pulumi.Input            `pulumi:"vpcId"`
	SubnetIDs              pulumi.StringArrayInput `pulumi:"subnetIds"`
	PublicSubnetIDs        pulumi.StringArrayInput `pulumi:"publicSubnetIds"`
	PrivateSubnetIDs       pulumi.StringArrayInput `pulumi:"privateSubnetIds"`
	EndpointPrivateAccess  pulumi.Input            `pulumi:"endpointPrivateAccess"`
	EndpointPublicAccess   pulumi.Input            `pulumi:"endpointPublicAccess"`
	PublicAccessCidrs      pulumi.Input            `pulumi:"publicAccessCidrs"`
	EnabledClusterLogTypes pulumi.Input            `pulumi:"enabledClusterLogTypes"`
	EncryptionConfigKeyArn pulumi.Input            `pulumi:"encryptionConfigKeyArn"`
	Tags                   pulumi.StringMapInput   `pulumi:"tags"`
	ClusterTags            pulumi.StringMapInput   `pulumi:"clusterTags"`
	AuthenticationMode     string                  `pulumi:"authenticationMode"`
	AccessEntries          map[string]entryArgs    `pulumi:"accessEntries"`
	SkipDefaultNodeGroup   bool                    `pulumi:"skipDefaultNodeGroup"`
	UseDefaultVpcCni       bool                    `pulumi:"useDefaultVpcCni"`
	ProviderCredentialOpts credentialArgs          `pulumi:"providerCredentialOpts"`
	IPFamily               pulumi.Input            `pulumi:"ipFamily"`
	ServiceRange           pulumi.Input            `pulumi:"kubernetesServiceIpAddressRange"`
}

type entryArgs struct {
	PrincipalArn     pulumi.Input          `pulumi:"principalArn"`
	Type             pulumi.Input          `pulumi:"type"`
	KubernetesGroups pulumi.Input          `pulumi:"kubernetesGroups"`
	Username         pulumi.Input          `pulumi:"username"`
	Tags             pulumi.Input          `pulumi:"tags"`
	AccessPolicies   map[string]policyArgs `pulumi:"accessPolicies"`
}

type policyArgs struct {
	AccessScope pulumi.Input `pulumi:"accessScope"`
	PolicyArn   pulumi.Input `pulumi:"policyArn"`
}

type credentialArgs struct {
	RoleArn     pulumi.StringInput `pulumi:"roleArn"`
	ProfileName pulumi.StringInput `pulumi:"profileName"`
}

// child is a resource of the component, with whichever outputs of it are read here.
type child struct {
	pulumi.CustomResourceState
	Arn                  pulumi.StringOutput `pulumi:"arn"`
	Name                 pulumi.StringOutput `pulumi:"name"`
	Endpoint             pulumi.StringOutput `pulumi:"endpoint"`
	CertificateAuthority pulumi.AnyOutput    `pulumi:"certificateAuthority"`
}

type group struct{ pulumi.ResourceState }

// Construct stands in for the component eks:index:Cluster of pulumi-eks 2.8.1, as this platform uses it: no
// default node group, the VPC CNI left alone, a VPC given. Children have the real one's types, names, parents
// and inputs (its cluster.js, servicerole.js and securitygroup.js).
func (p *provider) Construct(ctx context.Context, req *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	if req.GetType() != "eks:index:Cluster" {
		return nil, fmt.Errorf("simcloud knows no component %s", req.GetType())
	}
	conn := connectionOf(ctx)
	conn.mu.Lock()
	address := conn.engine
	conn.mu.Unlock()
	engine, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	defer func() { _ = engine.Close() }()
	inputs, err := decode(req.GetInputs())
	if err != nil {
		return nil, err
	}
	// A role that is passed as a resource arrives as a reference; its ARN is in the cloud, if it is there yet.
	roleARN := func(property string) pulumi.Input {
		ref, given := inputs[resource.PropertyKey(property)]
		if !given {
			return nil
		}
		p.cloud.mu.Lock()
		defer p.cloud.mu.Unlock()
		for _, r := range p.cloud.records {
			if r.typ == "aws:iam/role:Role" && text(ref) != "" && r.id == text(ref) {
				return pulumi.String(text(r.outputs["arn"]))
			}
		}
		return pulumi.UnsafeUnknownOutput(nil)
	}
	return component.Construct(ctx, req, engine, func(pctx *pulumi.Context, typ, name string, in component.ConstructInputs, options pulumi.ResourceOption) (*component.ConstructResult, error) {
		var args clusterArgs
		if err := in.CopyTo(&args); err != nil {
			return nil, err
		}
		b := &builder{ctx: pctx, name: name, cluster: &group{}}
		if err := pctx.RegisterComponentResource(typ, name, b.cluster, options); err != nil {
			return nil, err
		}
		outputs, err := b.build(args, roleARN("serviceRole"), roleARN("instanceRole"))
		if err != nil {
			return nil, err
		}
		if err := pctx.RegisterResourceOutputs(b.cluster, outputs); err != nil {
			return nil, err
		}
		return &component.ConstructResult{URN: b.cluster.URN(), State: outputs}, nil
	})
}

// builder registers the children of one cluster.
type builder struct {
	ctx     *pulumi.Context
	name    string
	cluster *group
}

// add registers a child; inputs that are nil are left out.
func (b *builder) add(typ, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) (*child, error) {
	for key, v := range inputs {
		if v == nil {
			delete(inputs, key)
		}
	}
	r := &child{}
	err := b.ctx.RegisterResource(typ, b.name+"-"+name, inputs, r, append([]pulumi.ResourceOption{pulumi.Parent(b.cluster)}, opts...)...)
	return r, err
}

func (b *builder) build(args clusterArgs, serviceRole, instanceRole pulumi.Input) (pulumi.Map, error) {
	switch {
	case !args.SkipDefaultNodeGroup || !args.UseDefaultVpcCni:
		return nil, fmt.Errorf("simcloud makes eks clusters with skipDefaultNodeGroup and useDefaultVpcCni only")
	case args.VpcID == nil:
		return nil, fmt.Errorf("simcloud makes eks clusters with a vpcId only")
	case args.SubnetIDs != nil && (args.PublicSubnetIDs != nil || args.PrivateSubnetIDs != nil):
		return nil, fmt.Errorf("subnetIds, and the use of publicSubnetIds and/or privateSubnetIds are mutually exclusive")
	case len(args.AccessEntries) > 0 && args.AuthenticationMode != "API" && args.AuthenticationMode != "API_AND_CONFIG_MAP":
		return nil, fmt.Errorf("the 'accessEntries' property is not supported when 'authenticationMode' is set to '%s'", args.AuthenticationMode)
	}
	var err error
	if serviceRole == nil {
		if serviceRole, err = b.serviceRole("eksRole", "eks.amazonaws.com", args.Tags, "AmazonEKSClusterPolicy"); err != nil {
			return nil, err
		}
	}
	clusterGroup, err := b.add("aws:ec2/securityGroup:SecurityGroup", "eksClusterSecurityGroup", pulumi.Map{
		"vpcId": args.VpcID, "revokeRulesOnDelete": pulumi.Bool(true), "tags": b.tags("eksClusterSecurityGroup", args.Tags),
	})
	if err != nil {
		return nil, err
	}
	if _, err := b.rule("eksClusterInternetEgressRule", "egress", "-1", 0, 0, clusterGroup, pulumi.Map{
		"description": pulumi.String("Allow internet access."), "cidrBlocks": pulumi.ToStringArray([]string{"0.0.0.0/0"}),
	}); err != nil {
		return nil, err
	}
	subnets := args.subnets()
	vpcConfig := pulumi.Map{
		"securityGroupIds": pulumi.Array{clusterGroup.ID()}, "subnetIds": subnets,
		"endpointPrivateAccess": args.EndpointPrivateAccess, "endpointPublicAccess": args.EndpointPublicAccess, "publicAccessCidrs": args.PublicAccessCidrs,
	}
	for key, v := range vpcConfig {
		if v == nil {
			delete(vpcConfig, key)
		}
	}
	inputs := pulumi.Map{
		"name": args.Name, "roleArn": serviceRole, "vpcConfig": vpcConfig, "version": args.Version,
		"enabledClusterLogTypes": args.EnabledClusterLogTypes, "tags": b.tags("eksCluster", args.ClusterTags, args.Tags),
	}
	if args.EncryptionConfigKeyArn != nil {
		inputs["encryptionConfig"] = pulumi.Map{
			"provider": pulumi.Map{"keyArn": args.EncryptionConfigKeyArn}, "resources": pulumi.ToStringArray([]string{"secrets"}),
		}
	}
	if args.AuthenticationMode != "" {
		inputs["accessConfig"] = pulumi.Map{
			"authenticationMode": pulumi.String(args.AuthenticationMode), "bootstrapClusterCreatorAdminPermissions": pulumi.Bool(true),
		}
	}
	if args.IPFamily != nil || args.ServiceRange != nil {
		network := pulumi.Map{"ipFamily": pulumi.String("ipv4")}
		if args.IPFamily != nil {
			network["ipFamily"] = args.IPFamily
		}
		if args.ServiceRange != nil {
			network["serviceIpv4Cidr"] = args.ServiceRange
		}
		inputs["kubernetesNetworkConfig"] = network
	}
	cluster, err := b.add("aws:eks/cluster:Cluster", "eksCluster", inputs,
		pulumi.IgnoreChanges([]string{"accessConfig.bootstrapClusterCreatorAdminPermissions"}))
	if err != nil {
		return nil, err
	}
	kubeconfig := kubeconfigOf(cluster, args.ProviderCredentialOpts)
	kubeconfigJSON := pulumi.JSONMarshal(kubeconfig)
	provider, err := b.kubernetesProvider("eks-k8s", kubeconfigJSON)
	if err != nil {
		return nil, err
	}
	if err := b.access(args, cluster, instanceRole); err != nil {
		return nil, err
	}
	nodeGroup, ingress, err := b.nodeSecurityGroup(args, cluster, clusterGroup)
	if err != nil {
		return nil, err
	}
	if _, err := b.kubernetesProvider("provider", kubeconfigJSON); err != nil {
		return nil, err
	}
	return pulumi.Map{
		"kubeconfig": kubeconfig, "kubeconfigJson": kubeconfigJSON,
		"clusterSecurityGroup": pulumi.NewResourceOutput(clusterGroup), "nodeSecurityGroup": pulumi.NewResourceOutput(nodeGroup),
		"eksClusterIngressRule": pulumi.NewResourceOutput(ingress), "eksCluster": pulumi.NewResourceOutput(cluster),
		"instanceRoles": pulumi.Array{},
		"core": pulumi.Map{
			"cluster": pulumi.NewResourceOutput(cluster), "clusterSecurityGroup": pulumi.NewResourceOutput(clusterGroup),
			"endpoint": cluster.Endpoint, "kubeconfig": kubeconfig, "provider": pulumi.NewResourceOutput(provider), "vpcId": args.VpcID,
			"subnetIds": subnets, "instanceRoles": pulumi.Array{}, "storageClasses": pulumi.Map{}, "nodeGroupOptions": pulumi.Map{},
		},
	}, nil
}

// serviceRole registers the component's role with its managed policies, and answers the role's ARN.
func (b *builder) serviceRole(name, service string, tags pulumi.StringMapInput, policies ...string) (pulumi.Input, error) {
	parent := &group{}
	if err := b.ctx.RegisterComponentResource("eks:index:ServiceRole", b.name+"-"+name, parent, pulumi.Parent(b.cluster)); err != nil {
		return nil, err
	}
	inputs := pulumi.Map{"assumeRolePolicy": pulumi.String(`{"Version":"2012-10-17","Statement":[{"Action":["sts:AssumeRole"],"Effect":"Allow","Principal":{"Service":["` + service + `"]}}]}`)}
	if name == "eksRole" {
		inputs["description"] = pulumi.String("Allows EKS to manage clusters on your behalf.")
	}
	if tags != nil {
		inputs["tags"] = tags
	}
	role, err := b.add("aws:iam/role:Role", name+"-role", inputs, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	arns := []any{role.Arn}
	for _, policy := range policies {
		arn := "arn:aws:iam::aws:policy/" + policy
		sum := sha1.Sum([]byte(arn))
		attachment, err := b.add("aws:iam/rolePolicyAttachment:RolePolicyAttachment", name+"-"+hex.EncodeToString(sum[:])[:8],
			pulumi.Map{"policyArn": pulumi.String(arn), "role": role.Name}, pulumi.Parent(parent))
		if err != nil {
			return nil, err
		}
		arns = append(arns, attachment.ID())
	}
	return pulumi.All(arns...).ApplyT(func(all []any) string { return all[0].(string) }).(pulumi.StringOutput), nil
}
