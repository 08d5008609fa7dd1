package policy

import (
	"fmt"
	"strings"
)

// OIDC is an issuer of tokens for CI workflows.
type OIDC struct {
	Issuer   string // URL without https://, for example token.actions.githubusercontent.com
	Audience string // for example sts.amazonaws.com
}

// Trust returns the trust policy of a role that only workflows with one of the subjects may assume, through the account's
// OIDC provider. A * in a subject stands for any text.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
func (o OIDC) Trust(partition, account string, subjects ...string) Document {
	conditions := Conditions{"StringEquals": {o.Issuer + ":aud": {o.Audience}}}
	if strings.Contains(strings.Join(subjects, ""), "*") {
		conditions["StringLike"] = map[string]Values{o.Issuer + ":sub": subjects}
	} else {
		conditions["StringEquals"][o.Issuer+":sub"] = subjects
	}
	return Document{{
		Effect: Allow, Action: []string{"sts:AssumeRoleWithWebIdentity"},
		Principal: &Principals{Federated: []string{fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", partition, account, o.Issuer)}},
		Condition: conditions,
	}}
}

// CI describes the roles for continuous integration.
type CI struct {
	Partition string
	Account   string   // 12 digits; account of the roles
	Prefix    string   // of the names of the stack's roles; with a hyphen at the end
	Project   string   // Pulumi project and
	Stack     string   // stack, whose state it is
	State     string   // ARN of the bucket with Pulumi's state; empty: the state is elsewhere
	StateKey  string   // ARN of the KMS key that encrypts the secrets in the state; empty: none
	Roles     []string // ARNs of the roles that may be assumed
	Boundary  string   // ARN of the permissions boundary that every role must have; empty: none
}

// Guarded returns ARN patterns of the CI roles, in any partition and account.
func (c CI) Guarded() []string {
	return []string{"arn:*:iam::*:role/" + named(c.Prefix, "ci-deploy"), "arn:*:iam::*:role/" + named(c.Prefix, "ci-preview")}
}

// named returns the pattern of the physical names of a resource, as Pulumi.yaml's autonaming pattern makes them. prefix is
// that of the stack. The digits at the end are counted, so that a pattern of stack dev matches no name of stack dev-eu.
func named(prefix, logical string) string { return prefix + logical + "-???????" }

// OwnRoles returns the logical names of the roles that a deployment creates in one account without an organization. Those
// of CI are not among them: an administrator decides who may deploy, not a deployment.
func OwnRoles() []string {
	return []string{
		"cluster-cni-role", "cluster-insights-role", "cluster-node-role", "cluster-role", "network-flow-role", "roles-push", "roles-scientist",
		"sagemaker-role", "storage-transfer", "training-role",
	}
}

// Preview returns the permissions of a preview: to describe resources, and to read the stack's own state with its secrets,
// but no other object, secret or parameter, since a pull request's code runs with them before it is merged.
func (c CI) Preview() Document {
	return append(Describe(nil), c.reach(Values{"s3:GetObject"}, Values{"kms:Decrypt"})...)
}

// Describe returns the permissions to describe the program's resources, which a preview and a refresh need, but to read
// no secret, no parameter, and no object except those with the given ARNs: S3 tells an object's headers to whoever may
// read it.
func Describe(objects []string) Document {
	d := Document{{
		Sid: "SeeResources", Effect: Allow, Resource: []string{"*"},
		Action: []string{
			"autoscaling:Describe*", "budgets:View*", "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:ListTags", "cloudwatch:Describe*", "datasync:Describe*", "datasync:List*",
			"ec2:Describe*", "ec2:GetEbsEncryptionByDefault", "ec2:GetImageBlockPublicAccessState", "ec2:GetSnapshotBlockPublicAccessState", "ecr:Describe*", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:List*",
			"eks:Describe*", "eks:List*", "iam:Get*", "iam:List*", "kms:DescribeKey", "kms:GetKey*", "kms:List*",
			"logs:Describe*", "logs:ListTags*", "organizations:Describe*", "organizations:List*",
			"resource-groups:Get*", "resource-groups:List*",
			"s3:GetAccelerateConfiguration", "s3:GetAccountPublicAccessBlock", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
			"s3:GetReplicationConfiguration", "s3:ListAllMyBuckets", "s3:ListBucket",
			"sagemaker:Describe*", "sagemaker:List*", "servicequotas:Get*", "servicequotas:List*", "tag:Get*",
		},
	}}
	if len(objects) > 0 {
		d = append(d, Statement{Sid: "SeeSources", Effect: Allow, Action: []string{"s3:GetObject"}, Resource: objects})
	}
	return d
}

// PreviewTrust returns the trust policy of the read-only role that previews assume in an account of the organization: for
// the management account, and for the CI preview role of the stack whose names have the prefix, in the account of the CI
// roles. Either account may be empty. The condition names a pattern, since a principal must exist when a trust policy names it.
func PreviewTrust(partition, management, ciAccount, prefix string) Document {
	var d Document
	root := func(account string) *Principals {
		return &Principals{AWS: []string{fmt.Sprintf("arn:%s:iam::%s:root", partition, account)}}
	}
	if management != "" {
		d = append(d, Statement{Sid: "ManagementAccount", Effect: Allow, Principal: root(management), Action: assume})
	}
	if ciAccount != "" {
		d = append(d, Statement{Sid: "PullRequests", Effect: Allow, Principal: root(ciAccount), Action: assume,
			Condition: Conditions{"ArnLike": {"aws:PrincipalArn": {RoleARN(partition, ciAccount, named(prefix, "ci-preview"))}}}})
	}
	return d
}

// assume are the actions of a role that assumes another one. aws-actions/configure-aws-credentials tags its sessions.
var assume = Values{"sts:AssumeRole", "sts:TagSession"}

// Deploy returns the permissions of a deployment that assumes no other role: the services that the program uses, and
// IAM for the roles of the stack. They are listed by name: tags cannot limit who passes a role, and a prefix would match
// the roles of a stack whose name begins likewise.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html, read 2026-11-26. A principal that creates and passes roles can grant them anything, so treat
// it as an administrator of the account, bounded by the guardrails and the exact subject.
func (c CI) Deploy() Document {
	var own []string
	for _, name := range OwnRoles() {
		own = append(own, RoleARN(c.Partition, c.Account, named(c.Prefix, name)))
	}
	var bound Conditions
	if c.Boundary != "" {
		bound = Conditions{"StringEquals": {"iam:PermissionsBoundary": {c.Boundary}}}
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
				"iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole*",
			},
			Resource: own,
		},
		{
			// With a permissions boundary, only what has it may be granted permissions. It cannot be removed.
			Sid: "GrantWithinBoundary", Effect: Allow,
			Action: []string{
				"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
			},
			Resource: own, Condition: bound,
		},
		{
			Sid: "PassOwnRoles", Effect: Allow, Action: []string{"iam:PassRole"}, Resource: own,
			Condition: Conditions{"StringEquals": {"iam:PassedToService": {
				"datasync.amazonaws.com", "ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com", "sagemaker.amazonaws.com",
				"vpc-flow-logs.amazonaws.com",
			}}},
		},
		{
			Sid: "CreateServiceLinkedRoles", Effect: Allow, Action: []string{"iam:CreateServiceLinkedRole"},
			Resource: []string{fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/*", c.Partition, c.Account)},
		},
	}
	return append(d, c.reach(stateWrites, stateKeyUses)...)
}

// Assume returns the permissions of a deployment that only assumes other roles.
func (c CI) Assume() Document { return c.reach(stateWrites, stateKeyUses) }

// What a deployment does with the state's objects and key.
var (
	stateWrites  = Values{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}
	stateKeyUses = Values{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"}
)

// reach returns the permissions for the actions on Pulumi's state and its key, and to assume the roles.
func (c CI) reach(objects, keys Values) Document {
	d := c.useState(objects, keys)
	if len(c.Roles) > 0 {
		d = append(d, Statement{Sid: "AssumeRoles", Effect: Allow, Action: assume, Resource: sorted(c.Roles)})
	}
	return d
}
