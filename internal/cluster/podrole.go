package cluster

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
)

// PodRoleArgs describes a role for pods. Permissions and Managed are optional.
type PodRoleArgs struct {
	Cluster        pulumi.StringInput // name of the EKS cluster
	Namespace      string
	ServiceAccount string // its name, or in NewPodRole a pattern of names
	Description    string
	Permissions    pulumi.StringInput // inline policy, JSON
	Managed        []string           // names of AWS managed policies
	Parent         pulumi.Resource    // of the role and the association; its provider creates them
}

// NewPodRole creates the role <name>-role, which pods can use once NewPodIdentity associates it with their service account.
func NewPodRole(ctx *pulumi.Context, s scope.Scope, account scope.Account, name string, args PodRoleArgs) (scope.Role, error) {
	return s.NewRole(ctx, name+"-role", scope.RoleArgs{
		Description: args.Description,
		Account:     account.ID,
		Trust: scope.Document(account.ID, func(id string) policy.Document {
			return policy.PodTrust(id, fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", s.Partition, s.Region, id, eksName(s)), args.Namespace, args.ServiceAccount)
		}),
		Permissions: args.Permissions,
		Managed:     args.Managed,
		Parent:      args.Parent,
	})
}

// NewPodIdentity associates a role with a service account by EKS Pod Identity. A pod that starts before it acts as its node.
func NewPodIdentity(ctx *pulumi.Context, name string, role scope.Role, args PodRoleArgs) (pulumi.Resource, error) {
	association, err := eks.NewPodIdentityAssociation(ctx, name, &eks.PodIdentityAssociationArgs{
		ClusterName:    args.Cluster,
		Namespace:      pulumi.String(args.Namespace),
		ServiceAccount: pulumi.String(args.ServiceAccount),
		RoleArn:        role.Arn,
	}, pulumi.Parent(args.Parent), pulumi.DependsOn(role.Ready))
	if err != nil {
		return nil, fmt.Errorf("association by Pod Identity: %w", err)
	}
	return association, nil
}

// newPodRole creates the role <name>-role with its association <name>-identity, and returns what pods that use it wait for.
func newPodRole(ctx *pulumi.Context, place Place, name string, args PodRoleArgs) ([]pulumi.Resource, error) {
	role, err := NewPodRole(ctx, place.Scope, place.Account, name, args)
	if err != nil {
		return nil, err
	}
	association, err := NewPodIdentity(ctx, name+"-identity", role, args)
	return append(role.Ready, association), err
}
