package main

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// Network is the VPC that the cluster stands in: one that we made, or one that was
// given.
type Network struct {
	pulumi.ResourceState

	VPCID   pulumi.StringOutput
	Private pulumi.StringArray            // subnets of control plane, system nodes and endpoints
	GPU     map[string]pulumi.StringInput // subnet of accelerator nodes by zone

	ready []pulumi.Resource // depend on these before starting nodes: their ways out
}

// newNetwork makes the VPC, or takes the given one.
func newNetwork(ctx *pulumi.Context, name string, cfg settings.Settings, account *Account, opts ...pulumi.ResourceOption) (*Network, error) {
	net := &Network{GPU: map[string]pulumi.StringInput{}}
	if err := ctx.RegisterComponentResource("llm:platform:Network", name, net, opts...); err != nil {
		return nil, err
	}
	if given := cfg.Network; given.VPCID != "" {
		net.VPCID = pulumi.String(given.VPCID).ToStringOutput()
		net.Private = pulumi.ToStringArray(given.PrivateSubnetIDs)
		for zone, subnet := range given.AcceleratorSubnetIDs {
			net.GPU[zone] = pulumi.String(subnet)
		}
		return net, ctx.RegisterResourceOutputs(net, pulumi.Map{"vpcId": net.VPCID})
	}
	b := &networkBuilder{ctx: ctx, name: name, cfg: cfg, account: account, net: net, tables: map[string]*ec2.RouteTable{}}
	for _, step := range []func() error{b.vpc, b.public, b.private, b.endpoints, b.flowLogs} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return net, ctx.RegisterResourceOutputs(net, pulumi.Map{"vpcId": net.VPCID})
}

// networkBuilder is what the steps of newNetwork share.
type networkBuilder struct {
	ctx     *pulumi.Context
	name    string
	cfg     settings.Settings
	account *Account
	net     *Network

	internet pulumi.Resource            // the route that makes public subnets public
	nats     []*ec2.NatGateway          // by index of their zone; one, or one for each
	tables   map[string]*ec2.RouteTable // of private and GPU subnets, by zone
}

// parent is the option of every resource of the network.
func (b *networkBuilder) parent() pulumi.ResourceOption { return pulumi.Parent(b.net) }

// tags name a resource, since those of EC2 have no name but by tag.
func (b *networkBuilder) tags(thing string) pulumi.StringMap {
	return pulumi.StringMap{"Name": pulumi.Sprintf("%s-%s-%s", b.ctx.Project(), b.cfg.Stack, thing)}
}

// letter is what tells a zone of a region from the others, as in logical names.
func letter(zone string) string { return zone[len(zone)-1:] }

func (b *networkBuilder) vpc() error {
	made, err := ec2.NewVpc(b.ctx, b.name+"-vpc", &ec2.VpcArgs{
		CidrBlock:          pulumi.String(b.cfg.Network.CIDR),
		EnableDnsSupport:   pulumi.Bool(true),
		EnableDnsHostnames: pulumi.Bool(true), // or the cluster's private endpoint has no name
		Tags:               b.tags("vpc"),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("VPC: %w", err)
	}
	b.net.VPCID = made.ID().ToStringOutput()
	// Without rules: what forgets to name its security group reaches nothing.
	_, err = ec2.NewDefaultSecurityGroup(b.ctx, b.name+"-default-group", &ec2.DefaultSecurityGroupArgs{
		VpcId: b.net.VPCID,
		Tags:  b.tags("locked"),
	}, b.parent())
	return err
}

// public makes the subnets of NAT gateways and load balancers. Nothing in them gets a
// public address by itself.
func (b *networkBuilder) public() error {
	plan, err := b.cfg.Network.Plan()
	if err != nil {
		return err
	}
	gateway, err := ec2.NewInternetGateway(b.ctx, b.name+"-internet", &ec2.InternetGatewayArgs{
		VpcId: b.net.VPCID, Tags: b.tags("internet"),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("internet gateway: %w", err)
	}
	table, err := ec2.NewRouteTable(b.ctx, b.name+"-routes-public", &ec2.RouteTableArgs{
		VpcId: b.net.VPCID, Tags: b.tags("public"),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("public route table: %w", err)
	}
	b.internet, err = ec2.NewRoute(b.ctx, b.name+"-routes-public-internet", &ec2.RouteArgs{
		RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"), GatewayId: gateway.ID(),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("public route: %w", err)
	}
	for i, zone := range b.cfg.Network.Zones {
		tags := b.tags("public-" + letter(zone))
		tags["kubernetes.io/role/elb"] = pulumi.String("1")
		subnet, err := b.subnet("public", zone, plan.Public[i], tags, table)
		if err != nil {
			return err
		}
		if i == 0 || b.cfg.Network.NAT == settings.NATPerZone {
			if err := b.nat(zone, subnet); err != nil {
				return fmt.Errorf("NAT gateway of %s: %w", zone, err)
			}
		}
	}
	return nil
}

// subnet makes one subnet and gives it its routes.
func (b *networkBuilder) subnet(purpose, zone string, addresses netip.Prefix, tags pulumi.StringMap, table *ec2.RouteTable) (*ec2.Subnet, error) {
	name := fmt.Sprintf("%s-%s-%s", b.name, purpose, letter(zone))
	subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{
		VpcId:               b.net.VPCID,
		AvailabilityZone:    pulumi.String(zone),
		CidrBlock:           pulumi.String(addresses.String()),
		MapPublicIpOnLaunch: pulumi.Bool(false),
		Tags:                tags,
	}, b.parent())
	if err != nil {
		return nil, fmt.Errorf("%s subnet of %s: %w", purpose, zone, err)
	}
	routes, err := ec2.NewRouteTableAssociation(b.ctx, name+"-routes", &ec2.RouteTableAssociationArgs{
		SubnetId: subnet.ID(), RouteTableId: table.ID(),
	}, b.parent())
	if err != nil {
		return nil, fmt.Errorf("routes of %s subnet of %s: %w", purpose, zone, err)
	}
	b.net.ready = append(b.net.ready, routes)
	return subnet, nil
}

func (b *networkBuilder) nat(zone string, subnet *ec2.Subnet) error {
	name := b.name + "-nat-" + letter(zone)
	address, err := ec2.NewEip(b.ctx, name+"-address", &ec2.EipArgs{
		Domain: pulumi.String("vpc"), Tags: b.tags("nat-" + letter(zone)),
	}, b.parent())
	if err != nil {
		return err
	}
	gateway, err := ec2.NewNatGateway(b.ctx, name, &ec2.NatGatewayArgs{
		AllocationId: address.ID(), SubnetId: subnet.ID(), Tags: b.tags("nat-" + letter(zone)),
	}, b.parent(), pulumi.DependsOn([]pulumi.Resource{b.internet}))
	b.nats = append(b.nats, gateway)
	return err
}

// private makes the subnets of everything else. Each zone has routes of its own even
// behind a single NAT gateway, so that going to one for each zone moves no subnet.
func (b *networkBuilder) private() error {
	plan, err := b.cfg.Network.Plan()
	if err != nil {
		return err
	}
	for i, zone := range b.cfg.Network.Zones {
		name := b.name + "-routes-" + letter(zone)
		table, err := ec2.NewRouteTable(b.ctx, name, &ec2.RouteTableArgs{
			VpcId: b.net.VPCID, Tags: b.tags("private-" + letter(zone)),
		}, b.parent())
		if err != nil {
			return fmt.Errorf("private route table of %s: %w", zone, err)
		}
		b.tables[zone] = table
		route, err := ec2.NewRoute(b.ctx, name+"-internet", &ec2.RouteArgs{
			RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"), NatGatewayId: b.nats[i%len(b.nats)].ID(),
		}, b.parent())
		if err != nil {
			return fmt.Errorf("private route of %s: %w", zone, err)
		}
		b.net.ready = append(b.net.ready, route)

		tags := b.tags("private-" + letter(zone))
		tags["kubernetes.io/role/internal-elb"] = pulumi.String("1")
		subnet, err := b.subnet("private", zone, plan.Private[i], tags, table)
		if err != nil {
			return err
		}
		b.net.Private = append(b.net.Private, subnet.ID())
	}
	for i, zone := range b.cfg.Network.AcceleratorZones {
		subnet, err := b.subnet("gpu", zone, plan.GPU[i], b.tags("gpu-"+letter(zone)), b.tables[zone])
		if err != nil {
			return err
		}
		b.net.GPU[zone] = subnet.ID()
	}
	return nil
}

// endpoints makes the ways to AWS that do not leave the VPC: to S3 always, which is
// free and keeps datasets and checkpoints off the NAT gateways, to others as wanted.
func (b *networkBuilder) endpoints() error {
	var tables pulumi.StringArray
	for _, zone := range b.cfg.Network.Zones {
		tables = append(tables, b.tables[zone].ID())
	}
	gateway, err := ec2.NewVpcEndpoint(b.ctx, b.name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           b.net.VPCID,
		VpcEndpointType: pulumi.String("Gateway"),
		ServiceName:     pulumi.Sprintf("com.amazonaws.%s.s3", b.cfg.Region),
		RouteTableIds:   tables,
		Tags:            b.tags("s3"),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("S3 endpoint: %w", err)
	}
	b.net.ready = append(b.net.ready, gateway)
	if len(b.cfg.Network.InterfaceEndpoints) == 0 {
		return nil
	}
	group, err := ec2.NewSecurityGroup(b.ctx, b.name+"-endpoints", &ec2.SecurityGroupArgs{
		Description: pulumi.String("HTTPS from the VPC to its interface endpoints"),
		VpcId:       b.net.VPCID,
		Ingress: ec2.SecurityGroupIngressArray{ec2.SecurityGroupIngressArgs{
			CidrBlocks: pulumi.ToStringArray([]string{b.cfg.Network.CIDR}), Protocol: pulumi.String("tcp"),
			FromPort: pulumi.Int(443), ToPort: pulumi.Int(443), Description: pulumi.String("HTTPS from the VPC"),
		}},
		Tags: b.tags("endpoints"),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("endpoints' security group: %w", err)
	}
	for _, service := range b.cfg.Network.InterfaceEndpoints {
		endpoint, err := ec2.NewVpcEndpoint(b.ctx, b.name+"-endpoint-"+service, &ec2.VpcEndpointArgs{
			VpcId:             b.net.VPCID,
			VpcEndpointType:   pulumi.String("Interface"),
			ServiceName:       pulumi.Sprintf("com.amazonaws.%s.%s", b.cfg.Region, service),
			SubnetIds:         b.net.Private,
			SecurityGroupIds:  pulumi.StringArray{group.ID()},
			PrivateDnsEnabled: pulumi.Bool(true),
			Tags:              b.tags(service),
		}, b.parent())
		if err != nil {
			return fmt.Errorf("endpoint of %s: %w", service, err)
		}
		b.net.ready = append(b.net.ready, endpoint)
	}
	return nil
}

// flowLogs keeps who talked to whom, which is what is asked first after an incident.
func (b *networkBuilder) flowLogs() error {
	if b.cfg.Network.FlowLogDays == 0 {
		return nil
	}
	group, err := cloudwatch.NewLogGroup(b.ctx, b.name+"-flow-logs", &cloudwatch.LogGroupArgs{
		RetentionInDays: pulumi.Int(b.cfg.Network.FlowLogDays),
	}, b.parent())
	if err != nil {
		return fmt.Errorf("flow log group: %w", err)
	}
	role, err := newRole(b.ctx, b.name+"-flow-role", "What VPC flow logs are written as", b.account, func(account string) policy.Document {
		return policy.ServiceTrust("vpc-flow-logs.amazonaws.com", account)
	}, b.parent())
	if err != nil {
		return fmt.Errorf("flow log role: %w", err)
	}
	document := group.Arn.ApplyT(func(arn string) (string, error) { return policy.FlowLogs(arn).JSON() }).(pulumi.StringOutput)
	permissions, err := iam.NewRolePolicy(b.ctx, b.name+"-flow-policy", &iam.RolePolicyArgs{Role: role.Name, Policy: document}, b.parent())
	if err != nil {
		return fmt.Errorf("flow log permissions: %w", err)
	}
	_, err = ec2.NewFlowLog(b.ctx, b.name+"-flow", &ec2.FlowLogArgs{
		VpcId:              b.net.VPCID,
		TrafficType:        pulumi.String("ALL"),
		LogDestinationType: pulumi.String("cloud-watch-logs"),
		LogDestination:     group.Arn,
		IamRoleArn:         role.Arn,
		Tags:               b.tags("flow"),
	}, b.parent(), pulumi.DependsOn([]pulumi.Resource{permissions}))
	if err != nil {
		return fmt.Errorf("flow log: %w", err)
	}
	return nil
}
