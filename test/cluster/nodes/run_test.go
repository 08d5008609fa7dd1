package nodes

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	namespace = "training"
	pool      = "llm-platform/pool=cpu"
)

var patience = flag.Duration("patience", 6*time.Minute, "how long to wait for an expected state")

// addNodes starts nodes of the pool that the run is for, and waits until they are ready.
func addNodes(t *testing.T, env []string, indexes ...int) {
	t.Helper()
	for _, index := range indexes {
		if err := lab.node(index, env, lab.images...); err != nil {
			t.Fatalf("node %d: %v", index, err)
		}
	}
	for _, index := range indexes {
		waitFor(t, fmt.Sprintf("node-%d to be ready", index), func() error {
			node, err := lab.client.CoreV1().Nodes().Get(background, fmt.Sprintf("node-%d", index), metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, c := range node.Status.Conditions {
				if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && len(node.Spec.Taints) <= 1 {
					return nil
				}
			}
			return fmt.Errorf("taints %v", node.Spec.Taints)
		})
	}
}

var cpuPool = []string{"LABELS=" + pool, "TAINTS=llm-platform/pool=cpu:NoSchedule"}

func removeNode(t *testing.T, index int) {
	t.Helper()
	if err := lab.node(index, nil, "stop"); err != nil {
		t.Errorf("node %d: %v", index, err)
	}
	deleteNodeObject(t, index)
}

func deleteNodeObject(t *testing.T, index int) {
	t.Helper()
	err := lab.client.CoreV1().Nodes().Delete(background, fmt.Sprintf("node-%d", index), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

func waitFor(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(*patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("timeout waiting for %s: %v", what, err)
}

// run is a Job on the cluster.
type run struct {
	name      string // of its Job
	nodes     int
	dir       string
	recreated bool // a JobSet creates its Job again and again
}

// start creates the objects that the program registers for a run, from a file of test/manifests, but with a small model.
// change may alter each.
// The namespace is deleted after the test.
func start(t *testing.T, manifest string, change func(kind string, object map[string]any)) *run {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../.build/manifests", manifest+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	if err := json.Unmarshal(text, &objects); err != nil {
		t.Fatal(err)
	}
	small, err := os.ReadFile("../../training/tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deleteNamespace(t) })
	r := &run{dir: lab.dir}
	for _, object := range objects {
		delete(object, "status")
		if data, ok := object["data"].(map[string]any); ok && data["config.json"] != nil {
			data["config.json"] = string(small)
		}
		if object["kind"] == "Job" {
			withIdentity(object)
			r.nodes = int(object["spec"].(map[string]any)["completions"].(float64))
			r.name = object["metadata"].(map[string]any)["name"].(string)
		}
		if change != nil {
			change(object["kind"].(string), object)
		}
		if err := create(object); err != nil {
			t.Fatal(err)
		}
	}
	if r.nodes == 0 {
		t.Fatal("no Job in the manifest")
	}
	return r
}

func create(object map[string]any) error {
	sent := &unstructured.Unstructured{Object: object}
	kind := sent.GroupVersionKind()
	mapping, err := lab.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	resource := lab.dynamic.Resource(mapping.Resource)
	options := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	if sent.GetNamespace() == "" {
		_, err = resource.Create(background, sent, options)
	} else {
		_, err = resource.Namespace(sent.GetNamespace()).Create(background, sent, options)
	}
	return err
}

func deleteNamespace(t *testing.T) {
	t.Helper()
	policy, now := metav1.DeletePropagationBackground, int64(0)
	_ = lab.client.BatchV1().Jobs(namespace).DeleteCollection(background, metav1.DeleteOptions{PropagationPolicy: &policy}, metav1.ListOptions{})
	_ = lab.client.CoreV1().Pods(namespace).DeleteCollection(background, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	_ = lab.client.CoreV1().Namespaces().Delete(background, namespace, metav1.DeleteOptions{})
	waitFor(t, "the namespace to be deleted", func() error {
		_, err := lab.client.CoreV1().Namespaces().Get(background, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it still exists (%v)", err)
	})
}

// withArgs returns a change that sets the arguments and adds variables of the training container.
func withArgs(args []string, env map[string]string) func(string, map[string]any) {
	return func(kind string, object map[string]any) {
		if kind == "Job" {
			setArgs(object, args, env)
		}
	}
}

func podSpec(job map[string]any) map[string]any {
	return job["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
}

// containers returns the init containers and the containers of a Job's pods.
func containers(job map[string]any) []map[string]any {
	var all []map[string]any
	for _, kind := range []string{"initContainers", "containers"} {
		list, _ := podSpec(job)[kind].([]any)
		for _, container := range list {
			all = append(all, container.(map[string]any))
		}
	}
	return all
}

func setArgs(job map[string]any, args []string, env map[string]string) {
	container := podSpec(job)["containers"].([]any)[0].(map[string]any)
	var list []any
	for _, arg := range args {
		list = append(list, arg)
	}
	container["args"] = list
	variables := container["env"].([]any)
	for name, value := range env {
		variables = append(variables, map[string]any{"name": name, "value": value})
	}
	container["env"] = variables
}

// pods returns the pods that are neither ended nor deleted, by index.
func (r *run) pods() (map[int]*corev1.Pod, error) {
	list, err := lab.client.CoreV1().Pods(namespace).List(background, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + r.name})
	if err != nil {
		return nil, err
	}
	found := map[int]*corev1.Pod{}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp == nil && (pod.Status.Phase == corev1.PodRunning || pod.Status.Phase == corev1.PodPending) {
			index, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
			if err != nil {
				return nil, err
			}
			found[index] = pod
		}
	}
	return found, nil
}

// ended returns reason and message of the condition with which the Job has ended, or "".
func (r *run) ended(t *testing.T) (reason, message string) {
	t.Helper()
	if r.recreated {
		return "", ""
	}
	job, err := lab.client.BatchV1().Jobs(namespace).Get(background, r.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobFailed || c.Type == batchv1.JobComplete) && c.Status == corev1.ConditionTrue {
			return string(c.Type) + c.Reason, c.Message
		}
	}
	return "", ""
}

// counted returns the failures that count of the present pod of each index.
func counted(pods map[int]*corev1.Pod) []string {
	var counts []string
	for i := range len(pods) {
		counts = append(counts, pods[i].Annotations["batch.kubernetes.io/job-index-failure-count"])
	}
	return counts
}

// ends waits until the Job has ended, and returns reason and message.
func (r *run) ends(t *testing.T) (reason, message string) {
	t.Helper()
	waitFor(t, "the Job to end", func() error {
		if reason, message = r.ended(t); reason == "" {
			return fmt.Errorf("it goes on")
		}
		return nil
	})
	return reason, message
}

// codes returns the exit codes of the containers that have ended, init containers included.
func (r *run) codes(t *testing.T) []int32 {
	t.Helper()
	list, err := lab.client.CoreV1().Pods(namespace).List(background, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + r.name})
	if err != nil {
		t.Fatal(err)
	}
	var codes []int32
	for _, pod := range list.Items {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if ended := status.State.Terminated; ended != nil {
				codes = append(codes, ended.ExitCode)
			}
		}
	}
	return codes
}

// process returns the process id, on this machine, of the launcher of an index (rank false) or of its rank.
func (r *run) process(t *testing.T, index int, rank bool) int {
	t.Helper()
	return r.find(t, index, func(env string) bool { return strings.Contains(env, "\x00BEAT_FILE=") == rank })
}

// rankProcess returns the process id of the rank of an index, whichever way it was launched.
func (r *run) rankProcess(t *testing.T, index int) int {
	t.Helper()
	return r.find(t, index, func(env string) bool { return strings.Contains(env, "\x00LOCAL_RANK=") })
}

func (r *run) find(t *testing.T, index int, is func(env string) bool) int {
	t.Helper()
	found := 0
	waitFor(t, fmt.Sprintf("a process of index %d", index), func() error {
		processes, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, file := range processes {
			environment, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			env := "\x00" + string(environment)
			ours := true // another cluster may be on this machine, with the same run
			for _, variable := range []string{fmt.Sprintf("PET_NODE_RANK=%d", index), "RUN_NAME=" + r.name, "AWS_ENDPOINT_URL=" + s3Endpoint()} {
				ours = ours && strings.Contains(env, "\x00"+variable+"\x00")
			}
			if ours && is(env) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				if found == 0 || pid < found {
					found = pid
				}
			}
		}
		if found == 0 {
			return fmt.Errorf("none")
		}
		return nil
	})
	return found
}

func signalTo(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}
