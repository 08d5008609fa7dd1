package cluster

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// newEndpoints creates the VPC endpoints: always S3's gateway endpoint, which is free and keeps datasets and
// checkpoints off the NAT gateways, and the interface endpoints of the settings. Pods reach no other bucket of the region.
func newEndpoints(ctx *pulumi.Context, place Place, private privateSubnets, cfg settings.Network) ([]pulumi.Resource, error) {
	var tables pulumi.StringArray
	for _, zone := range cfg.Zones {
		tables = append(tables, private.tables[zone].ID())
	}
	s3, err := ec2.NewVpcEndpoint(ctx, place.Name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           private.vpc.ID(),
		VpcEndpointType: pulumi.String("Gateway"),
		ServiceName:     pulumi.String("com.amazonaws." + place.Region + ".s3"),
		RouteTableIds:   tables,
		Policy: scope.Document(place.Account.ID, func(id string) policy.Document {
			return policy.S3Endpoint(place.Partition, place.Region, id, place.Prefix, cfg.S3Buckets)
		}),
		Tags: place.tags("s3"),
	}, place.child())
	if err != nil {
		return nil, fmt.Errorf("S3 endpoint: %w", err)
	}
	endpoints := []pulumi.Resource{s3}
	if len(cfg.InterfaceEndpoints) == 0 {
		return endpoints, nil
	}
	group, err := ec2.NewSecurityGroup(ctx, place.Name+"-endpoints", &ec2.SecurityGroupArgs{
		Description: pulumi.String("HTTPS from the VPC to its interface endpoints"),
		VpcId:       private.vpc.ID(),
		Ingress: ec2.SecurityGroupIngressArray{ec2.SecurityGroupIngressArgs{
			CidrBlocks: pulumi.ToStringArray([]string{cfg.CIDR}), Protocol: pulumi.String("tcp"),
			FromPort: pulumi.Int(443), ToPort: pulumi.Int(443), Description: pulumi.String("HTTPS from the VPC"),
		}},
		Tags: place.tags("endpoints"),
	}, place.child())
	if err != nil {
		return nil, fmt.Errorf("security group of endpoints: %w", err)
	}
	for _, service := range cfg.InterfaceEndpoints {
		endpoint, err := ec2.NewVpcEndpoint(ctx, place.Name+"-endpoint-"+service, &ec2.VpcEndpointArgs{
			VpcId:             private.vpc.ID(),
			VpcEndpointType:   pulumi.String("Interface"),
			ServiceName:       pulumi.String("com.amazonaws." + place.Region + "." + service),
			SubnetIds:         private.ids,
			SecurityGroupIds:  pulumi.StringArray{group.ID()},
			PrivateDnsEnabled: pulumi.Bool(true),
			Tags:              place.tags(service),
		}, place.child())
		if err != nil {
			return nil, fmt.Errorf("endpoint of %s: %w", service, err)
		}
		endpoints = append(endpoints, endpoint)
	}
	return endpoints, nil
}

// newFlowLogs records who connected to whom, the first question after an incident.
func newFlowLogs(ctx *pulumi.Context, place Place, vpc *ec2.Vpc, days int) error {
	group, err := cloudwatch.NewLogGroup(ctx, place.Name+"-flow-logs", &cloudwatch.LogGroupArgs{
		RetentionInDays: pulumi.Int(days),
		KmsKeyId:        optional(place.LogKey),
	}, place.child())
	if err != nil {
		return fmt.Errorf("log group: %w", err)
	}
	role, err := place.NewRole(ctx, place.Name+"-flow-role", scope.RoleArgs{
		Description: "Assumed by VPC flow logs to write to CloudWatch",
		Account:     place.Account.ID,
		Trust: scope.Document(place.Account.ID, func(id string) policy.Document {
			return policy.ServiceTrust("vpc-flow-logs.amazonaws.com", id)
		}),
		Permissions: scope.Document(group.Arn, policy.FlowLogs),
		Parent:      place.Parent,
	})
	if err != nil {
		return err
	}
	_, err = ec2.NewFlowLog(ctx, place.Name+"-flow", &ec2.FlowLogArgs{
		VpcId:              vpc.ID(),
		TrafficType:        pulumi.String("ALL"),
		LogDestinationType: pulumi.String("cloud-watch-logs"),
		LogDestination:     group.Arn,
		IamRoleArn:         role.Arn,
		Tags:               place.tags("flow"),
	}, place.child(), pulumi.DependsOn(role.Ready))
	return err
}
