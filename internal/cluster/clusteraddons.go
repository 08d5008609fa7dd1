package cluster

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/settings"
)

// NewClusterAddons creates the add-ons that run on nodes; without a node, EKS reports them as degraded until it
// gives up. It returns those that other pods wait for: CoreDNS. Metrics and monitoring are no condition of a
// pod, so a fault in them must not hold back a training.
func NewClusterAddons(ctx *pulumi.Context, place Place, schedulable Schedulable, cfg settings.Cluster) ([]pulumi.Resource, error) {
	controlPlane := schedulable.joinable.controlPlane
	nodes := []pulumi.Resource{schedulable.Nodes}
	dns, err := newAddon(ctx, place, controlPlane, addonArgs{name: catalog.CoreDNS, needs: nodes})
	if err != nil {
		return nil, err
	}
	if _, err := newAddon(ctx, place, controlPlane, addonArgs{name: catalog.MetricsServer, needs: nodes}); err != nil {
		return nil, err
	}
	// It reports broken GPUs to node repair, so it must run on their nodes. Its DCGM part tolerates no taint by
	// default, and without it a working GPU counts as broken:
	// https://github.com/aws/containers-roadmap/issues/2555
	if _, err := newAddon(ctx, place, controlPlane, addonArgs{name: catalog.NodeMonitoring, needs: nodes, values: map[string]any{
		"nodeAgent": map[string]any{"tolerations": tolerateAll()},
		"dcgmAgent": map[string]any{"tolerations": tolerateAll()},
	}}); err != nil {
		return nil, err
	}
	if cfg.ContainerInsights {
		if err := newContainerInsights(ctx, place, schedulable, cfg.LogDays); err != nil {
			return nil, err
		}
	}
	return []pulumi.Resource{dns}, nil
}

// newContainerInsights sends metrics and logs of nodes, pods and GPUs to CloudWatch. Application Signals is for
// web services and stays off. The logs are kept for so many days.
func newContainerInsights(ctx *pulumi.Context, place Place, schedulable Schedulable, days int) error {
	controlPlane := schedulable.joinable.controlPlane
	agent, err := newPodRole(ctx, place, place.Name+"-insights", PodRoleArgs{
		Cluster:        controlPlane.Name,
		Namespace:      "amazon-cloudwatch",
		ServiceAccount: "cloudwatch-agent",
		Description:    "Assumed by the CloudWatch agent",
		Managed:        []string{"CloudWatchAgentServerPolicy"},
		Parent:         place.Parent,
	})
	if err != nil {
		return fmt.Errorf("CloudWatch role: %w", err)
	}
	groups, err := newInsightsLogGroups(ctx, place, days)
	if err != nil {
		return err
	}
	_, err = newAddon(ctx, place, controlPlane, addonArgs{
		name:  catalog.CloudWatch,
		needs: slices.Concat(agent, groups, []pulumi.Resource{schedulable.Nodes}),
		values: map[string]any{
			"tolerations": tolerateAll(),
			"manager":     map[string]any{"applicationSignals": map[string]any{"autoMonitor": map[string]any{"monitorAllServices": false}}},
		},
	})
	return err
}

// tolerateAll returns the toleration of pods that run on every node, whatever its taints.
func tolerateAll() []map[string]string { return []map[string]string{{"operator": "Exists"}} }
