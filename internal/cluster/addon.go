package cluster

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

type addonArgs struct {
	name   string            // one of catalog's
	values map[string]any    // configuration; nil: the add-on's defaults
	needs  []pulumi.Resource // must exist before it
}

// newAddon creates an EKS add-on, in the build that belongs to the release. It overwrites what EKS installs by
// itself, and later preserves what an operator has tuned.
func newAddon(ctx *pulumi.Context, place Place, controlPlane ControlPlane, args addonArgs) (*eks.Addon, error) {
	addon := &eks.AddonArgs{
		ClusterName:              controlPlane.Name,
		AddonName:                pulumi.String(args.name),
		AddonVersion:             pulumi.String(controlPlane.release.Addons[args.name]),
		ResolveConflictsOnCreate: pulumi.String("OVERWRITE"),
		ResolveConflictsOnUpdate: pulumi.String("PRESERVE"),
	}
	if args.values != nil {
		text, err := json.Marshal(args.values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", args.name, err)
		}
		addon.ConfigurationValues = pulumi.String(string(text))
	}
	created, err := eks.NewAddon(ctx, place.Name+"-"+args.name, addon, place.child(), pulumi.DependsOn(args.needs))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args.name, err)
	}
	return created, nil
}
