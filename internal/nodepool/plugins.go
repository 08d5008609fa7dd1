package nodepool

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
)

// DevicePlugin is one device plugin as Kubernetes objects. It tells the kubelet which devices a node has: EKS's images
// contain drivers, but no plugin.
type DevicePlugin struct {
	Name      string // of all its objects
	DaemonSet *appsv1.DaemonSet
	Account   *PluginAccount // nil: the plugin does not use the Kubernetes API
}

// PluginAccount is a plugin's access to the Kubernetes API.
type PluginAccount struct {
	ServiceAccount *corev1.ServiceAccount
	Role           *rbacv1.ClusterRole
	Binding        *rbacv1.ClusterRoleBinding
}

const pluginNamespace = "kube-system"

// DevicePlugins returns the plugins that some pools need. They are written here and not installed from Helm charts, so
// that no chart is downloaded during an update.
func DevicePlugins(region string, pools map[string]Facts) []DevicePlugin {
	var plugins []DevicePlugin
	nvidia := func(pool Facts) bool { return pool.Type.Kind == accelerator.NVIDIA }
	if tolerated := tolerations(pools, nvidia); len(tolerated) > 0 {
		plugins = append(plugins, nvidiaPlugin(tolerated))
	}
	efa := func(pool Facts) bool { return pool.EFA > 0 }
	if tolerated := tolerations(pools, efa); len(tolerated) > 0 {
		plugins = append(plugins, efaPlugin(region, tolerated))
	}
	neuron := func(pool Facts) bool { return pool.Type.Kind == accelerator.Neuron }
	if tolerated := tolerations(pools, neuron); len(tolerated) > 0 {
		plugins = append(plugins, neuronPlugin(tolerated))
	}
	return plugins
}

// tolerations tolerates the taints of the pools that need something, each once, in the order of the pools' names. A
// plugin has no place on other nodes. Every pool has a taint, so no toleration means no such pool.
func tolerations(pools map[string]Facts, needs func(Facts) bool) []corev1.Toleration {
	var found []corev1.Toleration
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		toleration := corev1.Toleration{
			Key: pools[name].TaintKey, Operator: corev1.TolerationOpEqual, Value: pools[name].TaintValue, Effect: corev1.TaintEffectNoSchedule,
		}
		if needs(pools[name]) && !slices.Contains(found, toleration) {
			found = append(found, toleration)
		}
	}
	return found
}

// nvidiaPlugin returns NVIDIA's device plugin in the mode cdi-cri: it writes a CDI specification of the GPUs to the
// host, and answers the kubelet with the names of CDI devices, which containerd injects (nodeadm sets enable_cdi from
// Kubernetes 1.32 on). An unprivileged pod then gets its GPUs whatever the toolkit's configuration of the AMI says.
//
// The other modes depend on that configuration. With envvar, the default, the toolkit must accept
// NVIDIA_VISIBLE_DEVICES from unprivileged containers; where it does not (seen on one AMI, v20260423,
// https://github.com/awslabs/amazon-eks-ami/issues/2706, and not on later ones), it only warns, and the pod starts
// without a GPU. With volume-mounts it must accept mounts, which no AMI enables.
//
// The plugin itself opens NVML, and gets driver and devices by the environment variable of its image. Where the toolkit
// does not accept that from unprivileged containers, it takes CAP_SYS_ADMIN (toolkit, internal/config/image/
// privileged.go; https://github.com/NVIDIA/k8s-device-plugin/issues/856). NVIDIA's Helm chart adds that capability for
// volume-mounts and MIG only, and not for cdi-cri. allowPrivilegeEscalation stays unset as in the chart: a container
// with CAP_SYS_ADMIN may not deny it.
//
// Its root is read-only: it only writes its specification (toolkit, pkg/nvcdi/spec/spec.go, which creates the temporary file in the
// same folder) and its socket in the kubelet's folder. The container runtime's filter of system calls permits what
// CAP_SYS_ADMIN needs. NVIDIA's chart sets neither. Of the other plugins there is no source to read, and their charts set neither.
//
// Sources, read 2026-11-26: k8s-device-plugin v0.20.0 (internal/plugin/server.go, deployments/helm), container toolkit
// v1.20.0 (internal/config/image, pkg/nvcdi), amazon-eks-ami 81fec2e8 (nodeadm/internal/containerd). Nobody has run this
// combination on an EKS node for this program: docs/proof.md has the commands that show it.
func nvidiaPlugin(tolerated []corev1.Toleration) DevicePlugin {
	pod := pluginPod("nvidia-device-plugin", catalog.NVIDIADevicePlugin, nvidiaLabel, tolerated)
	container := &pod.Containers[0]
	container.SecurityContext = &corev1.SecurityContext{
		Capabilities:           &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"SYS_ADMIN"}},
		ReadOnlyRootFilesystem: ptr.To(true),
		SeccompProfile:         &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	container.Env = []corev1.EnvVar{
		{Name: "DEVICE_LIST_STRATEGY", Value: "cdi-cri"},
		{Name: "NVIDIA_DRIVER_ROOT", Value: "/"}, // on the host; goes into the CDI specification
		// The default is nvidia-ctk, which leaves hooks to nvidia-cdi-hook; both are in the toolkit of the AMI.
		{Name: "NVIDIA_CDI_HOOK_PATH", Value: "/usr/bin/nvidia-cdi-hook"},
		// https://github.com/NVIDIA/k8s-device-plugin/issues/1555: libnvsandboxutils can crash.
		{Name: "CDI_FEATURE_FLAGS", Value: "disable-nvsandboxutils"},
		// Toolkit 1.20.0 writes a profile for EGL and Vulkan into /etc/nvidia of every container with GPUs, and the
		// container does not start if it cannot. Training needs none: https://github.com/awslabs/amazon-eks-ami/issues/2790
		{Name: "CDI_DISABLE_HOOKS", Value: "update-application-profile"},
		{Name: "NVIDIA_VISIBLE_DEVICES", Value: "all"},
		{Name: "NVIDIA_DRIVER_CAPABILITIES", Value: "compute,utility"},
		{Name: "MIG_STRATEGY", Value: "none"},
		// True, the default of 0.19.0 to 0.19.2, gives all of /dev/infiniband to every container with a GPU. The EFA
		// plugin owns those devices.
		{Name: "MOFED_ENABLED", Value: "false"},
		{Name: "GDRCOPY_ENABLED", Value: "false"},
		{Name: "GDS_ENABLED", Value: "false"},
	}
	// The plugin looks for the host's driver at /driver-root and writes its specification to /var/run/cdi; both are
	// fixed in it.
	mountHost(&pod, "driver-root", "/", "/driver-root", corev1.HostPathDirectory, true)
	mountHost(&pod, "cdi", "/var/run/cdi", "/var/run/cdi", corev1.HostPathDirectoryOrCreate, false)
	return DevicePlugin{Name: "nvidia-device-plugin", DaemonSet: daemonSet("nvidia-device-plugin", pod)}
}

// efaPlugin returns the device plugin of EFA. It is privileged and on the host's network because it reads the devices
// themselves, and AWS's chart has no other way.
// https://github.com/aws/eks-charts/tree/master/stable/aws-efa-k8s-device-plugin
func efaPlugin(region string, tolerated []corev1.Toleration) DevicePlugin {
	pod := pluginPod("aws-efa-device-plugin", catalog.EFADevicePlugin(region), efaLabel, tolerated)
	pod.HostNetwork = true
	pod.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true), RunAsUser: ptr.To(int64(0))}
	mountHost(&pod, "infiniband", "/dev/infiniband", "/dev/infiniband", corev1.HostPathDirectoryOrCreate, false)
	mountHost(&pod, "neuron", "/opt/aws/neuron", "/opt/aws/neuron", corev1.HostPathDirectoryOrCreate, false)
	return DevicePlugin{Name: "aws-efa-device-plugin", DaemonSet: daemonSet("aws-efa-device-plugin", pod)}
}

// neuronPlugin returns the device plugin of Trainium. Only this plugin uses the Kubernetes API: it records on pods and
// nodes which devices are in use. The mounts are those of the plugin of chart 1.10.0 as a public `kubectl describe` of
// 2026-09-11 shows it, read 2026-11-26; the permissions are from
// https://github.com/aws-neuron/aws-neuron-sdk/blob/master/src/k8/k8s-neuron-device-plugin-rbac.yml
func neuronPlugin(tolerated []corev1.Toleration) DevicePlugin {
	const name = "neuron-device-plugin"
	pod := pluginPod(name, catalog.NeuronDevicePlugin, neuronLabel, tolerated)
	pod.ServiceAccountName, pod.AutomountServiceAccountToken = name, ptr.To(true)
	pod.Containers[0].Env = []corev1.EnvVar{
		{Name: "KUBECONFIG", Value: "/etc/kubernetes/kubelet.conf"},
		{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}},
	}
	mountHost(&pod, "run", "/run", "/run", corev1.HostPathDirectoryOrCreate, false)
	mountHost(&pod, "aws", "/opt/aws", "/opt/aws", corev1.HostPathDirectoryOrCreate, true)
	return DevicePlugin{
		Name: name, DaemonSet: daemonSet(name, pod),
		Account: pluginAccount(name, []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"nodes/status"}, Verbs: []string{"patch", "update"}},
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch", "patch", "update"}},
			{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		}),
	}
}

// pluginPod returns what the pods of all plugins have in common: one container without privileges, on the nodes with a
// label, with the kubelet's folder of device plugins.
func pluginPod(name, image, nodeLabel string, tolerated []corev1.Toleration) corev1.PodSpec {
	pod := corev1.PodSpec{
		PriorityClassName:            "system-node-critical",
		NodeSelector:                 map[string]string{nodeLabel: "true"},
		Tolerations:                  tolerated,
		AutomountServiceAccountToken: ptr.To(false),
		Containers: []corev1.Container{{
			Name:  name,
			Image: image,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			// No vendor says how much memory its plugin needs. The limit is several times what they take, so that a
			// leak ends the plugin and not a training beside it.
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
			},
		}},
	}
	const folder = "/var/lib/kubelet/device-plugins"
	mountHost(&pod, "kubelet-plugins", folder, folder, corev1.HostPathDirectory, false)
	return pod
}

// mountHost mounts a folder of the node in the pod's container.
func mountHost(pod *corev1.PodSpec, name, host, path string, kind corev1.HostPathType, readOnly bool) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: host, Type: ptr.To(kind)},
	}})
	container := &pod.Containers[0]
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: readOnly})
}

func daemonSet(name string, pod corev1.PodSpec) *appsv1.DaemonSet {
	labels := map[string]string{"app.kubernetes.io/name": name}
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: pluginNamespace, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector:       &metav1.LabelSelector{MatchLabels: labels},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType},
			Template:       corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
}

func pluginAccount(name string, rules []rbacv1.PolicyRule) *PluginAccount {
	rbac := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
	}
	return &PluginAccount{
		ServiceAccount: &corev1.ServiceAccount{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: pluginNamespace},
		},
		Role: &rbacv1.ClusterRole{TypeMeta: rbac("ClusterRole"), ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules},
		Binding: &rbacv1.ClusterRoleBinding{
			TypeMeta: rbac("ClusterRoleBinding"), ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: pluginNamespace}},
		},
	}
}
