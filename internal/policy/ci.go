package policy

import (
	"fmt"
	"strings"
)

// GitHubHost is the issuer of the OIDC tokens of GitHub Actions.
const GitHubHost = "token.actions.githubusercontent.com"

// GitHubTrust returns the trust policy of a role that only workflows with exactly this subject may assume, through the
// account's OIDC provider.
// https://docs.github.com/en/actions/reference/security/oidc
func GitHubTrust(partition, account, subject string) Document {
	return Document{{
		Effect: Allow, Action: []string{"sts:AssumeRoleWithWebIdentity"},
		Principal: &Principals{Federated: []string{fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", partition, account, GitHubHost)}},
		Condition: Conditions{"StringEquals": {
			GitHubHost + ":aud": {"sts.amazonaws.com"},
			GitHubHost + ":sub": {subject},
		}},
	}}
}

// CI describes the roles for continuous integration.
type CI struct {
	Partition string
	Account   string   // 12 digits; account of the roles
	Prefix    string   // of the names of the stack's roles; that of the CI roles is CIPrefix
	State     string   // ARN of the bucket with Pulumi's state; empty: the state is elsewhere
	StateKey  string   // ARN of the KMS key that encrypts state or its secrets; empty: none
	Roles     []string // ARNs of the roles that may be assumed
}

// CIPrefix returns the prefix of the names of a stack's CI roles, which the deploy role cannot change.
func (c CI) CIPrefix() string { return c.Prefix + "ci-" }

// Preview returns the permissions of a preview: to describe resources, but to read no object, secret or parameter,
// since a pull request's code runs with them before anyone has reviewed it.
func (c CI) Preview() Document {
	d := Document{{
		Sid: "SeeResources", Effect: Allow, Resource: []string{"*"},
		Action: []string{
			"autoscaling:Describe*", "budgets:View*", "cloudwatch:Describe*", "datasync:Describe*", "datasync:List*",
			"ec2:Describe*", "ecr:Describe*", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:List*",
			"eks:Describe*", "eks:List*", "iam:Get*", "iam:List*", "kms:DescribeKey", "kms:GetKey*", "kms:List*",
			"logs:Describe*", "logs:ListTags*", "organizations:Describe*", "organizations:List*",
			"resource-groups:Get*", "resource-groups:List*",
			"s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
			"s3:GetReplicationConfiguration", "s3:ListAllMyBuckets", "s3:ListBucket",
			"sagemaker:Describe*", "sagemaker:List*", "servicequotas:Get*", "servicequotas:List*", "tag:Get*",
		},
	}}
	return append(d, c.reach("s3:GetObject", "kms:Decrypt")...)
}

// Deploy returns the permissions of a deployment that assumes no other role: the services that the program uses, and
// IAM for names with the stack's prefix. A principal that creates and passes roles can grant them anything, so treat
// it as an administrator of the account, bounded by the guardrails and the exact subject.
func (c CI) Deploy() Document {
	own := func(kind string) string {
		return fmt.Sprintf("arn:%s:iam::%s:%s/%s*", c.Partition, c.Account, kind, c.Prefix)
	}
	d := Document{
		{
			Sid: "UseServices", Effect: Allow, Resource: []string{"*"},
			Action: []string{
				"autoscaling:*", "budgets:*", "cloudwatch:*", "datasync:*", "ec2:*", "ecr:*", "eks:*", "iam:Get*", "iam:List*", "kms:*",
				"logs:*", "resource-groups:*", "s3:*", "sagemaker:*", "servicequotas:*", "sns:*", "ssm:GetParameter*", "tag:*",
			},
		},
		{
			Sid: "ManageOwnRoles", Effect: Allow,
			Action: []string{
				"iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy", "iam:Create*", "iam:Delete*", "iam:DetachRolePolicy",
				"iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile", "iam:Tag*", "iam:Untag*", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole*",
			},
			Resource: []string{own("role"), own("instance-profile"), own("policy")},
		},
		{
			Sid: "PassOwnRoles", Effect: Allow, Action: []string{"iam:PassRole"}, Resource: []string{own("role")},
			Condition: Conditions{"StringEquals": {"iam:PassedToService": {
				"datasync.amazonaws.com", "ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com", "sagemaker.amazonaws.com",
				"vpc-flow-logs.amazonaws.com",
			}}},
		},
		{
			Sid: "CreateServiceLinkedRoles", Effect: Allow, Action: []string{"iam:CreateServiceLinkedRole"},
			Resource: []string{fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/*", c.Partition, c.Account)},
		},
		{
			// An administrator decides who may deploy, not a deployment.
			Sid: "KeepOffCIRoles", Effect: Deny, NotAction: []string{"iam:Get*", "iam:List*", "sts:*"},
			Resource: []string{
				fmt.Sprintf("arn:%s:iam::%s:role/%s*", c.Partition, c.Account, c.CIPrefix()),
				fmt.Sprintf("arn:%s:iam::%s:oidc-provider/*", c.Partition, c.Account),
			},
		},
	}
	return append(d, c.reach(stateWrites...)...)
}

// Assume returns the permissions of a deployment that only assumes other roles.
func (c CI) Assume() Document { return c.reach(stateWrites...) }

var stateWrites = []string{"s3:DeleteObject", "s3:GetObject", "s3:PutObject", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"}

// reach returns the permissions for the actions on Pulumi's state, and to assume the roles.
func (c CI) reach(actions ...string) Document {
	var d Document
	pick := func(service string) (of Values) {
		for _, action := range actions {
			if strings.HasPrefix(action, service) {
				of = append(of, action)
			}
		}
		return of
	}
	if c.State != "" {
		d = append(d,
			Statement{Sid: "FindState", Effect: Allow, Action: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: []string{c.State}},
			Statement{Sid: "UseState", Effect: Allow, Action: pick("s3:"), Resource: []string{c.State + "/*"}})
	}
	if c.StateKey != "" {
		d = append(d, Statement{Sid: "UseStateKey", Effect: Allow, Action: pick("kms:"), Resource: []string{c.StateKey}})
	}
	if len(c.Roles) > 0 {
		d = append(d, Statement{Sid: "AssumeRoles", Effect: Allow, Action: []string{"sts:AssumeRole"}, Resource: sorted(c.Roles)})
	}
	return d
}
