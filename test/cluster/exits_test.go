package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"llm-platform/internal/job"
)

// TestFatalExit: an exit code that rules out another try ends all ranks.
func TestFatalExit(t *testing.T) {
	addNodes(t, "p5.48xlarge", 4)
	for _, code := range job.FatalExitCodes() {
		t.Run(strconv.Itoa(int(code)), func(t *testing.T) {
			name := submit(t, four(t))
			ranks := running(t, name, 4)
			if err := shared.finish(context.Background(), namespace, ranks[2].Name, code, code == job.ExitEFA); err != nil {
				t.Fatal(err)
			}
			if reason, message := failed(t, name); reason != "PodFailurePolicy" || !strings.Contains(message, fmt.Sprintf("exit code %d", code)) {
				t.Errorf("failed with %s: %s", reason, message)
			}
		})
	}
}

// TestRetriesAreBounded: after any other failure, a pod of the same index tries again, up to the run's retries. The next
// failure ends all ranks.
func TestRetriesAreBounded(t *testing.T) {
	addNodes(t, "p5.48xlarge", 4)
	run := four(t)
	name := submit(t, run)
	before := running(t, name, 4)
	tried := before[1].UID
	for n := range run.Retries {
		if err := shared.finish(context.Background(), namespace, before[1].Name, 1, false); err != nil {
			t.Fatal(err)
		}
		after := running(t, name, 4)
		if after[1].UID == tried {
			t.Fatalf("retry %d: index 1 is the same pod", n+1)
		}
		if after[0].UID != before[0].UID {
			t.Errorf("retry %d: index 0 was replaced too", n+1)
		}
		tried, before = after[1].UID, after
	}
	if err := shared.finish(context.Background(), namespace, before[1].Name, 1, false); err != nil {
		t.Fatal(err)
	}
	if reason, message := failed(t, name); reason != "MaxFailedIndexesExceeded" {
		t.Errorf("failed with %s: %s", reason, message)
	}
}

// TestIgnoredExits: codes that say that others have ended a rank are not counted, on whatever index.
func TestIgnoredExits(t *testing.T) {
	addNodes(t, "p5.48xlarge", 4)
	run := four(t)
	run.Retries = 0
	name := submit(t, run)
	seen := 0
	for _, exit := range job.Exits() {
		if exit.Outcome != job.Ignored {
			continue
		}
		before := running(t, name, 4)
		if err := shared.finish(context.Background(), namespace, before[seen].Name, exit.Code, false); err != nil {
			t.Fatal(err)
		}
		var after map[int]*corev1.Pod
		waitFor(t, "the pod to be replaced", func() (err error) {
			if after, err = pods(name); err == nil && (after[seen] == nil || after[seen].UID == before[seen].UID) {
				err = fmt.Errorf("%d pods", len(after))
			}
			return err
		})
		if got := after[seen].Annotations["batch.kubernetes.io/job-index-failure-count"]; got != "0" {
			t.Errorf("%d (%s): %s failures are counted", exit.Code, exit.Name, got)
		}
		seen++
	}
	if seen < 2 {
		t.Errorf("%d ignored codes: this test tests little", seen)
	}
}

// TestDrain: the ranks of drained nodes are replaced on others, any number of times, without using up a retry.
func TestDrain(t *testing.T) {
	ctx := context.Background()
	addNodes(t, "p5.48xlarge", 5)
	run := four(t)
	name := submit(t, run)
	for n := range run.Retries + 1 { // Kubernetes doubles the delay every time
		before := running(t, name, 4)
		victim := before[1]
		cordon(t, victim.Spec.NodeName, true)
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: victim.Name, Namespace: namespace}}
		if err := shared.client.PolicyV1().Evictions(namespace).Evict(ctx, eviction); err != nil {
			t.Fatal(err)
		}
		var after map[int]*corev1.Pod
		waitFor(t, "index 1 to be replaced", func() (err error) {
			if after, err = pods(name); err == nil && (after[1] == nil || after[1].UID == victim.UID || after[1].Status.Phase != corev1.PodRunning) {
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
	found, err := shared.client.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
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
	if _, err := shared.client.CoreV1().Nodes().Patch(context.Background(), node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}
