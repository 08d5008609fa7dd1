package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestThousandRanks has a thousand ranks scheduled on a thousand nodes, and prints
// how long that takes against a thousand bare pods of the same kind in the same run.
func TestThousandRanks(t *testing.T) {
	const ranks = 1000
	addNodes(t, "p5.48xlarge", ranks)
	objects := manifests(t, "thousand")
	began := time.Now()
	job := submit(t, objects)
	scheduled := func(what string, list func() ([]corev1.Pod, error)) time.Duration {
		var nodes map[string]bool
		waitFor(t, what, func() error {
			all, err := list()
			if err != nil {
				return err
			}
			nodes = map[string]bool{}
			for _, pod := range all {
				if pod.Spec.NodeName != "" {
					nodes[pod.Spec.NodeName] = true
				}
			}
			if len(nodes) != ranks || len(all) != ranks {
				return fmt.Errorf("%d pods on %d nodes", len(all), len(nodes))
			}
			return nil
		})
		return time.Since(began)
	}
	list := func(selector string) func() ([]corev1.Pod, error) {
		return func() ([]corev1.Pod, error) {
			found, err := plane.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: selector, ResourceVersion: "0"})
			if err != nil {
				return nil, err
			}
			return found.Items, nil
		}
	}
	asJob := scheduled("a thousand ranks", list("batch.kubernetes.io/job-name="+job))
	t.Logf("1000 ranks scheduled in %.1f s", asJob.Seconds())
	checkContract(t, running(t, job, ranks), ranks, 8)
	clear(t)

	template, _, err := unstructured.NestedMap(jobOf(t, objects).Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	var like corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &like); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	for _, object := range objects {
		if object.GetKind() != "Job" {
			if err := create(object); err != nil {
				t.Fatal(err)
			}
		}
	}
	forEach(t, ranks, func(i int) error {
		pod := &corev1.Pod{ObjectMeta: *like.ObjectMeta.DeepCopy(), Spec: *like.Spec.DeepCopy()}
		pod.Name = fmt.Sprintf("bare-%d", i)
		pod.Labels["bare"] = "true"
		_, err := plane.client.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{})
		return err
	})
	bare := scheduled("a thousand bare pods", list("bare=true"))
	fmt.Printf("1000 ranks scheduled in %.1f s as a Job, 1000 bare pods in %.1f s: ratio %.2f\n", asJob.Seconds(), bare.Seconds(), asJob.Seconds()/bare.Seconds())
}
