package scope

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
)

// RoleArgs describes a role. Trust, Description and Account are required.
type RoleArgs struct {
	Name         string // only where the name is a contract; empty: chosen by Pulumi
	Description  string
	Account      pulumi.StringOutput     // id of the role's account
	Trust        pulumi.StringInput      // assume-role policy, JSON
	Permissions  pulumi.StringInput      // inline policy, JSON; nil: none
	Managed      []string                // names of AWS managed policies to attach, for example AmazonEKS_CNI_Policy
	SessionHours int                     // longest session; 0: one hour
	Parent       pulumi.Resource         // of role and policies; its provider creates them
	Provider     pulumi.ProviderResource // creates them instead; nil: the parent's
	DependsOn    []pulumi.Resource
}

// Role is a role with its permissions.
type Role struct {
	*iam.Role
	// Ready are the role's policies. Whatever acts as the role depends on them: otherwise it starts before it
	// has its permissions and, on destroy, loses them before it has ended.
	Ready []pulumi.Resource
}

// NewRole creates a role with the inline policy <name>-policy and the attachments <name>-<managed policy>, within the
// stack's permissions boundary.
func (s Scope) NewRole(ctx *pulumi.Context, name string, args RoleArgs) (Role, error) {
	inputs := &iam.RoleArgs{
		Description:      pulumi.String(args.Description),
		AssumeRolePolicy: args.Trust,
	}
	if args.Account.OutputState == nil {
		return Role{}, errors.New("role: its account is required")
	}
	if s.Boundary != "" {
		inputs.PermissionsBoundary = args.Account.ApplyT(func(id string) string {
			return policy.PolicyARN(s.Partition, id, s.Boundary)
		}).(pulumi.StringOutput)
	}
	if args.Name != "" {
		inputs.Name = pulumi.String(args.Name)
	}
	if args.SessionHours > 0 {
		inputs.MaxSessionDuration = pulumi.Int(args.SessionHours * 3600)
	}
	child := []pulumi.ResourceOption{pulumi.Parent(args.Parent)}
	if args.Provider != nil {
		child = append(child, pulumi.Provider(args.Provider))
	}
	role, err := iam.NewRole(ctx, name, inputs, append(slices.Clone(child), pulumi.DependsOn(args.DependsOn))...)
	if err != nil {
		return Role{}, fmt.Errorf("role: %w", err)
	}
	created := Role{Role: role}
	if args.Permissions != nil {
		inline, err := iam.NewRolePolicy(ctx, name+"-policy", &iam.RolePolicyArgs{
			Role: role.Name, Policy: args.Permissions,
		}, child...)
		if err != nil {
			return Role{}, fmt.Errorf("permissions: %w", err)
		}
		created.Ready = append(created.Ready, inline)
	}
	for _, managed := range args.Managed {
		attachment, err := iam.NewRolePolicyAttachment(ctx, name+"-"+managed, &iam.RolePolicyAttachmentArgs{
			Role: role.Name, PolicyArn: pulumi.Sprintf("arn:%s:iam::aws:policy/%s", s.Partition, managed),
		}, pulumi.Parent(role))
		if err != nil {
			return Role{}, fmt.Errorf("policy %s: %w", managed, err)
		}
		created.Ready = append(created.Ready, attachment)
	}
	return created, nil
}

// NewKey creates a KMS key with the policy that of returns for the account. AWS deletes it 30 days, the longest wait
// there is, after the program does.
func (s Scope) NewKey(
	ctx *pulumi.Context, name, description string, account Account, of func(policy.Perimeter) policy.Document, opts ...pulumi.ResourceOption,
) (*kms.Key, error) {
	return kms.NewKey(ctx, name, &kms.KeyArgs{
		Description:          pulumi.String(description),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(30),
		Policy: s.Perimeter(account).ApplyT(func(p any) (string, error) {
			return of(p.(policy.Perimeter)).JSON()
		}).(pulumi.StringOutput),
	}, opts...)
}

// Perimeter returns the policy.Perimeter of the buckets and keys of an account.
func (s Scope) Perimeter(account Account) pulumi.Output {
	return pulumi.All(account.ID, account.Org, account.Trusted.ToStringArrayOutput()).ApplyT(func(known []any) policy.Perimeter {
		return policy.Perimeter{
			Partition: s.Partition, Account: known[0].(string), Organization: known[1].(string), Trusted: known[2].([]string),
		}
	})
}

// Document returns the JSON of a policy that names an account's id.
func Document(account pulumi.StringOutput, of func(id string) policy.Document) pulumi.StringOutput {
	return account.ApplyT(func(id string) (string, error) { return of(id).JSON() }).(pulumi.StringOutput)
}
