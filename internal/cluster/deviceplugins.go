package cluster

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/nodepool"
)

const pluginNamespace = "kube-system"

// NewDevicePlugins creates the device plugins that the pools need and returns their DaemonSets. They are typed
// objects and not Helm charts, so that no chart is downloaded during an update.
func NewDevicePlugins(
	ctx *pulumi.Context, place Place, schedulable Schedulable, pools map[string]nodepool.Facts,
) ([]pulumi.Resource, error) {
	var sets []pulumi.Resource
	options := pulumi.Composite(place.child(), pulumi.Provider(schedulable.joinable.controlPlane.Kubernetes))
	for _, plugin := range nodepool.DevicePlugins(place.Region, pools) {
		name := place.Name + "-" + plugin.Name
		needs := []pulumi.Resource{schedulable.Nodes}
		if len(plugin.Permissions) > 0 {
			binding, err := newPluginAccount(ctx, name, plugin, options)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", plugin.Name, err)
			}
			needs = append(needs, binding)
		}
		set, err := appsv1.NewDaemonSet(ctx, name, daemonSet(plugin), options, pulumi.DependsOn(needs))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", plugin.Name, err)
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// newPluginAccount creates a service account with a plugin's permissions and returns their binding.
func newPluginAccount(
	ctx *pulumi.Context, name string, plugin nodepool.DevicePlugin, options pulumi.ResourceOption,
) (pulumi.Resource, error) {
	account, err := corev1.NewServiceAccount(ctx, name+"-account", &corev1.ServiceAccountArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(plugin.Name), Namespace: pulumi.String(pluginNamespace)},
	}, options)
	if err != nil {
		return nil, err
	}
	var rules rbacv1.PolicyRuleArray
	for _, permission := range plugin.Permissions {
		rules = append(rules, rbacv1.PolicyRuleArgs{
			ApiGroups: pulumi.ToStringArray([]string{""}),
			Resources: pulumi.ToStringArray([]string{permission.Resource}),
			Verbs:     pulumi.ToStringArray(permission.Verbs),
		})
	}
	role, err := rbacv1.NewClusterRole(ctx, name+"-role", &rbacv1.ClusterRoleArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(plugin.Name)},
		Rules:    rules,
	}, options)
	if err != nil {
		return nil, err
	}
	return rbacv1.NewClusterRoleBinding(ctx, name+"-binding", &rbacv1.ClusterRoleBindingArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(plugin.Name)},
		RoleRef: rbacv1.RoleRefArgs{
			ApiGroup: pulumi.String("rbac.authorization.k8s.io"), Kind: pulumi.String("ClusterRole"), Name: pulumi.String(plugin.Name),
		},
		Subjects: rbacv1.SubjectArray{rbacv1.SubjectArgs{
			Kind: pulumi.String("ServiceAccount"), Name: pulumi.String(plugin.Name), Namespace: pulumi.String(pluginNamespace),
		}},
	}, options, pulumi.DependsOn([]pulumi.Resource{account, role}))
}

func daemonSet(plugin nodepool.DevicePlugin) *appsv1.DaemonSetArgs {
	labels := pulumi.StringMap{"app.kubernetes.io/name": pulumi.String(plugin.Name)}
	volumes, mounts := hostFolders(plugin)
	pod := corev1.PodSpecArgs{
		PriorityClassName:            pulumi.String("system-node-critical"),
		NodeSelector:                 pulumi.StringMap{plugin.NodeLabel: pulumi.String("true")},
		Tolerations:                  tolerations(plugin),
		AutomountServiceAccountToken: pulumi.Bool(len(plugin.Permissions) > 0),
		HostNetwork:                  pulumi.Bool(plugin.HostNetwork),
		Volumes:                      volumes,
		Containers: corev1.ContainerArray{corev1.ContainerArgs{
			Name:            pulumi.String(plugin.Name),
			Image:           pulumi.String(plugin.Image),
			Env:             environment(plugin),
			SecurityContext: securityContext(plugin),
			VolumeMounts:    mounts,
			Resources: corev1.ResourceRequirementsArgs{Requests: pulumi.StringMap{
				"cpu": pulumi.String("10m"), "memory": pulumi.String("64Mi"),
			}},
		}},
	}
	if len(plugin.Permissions) > 0 {
		pod.ServiceAccountName = pulumi.String(plugin.Name)
	}
	return &appsv1.DaemonSetArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(plugin.Name), Namespace: pulumi.String(pluginNamespace), Labels: labels,
		},
		Spec: appsv1.DaemonSetSpecArgs{
			Selector: metav1.LabelSelectorArgs{MatchLabels: labels},
			Template: corev1.PodTemplateSpecArgs{Metadata: metav1.ObjectMetaArgs{Labels: labels}, Spec: pod},
		},
	}
}

func tolerations(plugin nodepool.DevicePlugin) corev1.TolerationArray {
	var all corev1.TolerationArray
	for _, taint := range plugin.Tolerated {
		all = append(all, corev1.TolerationArgs{
			Key: pulumi.String(taint.Key), Operator: pulumi.String("Equal"),
			Value: pulumi.String(taint.Value), Effect: pulumi.String("NoSchedule"),
		})
	}
	return all
}

func environment(plugin nodepool.DevicePlugin) corev1.EnvVarArray {
	var all corev1.EnvVarArray
	for _, name := range slices.Sorted(maps.Keys(plugin.Environment)) {
		all = append(all, corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(plugin.Environment[name])})
	}
	if plugin.NodeNameIn != "" {
		all = append(all, corev1.EnvVarArgs{Name: pulumi.String(plugin.NodeNameIn), ValueFrom: corev1.EnvVarSourceArgs{
			FieldRef: corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String("spec.nodeName")},
		}})
	}
	return all
}

func securityContext(plugin nodepool.DevicePlugin) corev1.SecurityContextArgs {
	if plugin.Privileged {
		return corev1.SecurityContextArgs{Privileged: pulumi.Bool(true), RunAsUser: pulumi.Int(0)}
	}
	return corev1.SecurityContextArgs{
		AllowPrivilegeEscalation: pulumi.Bool(false),
		Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
	}
}

// hostFolders returns the volumes of a plugin and where they are mounted: at the same path as on the host.
func hostFolders(plugin nodepool.DevicePlugin) (volumes corev1.VolumeArray, mounts corev1.VolumeMountArray) {
	add := func(name, path, kind string) {
		volumes = append(volumes, corev1.VolumeArgs{
			Name:     pulumi.String(name),
			HostPath: corev1.HostPathVolumeSourceArgs{Path: pulumi.String(path), Type: pulumi.String(kind)},
		})
		mounts = append(mounts, corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(path)})
	}
	add("kubelet-plugins", "/var/lib/kubelet/device-plugins", "Directory")
	for i, folder := range plugin.HostFolders {
		add(fmt.Sprintf("host-%d", i), folder, "DirectoryOrCreate")
	}
	return volumes, mounts
}
