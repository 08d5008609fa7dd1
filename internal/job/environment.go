package job

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/nodepool"
)

// masterPort is where rank 0 waits for the others: torchrun's default.
const masterPort = 29500

// environment returns the variables of each node. scripts/launch.py, or torchrun, reads the PET_ variables, by the
// contract of Kubeflow Trainer (https://github.com/kubeflow/trainer/blob/master/pkg/constants/constants.go).
func (r Run) environment() []corev1.EnvVar {
	name := r.Name()
	env := []corev1.EnvVar{
		variable("PET_NNODES", r.Nodes),
		variable("PET_NPROC_PER_NODE", r.Pool.Type.Processes),
		{Name: "PET_NODE_RANK", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			FieldPath: "metadata.annotations['batch.kubernetes.io/job-completion-index']",
		}}},
		variable("PET_MASTER_ADDR", fmt.Sprintf("%s-0.%s", name, name)),
		variable("PET_MASTER_PORT", masterPort),
		variable("PET_MAX_RESTARTS", 0),                     // for torchrun in place of scripts/launch.py: a failed rank ends its pod
		variable("PET_SHUTDOWN_TIMEOUT", r.GraceSeconds-15), // s to save a checkpoint; 15 s remain to end
		variable("ACCELERATOR", string(r.Pool.Type.Kind)),   // nvidia, neuron or none: what a rank must find
		{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}},
		variable("RUN_NAME", name),
		variable("AWS_REGION", r.Region),
		variable("AWS_DEFAULT_REGION", r.Region), // the only one that boto3 reads
	}
	if peak := r.Pool.Type.BF16TFLOPS(); peak > 0 {
		env = append(env, variable("ACCELERATOR_BF16_TFLOPS", peak)) // of one accelerator, for the utilization that a run logs
	}
	// One reference per variable and not envFrom: the same ConfigMap holds the scripts, which envFrom would put into
	// the environment too, and so the Job's spec shows which variables a rank has.
	for _, key := range deployed() {
		env = append(env, corev1.EnvVar{Name: key, ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key,
		}}})
	}
	env = append(env,
		variable("HOME", homePath), // the user has none in the image
		variable("USER", "training"),
	)
	for _, secret := range slices.Sorted(slices.Values(r.Secrets)) {
		env = append(env, corev1.EnvVar{Name: secret, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: secretName}, Key: secret,
		}}})
	}
	for _, key := range slices.Sorted(maps.Keys(r.Environment)) {
		env = append(env, variable(key, r.Environment[key]))
	}
	for _, fact := range network(r.Pool) {
		if _, overridden := r.Environment[fact.Name]; !overridden {
			env = append(env, fact)
		}
	}
	return env
}

// network returns the settings of the communication libraries on the nodes of a pool. A variable of the user with
// the same name takes precedence.
func network(pool nodepool.Facts) []corev1.EnvVar {
	var env []corev1.EnvVar
	if pool.Type.Kind == accelerator.NVIDIA {
		env = append(env,
			// Exclude only the loopback: the name of a pod's interface depends on the CNI.
			variable("NCCL_SOCKET_IFNAME", "^lo"),
			variable("NCCL_DEBUG", "WARN"),
			// When a collective hangs, each rank writes what it was waiting for.
			// https://docs.pytorch.org/tutorials/unstable/flight_recorder_tutorial.html
			variable("TORCH_NCCL_DUMP_ON_TIMEOUT", 1),
			variable("TORCH_FR_BUFFER_SIZE", 2000), // TORCH_NCCL_TRACE_BUFFER_SIZE before PyTorch 2.9
		)
	}
	if pool.EFA > 0 && pool.Type.Kind == accelerator.NVIDIA {
		// The name of EFA's plugin: NCCL fails without it, rather than fall back to TCP. Plugins up to 1.11 have this
		// name; newer ones are called Libfabric, and take this one on if it is asked for.
		// https://github.com/aws/aws-ofi-nccl, src/nccl_ofi_interface_nvidia.cpp at 2daf7d30, read 2026-11-26
		env = append(env, variable("NCCL_NET", "AWS Libfabric"))
	}
	if pool.EFA > 0 {
		env = append(env,
			variable("FI_PROVIDER", "efa"),
			// Huge pages break the fork of PyTorch's data loaders, and the pod requests none.
			// https://github.com/aws/aws-ofi-nccl/blob/master/doc/efa-env-var.md
			variable("FI_EFA_USE_HUGE_PAGE", 0),
		)
	}
	return env
}

func variable[T string | int](name string, value T) corev1.EnvVar {
	return corev1.EnvVar{Name: name, Value: fmt.Sprint(value)}
}
