package cluster

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/job"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

const namespace = settings.TrainingNamespace

// runOn returns a run on a pool of one instance type, with the default command.
func runOn(t *testing.T, instanceType string, nodes int) job.Run {
	t.Helper()
	machine, err := accelerator.Lookup(instanceType)
	if err != nil {
		t.Fatal(err)
	}
	return job.Run{
		Prefix: "train", Region: "us-west-2", Nodes: nodes, Number: 1, Retries: 3, GraceSeconds: 300, OwnAccount: true,
		Pool: nodepool.Facts{
			Name: "gpu", Type: machine, EFA: machine.EFAInterfaces, DiskGB: machine.InstanceStoreGB,
			Labels: map[string]string{settings.PoolLabel: "gpu"}, TaintKey: "nvidia.com/gpu", TaintValue: "true",
		},
		Image: "registry.example.com/train:1", Command: []string{"python", "train.py"},
		Scripts: job.Scripts{{Path: "lib/data.py", Content: "pass\n"}, {Path: "train.py", Content: "import lib.data\n"}},
	}
}

// four returns a run on four nodes, whose ranks may fail twice.
func four(t *testing.T) job.Run {
	run := runOn(t, "p5.48xlarge", 4)
	run.Retries = 2
	return run
}

// inNamespace returns the namespace and what runs share in it, in the order in which the program creates them.
func inNamespace(run job.Run) []runtime.Object {
	objects := []runtime.Object{
		job.Namespace(run.GraceSeconds), job.NetworkPolicy(), job.ServicesQuota(), job.Quota(map[string]nodepool.Facts{run.Pool.Name: run.Pool}, run),
	}
	if len(run.Secrets) > 0 {
		values := map[string]string{}
		for _, name := range run.Secrets {
			values[name] = "value of " + name
		}
		objects = append(objects, job.Secret(values))
	}
	return objects
}

// ofRun returns the objects of one run, in the order in which the program creates them.
func ofRun(run job.Run) []runtime.Object {
	configMap := run.ConfigMap()
	configMap.Data[job.DatasetURI] = run.DatasetURI("dataset")
	configMap.Data[job.CheckpointURI] = run.OutputURI("checkpoints")
	configMap.Data[job.ArtifactURI] = run.OutputURI("artifacts")
	configMap.Data[job.ResumeFromURI] = run.ResumeURI("checkpoints")
	configMap.Data[job.ScriptCommit] = commit
	rendered := run.Job()
	rendered.Labels[job.CommitLabel] = commit
	return []runtime.Object{run.ServiceAccount(), configMap, run.Service(), rendered}
}

const commit = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

// submit creates a run with its namespace, and deletes the namespace after the test. It returns the Job's name.
func submit(t *testing.T, run job.Run) string {
	t.Helper()
	t.Cleanup(func() { deleteNamespace(t) })
	create(t, inNamespace(run)...)
	create(t, ofRun(run)...)
	return run.Name()
}

// create creates objects under strict validation.
func create(t *testing.T, objects ...runtime.Object) {
	t.Helper()
	for _, object := range objects {
		if err := tryToCreate(object); err != nil {
			t.Fatal(err)
		}
	}
}

// tryToCreate creates one object under strict validation, as JSON without its status.
func tryToCreate(object runtime.Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	delete(fields, "status")
	sent := &unstructured.Unstructured{Object: fields}
	kind := sent.GroupVersionKind()
	mapping, err := shared.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	_, err = shared.dynamic.Resource(mapping.Resource).Namespace(sent.GetNamespace()).
		Create(context.Background(), sent, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind.Kind, sent.GetName(), err)
	}
	return nil
}

// deleteNamespace deletes the namespace, with its pods at once, and waits for the end.
func deleteNamespace(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	background := metav1.DeletePropagationBackground
	_ = shared.client.BatchV1().Jobs(namespace).DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{})
	now := int64(0)
	_ = shared.client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	_ = shared.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{})
	waitFor(t, "the namespace to be deleted", func() error {
		_, err := shared.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it still exists (%v)", err)
	})
}

var patience = flag.Duration("patience", 5*time.Minute, "how long to wait for an expected state")

// waitFor calls try until it succeeds, for at most the patience.
func waitFor(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(*patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("timeout waiting for %s: %v", what, err)
}

// pods returns the pods of a Job that are neither ended nor deleted, by completion index.
func pods(name string) (map[int]*corev1.Pod, error) {
	list, err := shared.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + name})
	if err != nil {
		return nil, err
	}
	byIndex := map[int]*corev1.Pod{}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
			continue
		}
		index, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
		if err != nil {
			return nil, err
		}
		if other, twice := byIndex[index]; twice {
			return nil, fmt.Errorf("%s and %s have the same index", pod.Name, other.Name)
		}
		byIndex[index] = pod
	}
	return byIndex, nil
}

// running waits until a number of pods of a Job run, and no other exists.
func running(t *testing.T, name string, count int) map[int]*corev1.Pod {
	t.Helper()
	var all map[int]*corev1.Pod
	waitFor(t, fmt.Sprintf("%d running pods of %s", count, name), func() (err error) {
		if all, err = pods(name); err != nil {
			return err
		}
		ready := 0
		for _, pod := range all {
			if pod.Status.Phase == corev1.PodRunning {
				ready++
			}
		}
		if ready != count || len(all) != count {
			return fmt.Errorf("%d of %d pods run", ready, len(all))
		}
		return nil
	})
	return all
}

// failed waits until a Job has failed and has no pod left. It returns reason and message.
func failed(t *testing.T, name string) (reason, message string) {
	t.Helper()
	waitFor(t, name+" to fail", func() error {
		found, err := shared.client.BatchV1().Jobs(namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == batchv1.JobFailed && condition.Status == corev1.ConditionTrue {
				reason, message = condition.Reason, condition.Message
				left, err := pods(name)
				if err == nil && len(left) > 0 {
					err = fmt.Errorf("%d pods are left", len(left))
				}
				return err
			}
		}
		return fmt.Errorf("conditions %v", found.Status.Conditions)
	})
	return reason, message
}

// accepted submits a run, which must not cause a warning of the API server, and waits until all its ranks run.
func accepted(t *testing.T, run job.Run) map[int]*corev1.Pod {
	t.Helper()
	shared.warnings.take()
	ranks := running(t, submit(t, run), run.Nodes)
	if warned := shared.warnings.take(); len(warned) > 0 {
		t.Errorf("warnings of the API server: %q", warned)
	}
	return ranks
}
