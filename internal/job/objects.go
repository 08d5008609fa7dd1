package job

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

const (
	nameLabel    = "app.kubernetes.io/name"
	managedLabel = "app.kubernetes.io/managed-by"
	secretName   = "training" // of the namespace's Secret
)

// Namespace returns the namespace that all runs of a stack share. It enforces the Pod Security Standard
// "restricted". Its deletion waits for the last pod.
func Namespace(graceSeconds int) *corev1.Namespace {
	labels := map[string]string{managedLabel: "pulumi"}
	for _, mode := range []string{"enforce", "warn", "audit"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{
			Name: settings.TrainingNamespace, Labels: labels,
			Annotations: deletedWithin(graceSeconds),
		},
	}
}

// deletedWithin returns the annotation that gives pods, for whose end a deletion waits, graceSeconds to save a checkpoint and five
// minutes more.
func deletedWithin(graceSeconds int) map[string]string {
	return map[string]string{"pulumi.com/timeoutSeconds": strconv.Itoa(graceSeconds + 300)}
}

// SharedServiceAccount returns the service account of the pods of all runs in an existing cluster.
func SharedServiceAccount() *corev1.ServiceAccount {
	return serviceAccount(shared(settings.TrainingServiceAccount))
}

// ServiceAccount returns the run's own service account.
func (r Run) ServiceAccount() *corev1.ServiceAccount { return serviceAccount(r.metadata()) }

func serviceAccount(metadata metav1.ObjectMeta) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   metadata,
		AutomountServiceAccountToken: ptr.To(false),
	}
}

// account returns the name of the service account of the run's pods.
func (r Run) account() string {
	if r.OwnAccount {
		return r.Name()
	}
	return settings.TrainingServiceAccount
}

// Quota returns the quota of the namespace: of each accelerator that the pools have, what the runs take together,
// which is none without a run. It returns nil if no pool has accelerators. While one run replaces another, the
// quota keeps the new pods from starting before the old ones have ended.
func Quota(pools map[string]nodepool.Facts, runs ...Run) *corev1.ResourceQuota {
	taken := map[string]int{}
	for _, pool := range pools {
		if pool.Type.Count > 0 {
			taken[pool.Type.ResourceName()] = 0
		}
	}
	for _, run := range runs {
		if run.Pool.Type.Count > 0 {
			taken[run.Pool.Type.ResourceName()] += run.Accelerators()
		}
	}
	if len(taken) == 0 {
		return nil
	}
	hard := corev1.ResourceList{}
	for name, count := range taken {
		hard[corev1.ResourceName("requests."+name)] = *resource.NewQuantity(int64(count), resource.DecimalSI)
	}
	return &corev1.ResourceQuota{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		ObjectMeta: shared("accelerators"),
		Spec:       corev1.ResourceQuotaSpec{Hard: hard},
	}
}

// ServicesQuota returns the quota that keeps the namespace from publishing a pod: without a load balancer controller, EKS
// creates an internet-facing load balancer for a Service that asks for one.
// https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html, read 2026-11-26
func ServicesQuota() *corev1.ResourceQuota {
	return &corev1.ResourceQuota{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		ObjectMeta: shared("services"),
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			corev1.ResourceServicesLoadBalancers: resource.MustParse("0"),
			corev1.ResourceServicesNodePorts:     resource.MustParse("0"),
		}},
	}
}

// Secret returns the Secret that the runs' secret environment variables come from, by name.
func Secret(values map[string]string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: shared(secretName),
		StringData: values,
	}
}

// ConfigMap returns the run's ConfigMap with its scripts. The program adds what is only known after deployment, by
// the keys DatasetURI, CheckpointURI, ArtifactURI, ResumeFromURI and ScriptCommit. It is immutable: what a run has
// started with stays.
func (r Run) ConfigMap() *corev1.ConfigMap {
	data := map[string]string{SumsFile: r.Scripts.Sums()}
	for _, script := range r.Scripts {
		data[script.Key()] = script.Content
	}
	metadata := r.metadata()
	metadata.Annotations = deletedWithin(r.GraceSeconds)
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metadata,
		Data:       data,
		Immutable:  ptr.To(true),
	}
}

// Service returns the headless Service by which the ranks find each other: it gives each pod a name.
func (r Run) Service() *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: unawaited(r.metadata()),
		Spec: corev1.ServiceSpec{
			ClusterIP:                corev1.ClusterIPNone,
			Selector:                 r.labels(),
			PublishNotReadyAddresses: true, // ranks look for rank 0 before it is ready
			Ports: []corev1.ServicePort{{
				Name: "rendezvous", Port: masterPort, TargetPort: intstr.FromInt32(masterPort),
			}},
		},
	}
}

// metadata returns the metadata of the run's own objects, which all have its name.
func (r Run) metadata() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: r.Name(), Namespace: settings.TrainingNamespace, Labels: r.labels()}
}

// labels returns the labels of the run's objects and pods.
func (r Run) labels() map[string]string {
	return map[string]string{nameLabel: podName, "app.kubernetes.io/instance": r.Name(), managedLabel: "pulumi"}
}

// shared returns the metadata of an object that all runs use.
func shared(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: settings.TrainingNamespace, Labels: map[string]string{managedLabel: "pulumi"},
	}
}

// unawaited returns the metadata of an object that Pulumi must not wait for: it would wait for a Job to complete,
// and for a Service to have pods. (The annotation pulumi.com/waitFor leaves an error in the state with each refresh.)
func unawaited(metadata metav1.ObjectMeta) metav1.ObjectMeta {
	metadata.Annotations = map[string]string{"pulumi.com/skipAwait": "true"}
	return metadata
}
