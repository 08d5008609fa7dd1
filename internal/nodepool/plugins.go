package nodepool

import (
	"maps"
	"slices"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
)

// DevicePlugin describes the DaemonSet of one device plugin. It tells the scheduler how many devices a node
// has: EKS's images contain drivers, but no plugin.
type DevicePlugin struct {
	Name        string // of the DaemonSet
	Image       string
	NodeLabel   string            // label, with the value true, of the nodes that it runs on
	Tolerated   []Taint           // NoSchedule taints of those nodes; the plugin has no place on others
	HostNetwork bool              //
	Privileged  bool              // as root with all privileges; otherwise without any capability
	HostFolders []string          // mounted in addition to the kubelet's folder of device plugins
	Environment map[string]string // values by name
	NodeNameIn  string            // environment variable that holds the node's name, or empty
	Permissions []Permission      // on the Kubernetes API, through a service account of the plugin's name; none: no token
}

// Taint is the key and value of a NoSchedule taint.
type Taint struct{ Key, Value string }

// Permission is a rule of a Kubernetes ClusterRole about a resource of the core API group.
type Permission struct {
	Resource string
	Verbs    []string
}

// DevicePlugins returns the plugins that some pools need.
func DevicePlugins(region string, pools map[string]Facts) []DevicePlugin {
	var plugins []DevicePlugin
	add := func(plugin DevicePlugin, needs func(Facts) bool) {
		if plugin.Tolerated = taints(pools, needs); len(plugin.Tolerated) > 0 {
			plugins = append(plugins, plugin)
		}
	}
	add(DevicePlugin{
		Name: "nvidia-device-plugin", Image: catalog.NVIDIADevicePlugin, NodeLabel: nvidiaLabel,
	}, func(pool Facts) bool { return pool.Type.Kind == accelerator.NVIDIA })
	add(DevicePlugin{
		Name: "aws-efa-device-plugin", Image: catalog.EFADevicePlugin(region), NodeLabel: efaLabel,
		HostNetwork: true,
		Privileged:  true, // it reads the devices themselves, and AWS's chart has no other way
		HostFolders: []string{"/dev/infiniband", "/opt/aws/neuron"},
	}, func(pool Facts) bool { return pool.EFA > 0 })
	// Only this plugin uses the Kubernetes API: it records on pods and nodes which devices are in use.
	// https://github.com/aws-neuron/aws-neuron-sdk/blob/master/src/k8/k8s-neuron-device-plugin-rbac.yml
	add(DevicePlugin{
		Name: "neuron-device-plugin", Image: catalog.NeuronDevicePlugin, NodeLabel: neuronLabel,
		HostFolders: []string{"/run"},
		Environment: map[string]string{"KUBECONFIG": "/etc/kubernetes/kubelet.conf"},
		NodeNameIn:  "NODE_NAME",
		Permissions: []Permission{
			{"nodes", []string{"get", "list", "watch"}},
			{"nodes/status", []string{"patch", "update"}},
			{"pods", []string{"get", "list", "watch", "patch", "update"}},
			{"events", []string{"create", "patch"}},
		},
	}, func(pool Facts) bool { return pool.Type.Kind == accelerator.Neuron })
	return plugins
}

// taints returns the taints of the pools that need something, each once, in the order of the pools' names.
// Every pool has a taint, so no taint means no such pool.
func taints(pools map[string]Facts, needs func(Facts) bool) []Taint {
	var found []Taint
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		taint := Taint{pools[name].TaintKey, pools[name].TaintValue}
		if needs(pools[name]) && !slices.Contains(found, taint) {
			found = append(found, taint)
		}
	}
	return found
}
