package cluster

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
)

// Joinable is a control plane that nodes can join and become ready in.
type Joinable struct {
	Addons []pulumi.Resource // Pod Identity agent, kube-proxy and CNI; pods wait for them

	controlPlane ControlPlane
	beforeNodes  []pulumi.Resource // must exist before a node starts
}

// NewNodeAddons creates what a node needs to become ready: network addresses for pods, services, and identities.
// The CNI has its permissions by Pod Identity, which keeps them from the nodes and their other pods.
func NewNodeAddons(ctx *pulumi.Context, place Place, controlPlane ControlPlane) (Joinable, error) {
	cni, err := newPodRole(ctx, place, place.Name+"-cni", PodRoleArgs{
		Cluster:        controlPlane.Name,
		Namespace:      "kube-system",
		ServiceAccount: "aws-node",
		Description:    "Assumed by the VPC CNI",
		Managed:        []string{"AmazonEKS_CNI_Policy"},
		Parent:         place.Parent,
	})
	if err != nil {
		return Joinable{}, fmt.Errorf("CNI role: %w", err)
	}
	var addons []pulumi.Resource
	for _, addon := range []addonArgs{
		{name: catalog.PodIdentityAgent},
		{name: catalog.KubeProxy},
		// Without it, network policies are accepted and have no effect. Its mode stays standard: a pod is restricted a moment after it has
		// started. In strict mode, every pod of the cluster would need a policy, those of the system and of an operator included.
		// https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html, read 2026-11-26
		{name: catalog.VPCCNI, needs: cni, values: map[string]any{"enableNetworkPolicy": "true"}},
	} {
		created, err := newAddon(ctx, place, controlPlane, addon)
		if err != nil {
			return Joinable{}, err
		}
		addons = append(addons, created)
	}
	return Joinable{
		Addons:       addons,
		controlPlane: controlPlane,
		beforeNodes:  slices.Concat(controlPlane.nodeRole.Ready, controlPlane.network.routes, addons),
	}, nil
}
