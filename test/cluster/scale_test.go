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
	"k8s.io/apimachinery/pkg/labels"

	"llm-platform/internal/job"
)

var rounds = flag.Int("rounds", 1, "how often TestThousandRanks measures")

// TestThousandRanks schedules a thousand ranks on a thousand nodes, and compares the time with that of a thousand bare
// pods of the same kind, in turns.
func TestThousandRanks(t *testing.T) {
	const ranks = 1000
	addNodes(t, "p5.48xlarge", ranks)
	run := runOn(t, "p5.48xlarge", ranks)
	asJob := func() time.Duration {
		began := time.Now()
		name := submit(t, run)
		took := scheduled(t, ranks, began, "batch.kubernetes.io/job-name="+name)
		checkContract(t, running(t, name, ranks), run)
		deleteNamespace(t)
		return took
	}
	asPods := func() time.Duration {
		began := time.Now()
		submitBare(t, ranks, run)
		took := scheduled(t, ranks, began, "bare=true")
		deleteNamespace(t)
		return took
	}
	var ratios []float64
	for round := range *rounds {
		var withJob, bare time.Duration
		if round%2 == 0 {
			withJob, bare = asJob(), asPods()
		} else { // what the first leaves behind slows down the second
			bare = asPods()
			withJob = asJob()
		}
		ratios = append(ratios, withJob.Seconds()/bare.Seconds())
		load, _ := os.ReadFile("/proc/loadavg")
		fmt.Printf("1000 ranks scheduled in %.1f s as a Job, 1000 bare pods in %.1f s: ratio %.2f; load %s",
			withJob.Seconds(), bare.Seconds(), ratios[round], load)
	}
	slices.Sort(ratios)
	fmt.Printf("median ratio of %d: %.2f\n", len(ratios), ratios[len(ratios)/2])
}

// scheduled waits until a number of pods is scheduled, no two on one node, and returns how long that took.
func scheduled(t *testing.T, count int, began time.Time, selector string) time.Duration {
	t.Helper()
	which, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, fmt.Sprintf("%d scheduled pods", count), func() error {
		pods, err := shared.bound.List(which)
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

// submitBare creates the pods of a run without its Job.
func submitBare(t *testing.T, count int, run job.Run) {
	t.Helper()
	create(t, inNamespace(run)...)
	create(t, run.ConfigMap(), run.Service())
	template := run.Job().Spec.Template
	forEach(t, count, func(i int) error {
		pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
		pod.Name = fmt.Sprintf("bare-%d", i)
		pod.Labels["bare"] = "true"
		_, err := shared.client.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{})
		return err
	})
}
