package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"llm-platform/internal/job"
)

// TestRanks: the API server accepts a run without a warning; there is one pod per index, no two on one GPU node; the
// pods' names resolve, and their environments agree.
func TestRanks(t *testing.T) {
	addNodes(t, "m6i.large", 2)
	addNodes(t, "p5.48xlarge", 5)
	run := four(t)
	ranks := accepted(t, run)
	nodes := map[string]bool{}
	for index := range 4 {
		pod := ranks[index]
		if pod == nil {
			t.Fatalf("no pod of index %d among %d", index, len(ranks))
		}
		if want := fmt.Sprintf("%s-%d", run.Name(), index); pod.Spec.Hostname != want {
			t.Errorf("index %d has the host name %s, want %s", index, pod.Spec.Hostname, want)
		}
		if !strings.HasPrefix(pod.Spec.NodeName, "gpu-") {
			t.Errorf("index %d is on %s, which is not a GPU node", index, pod.Spec.NodeName)
		}
		if nodes[pod.Spec.NodeName] {
			t.Errorf("index %d shares %s", index, pod.Spec.NodeName)
		}
		nodes[pod.Spec.NodeName] = true
	}
	checkContract(t, ranks, run)
	checkNames(t, ranks)
}

// TestFullRun does the same with a run that uses everything there is.
func TestFullRun(t *testing.T) {
	addNodes(t, "p5en.48xlarge", 3)
	run := runOn(t, "p5en.48xlarge", 2)
	run.DatasetPrefix, run.ResumeFrom, run.DeadlineHours = "wiki/", "train-0123456789", 72
	run.Args, run.Environment, run.Secrets = []string{"--steps=50"}, map[string]string{"NCCL_DEBUG": "INFO"}, []string{"HF_TOKEN"}
	ranks := accepted(t, run)
	checkContract(t, ranks, run)
	env := environment(t, ranks[0])
	for name, want := range map[string]string{
		"HF_TOKEN": "value of HF_TOKEN", "NCCL_DEBUG": "INFO", "FI_PROVIDER": "efa", "RESUME_FROM_URI": "s3://checkpoints/runs/train-0123456789/",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
}

// checkContract checks the environments of the ranks together: PET_* as torchrun reads it, and the same places of data
// and checkpoints.
func checkContract(t *testing.T, ranks map[int]*corev1.Pod, run job.Run) {
	t.Helper()
	seen := map[int]bool{}
	first := environment(t, ranks[0])
	for index, pod := range ranks {
		env := environment(t, pod)
		rank, err := strconv.Atoi(env["PET_NODE_RANK"])
		if err != nil || rank != index || seen[rank] {
			t.Errorf("index %d has PET_NODE_RANK %q", index, env["PET_NODE_RANK"])
		}
		seen[rank] = true
		for name, want := range map[string]string{
			"PET_NNODES": strconv.Itoa(run.Nodes), "PET_NPROC_PER_NODE": "8",
			"PET_MASTER_ADDR": ranks[0].Spec.Hostname + "." + ranks[0].Spec.Subdomain, "PET_MASTER_PORT": "29500",
			"DATASET_URI": "s3://dataset/" + run.DatasetPrefix, "CHECKPOINT_URI": "s3://checkpoints/runs/" + run.Name() + "/",
			"ARTIFACT_URI": "s3://artifacts/runs/" + run.Name() + "/", "AWS_REGION": "us-west-2", "SCRIPT_COMMIT": commit, "RUN_NAME": run.Name(),
			"NODE_NAME": pod.Spec.NodeName,
		} {
			if env[name] != want {
				t.Errorf("index %d: %s is %q, want %q", index, name, env[name], want)
			}
		}
		for name, value := range first {
			if !slices.Contains([]string{"PET_NODE_RANK", "JOB_COMPLETION_INDEX", "NODE_NAME"}, name) && env[name] != value {
				t.Errorf("index %d: %s is %q, but %q on index 0", index, name, env[name], value)
			}
		}
	}
	if len(seen) != run.Nodes {
		t.Errorf("%d ranks of %d nodes", len(seen), run.Nodes)
	}
}

// checkNames checks that every rank's host name resolves to it within the cluster before any rank is ready: the
// cluster's DNS answers with the address in the EndpointSlice of the Service that the name belongs to.
func checkNames(t *testing.T, ranks map[int]*corev1.Pod) {
	t.Helper()
	waitFor(t, "the ranks' names", func() error {
		list, err := shared.client.DiscoveryV1().EndpointSlices(namespace).List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		address := map[string]string{}
		for _, slice := range list.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Hostname != nil && endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
					address[*endpoint.Hostname+"."+slice.Labels["kubernetes.io/service-name"]] = endpoint.Addresses[0]
				}
			}
		}
		for index, pod := range ranks {
			name := pod.Spec.Hostname + "." + pod.Spec.Subdomain
			if address[name] == "" || address[name] != pod.Status.PodIP {
				return fmt.Errorf("%s of index %d resolves to %q, and the pod has %s", name, index, address[name], pod.Status.PodIP)
			}
			for _, condition := range pod.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
					return fmt.Errorf("index %d is already ready: this test shows nothing", index)
				}
			}
		}
		return nil
	})
}

// environment returns the environment of a pod's first container, as a kubelet would resolve it.
func environment(t *testing.T, pod *corev1.Pod) map[string]string {
	t.Helper()
	ctx := context.Background()
	env := map[string]string{}
	for _, variable := range pod.Spec.Containers[0].Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil {
			switch {
			case from.FieldRef != nil:
				if from.FieldRef.FieldPath == "spec.nodeName" {
					value = pod.Spec.NodeName
					break
				}
				kind, key, ok := strings.Cut(strings.TrimSuffix(from.FieldRef.FieldPath, "']"), "['")
				values, known := map[string]map[string]string{"metadata.annotations": pod.Annotations, "metadata.labels": pod.Labels}[kind]
				if !ok || !known {
					t.Fatalf("%s: this test cannot resolve %s", variable.Name, from.FieldRef.FieldPath)
				}
				value = values[key]
			case from.ConfigMapKeyRef != nil:
				found, err := shared.client.CoreV1().ConfigMaps(namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				var exists bool
				if value, exists = found.Data[from.ConfigMapKeyRef.Key]; !exists {
					t.Errorf("%s: the ConfigMap has no key %s: the container would not start", variable.Name, from.ConfigMapKeyRef.Key)
				}
			case from.SecretKeyRef != nil:
				found, err := shared.client.CoreV1().Secrets(namespace).Get(ctx, from.SecretKeyRef.Name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				value = string(found.Data[from.SecretKeyRef.Key])
			}
		}
		if _, twice := env[variable.Name]; twice {
			t.Errorf("%s is set twice", variable.Name)
		}
		env[variable.Name] = value
	}
	return env
}

// TestNowhereToRun: without GPU nodes, and on them without the toleration, nothing is scheduled, and the pods report
// why.
func TestNowhereToRun(t *testing.T) {
	addNodes(t, "m6i.large", 2)
	run := runOn(t, "g6.12xlarge", 2)
	t.Run("no GPU node", func(t *testing.T) {
		unscheduled(t, submit(t, run), 2, "didn't match Pod's node affinity/selector")
	})
	addNodes(t, "g6.12xlarge", 2)
	t.Run("no toleration", func(t *testing.T) {
		intolerant := run
		intolerant.Pool.TaintKey = ""
		unscheduled(t, submit(t, intolerant), 2, "untolerated taint(s)")
	})
	t.Run("with both", func(t *testing.T) {
		running(t, submit(t, run), 2)
	})
}

func unscheduled(t *testing.T, name string, count int, because string) {
	t.Helper()
	waitFor(t, "pods that report why they do not run", func() error {
		all, err := pods(name)
		if err != nil || len(all) != count {
			return fmt.Errorf("%d pods: %v", len(all), err)
		}
		for index, pod := range all {
			at := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodScheduled })
			if at < 0 {
				return fmt.Errorf("index %d: the scheduler has not tried it", index)
			}
			if c := pod.Status.Conditions[at]; c.Reason != corev1.PodReasonUnschedulable || !strings.Contains(c.Message, because) {
				return fmt.Errorf("index %d: %s: %s", index, c.Reason, c.Message)
			}
		}
		return nil
	})
}

// TestQuota: the namespace of one run has no room for a larger one.
func TestQuota(t *testing.T) {
	addNodes(t, "p5.48xlarge", 6)
	t.Cleanup(func() { deleteNamespace(t) })
	larger := four(t)
	larger.Nodes = 6
	create(t, inNamespace(four(t))...)
	create(t, ofRun(larger)...)
	waitFor(t, "the quota to refuse", func() error {
		events, err := shared.client.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + larger.Name()})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Reason == "FailedCreate" && strings.Contains(event.Message, "exceeded quota: accelerators, requested: requests.nvidia.com/gpu=8, used: requests.nvidia.com/gpu=32, limited: requests.nvidia.com/gpu=32") {
				return nil
			}
		}
		return fmt.Errorf("%d events", len(events.Items))
	})
	if all, err := pods(larger.Name()); err != nil || len(all) != 4 {
		t.Errorf("%d pods (%v), want the 4 that the quota has room for", len(all), err)
	}
}

// TestNothingIsPublished: the namespace has no room for a Service that load balancers or nodes publish, nor for one that becomes
// such, whoever asks. A Service that only the cluster sees is accepted.
func TestNothingIsPublished(t *testing.T) {
	t.Cleanup(func() { deleteNamespace(t) })
	create(t, inNamespace(four(t))...)
	service := func(name string, kind corev1.ServiceType) *corev1.Service {
		return &corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       corev1.ServiceSpec{Type: kind, Selector: map[string]string{"a": "b"}, Ports: []corev1.ServicePort{{Port: 80}}},
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "exceeded quota: services") {
			t.Errorf("%s: %v, want a refusal by the quota", what, err)
		}
	}
	for _, kind := range []corev1.ServiceType{corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort} {
		refused(string(kind), tryToCreate(service("published", kind)))
	}
	unnumbered := service("published", corev1.ServiceTypeLoadBalancer) // a load balancer that sends to pods needs no ports of nodes
	unnumbered.Spec.AllocateLoadBalancerNodePorts = ptr.To(false)
	refused("a load balancer without node ports", tryToCreate(unnumbered))
	if err := tryToCreate(service("inside", corev1.ServiceTypeClusterIP)); err != nil {
		t.Fatal(err)
	}
	_, err := shared.client.CoreV1().Services(namespace).Patch(context.Background(), "inside", types.MergePatchType, []byte(`{"spec":{"type":"LoadBalancer"}}`), metav1.PatchOptions{})
	refused("a change of type", err)
}

// TestNextRun: an update creates the objects of the next run before it deletes the last run's Job. Although there are
// nodes for both, the quota keeps the next run's pods from being created until the last run's have ended. Then all of
// them start.
func TestNextRun(t *testing.T) {
	addNodes(t, "p5.48xlarge", 8)
	last, next := four(t), four(t)
	next.Args = []string{"--learning-rate=1e-4"}
	if next.Name() == last.Name() {
		t.Fatalf("both runs are called %s: this test tests nothing", next.Name())
	}
	running(t, submit(t, last), 4)
	create(t, ofRun(next)...)
	time.Sleep(3 * time.Second)
	if all, err := pods(next.Name()); err != nil || len(all) != 0 {
		t.Errorf("%d pods (%v) of the next run beside those of the last one", len(all), err)
	}
	foreground := metav1.DeletePropagationForeground
	if err := shared.client.BatchV1().Jobs(namespace).Delete(context.Background(), last.Name(), metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	running(t, next.Name(), 4)
	t.Logf("all ranks of the next run are running %.1f s after the deletion of the last one", time.Since(began).Seconds())
}

// TestRestricted: the namespace refuses a pod with more privileges than those of a run.
func TestRestricted(t *testing.T) {
	run := runOn(t, "g6.12xlarge", 2)
	submit(t, run)
	number := 0
	tryPod := func(change func(*corev1.PodSpec)) error {
		number++
		pod := &corev1.Pod{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("other-%d", number)},
			Spec:       run.Job().Spec.Template.Spec,
		}
		change(&pod.Spec)
		return tryToCreate(pod)
	}
	if err := tryPod(func(*corev1.PodSpec) {}); err != nil && !strings.Contains(err.Error(), "exceeded quota") {
		t.Errorf("a pod of the run is refused: %v", err)
	}
	for name, change := range map[string]func(*corev1.PodSpec){
		"privileged": func(spec *corev1.PodSpec) {
			spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		},
		"IPC_LOCK": func(spec *corev1.PodSpec) {
			spec.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"IPC_LOCK"}
		},
		"host path": func(spec *corev1.PodSpec) {
			spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
		},
		"no seccomp": func(spec *corev1.PodSpec) { spec.SecurityContext.SeccompProfile = nil },
		"root":       func(spec *corev1.PodSpec) { spec.SecurityContext.RunAsNonRoot = nil },
	} {
		if err := tryPod(change); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
			t.Errorf("%s: %v, want a refusal by Pod Security", name, err)
		}
	}
}
