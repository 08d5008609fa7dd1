package cluster

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/settings"
)

// Network is the VPC of a cluster: a new or an existing one.
type Network struct {
	VPCID pulumi.StringOutput

	private      pulumi.StringArray            // subnets of control plane, system nodes and endpoints
	accelerators map[string]pulumi.StringInput // subnet of accelerator nodes by availability zone
	routes       []pulumi.Resource             // with endpoints: must exist before nodes start, which reach AWS through them
}

// acceleratorsIn returns the accelerator subnets of some zones.
func (n Network) acceleratorsIn(zones []string) pulumi.StringArray {
	var ids pulumi.StringArray
	for _, zone := range zones {
		ids = append(ids, n.accelerators[zone])
	}
	return ids
}

type networkComponent struct{ pulumi.ResourceState }

// NewNetwork creates the VPC, or returns the existing one that the settings name. The owner of an existing VPC
// is responsible for its subnets, routes, endpoints and flow logs.
func NewNetwork(ctx *pulumi.Context, place Place, cfg settings.Network) (Network, error) {
	const name = "network"
	component := &networkComponent{}
	if err := ctx.RegisterComponentResource("llm:platform:Network", name, component, place.child()); err != nil {
		return Network{}, err
	}
	network := existingNetwork(cfg)
	if cfg.VPCID == "" {
		place.Name, place.Parent = name, component
		var err error
		if network, err = createNetwork(ctx, place, cfg); err != nil {
			return Network{}, err
		}
	}
	return network, ctx.RegisterResourceOutputs(component, pulumi.Map{"vpcId": network.VPCID})
}

func existingNetwork(cfg settings.Network) Network {
	network := Network{
		VPCID:        pulumi.String(cfg.VPCID).ToStringOutput(),
		private:      pulumi.ToStringArray(cfg.PrivateSubnetIDs),
		accelerators: map[string]pulumi.StringInput{},
	}
	for zone, subnet := range cfg.AcceleratorSubnetIDs {
		network.accelerators[zone] = pulumi.String(subnet)
	}
	return network
}

func createNetwork(ctx *pulumi.Context, place Place, cfg settings.Network) (Network, error) {
	plan, err := cfg.Plan()
	if err != nil {
		return Network{}, err
	}
	vpc, err := newVPC(ctx, place, cfg.CIDR)
	if err != nil {
		return Network{}, fmt.Errorf("VPC: %w", err)
	}
	public, err := newPublicSubnets(ctx, place, vpc, cfg, plan.Public)
	if err != nil {
		return Network{}, err
	}
	private, err := newPrivateSubnets(ctx, place, public, cfg.Zones, plan.Private)
	if err != nil {
		return Network{}, err
	}
	accelerators, err := newAcceleratorSubnets(ctx, place, private, cfg.AcceleratorZones, plan.Accelerator)
	if err != nil {
		return Network{}, err
	}
	endpoints, err := newEndpoints(ctx, place, private, cfg)
	if err != nil {
		return Network{}, err
	}
	if cfg.FlowLogDays > 0 {
		if err := newFlowLogs(ctx, place, vpc, cfg.FlowLogDays); err != nil {
			return Network{}, fmt.Errorf("flow logs: %w", err)
		}
	}
	return Network{
		VPCID:        vpc.ID().ToStringOutput(),
		private:      private.ids,
		accelerators: accelerators.ids,
		routes:       slices.Concat(public.routes, private.routes, accelerators.routes, endpoints),
	}, nil
}

// newVPC creates the VPC and empties its default security group: a resource without a security group of its own
// reaches nothing.
func newVPC(ctx *pulumi.Context, place Place, cidr string) (*ec2.Vpc, error) {
	vpc, err := ec2.NewVpc(ctx, place.Name+"-vpc", &ec2.VpcArgs{
		CidrBlock:          pulumi.String(cidr),
		EnableDnsSupport:   pulumi.Bool(true),
		EnableDnsHostnames: pulumi.Bool(true), // the cluster's private endpoint needs it
		Tags:               place.tags("vpc"),
	}, place.child())
	if err != nil {
		return nil, err
	}
	_, err = ec2.NewDefaultSecurityGroup(ctx, place.Name+"-default-group", &ec2.DefaultSecurityGroupArgs{
		VpcId: vpc.ID(),
		Tags:  place.tags("locked"),
	}, place.child())
	return vpc, err
}
