package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// The root volume of nodes.
const (
	rootDevice     = "/dev/xvda" // of AL2023
	systemVolumeGB = 50
	// Of a pool's nodes, in MiB/s, four times gp3's base: a training image of 20 GB is
	// there in a minute. gp3 gives 0.25 MiB/s for each of its 3000 base IOPS without
	// more of those: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
	poolThroughput = 500
)

// graviton finds the ARM types that have no accelerator: a g after the generation, as
// in m7g and c6gn.
var graviton = regexp.MustCompile(`^[a-z]+[0-9]+[a-z]*g[a-z]*\.`)

// systemNodes makes the pool of the cluster's own pods. It has no taint, so that
// coredns and the add-ons find a place, and stays small.
func (b *clusterBuilder) systemNodes() error {
	const pool = "system"
	template, err := b.template(pool, b.cfg.Cluster.SystemInstanceType, nodepool.Node{VolumeGB: systemVolumeGB})
	if err != nil {
		return err
	}
	image := "AL2023_x86_64_STANDARD"
	if graviton.MatchString(b.cfg.Cluster.SystemInstanceType) {
		image = "AL2023_ARM_64_STANDARD"
	}
	count := b.cfg.Cluster.SystemNodes
	group, err := b.nodeGroup(pool, template, &eks.NodeGroupArgs{
		AmiType:   pulumi.String(image),
		SubnetIds: b.net.Private,
		ScalingConfig: eks.NodeGroupScalingConfigArgs{
			MinSize: pulumi.Int(count), DesiredSize: pulumi.Int(count), MaxSize: pulumi.Int(count + 1),
		},
		Labels: pulumi.StringMap{settings.PoolLabel: pulumi.String(pool)},
	})
	if err != nil {
		return err
	}
	b.system = group
	b.ready(group)
	return nil
}

// pools makes the accelerator pools. They share nothing but the EFA security group,
// so that adding or removing one leaves the others alone.
func (b *clusterBuilder) pools() error {
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Cluster.Pools)) {
		pool := b.cfg.Cluster.Pools[name]
		if pool.EFA && b.efa == nil {
			if err := b.efaGroup(); err != nil {
				return fmt.Errorf("EFA security group: %w", err)
			}
		}
		if err := b.pool(name, pool); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// efaGroup lets all traffic pass among nodes with EFA, and nothing else: EFA's own
// protocol has no ports to open.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html#efa-start-security
func (b *clusterBuilder) efaGroup() error {
	name := b.name + "-efa"
	var err error
	b.efa, err = ec2.NewSecurityGroup(b.ctx, name, &ec2.SecurityGroupArgs{
		Description: pulumi.String("EFA among accelerator nodes"),
		VpcId:       b.net.VPCID,
		Ingress: ec2.SecurityGroupIngressArray{ec2.SecurityGroupIngressArgs{
			Self: pulumi.Bool(true), Protocol: pulumi.String("-1"), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0),
			Description: pulumi.String("All from each other"),
		}},
		Egress: ec2.SecurityGroupEgressArray{ec2.SecurityGroupEgressArgs{
			Self: pulumi.Bool(true), Protocol: pulumi.String("-1"), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0),
			Description: pulumi.String("All to each other"),
		}},
		Tags: pulumi.StringMap{"Name": pulumi.Sprintf("%s-%s-efa", b.ctx.Project(), b.cfg.Stack)},
	}, b.parent())
	return err
}

// pool makes one accelerator pool.
func (b *clusterBuilder) pool(name string, pool settings.Pool) error {
	node, err := nodepool.Render(name, pool)
	if err != nil {
		return err
	}
	template, err := b.template(name, pool.InstanceType, node)
	if err != nil {
		return err
	}
	var subnets pulumi.StringArray
	for _, zone := range pool.Zones {
		subnets = append(subnets, b.net.GPU[zone])
	}
	var opts []pulumi.ResourceOption
	if pool.Reserved() {
		// The reservation has no room for the new nodes beside the old.
		opts = append(opts, pulumi.DeleteBeforeReplace(true))
	}
	group, err := b.nodeGroup(name, template, &eks.NodeGroupArgs{
		AmiType:      pulumi.String(node.AMIType),
		CapacityType: pulumi.String(node.CapacityType),
		SubnetIds:    subnets,
		ScalingConfig: eks.NodeGroupScalingConfigArgs{
			MinSize: pulumi.Int(pool.MinNodes), DesiredSize: pulumi.Int(pool.Nodes), MaxSize: pulumi.Int(pool.MaxNodes),
		},
		Labels: pulumi.ToStringMap(node.Labels),
		Taints: eks.NodeGroupTaintArray{eks.NodeGroupTaintArgs{
			Key: pulumi.String(node.TaintKey), Value: pulumi.String(node.TaintValue), Effect: pulumi.String("NO_SCHEDULE"),
		}},
	}, opts...)
	if err != nil {
		return err
	}
	b.ready(group)
	return nil
}

// nodeGroup makes a node group with what all have. Its name is left to auto-naming,
// since much of it cannot be changed but by replacement.
func (b *clusterBuilder) nodeGroup(pool string, template *ec2.LaunchTemplate, args *eks.NodeGroupArgs, opts ...pulumi.ResourceOption) (*eks.NodeGroup, error) {
	args.ClusterName = b.cluster.Name
	args.NodeRoleArn = b.nodeRole.Arn
	args.Version = pulumi.String(b.cfg.Cluster.Version)
	args.LaunchTemplate = eks.NodeGroupLaunchTemplateArgs{
		Id: template.ID(), Version: pulumi.Sprintf("%d", template.LatestVersion),
	}
	args.UpdateConfig = eks.NodeGroupUpdateConfigArgs{MaxUnavailable: pulumi.Int(1)}
	args.NodeRepairConfig = eks.NodeGroupNodeRepairConfigArgs{Enabled: pulumi.Bool(true)}
	group, err := eks.NewNodeGroup(b.ctx, "pool-"+pool, args, append(opts, b.parent(),
		pulumi.DependsOn(append(append([]pulumi.Resource{}, b.nodePolicies...), b.beforeNodes...)),
		// How many nodes there are is for an autoscaler or an operator to say.
		pulumi.IgnoreChanges([]string{"scalingConfig.desiredSize"}))...)
	if err != nil {
		return nil, fmt.Errorf("node group: %w", err)
	}
	return group, nil
}

// template makes the launch template of a pool's nodes. It names the instance type,
// because the network interfaces, which it also names, are that type's.
func (b *clusterBuilder) template(pool, instanceType string, node nodepool.Node) (*ec2.LaunchTemplate, error) {
	volume := ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
		VolumeType:          pulumi.String("gp3"),
		VolumeSize:          pulumi.Int(node.VolumeGB),
		Encrypted:           pulumi.String("true"),
		DeleteOnTermination: pulumi.String("true"),
	}
	args := &ec2.LaunchTemplateArgs{
		InstanceType:         pulumi.String(instanceType),
		UpdateDefaultVersion: pulumi.Bool(true),
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"),
			HttpTokens:   pulumi.String("required"),
			// One hop does not reach into pods: none can act as its node.
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		TagSpecifications: b.nodeTags(pool),
	}
	if pool != "system" {
		volume.Throughput = pulumi.Int(poolThroughput)
	}
	args.BlockDeviceMappings = ec2.LaunchTemplateBlockDeviceMappingArray{
		ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: pulumi.String(rootDevice), Ebs: volume},
	}
	if node.UserData != "" {
		args.UserData = pulumi.String(node.UserData)
	}
	if len(node.Interfaces) > 0 {
		args.NetworkInterfaces = b.interfaces(node.Interfaces)
	}
	if node.ReservationID != "" {
		args.CapacityReservationSpecification = ec2.LaunchTemplateCapacityReservationSpecificationArgs{
			CapacityReservationTarget: ec2.LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs{
				CapacityReservationId: pulumi.String(node.ReservationID),
			},
		}
	}
	if node.MarketType != "" {
		args.InstanceMarketOptions = ec2.LaunchTemplateInstanceMarketOptionsArgs{MarketType: pulumi.String(node.MarketType)}
	}
	if node.PlacementGroup {
		group, err := ec2.NewPlacementGroup(b.ctx, "pool-"+pool+"-placement", &ec2.PlacementGroupArgs{Strategy: pulumi.String("cluster")}, b.parent())
		if err != nil {
			return nil, fmt.Errorf("placement group: %w", err)
		}
		args.Placement = ec2.LaunchTemplatePlacementArgs{GroupName: group.Name}
	}
	template, err := ec2.NewLaunchTemplate(b.ctx, "pool-"+pool+"-template", args, b.parent())
	if err != nil {
		return nil, fmt.Errorf("launch template: %w", err)
	}
	return template, nil
}

// interfaces is the network interfaces of a node with EFA. All are in the cluster's
// security group, and in the one that lets EFA pass.
func (b *clusterBuilder) interfaces(layout []accelerator.Interface) ec2.LaunchTemplateNetworkInterfaceArray {
	var all ec2.LaunchTemplateNetworkInterfaceArray
	for _, each := range layout {
		all = append(all, ec2.LaunchTemplateNetworkInterfaceArgs{
			NetworkCardIndex:    pulumi.Int(each.NetworkCard),
			DeviceIndex:         pulumi.Int(each.DeviceIndex),
			InterfaceType:       pulumi.String(each.Type),
			SecurityGroups:      pulumi.StringArray{b.group, b.efa.ID()},
			DeleteOnTermination: pulumi.String("true"),
		})
	}
	return all
}

// nodeTags tags what a node group starts, which the provider's default tags do not
// reach.
func (b *clusterBuilder) nodeTags(pool string) ec2.LaunchTemplateTagSpecificationArray {
	var all ec2.LaunchTemplateTagSpecificationArray
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		tags := defaultTags(b.ctx, b.cfg)
		tags["Name"] = pulumi.Sprintf("%s-%s-%s", b.ctx.Project(), b.cfg.Stack, pool)
		all = append(all, ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String(kind), Tags: tags})
	}
	return all
}
