package cluster

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/settings"
)

// publicSubnets are the subnets of NAT gateways and load balancers.
type publicSubnets struct {
	vpc      *ec2.Vpc
	gateways []*ec2.NatGateway // one, or one for every zone in the order of the zones
	routes   []pulumi.Resource
}

// newPublicSubnets creates one public subnet per zone. Nothing in them gets a public address by itself.
func newPublicSubnets(
	ctx *pulumi.Context, place Place, vpc *ec2.Vpc, cfg settings.Network, ranges []netip.Prefix,
) (publicSubnets, error) {
	gateway, err := ec2.NewInternetGateway(ctx, place.Name+"-internet", &ec2.InternetGatewayArgs{
		VpcId: vpc.ID(), Tags: place.tags("internet"),
	}, place.child())
	if err != nil {
		return publicSubnets{}, fmt.Errorf("internet gateway: %w", err)
	}
	table, err := ec2.NewRouteTable(ctx, place.Name+"-routes-public", &ec2.RouteTableArgs{
		VpcId: vpc.ID(), Tags: place.tags("public"),
	}, place.child())
	if err != nil {
		return publicSubnets{}, fmt.Errorf("public route table: %w", err)
	}
	internet, err := ec2.NewRoute(ctx, place.Name+"-routes-public-internet", &ec2.RouteArgs{
		RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"), GatewayId: gateway.ID(),
	}, place.child())
	if err != nil {
		return publicSubnets{}, fmt.Errorf("public route: %w", err)
	}
	public := publicSubnets{vpc: vpc}
	for i, zone := range cfg.Zones {
		subnet, routes, err := newSubnet(ctx, place, subnetArgs{
			name: "public-" + letter(zone), vpc: vpc, purpose: "public", zone: zone, cidr: ranges[i], table: table, roleTag: "kubernetes.io/role/elb",
		})
		if err != nil {
			return publicSubnets{}, err
		}
		public.routes = append(public.routes, routes)
		if i > 0 && cfg.NAT != settings.NATPerZone {
			continue
		}
		nat, err := newNATGateway(ctx, place, zone, subnet, internet)
		if err != nil {
			return publicSubnets{}, fmt.Errorf("NAT gateway of %s: %w", zone, err)
		}
		public.gateways = append(public.gateways, nat)
	}
	return public, nil
}

func newNATGateway(ctx *pulumi.Context, place Place, zone string, subnet *ec2.Subnet, internet *ec2.Route) (*ec2.NatGateway, error) {
	name := "nat-" + letter(zone)
	address, err := ec2.NewEip(ctx, place.Name+"-"+name+"-address", &ec2.EipArgs{
		Domain: pulumi.String("vpc"), Tags: place.tags(name),
	}, place.child())
	if err != nil {
		return nil, fmt.Errorf("elastic IP address: %w", err)
	}
	return ec2.NewNatGateway(ctx, place.Name+"-"+name, &ec2.NatGatewayArgs{
		AllocationId: address.ID(), SubnetId: subnet.ID(), Tags: place.tags(name),
	}, place.child(), pulumi.DependsOn([]pulumi.Resource{internet}))
}

// privateSubnets are the subnets of control plane, system nodes and endpoints, with the route tables that the
// accelerator subnets share.
type privateSubnets struct {
	vpc    *ec2.Vpc
	ids    pulumi.StringArray
	tables map[string]*ec2.RouteTable // by zone
	routes []pulumi.Resource
}

// newPrivateSubnets creates one private subnet per zone. Every zone has a route table of its own, also behind a
// single NAT gateway, so that changing to one gateway per zone replaces no subnet.
func newPrivateSubnets(
	ctx *pulumi.Context, place Place, public publicSubnets, zones []string, ranges []netip.Prefix,
) (privateSubnets, error) {
	private := privateSubnets{vpc: public.vpc, tables: map[string]*ec2.RouteTable{}}
	for i, zone := range zones {
		name := place.Name + "-routes-" + letter(zone)
		table, err := ec2.NewRouteTable(ctx, name, &ec2.RouteTableArgs{
			VpcId: public.vpc.ID(), Tags: place.tags("private-" + letter(zone)),
		}, place.child())
		if err != nil {
			return privateSubnets{}, fmt.Errorf("private route table of %s: %w", zone, err)
		}
		internet, err := ec2.NewRoute(ctx, name+"-internet", &ec2.RouteArgs{
			RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"),
			NatGatewayId: public.gateways[i%len(public.gateways)].ID(),
		}, place.child())
		if err != nil {
			return privateSubnets{}, fmt.Errorf("private route of %s: %w", zone, err)
		}
		subnet, routes, err := newSubnet(ctx, place, subnetArgs{
			name: "private-" + letter(zone), vpc: public.vpc, purpose: "private", zone: zone, cidr: ranges[i], table: table, roleTag: "kubernetes.io/role/internal-elb",
		})
		if err != nil {
			return privateSubnets{}, err
		}
		private.ids = append(private.ids, subnet.ID())
		private.tables[zone] = table
		private.routes = append(private.routes, internet, routes)
	}
	return private, nil
}

// acceleratorSubnets are the subnets of accelerator nodes.
type acceleratorSubnets struct {
	ids    map[string]pulumi.StringInput // by zone
	routes []pulumi.Resource
}

// newAcceleratorSubnets creates one subnet per accelerator zone. They are named by position, not by zone, since a
// position has a range: a position that gets another zone is deleted with its pools before it is created again, and two
// subnets never share a range.
func newAcceleratorSubnets(
	ctx *pulumi.Context, place Place, private privateSubnets, zones []string, ranges []netip.Prefix,
) (acceleratorSubnets, error) {
	accelerators := acceleratorSubnets{ids: map[string]pulumi.StringInput{}}
	for i, zone := range zones {
		subnet, routes, err := newSubnet(ctx, place, subnetArgs{
			name: fmt.Sprintf("gpu-%d", i+1), vpc: private.vpc, purpose: "gpu", zone: zone, cidr: ranges[i], table: private.tables[zone],
		})
		if err != nil {
			return acceleratorSubnets{}, err
		}
		accelerators.ids[zone] = subnet.ID()
		accelerators.routes = append(accelerators.routes, routes)
	}
	return accelerators, nil
}

type subnetArgs struct {
	name    string // last part of its logical name
	vpc     *ec2.Vpc
	purpose string
	zone    string
	cidr    netip.Prefix
	table   *ec2.RouteTable
	roleTag string // tells load balancer controllers what the subnet is for; empty: nothing
}

// newSubnet creates a subnet and the association with its route table.
func newSubnet(ctx *pulumi.Context, place Place, args subnetArgs) (*ec2.Subnet, pulumi.Resource, error) {
	byZone := args.purpose + "-" + letter(args.zone)
	tags := place.tags(byZone)
	options := func(suffix string) []pulumi.ResourceOption {
		opts := []pulumi.ResourceOption{place.child(), pulumi.DeleteBeforeReplace(true)}
		if args.name != byZone { // the name of earlier releases
			opts = append(opts, pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(place.Name + "-" + byZone + suffix)}}))
		}
		return opts
	}
	if args.roleTag != "" {
		tags[args.roleTag] = pulumi.String("1")
	}
	subnet, err := ec2.NewSubnet(ctx, place.Name+"-"+args.name, &ec2.SubnetArgs{
		VpcId:               args.vpc.ID(),
		AvailabilityZone:    pulumi.String(args.zone),
		CidrBlock:           pulumi.String(args.cidr.String()),
		MapPublicIpOnLaunch: pulumi.Bool(false),
		Tags:                tags,
	}, options("")...)
	if err != nil {
		return nil, nil, fmt.Errorf("%s subnet of %s: %w", args.purpose, args.zone, err)
	}
	routes, err := ec2.NewRouteTableAssociation(ctx, place.Name+"-"+args.name+"-routes", &ec2.RouteTableAssociationArgs{
		SubnetId: subnet.ID(), RouteTableId: args.table.ID(),
	}, options("-routes")...)
	if err != nil {
		return nil, nil, fmt.Errorf("routes of %s subnet of %s: %w", args.purpose, args.zone, err)
	}
	return subnet, routes, nil
}

// letter returns the letter that distinguishes a zone within its region. Logical names use it.
func letter(zone string) string { return zone[len(zone)-1:] }
