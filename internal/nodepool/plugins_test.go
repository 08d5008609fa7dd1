package nodepool

import (
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/settings"
)

// facts returns pools by the name of their instance type, each with a taint of its own.
func facts(t *testing.T, instanceTypes ...string) map[string]Facts {
	t.Helper()
	pools := map[string]Facts{}
	for _, instanceType := range instanceTypes {
		pool := checked(t, instanceType, settings.OnDemand)
		pool.TaintKey, pool.TaintValue = "for", instanceType
		pools[instanceType] = NewFacts(instanceType, pool, true)
	}
	return pools
}

func TestDevicePluginsOfPools(t *testing.T) {
	for _, c := range []struct{ pools, want []string }{
		{nil, nil},
		{[]string{"g5.xlarge"}, []string{"nvidia-device-plugin"}},
		{[]string{"p5.48xlarge"}, []string{"nvidia-device-plugin", "aws-efa-device-plugin"}},
		{[]string{"trn1.2xlarge"}, []string{"neuron-device-plugin"}},
		{[]string{"trn1.32xlarge", "g5.xlarge"}, []string{"nvidia-device-plugin", "aws-efa-device-plugin", "neuron-device-plugin"}},
	} {
		var got []string
		for _, plugin := range DevicePlugins("us-west-2", facts(t, c.pools...)) {
			got = append(got, plugin.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v get %v, want %v", c.pools, got, c.want)
		}
	}
}

// A plugin runs on all nodes with its label and on no others: it tolerates the taints of exactly those pools.
func TestPluginsTolerateTheirNodes(t *testing.T) {
	pools := facts(t, "g5.xlarge", "p4d.24xlarge", "p5.48xlarge", "trn1.2xlarge", "trn1.32xlarge")
	plugins := DevicePlugins("us-west-2", pools)
	if len(plugins) != 3 {
		t.Fatalf("%d plugins: this test tests little", len(plugins))
	}
	for _, plugin := range plugins {
		for name, pool := range pools {
			has := pool.Labels[plugin.NodeLabel] == "true"
			tolerated := slices.Contains(plugin.Tolerated, Taint{pool.TaintKey, pool.TaintValue})
			if has != tolerated {
				t.Errorf("%s: %s has the label: %t, and its taint is tolerated: %t", plugin.Name, name, has, tolerated)
			}
		}
	}
}

func TestTolerationsAreUnique(t *testing.T) {
	pools := facts(t, "g5.xlarge")
	pools["other"] = pools["g5.xlarge"]
	for _, plugin := range DevicePlugins("us-west-2", pools) {
		if len(plugin.Tolerated) != 1 {
			t.Errorf("%s tolerates %v", plugin.Name, plugin.Tolerated)
		}
	}
}

// Only EFA's plugin is privileged, and only Neuron's may use the Kubernetes API.
func TestPluginPrivileges(t *testing.T) {
	for _, plugin := range DevicePlugins("us-west-2", facts(t, "p5.48xlarge", "trn1.2xlarge")) {
		if efa := plugin.Name == "aws-efa-device-plugin"; plugin.Privileged != efa || plugin.HostNetwork != efa {
			t.Errorf("%s: privileged %t, host network %t", plugin.Name, plugin.Privileged, plugin.HostNetwork)
		}
		if (len(plugin.Permissions) > 0) != (plugin.Name == "neuron-device-plugin") {
			t.Errorf("%s may %v", plugin.Name, plugin.Permissions)
		}
		for _, permission := range plugin.Permissions {
			if slices.Contains(permission.Verbs, "*") || slices.Contains(permission.Verbs, "delete") || strings.Contains(permission.Resource, "*") {
				t.Errorf("%s may %v %s", plugin.Name, permission.Verbs, permission.Resource)
			}
		}
	}
}
