package cluster

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// nodeGroupArgs describes a node group: its nodes, where they are and how many.
type nodeGroupArgs struct {
	node        nodepool.Node
	subnets     pulumi.StringArray
	efa         *ec2.SecurityGroup // of nodes with EFA
	minimum     int                // of nodes
	nodes       int                // how many there are
	scalable    bool               // only initially: afterwards an operator or an autoscaler decides
	deleteFirst bool               // a replacement deletes the old nodes before it creates new ones
}

// newNodeGroup creates a node group with its launch template. Its name is left to auto-naming, because most
// changes to a node group replace it.
func newNodeGroup(ctx *pulumi.Context, place Place, joinable Joinable, args nodeGroupArgs) (*eks.NodeGroup, error) {
	node := args.node
	template, err := newLaunchTemplate(ctx, place, joinable.controlPlane, args)
	if err != nil {
		return nil, err
	}
	group := &eks.NodeGroupArgs{
		ClusterName: joinable.controlPlane.Name,
		NodeRoleArn: joinable.controlPlane.nodeRole.Arn,
		Version:     pulumi.String(joinable.controlPlane.release.Version),
		// Without it, EKS takes the newest image of the day, which nobody has checked with these add-ons and plugins.
		ReleaseVersion: pulumi.String(joinable.controlPlane.release.AMI),
		AmiType:        pulumi.String(node.AMIType),
		SubnetIds:      args.subnets,
		// Constant bounds, since the provider sends all three if one changes, and the number of nodes as the state has it:
		// an edit of a bound would end nodes that an operator has added.
		ScalingConfig: eks.NodeGroupScalingConfigArgs{
			MinSize: pulumi.Int(args.minimum), DesiredSize: pulumi.Int(args.nodes), MaxSize: pulumi.Int(settings.MaxGroupNodes),
		},
		Labels: pulumi.ToStringMap(node.Labels),
		LaunchTemplate: eks.NodeGroupLaunchTemplateArgs{
			Id: template.ID(), Version: pulumi.Sprintf("%d", template.LatestVersion),
		},
		UpdateConfig:     eks.NodeGroupUpdateConfigArgs{MaxUnavailable: pulumi.Int(1)},
		NodeRepairConfig: eks.NodeGroupNodeRepairConfigArgs{Enabled: pulumi.Bool(true)},
	}
	if node.CapacityType != "" {
		group.CapacityType = pulumi.String(node.CapacityType)
	}
	if node.TaintKey != "" {
		group.Taints = eks.NodeGroupTaintArray{eks.NodeGroupTaintArgs{
			Key: pulumi.String(node.TaintKey), Value: pulumi.String(node.TaintValue), Effect: pulumi.String("NO_SCHEDULE"),
		}}
	}
	opts := []pulumi.ResourceOption{
		place.child(),
		pulumi.DependsOn(joinable.beforeNodes),
	}
	if args.scalable {
		opts = append(opts, pulumi.IgnoreChanges([]string{"scalingConfig"}))
	}
	if args.deleteFirst {
		opts = append(opts, pulumi.DeleteBeforeReplace(true))
	}
	created, err := eks.NewNodeGroup(ctx, "pool-"+node.Name, group, append(opts, pulumi.ResourceHooks(place.Hooks.NodeGroup))...)
	if err != nil {
		return nil, fmt.Errorf("node group: %w", err)
	}
	return created, nil
}

// newLaunchTemplate creates the launch template of a pool. It names the instance type, because the network
// interfaces, which it must name too, depend on the type.
func newLaunchTemplate(ctx *pulumi.Context, place Place, controlPlane ControlPlane, args nodeGroupArgs) (*ec2.LaunchTemplate, error) {
	node := args.node
	template := &ec2.LaunchTemplateArgs{
		InstanceType:         pulumi.String(node.InstanceType),
		UpdateDefaultVersion: pulumi.Bool(true),
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"),
			HttpTokens:   pulumi.String("required"),
			// One hop does not reach into pods: none of them can act as its node.
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		BlockDeviceMappings: rootVolume(node),
		TagSpecifications:   nodeTags(place, node.Name),
	}
	if node.UserData != "" {
		template.UserData = pulumi.String(node.UserData)
	}
	if len(node.Interfaces) > 0 {
		template.NetworkInterfaces = interfaces(node.Interfaces, pulumi.StringArray{controlPlane.securityGroup, args.efa.ID()})
	}
	if node.ReservationID != "" {
		template.CapacityReservationSpecification = ec2.LaunchTemplateCapacityReservationSpecificationArgs{
			CapacityReservationTarget: ec2.LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs{
				CapacityReservationId: pulumi.String(node.ReservationID),
			},
		}
	}
	if node.MarketType != "" {
		template.InstanceMarketOptions = ec2.LaunchTemplateInstanceMarketOptionsArgs{MarketType: pulumi.String(node.MarketType)}
	}
	if node.PlacementGroup {
		group, err := ec2.NewPlacementGroup(ctx, "pool-"+node.Name+"-placement", &ec2.PlacementGroupArgs{
			Strategy: pulumi.String("cluster"),
		}, place.child())
		if err != nil {
			return nil, fmt.Errorf("placement group: %w", err)
		}
		template.Placement = ec2.LaunchTemplatePlacementArgs{GroupName: group.Name}
	}
	// Other tags would make another version of the template, for which EKS replaces every node.
	created, err := ec2.NewLaunchTemplate(ctx, "pool-"+node.Name+"-template", template, place.child(),
		pulumi.IgnoreChanges([]string{"tagSpecifications"}))
	if err != nil {
		return nil, fmt.Errorf("launch template: %w", err)
	}
	return created, nil
}

func rootVolume(node nodepool.Node) ec2.LaunchTemplateBlockDeviceMappingArray {
	volume := ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
		VolumeType:          pulumi.String("gp3"),
		VolumeSize:          pulumi.Int(node.VolumeGB),
		Encrypted:           pulumi.String("true"),
		DeleteOnTermination: pulumi.String("true"),
	}
	if node.VolumeMiBps > 0 {
		volume.Throughput = pulumi.Int(node.VolumeMiBps)
	}
	return ec2.LaunchTemplateBlockDeviceMappingArray{
		ec2.LaunchTemplateBlockDeviceMappingArgs{DeviceName: pulumi.String(catalog.RootDevice), Ebs: volume},
	}
}

// interfaces returns the network interfaces of a node with EFA, all in the same security groups.
func interfaces(layout []accelerator.Interface, groups pulumi.StringArray) ec2.LaunchTemplateNetworkInterfaceArray {
	var all ec2.LaunchTemplateNetworkInterfaceArray
	for _, networkInterface := range layout {
		all = append(all, ec2.LaunchTemplateNetworkInterfaceArgs{
			NetworkCardIndex:    pulumi.Int(networkInterface.NetworkCard),
			DeviceIndex:         pulumi.Int(networkInterface.DeviceIndex),
			InterfaceType:       pulumi.String(networkInterface.Type),
			SecurityGroups:      groups,
			DeleteOnTermination: pulumi.String("true"),
		})
	}
	return all
}

// nodeTags returns the tags of what a node group launches: the provider's default tags do not reach it. They are those of
// the day on which the pool is created.
func nodeTags(place Place, pool string) ec2.LaunchTemplateTagSpecificationArray {
	tags := pulumi.ToStringMap(place.Tags)
	maps.Copy(tags, place.tags(pool))
	var all ec2.LaunchTemplateTagSpecificationArray
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		all = append(all, ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String(kind), Tags: tags})
	}
	return all
}
