package cluster

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

var rounds = flag.Int("rounds", 1, "how often TestThousandRanks measures")

// TestThousandRanks has a thousand ranks scheduled on a thousand nodes, and prints
// how long that takes against a thousand bare pods of the same kind, in turns.
func TestThousandRanks(t *testing.T) {
	const ranks = 1000
	addNodes(t, "p5.48xlarge", ranks)
	objects := manifests(t, "thousand")
	asJob := func() time.Duration {
		began := time.Now()
		job := submit(t, objects)
		took := scheduled(t, ranks, began, "batch.kubernetes.io/job-name="+job)
		checkContract(t, running(t, job, ranks), ranks, 8)
		clear(t)
		return took
	}
	asPods := func() time.Duration {
		began := time.Now()
		submitBare(t, ranks, objects)
		took := scheduled(t, ranks, began, "bare=true")
		clear(t)
		return took
	}
	var ratios []float64
	for round := range *rounds {
		var job, pods time.Duration
		if round%2 == 0 {
			job, pods = asJob(), asPods()
		} else { // what the first leaves behind is the second's load
			pods = asPods()
			job = asJob()
		}
		ratios = append(ratios, job.Seconds()/pods.Seconds())
		load, _ := os.ReadFile("/proc/loadavg")
		fmt.Printf("1000 ranks scheduled in %.1f s as a Job, 1000 bare pods in %.1f s: ratio %.2f; load %s", job.Seconds(), pods.Seconds(), ratios[round], load)
	}
	slices.Sort(ratios)
	fmt.Printf("median ratio of %d: %.2f\n", len(ratios), ratios[len(ratios)/2])
}

// scheduled waits until each of so many pods has a node of its own, and says how long
// that took.
func scheduled(t *testing.T, count int, began time.Time, selector string) time.Duration {
	t.Helper()
	which, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, fmt.Sprintf("%d scheduled pods", count), func() error {
		pods, err := plane.bound.List(which)
		if err != nil {
			return err
		}
		nodes := map[string]bool{}
		for _, pod := range pods {
			nodes[pod.Spec.NodeName] = true
		}
		if len(pods) != count || len(nodes) != count {
			return fmt.Errorf("%d pods on %d nodes", len(pods), len(nodes))
		}
		return nil
	})
	return time.Since(began)
}

// submitBare makes pods as the Job's, without the Job.
func submitBare(t *testing.T, count int, objects []*unstructured.Unstructured) {
	t.Helper()
	template, _, err := unstructured.NestedMap(jobOf(t, objects).Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	var like corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &like); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != "Job" {
			if err := create(object); err != nil {
				t.Fatal(err)
			}
		}
	}
	forEach(t, count, func(i int) error {
		pod := &corev1.Pod{ObjectMeta: *like.ObjectMeta.DeepCopy(), Spec: *like.Spec.DeepCopy()}
		pod.Name = fmt.Sprintf("bare-%d", i)
		pod.Labels["bare"] = "true"
		_, err := plane.client.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{})
		return err
	})
}
