package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"llm-platform/test/simcloud"
)

type object = map[string]any

type names = map[string]string

// cloudFormationType is a type of CloudFormation.
type cloudFormationType struct {
	name      string
	renamed   names                                   // properties by their names in Pulumi; "" leaves one out
	documents []string                                // properties, by their names in Pulumi, whose text is JSON
	adapt     func(properties, inputs map[string]any) // does the rest
}

// cloudFormationTypes are the types that are converted, by their names in Pulumi. Not among them are those whose properties
// have another shape in CloudFormation (budgets, security group rules), and the settings of a bucket, which are its properties
// there.
var cloudFormationTypes = map[string]cloudFormationType{
	"cloudwatch/logGroup":              {name: "AWS::Logs::LogGroup", renamed: names{"name": "LogGroupName"}},
	"ec2/eip":                          {name: "AWS::EC2::EIP"},
	"ec2/flowLog":                      {name: "AWS::EC2::FlowLog", renamed: names{"vpcId": "ResourceId", "iamRoleArn": "DeliverLogsPermissionArn"}, adapt: func(p, _ object) { p["ResourceType"] = "VPC" }},
	"ec2/internetGateway":              {name: "AWS::EC2::InternetGateway", renamed: names{"vpcId": ""}},
	"ec2/launchTemplate":               {name: "AWS::EC2::LaunchTemplate", adapt: launchTemplate},
	"ec2/natGateway":                   {name: "AWS::EC2::NatGateway"},
	"ec2/placementGroup":               {name: "AWS::EC2::PlacementGroup", renamed: names{"name": ""}},
	"ec2/route":                        {name: "AWS::EC2::Route"},
	"ec2/routeTable":                   {name: "AWS::EC2::RouteTable"},
	"ec2/routeTableAssociation":        {name: "AWS::EC2::SubnetRouteTableAssociation"},
	"ec2/subnet":                       {name: "AWS::EC2::Subnet"},
	"ec2/vpc":                          {name: "AWS::EC2::VPC"},
	"ec2/vpcEndpoint":                  {name: "AWS::EC2::VPCEndpoint", documents: []string{"policy"}, renamed: names{"policy": "PolicyDocument"}},
	"ecr/repository":                   {name: "AWS::ECR::Repository", renamed: names{"name": "RepositoryName", "forceDelete": "EmptyOnDelete", "encryptionConfigurations": "EncryptionConfiguration"}, adapt: single("EncryptionConfiguration")},
	"eks/accessEntry":                  {name: "AWS::EKS::AccessEntry"},
	"eks/addon":                        {name: "AWS::EKS::Addon", renamed: names{"resolveConflictsOnCreate": "ResolveConflicts", "resolveConflictsOnUpdate": ""}},
	"eks/podIdentityAssociation":       {name: "AWS::EKS::PodIdentityAssociation"},
	"eks/nodeGroup":                    {name: "AWS::EKS::Nodegroup", renamed: names{"nodeGroupName": "NodegroupName", "nodeRoleArn": "NodeRole", "subnetIds": "Subnets"}, adapt: nodeGroup},
	"iam/role":                         {name: "AWS::IAM::Role", renamed: names{"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"}, documents: []string{"assumeRolePolicy"}},
	"iam/rolePolicy":                   {name: "AWS::IAM::RolePolicy", renamed: names{"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"}, documents: []string{"policy"}},
	"kms/key":                          {name: "AWS::KMS::Key", renamed: names{"policy": "KeyPolicy", "deletionWindowInDays": "PendingWindowInDays"}, documents: []string{"policy"}},
	"organizations/account":            {name: "AWS::Organizations::Account", renamed: names{"name": "AccountName", "closeOnDeletion": "", "parentId": "ParentIds"}, adapt: listed("ParentIds")},
	"organizations/organizationalUnit": {name: "AWS::Organizations::OrganizationalUnit"},
	"organizations/policy":             {name: "AWS::Organizations::Policy", documents: []string{"content"}},
	"s3/bucketPolicy":                  {name: "AWS::S3::BucketPolicy", renamed: names{"policy": "PolicyDocument"}, documents: []string{"policy"}},
	"s3/bucketV2":                      {name: "AWS::S3::Bucket", renamed: names{"bucket": "BucketName", "forceDestroy": ""}},
}

// cloudFormation returns a template with the resources of the types above.
func cloudFormation(resources []simcloud.Resource) (string, error) {
	converted := object{}
	for _, r := range resources {
		typ, ok := cloudFormationTypes[strings.Split(r.Type, ":")[1]]
		if !strings.HasPrefix(r.Type, "aws:") || !ok {
			continue
		}
		properties := object{}
		for key, value := range r.Inputs {
			name, renamed := typ.renamed[key]
			switch {
			case key == "__defaults" || renamed && name == "":
				continue
			case !renamed:
				name = pascal(key)
			}
			if text, isText := value.(string); isText && slices.Contains(typ.documents, key) {
				var document any
				if err := json.Unmarshal([]byte(text), &document); err != nil {
					return "", fmt.Errorf("%s: %s: %w", r.Name, key, err)
				}
				properties[name] = document
				continue
			}
			properties[name] = pascalKeys(key, value)
		}
		if typ.adapt != nil {
			typ.adapt(properties, r.Inputs)
		}
		converted[pascal(strings.Map(letter, r.Name))] = object{"Type": typ.name, "Properties": properties}
	}
	if len(converted) < 50 {
		return "", fmt.Errorf("only %d resources are of a type that is converted", len(converted))
	}
	text, err := json.MarshalIndent(object{"AWSTemplateFormatVersion": "2010-09-09", "Resources": converted}, "", " ")
	return string(text), err
}

func letter(r rune) rune {
	if identifier(r) == '_' || r == '-' || r == '_' {
		return -1
	}
	return r
}

func pascal(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// pascalKeys returns a property with CloudFormation's names; tags become a list.
func pascalKeys(key string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if key == "labels" {
			return v
		}
		if key == "tags" {
			var tags []any
			for _, name := range slices.Sorted(maps.Keys(v)) {
				tags = append(tags, object{"Key": name, "Value": v[name]})
			}
			return tags
		}
		renamed := object{}
		for name, field := range v {
			if name != "__defaults" {
				renamed[pascal(name)] = pascalKeys(name, field)
			}
		}
		return renamed
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = pascalKeys(key, v[i])
		}
		return list
	}
	return value
}

// single takes the one element out of a list.
func single(name string) func(properties, inputs object) {
	return func(properties, _ object) {
		if list, ok := properties[name].([]any); ok && len(list) == 1 {
			properties[name] = list[0]
		}
	}
}

func listed(name string) func(properties, inputs object) {
	return func(properties, _ object) { properties[name] = []any{properties[name]} }
}

func nodeGroup(properties, inputs object) { properties["Tags"] = inputs["tags"] }

func launchTemplate(properties, _ object) {
	data := object{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		switch name {
		case "Name":
			properties["LaunchTemplateName"] = properties[name]
		case "Tags", "UpdateDefaultVersion":
		default:
			data[name] = properties[name]
		}
		delete(properties, name)
	}
	interfaces, _ := data["NetworkInterfaces"].([]any)
	for _, i := range interfaces {
		if i, ok := i.(object); ok {
			i["Groups"] = i["SecurityGroups"]
			delete(i, "SecurityGroups")
		}
	}
	properties["LaunchTemplateData"] = data
}
