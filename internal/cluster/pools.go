package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// NewPools creates the pools to train on and returns their node groups. Pools share only the EFA security group,
// so that adding or removing one leaves the others alone. They need no system pool and start beside it.
func NewPools(ctx *pulumi.Context, place Place, joinable Joinable, pools map[string]settings.Pool) ([]pulumi.Resource, error) {
	var groups []pulumi.Resource
	var efa *ec2.SecurityGroup
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		node, err := nodepool.Describe(name, pools[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if node.EFA > 0 && efa == nil {
			if efa, err = newEFASecurityGroup(ctx, place, joinable.controlPlane.network); err != nil {
				return nil, fmt.Errorf("EFA security group: %w", err)
			}
		}
		group, err := newNodeGroup(ctx, place, joinable, nodeGroupArgs{
			node:    node,
			subnets: joinable.controlPlane.network.acceleratorsIn(pools[name].Zones),
			efa:     efa,
			minimum: 0, nodes: pools[name].Nodes, scalable: true,
			// A reservation has no room for new nodes beside the old ones.
			deleteFirst: node.ReservationID != "",
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// newEFASecurityGroup allows all traffic between nodes with EFA, and no other: EFA's protocol has no ports.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html#efa-start-security
func newEFASecurityGroup(ctx *pulumi.Context, place Place, network Network) (*ec2.SecurityGroup, error) {
	return ec2.NewSecurityGroup(ctx, place.Name+"-efa", &ec2.SecurityGroupArgs{
		Description: pulumi.String("EFA among accelerator nodes"), // a change replaces the group
		VpcId:       network.VPCID,
		Ingress: ec2.SecurityGroupIngressArray{ec2.SecurityGroupIngressArgs{
			Self: pulumi.Bool(true), Protocol: pulumi.String("-1"), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0),
			Description: pulumi.String("All from each other"),
		}},
		Egress: ec2.SecurityGroupEgressArray{ec2.SecurityGroupEgressArgs{
			Self: pulumi.Bool(true), Protocol: pulumi.String("-1"), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0),
			Description: pulumi.String("All to each other"),
		}},
		Tags: place.tags("efa"),
	}, place.child())
}
