package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/settings"
)

// NewAccess creates the EKS access entries. The role that creates the cluster has access without one.
// https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
func NewAccess(ctx *pulumi.Context, place Place, controlPlane ControlPlane, entries map[string]settings.Access) error {
	for _, entry := range slices.Sorted(maps.Keys(entries)) {
		if err := newAccessEntry(ctx, place, controlPlane, entry, entries[entry]); err != nil {
			return fmt.Errorf("%s: %w", entry, err)
		}
	}
	return nil
}

func newAccessEntry(ctx *pulumi.Context, place Place, controlPlane ControlPlane, entry string, access settings.Access) error {
	// EKS allows one entry for a principal, so that a principal under another name of the settings stays the same resource.
	name := place.Name + "-access-" + access.Principal[strings.LastIndex(access.Principal, "::")+2:]
	formerly := func(suffix string) pulumi.ResourceOption {
		return pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(place.Name + "-access-" + entry + suffix)}})
	}
	args := &eks.AccessEntryArgs{
		ClusterName:  controlPlane.Name,
		PrincipalArn: pulumi.String(access.Principal),
		Type:         pulumi.String("STANDARD"),
	}
	if access.Role == settings.Scientist { // the group has a role in the training namespace
		args.KubernetesGroups = pulumi.ToStringArray([]string{settings.ScientistGroup})
	}
	created, err := eks.NewAccessEntry(ctx, name, args, place.child(), formerly(""), pulumi.ResourceHooks(place.Hooks.AccessEntry))
	if err != nil || access.Role == settings.Scientist {
		return err
	}
	_, err = eks.NewAccessPolicyAssociation(ctx, name+"-policy", &eks.AccessPolicyAssociationArgs{
		ClusterName:  controlPlane.Name,
		PrincipalArn: created.PrincipalArn,
		PolicyArn:    pulumi.String("arn:" + place.Partition + ":eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"),
		AccessScope:  eks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("cluster")},
	}, place.child(), formerly("-policy"))
	return err
}
