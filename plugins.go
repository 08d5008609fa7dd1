package main

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/nodepool"
)

// Device plugins tell the scheduler how many devices a node has. The node images
// bring drivers and no plugin. They stand here as typed objects, at a fixed version,
// so that no chart is downloaded in the middle of an update.
const (
	// https://github.com/NVIDIA/k8s-device-plugin/blob/main/deployments/static/nvidia-device-plugin.yml, read 2026-11-22
	nvidiaPlugin = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"
	// https://github.com/aws/eks-charts/blob/master/stable/aws-efa-k8s-device-plugin/values.yaml, read 2026-11-22
	efaPlugin = "eks/aws-efa-k8s-device-plugin:v0.5.20"
	// https://github.com/aws-neuron/aws-neuron-sdk/blob/master/src/k8/k8s-neuron-device-plugin.yml, read 2026-11-22
	neuronPlugin = "public.ecr.aws/neuron/neuron-device-plugin:2.22.4.0"
)

const pluginNamespace = "kube-system"

// devicePlugin is what sets one device plugin apart from the others.
type devicePlugin struct {
	name    string // of the DaemonSet
	image   string
	label   string // of the nodes that it runs on
	account string // service account; empty: none, and no token
	host    bool   // in the node's network
	env     corev1.EnvVarArray
	secure  corev1.SecurityContextArgs
	mounts  []string // host folders beside the kubelet's plugin folder
}

// confined is the security context of a plugin that only talks to the kubelet.
func confined() corev1.SecurityContextArgs {
	return corev1.SecurityContextArgs{
		AllowPrivilegeEscalation: pulumi.Bool(false),
		Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
	}
}

// devicePlugins makes the plugins that the configured pools need.
func (b *clusterBuilder) devicePlugins() error {
	if b.anyPool(isNVIDIA) {
		if err := b.devicePlugin(devicePlugin{
			name: "nvidia-device-plugin", image: nvidiaPlugin, label: nodepool.NVIDIALabel, secure: confined(),
		}, isNVIDIA); err != nil {
			return err
		}
	}
	if b.anyPool(hasEFA) {
		if err := b.devicePlugin(devicePlugin{
			name: "aws-efa-device-plugin", image: eksRegistry(b.cfg.Region) + "/" + efaPlugin, label: nodepool.EFALabel,
			host:   true,
			mounts: []string{"/dev/infiniband", "/opt/aws/neuron"},
			// It reads the devices themselves, and the chart has it no other way.
			secure: corev1.SecurityContextArgs{Privileged: pulumi.Bool(true), RunAsUser: pulumi.Int(0)},
		}, hasEFA); err != nil {
			return err
		}
	}
	if b.anyPool(isNeuron) {
		return b.neuronPlugin()
	}
	return nil
}

func isNVIDIA(p Pool) bool { return p.Type.Kind == accelerator.NVIDIA }
func isNeuron(p Pool) bool { return p.Type.Kind == accelerator.Neuron }
func hasEFA(p Pool) bool   { return p.EFA > 0 }

func (b *clusterBuilder) anyPool(is func(Pool) bool) bool {
	for _, pool := range b.cluster.Pools {
		if is(pool) {
			return true
		}
	}
	return false
}

// tolerations is those of the taints of some pools, and of nothing else: a plugin
// has no business on other nodes.
func (b *clusterBuilder) tolerations(of func(Pool) bool) corev1.TolerationArray {
	var all corev1.TolerationArray
	var seen []string
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Cluster.Pools)) {
		pool := b.cluster.Pools[name]
		taint := pool.TaintKey + "=" + pool.TaintValue
		if !of(pool) || slices.Contains(seen, taint) {
			continue
		}
		seen = append(seen, taint)
		all = append(all, corev1.TolerationArgs{
			Key: pulumi.String(pool.TaintKey), Operator: pulumi.String("Equal"),
			Value: pulumi.String(pool.TaintValue), Effect: pulumi.String("NoSchedule"),
		})
	}
	return all
}

// devicePlugin makes one DaemonSet on the nodes of some pools.
func (b *clusterBuilder) devicePlugin(plugin devicePlugin, of func(Pool) bool, needs ...pulumi.Resource) error {
	labels := pulumi.StringMap{"app.kubernetes.io/name": pulumi.String(plugin.name)}
	volumes := corev1.VolumeArray{hostFolder("kubelet-plugins", "/var/lib/kubelet/device-plugins", "Directory")}
	mounts := corev1.VolumeMountArray{corev1.VolumeMountArgs{
		Name: pulumi.String("kubelet-plugins"), MountPath: pulumi.String("/var/lib/kubelet/device-plugins"),
	}}
	for i, folder := range plugin.mounts {
		volume := fmt.Sprintf("host-%d", i)
		volumes = append(volumes, hostFolder(volume, folder, "DirectoryOrCreate"))
		mounts = append(mounts, corev1.VolumeMountArgs{Name: pulumi.String(volume), MountPath: pulumi.String(folder)})
	}
	spec := corev1.PodSpecArgs{
		PriorityClassName:            pulumi.String("system-node-critical"),
		NodeSelector:                 pulumi.StringMap{plugin.label: pulumi.String("true")},
		Tolerations:                  b.tolerations(of),
		AutomountServiceAccountToken: pulumi.Bool(plugin.account != ""),
		HostNetwork:                  pulumi.Bool(plugin.host),
		Volumes:                      volumes,
		Containers: corev1.ContainerArray{corev1.ContainerArgs{
			Name:            pulumi.String(plugin.name),
			Image:           pulumi.String(plugin.image),
			Env:             plugin.env,
			SecurityContext: plugin.secure,
			VolumeMounts:    mounts,
			Resources: corev1.ResourceRequirementsArgs{Requests: pulumi.StringMap{
				"cpu": pulumi.String("10m"), "memory": pulumi.String("64Mi"),
			}},
		}},
	}
	if plugin.account != "" {
		spec.ServiceAccountName = pulumi.String(plugin.account)
	}
	set, err := appsv1.NewDaemonSet(b.ctx, b.name+"-"+plugin.name, &appsv1.DaemonSetArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(plugin.name), Namespace: pulumi.String(pluginNamespace), Labels: labels,
		},
		Spec: appsv1.DaemonSetSpecArgs{
			Selector: metav1.LabelSelectorArgs{MatchLabels: labels},
			Template: corev1.PodTemplateSpecArgs{Metadata: metav1.ObjectMetaArgs{Labels: labels}, Spec: spec},
		},
	}, b.parent(), pulumi.Provider(b.cluster.Provider), pulumi.DependsOn(append(needs, b.system)))
	if err != nil {
		return fmt.Errorf("%s: %w", plugin.name, err)
	}
	b.ready(set)
	return nil
}

func hostFolder(name, path, kind string) corev1.VolumeArgs {
	return corev1.VolumeArgs{
		Name:     pulumi.String(name),
		HostPath: corev1.HostPathVolumeSourceArgs{Path: pulumi.String(path), Type: pulumi.String(kind)},
	}
}

// neuronPlugin makes the plugin of Trainium, the only one that asks the Kubernetes
// API: it notes on pods and nodes which devices are whose.
// https://github.com/aws-neuron/aws-neuron-sdk/blob/master/src/k8/k8s-neuron-device-plugin-rbac.yml
func (b *clusterBuilder) neuronPlugin() error {
	const plugin = "neuron-device-plugin"
	name := b.name + "-" + plugin
	in := pulumi.Composite(b.parent(), pulumi.Provider(b.cluster.Provider))
	account, err := corev1.NewServiceAccount(b.ctx, name+"-account", &corev1.ServiceAccountArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(plugin), Namespace: pulumi.String(pluginNamespace)},
	}, in)
	if err != nil {
		return fmt.Errorf("%s: %w", plugin, err)
	}
	rule := func(resource string, verbs ...string) rbacv1.PolicyRuleArgs {
		return rbacv1.PolicyRuleArgs{
			ApiGroups: pulumi.ToStringArray([]string{""}), Resources: pulumi.ToStringArray([]string{resource}), Verbs: pulumi.ToStringArray(verbs),
		}
	}
	role, err := rbacv1.NewClusterRole(b.ctx, name+"-role", &rbacv1.ClusterRoleArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(plugin)},
		Rules: rbacv1.PolicyRuleArray{
			rule("nodes", "get", "list", "watch"), rule("nodes/status", "patch", "update"),
			rule("pods", "get", "list", "watch", "patch", "update"), rule("events", "create", "patch"),
		},
	}, in)
	if err != nil {
		return fmt.Errorf("%s: %w", plugin, err)
	}
	binding, err := rbacv1.NewClusterRoleBinding(b.ctx, name+"-binding", &rbacv1.ClusterRoleBindingArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(plugin)},
		RoleRef: rbacv1.RoleRefArgs{
			ApiGroup: pulumi.String("rbac.authorization.k8s.io"), Kind: pulumi.String("ClusterRole"), Name: pulumi.String(plugin),
		},
		Subjects: rbacv1.SubjectArray{rbacv1.SubjectArgs{
			Kind: pulumi.String("ServiceAccount"), Name: pulumi.String(plugin), Namespace: pulumi.String(pluginNamespace),
		}},
	}, in, pulumi.DependsOn([]pulumi.Resource{account, role}))
	if err != nil {
		return fmt.Errorf("%s: %w", plugin, err)
	}
	return b.devicePlugin(devicePlugin{
		name: plugin, image: neuronPlugin, label: nodepool.NeuronLabel, account: plugin, secure: confined(),
		mounts: []string{"/run"},
		env: corev1.EnvVarArray{
			corev1.EnvVarArgs{Name: pulumi.String("KUBECONFIG"), Value: pulumi.String("/etc/kubernetes/kubelet.conf")},
			corev1.EnvVarArgs{Name: pulumi.String("NODE_NAME"), ValueFrom: corev1.EnvVarSourceArgs{
				FieldRef: corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String("spec.nodeName")},
			}},
		},
	}, isNeuron, binding)
}

// eksRegistry is the registry of EKS's own images in a region.
// https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html, read 2026-11-22
func eksRegistry(region string) string {
	account := "602401143452"
	switch region {
	case "af-south-1":
		account = "877085696533"
	case "ap-east-1":
		account = "800184023465"
	case "ap-south-2":
		account = "900889452093"
	case "ap-southeast-3":
		account = "296578399912"
	case "ap-southeast-4":
		account = "491585149902"
	case "ap-southeast-5":
		account = "151610086707"
	case "ap-southeast-6":
		account = "333609536671"
	case "ap-southeast-7":
		account = "121268973566"
	case "eu-central-2":
		account = "900612956339"
	case "eu-south-1":
		account = "590381155156"
	case "eu-south-2":
		account = "455263428931"
	case "il-central-1":
		account = "066635153087"
	case "me-central-1":
		account = "759879836304"
	case "me-south-1":
		account = "558608220178"
	case "us-gov-east-1":
		account = "151742754352"
	case "us-gov-west-1":
		account = "013241004608"
	case "cn-north-1":
		return "918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn"
	case "cn-northwest-1":
		return "961992271922.dkr.ecr.cn-northwest-1.amazonaws.com.cn"
	}
	return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com", account, region)
}
