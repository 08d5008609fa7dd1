package policy

import "fmt"

// Perimeter says who may use the buckets and the KMS keys of an account, and from where. Its statements deny; they allow
// nothing. They follow AWS's examples of a data perimeter.
// https://github.com/aws-samples/data-perimeter-policy-examples at 8e0d3c51, read 2026-11-26
type Perimeter struct {
	Partition    string
	Account      string   // 12 digits
	Organization string   // id of the organization whose principals are trusted; empty: none
	Trusted      []string // ids of the accounts whose principals are trusted, Account among them
	Readers      []string // ids of the accounts whose principals are trusted too, and use objects from anywhere
	Network      Network
}

// Network says from where objects are used. The zero value is from anywhere.
type Network struct {
	VPC    string   // its id
	Exempt []string // ARNs of roles that use objects from anywhere, with * and ?; with Bound, it must be empty
	Bound  []string // ARNs of the only roles that must use objects from the VPC; empty: all roles and users but Exempt
}

// NewNetwork returns from where the objects of a stack's buckets are used: from the VPC, or by the role that deploys,
// the exempt roles (names or patterns, with paths), and the stack's roles for scientists, SageMaker and DataSync, whose
// requests come from elsewhere. prefix is that of the stack's names.
//
// Without a role that deploys, its identity is not known, and a policy that named the one of the last update would change
// with every deployer. Then only the roles of pods and nodes are bound.
func NewNetwork(partition, account, prefix, vpc, deployRole string, exemptRoles []string) Network {
	own := func(names ...string) (arns []string) {
		for _, name := range names {
			arns = append(arns, StackRole(partition, account, prefix, name))
		}
		return arns
	}
	switch {
	case vpc == "":
		return Network{}
	case deployRole == "":
		return Network{VPC: vpc, Bound: own("cluster-node-role", "training-role")}
	}
	exempt := own("roles-scientist", "sagemaker-role", "storage-transfer")
	for _, name := range append([]string{deployRole}, exemptRoles...) {
		exempt = append(exempt, RoleARN(partition, account, name))
	}
	return Network{VPC: vpc, Exempt: sorted(exempt)}
}

// StackRole returns a pattern of the ARN of a role that Pulumi names. It ends in exactly seven characters, so that it
// does not match roles of a stack whose name is longer. prefix is that of the stack's names, without a hyphen at its end.
func StackRole(partition, account, prefix, name string) string {
	return RoleARN(partition, account, prefix+"-"+name+"-???????")
}

// denyOutsiders denies the actions to whoever is neither of the organization, nor of a trusted account, nor an AWS
// service. Account is trusted by its id too, so that it keeps its data if it leaves the organization.
func (p Perimeter) denyOutsiders(action string, resources ...string) Statement {
	trusted := map[string]Values{"aws:PrincipalAccount": sorted(append(append([]string{}, p.Trusted...), p.Readers...))}
	if p.Organization != "" {
		trusted["aws:PrincipalOrgID"] = Values{p.Organization}
	}
	return Statement{
		Sid: "DenyOutsiders", Effect: Deny, Principal: everyone(), Action: []string{action}, Resource: resources,
		Condition: Conditions{
			"StringNotEqualsIfExists": trusted,
			"BoolIfExists":            {"aws:PrincipalIsAWSService": {"false"}},
		},
	}
}

// denyOutsideVPC denies everything that is done with an object outside the VPC. What is done with a bucket, among it
// listing the keys, is not meant.
//
// AWS services come from their own networks, by their own principals, or with the caller's credentials.
func (p Perimeter) denyOutsideVPC(bucketARN string) Statement {
	condition := Conditions{
		"StringNotEqualsIfExists": {"aws:SourceVpc": {p.Network.VPC}},
		"BoolIfExists":            {"aws:PrincipalIsAWSService": {"false"}, "aws:ViaAWSService": {"false"}},
	}
	if len(p.Readers) > 0 {
		condition["StringNotEqualsIfExists"]["aws:PrincipalAccount"] = sorted(p.Readers)
	}
	if len(p.Network.Bound) > 0 {
		condition["ArnLike"] = map[string]Values{"aws:PrincipalArn": p.Network.Bound}
	} else {
		condition["ArnNotLikeIfExists"] = map[string]Values{"aws:PrincipalArn": p.Network.Exempt}
	}
	return Statement{
		Sid: "DenyOutsideVPC", Effect: Deny, Principal: everyone(), Action: []string{"s3:*"}, Resource: []string{bucketARN + "/*"},
		Condition: condition,
	}
}

// serviceBuckets returns the ARNs of the objects of AWS's buckets that nodes read: image layers of ECR, packages of
// Amazon Linux 2023, and what the SSM agent downloads. All of them are public or are read with AWS's credentials.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html,
// https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-minimum-s3-permissions.html, and
// https://github.com/aws-samples/data-perimeter-policy-examples/blob/8e0d3c51/service_owned_resources.md, read 2026-11-26
func serviceBuckets(partition, region string) []string {
	var objects []string
	for _, bucket := range []string{
		"al2023-%s", "al2023-repos-%s-de612dc2", "amazon-ssm-%s", "amazon-ssm-packages-%s", "aws-ssm-%s",
		"aws-ssm-distributor-file-%s", "aws-ssm-document-attachments-%s", "patch-baseline-snapshot-%s", "prod-%s-starport-layer-bucket",
		"%s-birdwatcher-prod",
	} {
		objects = append(objects, fmt.Sprintf("arn:%s:s3:::"+bucket+"/*", partition, region))
	}
	return objects
}

// S3Endpoint returns the policy of a VPC's endpoint for S3, which permits no more than this: the buckets of the account
// whose names begin with the prefix, what nodes read of AWS, and the further buckets by name. It does not bind requests
// that leave the VPC by the NAT gateway, for buckets of other regions.
func S3Endpoint(partition, region, account, prefix string, further []string) Document {
	bucket := func(name string) []string {
		arn := fmt.Sprintf("arn:%s:s3:::%s", partition, name)
		return []string{arn, arn + "/*"}
	}
	d := Document{
		{
			Sid: "BucketsOfStack", Effect: Allow, Principal: &Principals{Any: true}, Action: []string{"s3:*"}, Resource: bucket(prefix + "-*"),
			Condition: Conditions{"StringEquals": {"aws:ResourceAccount": {account}}},
		},
		{
			Sid: "BucketsOfAWS", Effect: Allow, Principal: &Principals{Any: true}, Action: []string{"s3:GetObject"},
			Resource: serviceBuckets(partition, region),
		},
	}
	var resources []string
	for _, name := range sorted(further) {
		resources = append(resources, bucket(name)...)
	}
	if len(resources) > 0 {
		d = append(d, Statement{Sid: "FurtherBuckets", Effect: Allow, Principal: &Principals{Any: true}, Action: []string{"s3:*"}, Resource: resources})
	}
	return d
}
