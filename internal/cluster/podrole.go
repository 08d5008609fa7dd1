package cluster

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
)

// PodRoleArgs describes a role for the pods of one service account. Permissions and Managed are optional.
type PodRoleArgs struct {
	Cluster        pulumi.StringInput // name of the EKS cluster
	Namespace      string
	ServiceAccount string
	Description    string
	Permissions    pulumi.StringInput // inline policy, JSON
	Managed        []string           // names of AWS managed policies
	Parent         pulumi.Resource    // of the role and the association; its provider creates them
}

// NewPodRole creates the role <name>-role and associates it with a service account, as <name>-identity, by EKS
// Pod Identity. The role's Ready includes the association: a pod that starts before it acts as its node.
func NewPodRole(ctx *pulumi.Context, s scope.Scope, account scope.Account, name string, args PodRoleArgs) (scope.Role, error) {
	role, err := s.NewRole(ctx, name+"-role", scope.RoleArgs{
		Description: args.Description,
		Account:     account.ID,
		Trust: scope.Document(account.ID, func(id string) policy.Document {
			return policy.PodTrust(id, fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", s.Partition, s.Region, id, eksName(s)), args.Namespace, args.ServiceAccount)
		}),
		Permissions: args.Permissions,
		Managed:     args.Managed,
		Parent:      args.Parent,
	})
	if err != nil {
		return scope.Role{}, err
	}
	association, err := eks.NewPodIdentityAssociation(ctx, name+"-identity", &eks.PodIdentityAssociationArgs{
		ClusterName:    args.Cluster,
		Namespace:      pulumi.String(args.Namespace),
		ServiceAccount: pulumi.String(args.ServiceAccount),
		RoleArn:        role.Arn,
	}, pulumi.Parent(args.Parent))
	if err != nil {
		return scope.Role{}, fmt.Errorf("association by Pod Identity: %w", err)
	}
	role.Ready = append(role.Ready, association)
	return role, nil
}
