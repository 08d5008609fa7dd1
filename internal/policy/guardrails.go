package policy

import (
	"fmt"
	"slices"

	"llm-platform/internal/accelerator"
)

// Guardrails describes what service control policies deny in the accounts of a platform, whatever their own policies
// allow. SCPs do not apply to the management account, nor to service-linked roles, with which Auto Scaling and EKS
// launch instances; so the actions that make these launch any are denied to all but the deploying role.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
type Guardrails struct {
	DeployRole      string   // name of the role that deploys; exempt from every statement but the root user's
	Exempt          []string // names or patterns with *, with their paths, of further exempt roles
	CIRoles         string   // prefix of the names of the CI roles, which only exempt roles may change; empty: none
	CIIssuer        string   // issuer of the tokens that these trust, likewise
	Regions         []string // allowed regions
	TrainingAccount string   // 12 digits; the only account that may launch accelerated instances
	InstanceTypes   []string // accelerated EC2 types that it may launch; empty denies all
	SageMakerTypes  []string // accelerated SageMaker types likewise, for example ml.g5.xlarge
}

// NewGuardrails returns the guardrails of a stack, for AnyAccount as the training account. instanceTypes are EC2's: the
// accelerated ones are allowed in EC2 and, with the prefix ml., in SageMaker; the others need no permission.
func NewGuardrails(deployRole string, exemptRoles, regions, instanceTypes, sageMakerTypes []string) Guardrails {
	g := Guardrails{
		DeployRole:      deployRole,
		Exempt:          exemptRoles,
		Regions:         regions,
		TrainingAccount: AnyAccount,
		SageMakerTypes:  slices.Clone(sageMakerTypes),
	}
	for _, name := range instanceTypes {
		if accelerator.Accelerated(name) {
			g.InstanceTypes = append(g.InstanceTypes, name)
			g.SageMakerTypes = append(g.SageMakerTypes, "ml."+name)
		}
	}
	return g
}

// AnyAccount stands for an account id that is not known yet. Ids always have 12 digits, so the documents' sizes are
// known.
const AnyAccount = "000000000000"

// For returns the guardrails of a platform whose training account has the id.
func (g Guardrails) For(trainingAccount string) Guardrails {
	g.TrainingAccount = trainingAccount
	return g
}

// WithCI returns the guardrails that also guard a stack's CI roles and the OIDC provider that these trust: exempt roles
// trust the deploy role, so whoever could change it would become exempt.
func (g Guardrails) WithCI(prefix, issuer string) Guardrails {
	g.CIRoles, g.CIIssuer = prefix, issuer
	return g
}

// JSON returns the content of one of the Policies, by its name.
func (g Guardrails) JSON(name string) (string, error) {
	policies, err := g.Policies()
	if err != nil {
		return "", err
	}
	for _, p := range policies {
		if p.Name == name {
			return p.Document.JSON()
		}
	}
	return "", fmt.Errorf("service control policy %s: does not exist", name)
}

// Policies returns the guardrails as service control policies, few and small enough to be attached to one target.
// Their names and number do not depend on the training account.
func (g Guardrails) Policies() ([]ControlPolicy, error) {
	return split([]ControlPolicy{
		{"baseline", append(g.baseline(), g.data()...)},
		{"regions", g.regions()},
		{"accelerators", g.accelerators()},
	}, MaxGuardrails)
}

// others returns the conditions, restricted to principals that are not exempt, in any partition and account.
func (g Guardrails) others(conditions Conditions) Conditions {
	all := Conditions{"ArnNotLike": {"aws:PrincipalArn": g.exempt()}}
	for operator, keys := range conditions {
		all[operator] = keys
	}
	return all
}

func (g Guardrails) exempt() Values {
	var roles Values
	for _, name := range append([]string{g.DeployRole}, g.Exempt...) {
		roles = append(roles, "arn:*:iam::*:role/"+name)
	}
	return sorted(roles)
}

// guarded returns the roles and OIDC providers that only exempt roles may change.
func (g Guardrails) guarded() Values {
	guarded := g.exempt()
	if g.CIRoles != "" {
		guarded = append(guarded, "arn:*:iam::*:role/"+g.CIRoles+"*", "arn:*:iam::*:oidc-provider/"+g.CIIssuer)
	}
	return sorted(guarded)
}

// baseline keeps the account in the organization and its logs enabled, and protects the exempt roles.
func (g Guardrails) baseline() Document {
	return Document{
		{
			Sid: "StayInOrganization", Effect: Deny, Resource: []string{"*"},
			Action: []string{
				"account:CloseAccount", "organizations:AttachPolicy", "organizations:DeletePolicy", "organizations:DetachPolicy",
				"organizations:DisablePolicyType", "organizations:LeaveOrganization", "organizations:MoveAccount", "organizations:UpdatePolicy",
			},
			Condition: g.others(nil),
		},
		{
			// Privileged root sessions that the management account opens, for example to delete a bucket policy that
			// locks everybody out, stay allowed.
			// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html
			Sid: "NoRootUser", Effect: Deny, Action: []string{"*"}, Resource: []string{"*"},
			Condition: Conditions{
				"ArnLike": {"aws:PrincipalArn": {"arn:*:iam::*:root"}},
				"Null":    {"aws:AssumedRoot": {"true"}},
			},
		},
		{
			// A principal that can change an exempt role, or pass it to a service, would be exempt itself.
			Sid: "ExemptRolesStay", Effect: Deny, Resource: g.guarded(),
			Action: []string{
				"iam:AddClientIDToOpenIDConnectProvider", "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteOpenIDConnectProvider", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy",
				"iam:DetachRolePolicy", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy",
				"iam:UpdateOpenIDConnectProviderThumbprint", "iam:UpdateRole", "iam:UpdateRoleDescription",
			},
			Condition: g.others(nil),
		},
		{
			Sid: "LogsStay", Effect: Deny, Resource: []string{"*"},
			Action: []string{
				"access-analyzer:DeleteAnalyzer",
				"cloudtrail:DeleteEventDataStore", "cloudtrail:DeleteTrail", "cloudtrail:PutEventSelectors", "cloudtrail:StopEventDataStoreIngestion",
				"cloudtrail:StopLogging", "cloudtrail:UpdateEventDataStore", "cloudtrail:UpdateTrail",
				"config:DeleteConfigurationRecorder", "config:DeleteDeliveryChannel", "config:PutConfigurationRecorder",
				"config:PutDeliveryChannel", "config:StopConfigurationRecorder",
				"ec2:DeleteFlowLogs",
				"guardduty:DeleteDetector", "guardduty:DisassociateFromAdministratorAccount", "guardduty:UpdateDetector",
				"logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy",
				"securityhub:DisableSecurityHub", "securityhub:DisassociateFromAdministratorAccount",
			},
			Condition: g.others(nil),
		},
	}
}

// data keeps buckets private and stored data encrypted.
func (g Guardrails) data() Document {
	return Document{
		{
			// The same action sets and removes the block; new buckets have it by default.
			Sid: "BucketsStayPrivate", Effect: Deny, Resource: []string{"*"},
			Action:    []string{"s3:PutAccountPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
			Condition: g.others(nil),
		},
		{
			Sid: "NothingPublic", Effect: Deny, Resource: []string{"*"},
			Action: []string{"s3:CreateBucket", "s3:PutBucketAcl", "s3:PutObject", "s3:PutObjectAcl"},
			Condition: g.others(Conditions{
				"StringEquals": {"s3:x-amz-acl": {"authenticated-read", "public-read", "public-read-write"}},
			}),
		},
		{
			Sid: "EncryptionStays", Effect: Deny, Resource: []string{"*"},
			Action: []string{
				"ec2:DisableEbsEncryptionByDefault", "kms:DisableKey", "kms:DisableKeyRotation", "kms:ScheduleKeyDeletion",
				"s3:PutEncryptionConfiguration",
			},
			Condition: g.others(nil),
		},
		{
			Sid: "EncryptedVolumes", Effect: Deny, Resource: []string{"arn:*:ec2:*:*:volume/*"},
			Action:    []string{"ec2:CreateFleet", "ec2:CreateVolume", "ec2:RunInstances"},
			Condition: g.others(Conditions{"Bool": {"ec2:Encrypted": {"false"}}}),
		},
	}
}

// global are the services with one endpoint for all regions, most of them in us-east-1, and what the console needs
// in every region: those of AWS's examples that a training account uses. Regional services that the examples list
// for CloudFront (ACM, KMS, WAF) are not included.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_general.html
// https://docs.aws.amazon.com/controltower/latest/controlreference/primary-region-deny-policy.html
var global = Values{
	"account:*", "artifact:*", "aws-marketplace:*", "billing:*", "budgets:*", "ce:*", "cloudfront:*", "cloudtrail:LookupEvents",
	"consolidatedbilling:*", "cur:*", "ec2:DescribeRegions", "ecr-public:*", "freetier:*", "globalaccelerator:*", "health:*", "iam:*",
	"invoicing:*", "networkmanager:*", "organizations:*", "payments:*", "pricing:*", "route53:*", "route53domains:*",
	"s3:GetAccountPublic*", "s3:ListAllMyBuckets", "s3:PutAccountPublic*", "savingsplans:*", "shield:*", "sts:*", "support:*",
	"supportplans:*", "tax:*", "trustedadvisor:*", "waf:*", "wellarchitected:*",
}

func (g Guardrails) regions() Document {
	return Document{
		{
			Sid: "OnlyListedRegions", Effect: Deny, NotAction: global, Resource: []string{"*"},
			Condition: g.others(Conditions{"StringNotEquals": {"aws:RequestedRegion": sorted(g.Regions)}}),
		},
		{
			Sid: "RegionsStay", Effect: Deny, Action: []string{"account:DisableRegion", "account:EnableRegion"}, Resource: []string{"*"},
			Condition: g.others(nil),
		},
	}
}

// launches are the actions that launch EC2 instances and let a policy see their type. StartInstances is included
// because the type of a stopped instance can be changed.
var launches = Values{"ec2:CreateFleet", "ec2:RunInstances", "ec2:StartInstances"}

// indirectLaunches are actions that make AWS launch instances on the caller's behalf, where no policy can see the
// instance type.
var indirectLaunches = Values{
	"autoscaling:CreateLaunchConfiguration", "batch:CreateComputeEnvironment", "batch:UpdateComputeEnvironment",
	"ec2:PurchaseCapacityBlock", "ec2:RequestSpotFleet", "ec2:RequestSpotInstances", "eks:CreateNodegroup",
}

// ordinarySageMaker are SageMaker's types without accelerators. A SageMaker request may name several types; "one of
// them is accelerated and not listed" can only be expressed as "one of them is neither ordinary nor listed". New
// families are therefore denied.
var ordinarySageMaker = []string{
	"ml.c*", "ml.geospatial.*", "ml.i2*", "ml.i3*", "ml.i4*", "ml.i7*", "ml.m*", "ml.r*", "ml.t2*", "ml.t3*", "ml.t4*", "ml.x*", "ml.z*", "system",
}

// accelerators allows only the training account to launch accelerated instances, and only of the listed types.
func (g Guardrails) accelerators() Document {
	elsewhere := map[string]Values{"aws:PrincipalAccount": {g.TrainingAccount}}
	only := func(sid string, conditions Conditions) Statement {
		return Statement{
			Sid: sid, Effect: Deny, Action: launches, Resource: []string{"arn:*:ec2:*:*:instance/*"},
			Condition: g.others(conditions),
		}
	}
	accelerated := map[string]Values{"ec2:InstanceType": accelerator.Patterns()}
	unlisted := Conditions{"StringLike": accelerated}
	if len(g.InstanceTypes) > 0 {
		unlisted["StringNotEquals"] = map[string]Values{"ec2:InstanceType": sorted(g.InstanceTypes)}
	}
	sageMaker := func(sid string, allowed []string, conditions Conditions) Statement {
		conditions = g.others(conditions)
		conditions["ForAnyValue:StringNotLike"] = map[string]Values{"sagemaker:InstanceTypes": sorted(append(slices.Clone(ordinarySageMaker), allowed...))}
		return Statement{
			Sid: sid, Effect: Deny, Action: []string{"sagemaker:Create*", "sagemaker:Update*"}, Resource: []string{"*"},
			Condition: conditions,
		}
	}
	return Document{
		only("OnlyInTraining", Conditions{"StringLike": accelerated, "StringNotEquals": elsewhere}),
		only("OnlyListedTypes", unlisted),
		sageMaker("OnlyInTrainingSageMaker", nil, Conditions{"StringNotEquals": elsewhere}),
		sageMaker("OnlyListedTypesSageMaker", g.SageMakerTypes, nil),
		{
			Sid: "PoolsAreDeployed", Effect: Deny, Action: indirectLaunches, Resource: []string{"*"},
			Condition: g.others(nil),
		},
		{
			// EKS Auto Mode launches what a NodePool object asks for, which IAM cannot see.
			Sid: "NoAutoMode", Effect: Deny, Action: []string{"eks:CreateCluster", "eks:UpdateClusterConfig"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"Bool": {"eks:computeConfigEnabled": {"true"}}}),
		},
	}
}

// KillSwitch returns the policy that denies new accelerated instances in the account that it is attached to. It also
// applies to the deploying role, which launches the most; that role may still change the size of a pool, in order to
// shrink it. Running instances are not affected: no training is lost.
func (g Guardrails) KillSwitch() Document {
	sageMaker := make(Values, 0, len(accelerator.Patterns()))
	for _, pattern := range accelerator.Patterns() {
		sageMaker = append(sageMaker, "ml."+pattern)
	}
	return Document{
		{
			Sid: "NoNewInstances", Effect: Deny, Action: launches, Resource: []string{"arn:*:ec2:*:*:instance/*"},
			Condition: Conditions{"StringLike": {"ec2:InstanceType": accelerator.Patterns()}},
		},
		{
			Sid: "NoNewSageMaker", Effect: Deny, Action: []string{"sagemaker:Create*", "sagemaker:Update*"}, Resource: []string{"*"},
			Condition: Conditions{"ForAnyValue:StringLike": {"sagemaker:InstanceTypes": sageMaker}},
		},
		{Sid: "NoNewPools", Effect: Deny, Action: indirectLaunches, Resource: []string{"*"}},
		{
			Sid: "NoGrowth", Effect: Deny, Resource: []string{"*"},
			Action: []string{
				"autoscaling:CreateAutoScalingGroup", "autoscaling:SetDesiredCapacity", "autoscaling:UpdateAutoScalingGroup",
				"eks:UpdateNodegroupConfig", "sagemaker:UpdateEndpointWeightsAndCapacities",
			},
			Condition: g.others(nil),
		},
	}
}

// sorted returns the values in order and without duplicates, so that reordering a configuration does not change a
// policy.
func sorted(values []string) Values {
	all := slices.Clone(values)
	slices.Sort(all)
	return slices.Compact(all)
}
