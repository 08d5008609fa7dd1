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
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestRanks is the run as it should be: accepted without a warning, one pod for each
// index on a GPU node of its own, names that resolve, and one agreed environment.
func TestRanks(t *testing.T) {
	addNodes(t, "m6i.large", 2)
	addNodes(t, "p5.48xlarge", 5)
	job, ranks := accepted(t, "four", 4)
	nodes := map[string]bool{}
	for index := range 4 {
		pod := ranks[index]
		if pod == nil {
			t.Fatalf("no pod of index %d among %d", index, len(ranks))
		}
		if want := fmt.Sprintf("%s-%d", job, index); pod.Spec.Hostname != want {
			t.Errorf("index %d has the host name %s, want %s", index, pod.Spec.Hostname, want)
		}
		if !strings.HasPrefix(pod.Spec.NodeName, "gpu-") {
			t.Errorf("index %d is on %s, which is no GPU node", index, pod.Spec.NodeName)
		}
		if nodes[pod.Spec.NodeName] {
			t.Errorf("index %d shares %s", index, pod.Spec.NodeName)
		}
		nodes[pod.Spec.NodeName] = true
	}
	checkContract(t, ranks, 4, 8)
	checkNames(t, ranks)
}

// TestEverythingSet is the same of a run with all that can be set.
func TestEverythingSet(t *testing.T) {
	addNodes(t, "p5en.48xlarge", 3)
	_, ranks := accepted(t, "full", 2)
	checkContract(t, ranks, 2, 8)
	env := environment(t, ranks[0])
	for name, want := range map[string]string{"HF_TOKEN": "hf-not-a-token", "NCCL_DEBUG": "INFO", "FI_PROVIDER": "efa", "RESUME_FROM_URI": "s3://checkpoints/runs/train-0123456789/"} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	waitFor(t, "the smoke pod", func() error {
		list, err := plane.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=smoke"})
		if err == nil && (len(list.Items) != 1 || list.Items[0].Status.Phase != corev1.PodRunning) {
			err = fmt.Errorf("%d pods", len(list.Items))
		}
		return err
	})
}

// checkContract checks what the ranks are told, taken together: PET_* as torchrun
// reads it, and one place for data and checkpoints.
func checkContract(t *testing.T, ranks map[int]*corev1.Pod, nodes, processes int) {
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
			"PET_NNODES": strconv.Itoa(nodes), "PET_NPROC_PER_NODE": strconv.Itoa(processes),
			"PET_MASTER_ADDR": ranks[0].Spec.Hostname + "." + ranks[0].Spec.Subdomain, "PET_MASTER_PORT": "29500",
			"DATASET_URI": "s3://dataset/", "CHECKPOINT_URI": "s3://checkpoints/runs/" + first["RUN_NAME"] + "/",
			"ARTIFACT_URI": "s3://artifacts/runs/" + first["RUN_NAME"] + "/", "AWS_REGION": "us-west-2", "SCRIPT_COMMIT": strings.Repeat("c0", 20),
		} {
			if env[name] != want {
				t.Errorf("index %d: %s is %q, want %q", index, name, env[name], want)
			}
		}
		for name, value := range first {
			if name != "PET_NODE_RANK" && name != "JOB_COMPLETION_INDEX" && env[name] != value {
				t.Errorf("index %d: %s is %q, but %q on index 0", index, name, env[name], value)
			}
		}
	}
	if len(seen) != nodes {
		t.Errorf("%d ranks of %d nodes", len(seen), nodes)
	}
}

// checkNames checks that every rank's host name resolves to it within the cluster,
// before any rank is ready: the address in an EndpointSlice of the Service that the
// name belongs to is what the cluster's DNS answers from.
func checkNames(t *testing.T, ranks map[int]*corev1.Pod) {
	t.Helper()
	waitFor(t, "the ranks' names", func() error {
		slices, err := plane.client.DiscoveryV1().EndpointSlices(namespace).List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		address := map[string]string{}
		for _, slice := range slices.Items {
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
					return fmt.Errorf("index %d is ready already; this shows nothing", index)
				}
			}
		}
		return nil
	})
}

// environment is what a pod's container would get.
func environment(t *testing.T, pod *corev1.Pod) map[string]string {
	t.Helper()
	ctx := context.Background()
	env := map[string]string{}
	for _, variable := range pod.Spec.Containers[0].Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil {
			switch {
			case from.FieldRef != nil:
				kind, key, ok := strings.Cut(strings.TrimSuffix(from.FieldRef.FieldPath, "']"), "['")
				values, known := map[string]map[string]string{"metadata.annotations": pod.Annotations, "metadata.labels": pod.Labels}[kind]
				if !ok || !known {
					t.Fatalf("%s: this test cannot resolve %s", variable.Name, from.FieldRef.FieldPath)
				}
				value = values[key]
			case from.ConfigMapKeyRef != nil:
				found, err := plane.client.CoreV1().ConfigMaps(namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				value = found.Data[from.ConfigMapKeyRef.Key]
			case from.SecretKeyRef != nil:
				found, err := plane.client.CoreV1().Secrets(namespace).Get(ctx, from.SecretKeyRef.Name, metav1.GetOptions{})
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

// TestFatalExit: a code that says that trying again cannot help ends all ranks.
func TestFatalExit(t *testing.T) {
	addNodes(t, "p5.48xlarge", 4)
	for _, c := range []struct {
		code    int32
		initial bool
	}{{10, false}, {11, false}, {12, false}, {13, true}} {
		t.Run(strconv.Itoa(int(c.code)), func(t *testing.T) {
			job := submit(t, manifests(t, "four"))
			ranks := running(t, job, 4)
			if err := plane.finish(context.Background(), namespace, ranks[2].Name, c.code, c.initial); err != nil {
				t.Fatal(err)
			}
			if reason, message := failed(t, job); reason != "PodFailurePolicy" || !strings.Contains(message, fmt.Sprintf("exit code %d", c.code)) {
				t.Errorf("failed with %s: %s", reason, message)
			}
		})
	}
}

// TestRetriesAreBounded: any other failure is tried again, by a pod of the same index,
// as often as the program says, and then ends all ranks.
func TestRetriesAreBounded(t *testing.T) {
	addNodes(t, "p5.48xlarge", 4)
	job := submit(t, manifests(t, "four"))
	const retries = 2 // of the case
	before := running(t, job, 4)
	tried := before[1].UID
	for n := range retries {
		if err := plane.finish(context.Background(), namespace, before[1].Name, 1, false); err != nil {
			t.Fatal(err)
		}
		after := running(t, job, 4)
		if after[1].UID == tried {
			t.Fatalf("retry %d: index 1 is the same pod", n+1)
		}
		if after[0].UID != before[0].UID {
			t.Errorf("retry %d: index 0 was replaced too", n+1)
		}
		tried, before = after[1].UID, after
	}
	if err := plane.finish(context.Background(), namespace, before[1].Name, 1, false); err != nil {
		t.Fatal(err)
	}
	if reason, message := failed(t, job); reason != "MaxFailedIndexesExceeded" {
		t.Errorf("failed with %s: %s", reason, message)
	}
}

// TestDrain: the ranks of drained nodes come back on others, any number of times, and
// no retry is counted.
func TestDrain(t *testing.T) {
	ctx := context.Background()
	addNodes(t, "p5.48xlarge", 5)
	job := submit(t, manifests(t, "four"))
	for n := range 3 { // one more than the case's retries; each waits twice as long as the last
		before := running(t, job, 4)
		victim := before[1]
		cordon(t, victim.Spec.NodeName, true)
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: victim.Name, Namespace: namespace}}
		if err := plane.client.PolicyV1().Evictions(namespace).Evict(ctx, eviction); err != nil {
			t.Fatal(err)
		}
		var after map[int]*corev1.Pod
		waitFor(t, "index 1 to come back", func() (err error) {
			if after, err = pods(job); err == nil && (after[1] == nil || after[1].UID == victim.UID || after[1].Status.Phase != corev1.PodRunning) {
				err = fmt.Errorf("pods %d", len(after))
			}
			return err
		})
		if after[1].Spec.NodeName == victim.Spec.NodeName {
			t.Errorf("drain %d: index 1 is on the drained node", n+1)
		}
		if got := after[1].Annotations["batch.kubernetes.io/job-index-failure-count"]; got != "0" {
			t.Errorf("drain %d: %s failures are counted", n+1, got)
		}
		cordon(t, victim.Spec.NodeName, false)
	}
	found, err := plane.client.BatchV1().Jobs(namespace).Get(ctx, job, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if found.Status.Failed != 0 || found.Status.Active != 4 {
		t.Errorf("the Job counts %d failed and %d active pods, want 0 and 4", found.Status.Failed, found.Status.Active)
	}
}

func cordon(t *testing.T, node string, closed bool) {
	t.Helper()
	patch := []byte(fmt.Sprintf(`{"spec":{"unschedulable":%v}}`, closed))
	if _, err := plane.client.CoreV1().Nodes().Patch(context.Background(), node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestNowhereToRun: without GPU nodes, and on them without the toleration, nothing is
// scheduled, and the pods say why.
func TestNowhereToRun(t *testing.T) {
	addNodes(t, "m6i.large", 2)
	t.Run("no GPU node", func(t *testing.T) {
		unscheduled(t, submit(t, manifests(t, "plain")), 2, "didn't match Pod's node affinity/selector")
	})
	addNodes(t, "g6.12xlarge", 2)
	t.Run("no toleration", func(t *testing.T) {
		objects := manifests(t, "plain")
		unstructured.RemoveNestedField(jobOf(t, objects).Object, "spec", "template", "spec", "tolerations")
		unscheduled(t, submit(t, objects), 2, "untolerated taint {nvidia.com/gpu: true}")
	})
	t.Run("with both", func(t *testing.T) {
		running(t, submit(t, manifests(t, "plain")), 2)
	})
}

func unscheduled(t *testing.T, job string, count int, because string) {
	t.Helper()
	waitFor(t, "pods that say why they do not run", func() error {
		all, err := pods(job)
		if err != nil || len(all) != count {
			return fmt.Errorf("%d pods: %v", len(all), err)
		}
		for index, pod := range all {
			at := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodScheduled })
			if at < 0 {
				return fmt.Errorf("index %d has not been looked at", index)
			}
			if c := pod.Status.Conditions[at]; c.Reason != corev1.PodReasonUnschedulable || !strings.Contains(c.Message, because) {
				return fmt.Errorf("index %d: %s: %s", index, c.Reason, c.Message)
			}
		}
		return nil
	})
}

// TestQuota: the namespace of one run takes no larger one.
func TestQuota(t *testing.T) {
	addNodes(t, "p5.48xlarge", 6)
	objects := manifests(t, "four")
	larger := manifests(t, "thousand")
	for i, object := range objects {
		if kind := object.GetKind(); kind == "ConfigMap" || kind == "Service" || kind == "Job" {
			at := slices.IndexFunc(larger, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind })
			objects[i] = larger[at]
		}
	}
	job := submit(t, objects)
	waitFor(t, "the quota to refuse", func() error {
		events, err := plane.client.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + job})
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
	if all, err := pods(job); err != nil || len(all) != 4 {
		t.Errorf("%d pods (%v), want the 4 that the quota has room for", len(all), err)
	}
}

// TestNextRun: an up makes the next run's objects before it removes the last run's Job.
// The quota keeps the next one's pods from being made until the last one's are gone,
// though there are nodes for both; then all of them come.
func TestNextRun(t *testing.T) {
	addNodes(t, "p5.48xlarge", 8)
	last := submit(t, manifests(t, "four"))
	running(t, last, 4)
	var next string
	for _, object := range manifests(t, "edited") {
		if kind := object.GetKind(); kind == "ConfigMap" || kind == "Service" || kind == "Job" {
			if err := create(object); err != nil {
				t.Fatal(err)
			}
			next = object.GetName()
		}
	}
	if next == last {
		t.Fatalf("both runs are called %s; this test tests nothing", next)
	}
	time.Sleep(3 * time.Second)
	if all, err := pods(next); err != nil || len(all) != 0 {
		t.Errorf("%d pods (%v) of the next run beside the last one's", len(all), err)
	}
	foreground := metav1.DeletePropagationForeground
	if err := plane.client.BatchV1().Jobs(namespace).Delete(context.Background(), last, metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	running(t, next, 4)
	t.Logf("all ranks of the next run run %.1f s after the last one was removed", time.Since(began).Seconds())
}

// TestRestricted: the namespace refuses a pod with more rights than the program's.
func TestRestricted(t *testing.T) {
	objects := manifests(t, "plain")
	submit(t, objects)
	template, _, err := unstructured.NestedMap(jobOf(t, objects).Object, "spec", "template", "spec")
	if err != nil {
		t.Fatal(err)
	}
	pod := func(change func(spec map[string]any)) error {
		spec := (&unstructured.Unstructured{Object: template}).DeepCopy().Object
		change(spec)
		return create(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "spec": spec,
			"metadata": map[string]any{"namespace": namespace, "name": fmt.Sprintf("other-%d", time.Now().UnixNano())},
		}})
	}
	container := func(spec map[string]any) map[string]any { return spec["containers"].([]any)[0].(map[string]any) }
	if err := pod(func(map[string]any) {}); err != nil && !strings.Contains(err.Error(), "exceeded quota") {
		t.Errorf("the program's own pod is refused: %v", err)
	}
	for name, change := range map[string]func(map[string]any){
		"privileged": func(spec map[string]any) {
			container(spec)["securityContext"] = map[string]any{"privileged": true}
		},
		"IPC_LOCK": func(spec map[string]any) {
			container(spec)["securityContext"].(map[string]any)["capabilities"].(map[string]any)["add"] = []any{"IPC_LOCK"}
		},
		"host path": func(spec map[string]any) {
			spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": "host", "hostPath": map[string]any{"path": "/"}})
		},
		"no seccomp": func(spec map[string]any) { delete(spec["securityContext"].(map[string]any), "seccompProfile") },
		"root":       func(spec map[string]any) { delete(spec["securityContext"].(map[string]any), "runAsNonRoot") },
	} {
		if err := pod(change); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
			t.Errorf("%s: %v, want it refused by Pod Security", name, err)
		}
	}
}
