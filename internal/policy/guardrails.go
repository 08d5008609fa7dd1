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
	Prefix          string   // of the names of the stack's resources, with a hyphen at the end
	DeployRole      string   // name of the role that deploys; exempt from every statement but the root user's
	Exempt          []string // names or patterns with *, with their paths, of further exempt roles
	Trusted         []string // ARN patterns of further roles that only exempt roles may change, since exempt roles trust them
	Rescue          string   // name of the role that may resize pools under the kill switch; empty: none
	Regions         []string // allowed regions
	Services        []string // prefixes of services that accounts other than the training account may use, besides those in everywhere
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
		{"baseline", append(g.baseline(), g.logs()...)},
		{"regions", g.regions()},
		{"accelerators", g.accelerators()},
		{"services", g.spending()},
		{"data", g.data()},
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

// guarded returns the roles that only exempt roles may change, and every identity provider: whoever controls one can sign
// in as the roles that trust it. Without its role, the flow logs of the network stop, and nothing says so.
func (g Guardrails) guarded() Values {
	return sorted(slices.Concat(g.exempt(), g.Trusted, Values{
		"arn:*:iam::*:oidc-provider/*", "arn:*:iam::*:saml-provider/*", "arn:*:iam::*:role/" + named(g.Prefix, "network-flow-role"),
	}))
}

// baseline keeps the account in the organization, and protects the exempt roles.
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
			// A principal that can change an exempt role, or one that it trusts, or pass it to a service, would be exempt itself.
			Sid: "ExemptRolesStay", Effect: Deny, Resource: g.guarded(),
			Action: []string{
				"iam:AddClientIDToOpenIDConnectProvider", "iam:AttachRolePolicy", "iam:CreateOpenIDConnectProvider", "iam:CreateRole", "iam:CreateSAMLProvider",
				"iam:DeleteOpenIDConnectProvider", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DeleteSAMLProvider",
				"iam:DetachRolePolicy", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:RemoveClientIDFromOpenIDConnectProvider",
				"iam:UpdateAssumeRolePolicy", "iam:UpdateOpenIDConnectProviderThumbprint", "iam:UpdateRole", "iam:UpdateRoleDescription",
				"iam:UpdateSAMLProvider",
			},
			Condition: g.others(nil),
		},
	}
}

// global are the services with one endpoint for all regions, most of them in us-east-1, and what the console needs
// in every region: those of AWS's examples that a training account uses. Regional services that the examples list
// for CloudFront (ACM, KMS, WAF) are not included, nor are CloudFront, Global Accelerator and ECR's public registry, which
// exist to publish.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_general.html
// https://docs.aws.amazon.com/controltower/latest/controlreference/primary-region-deny-policy.html
var global = Values{
	"account:*", "artifact:*", "aws-marketplace:*", "billing:*", "budgets:*", "ce:*", "cloudtrail:LookupEvents",
	"consolidatedbilling:*", "cur:*", "ec2:DescribeRegions", "freetier:*", "health:*", "iam:*",
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

// sorted returns the values in order and without duplicates, so that reordering a configuration does not change a
// policy.
func sorted(values []string) Values {
	all := slices.Clone(values)
	slices.Sort(all)
	return slices.Compact(all)
}
