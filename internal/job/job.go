package job

import (
	"maps"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	homePath    = "/workspace"         // the pod's scratch space, on the node's local disks where it has some
	scriptsPath = "/workspace/scripts" // the scripts, read-only
	podName     = "training"           // app.kubernetes.io/name of the pods of every run
	efaResource = "vpc.amazonaws.com/efa"
)

// CommitLabel is the label of the Job with the commit of its scripts, for the program to set.
const CommitLabel = "llm-platform/script-commit"

// Job returns the run's Job: one pod per node, numbered from 0, which find each other by name. A pod that fails is
// replaced by one of the same number, until its retries are used up or its exit code is fatal (Exits); then the Job ends
// all of them. Drained and lost nodes do not count. The other pods stay: scripts/launch.py stops their ranks, and starts
// them again when the new pod is there.
func (r Run) Job() *batchv1.Job {
	spec := batchv1.JobSpec{
		CompletionMode:       ptr.To(batchv1.IndexedCompletion),
		Completions:          ptr.To(int32(r.Nodes)),
		Parallelism:          ptr.To(int32(r.Nodes)),
		BackoffLimitPerIndex: ptr.To(int32(r.Retries)),
		MaxFailedIndexes:     ptr.To(int32(0)),       // without one rank the others wait forever
		PodReplacementPolicy: ptr.To(batchv1.Failed), // never two pods of one number
		PodFailurePolicy:     failurePolicy(),
		// No ttlSecondsAfterFinished: the next update would run a deleted Job again.
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{
				Labels: r.labels(),
				Annotations: map[string]string{ // autoscalers must not empty a node to save cost
					"cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
					"karpenter.sh/do-not-disrupt":                    "true",
				},
			},
			Spec: r.pod(),
		},
	}
	if r.DeadlineHours > 0 {
		spec.ActiveDeadlineSeconds = ptr.To(int64(r.DeadlineHours) * 3600)
	}
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: unawaited(r.metadata()),
		Spec:       spec,
	}
}

// failurePolicy says which failures count. The first matching rule decides: a drained pod ends with whatever code
// its script makes of SIGTERM.
func failurePolicy() *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{
			Action: batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
				{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
			},
		},
		{
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: FatalExitCodes(),
			},
		},
		{
			Action: batchv1.PodFailurePolicyActionIgnore,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: exitsWith(Ignored),
			},
		},
	}}
}

// pod returns the spec of one rank's pod.
func (r Run) pod() corev1.PodSpec {
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever, // the Job decides, not the node
		Subdomain:                     r.Name(),
		ServiceAccountName:            r.account(),
		AutomountServiceAccountToken:  ptr.To(false), // Pod Identity mounts its own
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(r.GraceSeconds)),
		SecurityContext:               nonRootUser(),
		NodeSelector:                  r.Pool.Labels,
		Affinity:                      onePerNode(),
		Containers: []corev1.Container{{
			Name:            "train",
			Image:           r.Image,
			Command:         r.Command,
			Args:            r.Args,
			WorkingDir:      scriptsPath,
			Env:             r.environment(),
			Resources:       r.wholeNode(),
			SecurityContext: unprivileged(),
			VolumeMounts:    mounts(),
			// The reason of a failure is the last line of the log; so `kubectl describe pod` shows it.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		}},
		Volumes: r.volumes(),
	}
	if r.Pool.TaintKey != "" {
		spec.Tolerations = []corev1.Toleration{{
			Key: r.Pool.TaintKey, Operator: corev1.TolerationOpEqual, Value: r.Pool.TaintValue, Effect: corev1.TaintEffectNoSchedule,
		}}
	}
	if r.Pool.EFA > 0 { // without EFA the training would run many times slower, over TCP
		spec.InitContainers = []corev1.Container{{
			Name:            "efa",
			Image:           r.Image,
			Command:         checkEFACommand("/dev/infiniband", r.Pool.EFA, minLockedKiB),
			Resources:       r.wholeNode(),
			SecurityContext: unprivileged(),
		}}
	}
	return spec
}

// wholeNode requests all accelerators and EFA devices of a node, and of its processors and memory what the pods of the
// system leave. Memory has a limit, so that a leak is a failure that counts: without one the node would evict the pod,
// which the Job tries again for ever. Processors have none, so that a data loader may use what is free.
func (r Run) wholeNode() corev1.ResourceRequirements {
	machine := r.Pool.Type
	limits := corev1.ResourceList{}
	if machine.Count > 0 {
		limits[corev1.ResourceName(machine.ResourceName())] = quantity(machine.Count, "")
	}
	if r.Pool.EFA > 0 {
		limits[efaResource] = quantity(r.Pool.EFA, "")
	}
	requests := maps.Clone(limits)
	requests[corev1.ResourceCPU] = quantity(machine.RequestMilli(), "m")
	requests[corev1.ResourceMemory] = quantity(machine.RequestMiB(), "Mi")
	limits[corev1.ResourceMemory] = quantity(machine.FreeMiB(), "Mi")
	return corev1.ResourceRequirements{Limits: limits, Requests: requests}
}

// onePerNode keeps apart the pods of all runs: a pod of the last run that is still saving keeps its node.
func onePerNode() *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey:   corev1.LabelHostname,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{nameLabel: podName}},
		}},
	}}
}

// volumes returns the scripts, shared memory for the data loaders, and whatever else a container may write to: its
// root file system is read-only. Each has a limit. A pod that exceeds one is evicted, which counts as a failure; one that
// fills the node's disk is evicted too, and that would not count. A quarter of the disk is for images and logs.
func (r Run) volumes() []corev1.Volume {
	items := []corev1.KeyToPath{{Key: SumsFile, Path: SumsFile}}
	for _, script := range r.Scripts {
		items = append(items, corev1.KeyToPath{Key: script.Key(), Path: script.Path})
	}
	emptyDir := func(name string, source corev1.EmptyDirVolumeSource) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &source}}
	}
	return []corev1.Volume{
		emptyDir("home", corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(quantity(r.Pool.DiskGB/2, "G"))}),
		emptyDir("temporary", corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(quantity(r.Pool.DiskGB/4, "G"))}),
		{Name: "scripts", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Name()}, Items: items, DefaultMode: ptr.To(int32(0o444)),
		}}},
		emptyDir("shared-memory", corev1.EmptyDirVolumeSource{
			Medium: corev1.StorageMediumMemory, SizeLimit: ptr.To(quantity(r.Pool.Type.SharedMemoryGiB(), "Gi")),
		}),
	}
}

func mounts() []corev1.VolumeMount {
	return []corev1.VolumeMount{
		{Name: "home", MountPath: homePath},
		{Name: "temporary", MountPath: "/tmp"}, // torchrun's files and NCCL's traces
		{Name: "scripts", MountPath: scriptsPath, ReadOnly: true},
		{Name: "shared-memory", MountPath: "/dev/shm"},
	}
}

// nonRootUser runs the pod as an unprivileged user who owns the pod's volumes.
func nonRootUser() *corev1.PodSecurityContext {
	const user = 1000
	return &corev1.PodSecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(int64(user)), RunAsGroup: ptr.To(int64(user)), FSGroup: ptr.To(int64(user)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// unprivileged drops every capability, as the Pod Security Standard "restricted" requires, and makes the image
// read-only. Some examples add IPC_LOCK, because EFA pins memory: that capability has no effect for a user other
// than root. What counts is the limit on locked memory that the node's containerd passes on: nodepool lifts it, and the
// EFA check looks at it.
func unprivileged() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func quantity(number int, unit string) resource.Quantity {
	return resource.MustParse(strconv.Itoa(number) + unit)
}
