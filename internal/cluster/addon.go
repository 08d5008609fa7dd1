package cluster

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newAddon creates an EKS add-on, in the build that belongs to the release. It overwrites what EKS installs by
// itself, and later preserves what an operator has tuned.
func newAddon(ctx *pulumi.Context, place Place, controlPlane ControlPlane, name string, values map[string]any, needs ...pulumi.Resource) (*eks.Addon, error) {
	args := &eks.AddonArgs{
		ClusterName:              controlPlane.Name,
		AddonName:                pulumi.String(name),
		AddonVersion:             pulumi.String(controlPlane.release.Addons[name]),
		ResolveConflictsOnCreate: pulumi.String("OVERWRITE"),
		ResolveConflictsOnUpdate: pulumi.String("PRESERVE"),
	}
	if values != nil {
		text, err := json.Marshal(values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		args.ConfigurationValues = pulumi.String(string(text))
	}
	addon, err := eks.NewAddon(ctx, place.Name+"-"+name, args, place.child(), pulumi.DependsOn(needs))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return addon, nil
}
