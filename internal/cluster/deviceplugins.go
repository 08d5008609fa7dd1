package cluster

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/kubeobject"
	"llm-platform/internal/nodepool"
)

// NewDevicePlugins creates the device plugins that the pools need and returns their DaemonSets.
func NewDevicePlugins(
	ctx *pulumi.Context, place Place, schedulable Schedulable, pools map[string]nodepool.Facts,
) ([]pulumi.Resource, error) {
	var sets []pulumi.Resource
	options := pulumi.Composite(place.child(), pulumi.Provider(schedulable.joinable.controlPlane.Kubernetes))
	for _, plugin := range nodepool.DevicePlugins(place.Region, pools) {
		name := place.Name + "-" + plugin.Name
		needs := []pulumi.Resource{schedulable.Nodes}
		if plugin.Account != nil {
			binding, err := newPluginAccount(ctx, name, plugin.Account, options)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", plugin.Name, err)
			}
			needs = append(needs, binding)
		}
		set, err := kubeobject.New(ctx, name, plugin.DaemonSet, nil, options, pulumi.DependsOn(needs))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", plugin.Name, err)
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// newPluginAccount creates a service account with a plugin's permissions and returns their binding.
func newPluginAccount(
	ctx *pulumi.Context, name string, plugin *nodepool.PluginAccount, options pulumi.ResourceOption,
) (pulumi.Resource, error) {
	account, err := kubeobject.New(ctx, name+"-account", plugin.ServiceAccount, nil, options)
	if err != nil {
		return nil, err
	}
	role, err := kubeobject.New(ctx, name+"-role", plugin.Role, nil, options)
	if err != nil {
		return nil, err
	}
	return kubeobject.New(ctx, name+"-binding", plugin.Binding, nil, options, pulumi.DependsOn([]pulumi.Resource{account, role}))
}
