package nodepool

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"llm-platform/internal/catalog"
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

// every returns all plugins by name.
func every(t *testing.T) map[string]DevicePlugin {
	t.Helper()
	plugins := map[string]DevicePlugin{}
	for _, plugin := range DevicePlugins("us-west-2", facts(t, "p5.48xlarge", "trn1.2xlarge")) {
		plugins[plugin.Name] = plugin
	}
	if len(plugins) != 3 {
		t.Fatalf("%d plugins: this test tests little", len(plugins))
	}
	return plugins
}

func podOf(plugin DevicePlugin) corev1.PodSpec { return plugin.DaemonSet.Spec.Template.Spec }

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
		selector := slices.Collect(maps.Keys(podOf(plugin).NodeSelector))
		if len(selector) != 1 {
			t.Fatalf("%s selects by %v", plugin.Name, selector)
		}
		for name, pool := range pools {
			has := pool.Labels[selector[0]] == "true"
			tolerated := slices.Contains(podOf(plugin).Tolerations, corev1.Toleration{
				Key: pool.TaintKey, Operator: corev1.TolerationOpEqual, Value: pool.TaintValue, Effect: corev1.TaintEffectNoSchedule,
			})
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
		if tolerations := podOf(plugin).Tolerations; len(tolerations) != 1 {
			t.Errorf("%s tolerates %v", plugin.Name, tolerations)
		}
	}
}

// Only EFA's plugin is privileged, only NVIDIA's has a capability, and only Neuron's uses the Kubernetes API.
func TestPluginPrivileges(t *testing.T) {
	for name, plugin := range every(t) {
		pod, security := podOf(plugin), podOf(plugin).Containers[0].SecurityContext
		privileged := security.Privileged != nil && *security.Privileged
		if efa := name == "aws-efa-device-plugin"; privileged != efa || pod.HostNetwork != efa {
			t.Errorf("%s: privileged %t, host network %t", name, privileged, pod.HostNetwork)
		}
		var added []corev1.Capability
		if security.Capabilities != nil {
			if added = security.Capabilities.Add; !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("%s drops %v", name, security.Capabilities.Drop)
			}
		} else if !privileged {
			t.Errorf("%s keeps its capabilities", name)
		}
		if want := name == "nvidia-device-plugin"; slices.Equal(added, []corev1.Capability{"SYS_ADMIN"}) != want || len(added) > 1 {
			t.Errorf("%s adds %v", name, added)
		}
		if want := name == "neuron-device-plugin"; (plugin.Account != nil) != want || *pod.AutomountServiceAccountToken != want {
			t.Errorf("%s: account %v, token %t", name, plugin.Account, *pod.AutomountServiceAccountToken)
		}
		if plugin.Account == nil {
			continue
		}
		account := plugin.Account
		if pod.ServiceAccountName != account.ServiceAccount.Name || account.Binding.RoleRef.Name != account.Role.Name ||
			account.Binding.Subjects[0].Name != account.ServiceAccount.Name || account.Binding.Subjects[0].Namespace != plugin.DaemonSet.Namespace {
			t.Errorf("%s: its account and its role are not bound: %+v", name, account.Binding)
		}
		for _, rule := range account.Role.Rules {
			if slices.Contains(rule.Verbs, "*") || slices.Contains(rule.Verbs, "delete") || strings.Contains(strings.Join(rule.Resources, " "), "*") {
				t.Errorf("%s may %v %v", name, rule.Verbs, rule.Resources)
			}
		}
	}
}

// An unprivileged pod gets its GPUs by CDI, whatever the AMI's container toolkit accepts. See nvidiaPlugin.
func TestNVIDIAPluginUsesCDI(t *testing.T) {
	pod := podOf(every(t)["nvidia-device-plugin"])
	container := pod.Containers[0]
	env := map[string]string{}
	for _, variable := range container.Env {
		env[variable.Name] = variable.Value
	}
	want := map[string]string{
		"DEVICE_LIST_STRATEGY": "cdi-cri", "NVIDIA_DRIVER_ROOT": "/", "NVIDIA_CDI_HOOK_PATH": "/usr/bin/nvidia-cdi-hook",
		"CDI_FEATURE_FLAGS": "disable-nvsandboxutils", "CDI_DISABLE_HOOKS": "update-application-profile",
		"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
		"MIG_STRATEGY": "none", "MOFED_ENABLED": "false", "GDRCOPY_ENABLED": "false", "GDS_ENABLED": "false",
	}
	if !maps.Equal(env, want) {
		t.Errorf("environment is %v, want %v", env, want)
	}
	security := container.SecurityContext
	if !*security.ReadOnlyRootFilesystem || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context is %+v", security)
	}
	if security.AllowPrivilegeEscalation != nil {
		t.Error("allowPrivilegeEscalation is set, which contradicts CAP_SYS_ADMIN")
	}
	if got, want := hostMounts(t, pod), map[string]string{
		"/var/lib/kubelet/device-plugins": "/var/lib/kubelet/device-plugins Directory",
		"/driver-root":                    "/ Directory read-only",
		"/var/run/cdi":                    "/var/run/cdi DirectoryOrCreate",
	}; !maps.Equal(got, want) {
		t.Errorf("mounts are %v, want %v", got, want)
	}
	if pod.HostPID || pod.RuntimeClassName != nil {
		t.Errorf("host PID %t, runtime class %v", pod.HostPID, pod.RuntimeClassName)
	}
}

// Neuron's plugin of 2.32 reads what the host has in /opt/aws.
func TestNeuronPluginMounts(t *testing.T) {
	if got, want := hostMounts(t, podOf(every(t)["neuron-device-plugin"])), map[string]string{
		"/var/lib/kubelet/device-plugins": "/var/lib/kubelet/device-plugins Directory",
		"/run":                            "/run DirectoryOrCreate",
		"/opt/aws":                        "/opt/aws DirectoryOrCreate read-only",
	}; !maps.Equal(got, want) {
		t.Errorf("mounts are %v, want %v", got, want)
	}
}

// hostMounts returns for each path in the container: path on the host, its type, and whether it is read-only.
func hostMounts(t *testing.T, pod corev1.PodSpec) map[string]string {
	t.Helper()
	host := map[string]string{}
	for _, volume := range pod.Volumes {
		host[volume.Name] = volume.HostPath.Path + " " + string(*volume.HostPath.Type)
	}
	found := map[string]string{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		found[mount.MountPath] = host[mount.Name]
		if mount.ReadOnly {
			found[mount.MountPath] += " read-only"
		}
	}
	return found
}

// The container toolkit writes into /etc/nvidia of each container with GPUs before it starts. A mount there, or above,
// would stop the container: https://github.com/awslabs/amazon-eks-ami/issues/2790
func TestNVIDIAPluginLeavesEtcAlone(t *testing.T) {
	for _, mount := range podOf(every(t)["nvidia-device-plugin"]).Containers[0].VolumeMounts {
		if strings.HasPrefix("/etc/nvidia/", strings.TrimSuffix(mount.MountPath, "/")+"/") || strings.HasPrefix(mount.MountPath, "/etc/nvidia") {
			t.Errorf("mounts %s", mount.MountPath)
		}
	}
}

// What runs as root on every accelerator node is named by digest, so that nobody can put something else under a tag; or it comes
// from EKS's own registry.
func TestPluginsAreNamedByDigest(t *testing.T) {
	for name, plugin := range every(t) {
		image := podOf(plugin).Containers[0].Image
		if _, digest, _ := strings.Cut(image, "@sha256:"); len(digest) != 64 && !strings.HasPrefix(image, catalog.EKSRegistry("us-west-2")+"/eks/") {
			t.Errorf("%s: %s can be moved", name, image)
		}
	}
}

// A leak in a plugin ends the plugin, and not what runs beside it.
func TestPluginsHaveMemoryLimits(t *testing.T) {
	for name, plugin := range every(t) {
		resources := podOf(plugin).Containers[0].Resources
		if limit := resources.Limits.Memory(); limit.IsZero() || limit.Cmp(*resources.Requests.Memory()) < 0 {
			t.Errorf("%s: memory limit %s", name, limit)
		}
	}
}
