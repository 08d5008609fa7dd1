package cluster

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const namespace = "training"

// order is the order in which the program has its objects made.
var order = []string{"Namespace", "ServiceAccount", "ResourceQuota", "Secret", "ConfigMap", "Service", "Job"}

// manifests are the objects of one of the program's cases.
func manifests(t *testing.T, name string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(os.Getenv("MANIFESTS"), name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	if err := json.Unmarshal(text, &objects); err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, object := range objects {
		all = append(all, &unstructured.Unstructured{Object: object})
	}
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int {
		return slices.Index(order, a.GetKind()) - slices.Index(order, b.GetKind())
	})
	if len(all) < 6 {
		t.Fatalf("%s has %d objects; this test tests nothing", name, len(all))
	}
	return all
}

// jobOf is the training Job among the objects.
func jobOf(t *testing.T, objects []*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "Job" && object.GetLabels()["app.kubernetes.io/name"] == "training" {
			return object
		}
	}
	t.Fatal("no training Job")
	return nil
}

// submit makes the objects under strict validation, and clears the namespace after
// the test. It returns the training Job's name.
func submit(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	t.Cleanup(func() { clear(t) })
	for _, object := range objects {
		if err := create(object); err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	return jobOf(t, objects).GetName()
}

// create makes one object as strictly as the API server can.
func create(object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := plane.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	_, err = plane.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace()).
		Create(context.Background(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	return err
}

// clear removes the namespace, with its pods at once, and waits until it is gone.
func clear(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	background := metav1.DeletePropagationBackground
	_ = plane.client.BatchV1().Jobs(namespace).DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{})
	now := int64(0)
	_ = plane.client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	_ = plane.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{})
	waitFor(t, "the namespace to be gone", func() error {
		_, err := plane.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is still there (%v)", err)
	})
}

var patience = flag.Duration("patience", 5*time.Minute, "how long to wait for what must come")

// waitFor tries until there is no error, as long as patience lasts.
func waitFor(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(*patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %v", what, err)
}

// pods are the pods of a Job that are neither ended nor deleted, by completion index.
func pods(job string) (map[int]*corev1.Pod, error) {
	list, err := plane.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + job})
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
			return nil, fmt.Errorf("%s and %s have one index", pod.Name, other.Name)
		}
		byIndex[index] = pod
	}
	return byIndex, nil
}

// running waits until as many pods of a Job run as it has nodes.
func running(t *testing.T, job string, count int) map[int]*corev1.Pod {
	t.Helper()
	var all map[int]*corev1.Pod
	waitFor(t, fmt.Sprintf("%d running pods of %s", count, job), func() (err error) {
		if all, err = pods(job); err != nil {
			return err
		}
		ready := 0
		for _, pod := range all {
			if pod.Status.Phase == corev1.PodRunning {
				ready++
			}
		}
		if ready != count || len(all) != count {
			return fmt.Errorf("%d run of %d", ready, len(all))
		}
		return nil
	})
	return all
}

// failed waits until a Job has failed and has no pod left, and returns the reason.
func failed(t *testing.T, job string) (reason, message string) {
	t.Helper()
	waitFor(t, job+" to fail", func() error {
		found, err := plane.client.BatchV1().Jobs(namespace).Get(context.Background(), job, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == batchv1.JobFailed && condition.Status == corev1.ConditionTrue {
				reason, message = condition.Reason, condition.Message
				left, err := pods(job)
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

// accepted submits a case, of which the API server must think nothing amiss, and waits until all its ranks run.
func accepted(t *testing.T, name string, nodes int) (job string, ranks map[int]*corev1.Pod) {
	t.Helper()
	plane.warnings.take()
	job = submit(t, manifests(t, name))
	ranks = running(t, job, nodes)
	if warned := plane.warnings.take(); len(warned) > 0 {
		t.Errorf("the API server warned: %q", warned)
	}
	return job, ranks
}
