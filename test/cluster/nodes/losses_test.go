package nodes

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// endless are arguments of a small model that trains until it is stopped.
var endless = []string{
	"--steps=100000000", "--layers=1", "--width=32", "--heads=2", "--context=32", "--batch=2", "--log-every=20", "--save-every=500",
}

// loss is one way to lose something of a run that trains on three of four nodes.
type loss struct {
	name    string
	index   int // of the victim
	cause   func(t *testing.T, r *run, victim *corev1.Pod)
	counts  bool // Kubernetes counts a failure of the victim's index, and of no other
	stays   bool // the victim's pod stays too
	says    string
	restore func(t *testing.T, victim *corev1.Pod)
}

// TestLosses: after each loss, the pods of the others are the same as before, nothing is counted against them, and training
// goes on from a checkpoint.
func TestLosses(t *testing.T) {
	addNodes(t, cpuPool, 1, 2, 3, 4)
	t.Cleanup(func() {
		for index := range 4 {
			removeNode(t, index+1)
		}
	})
	r := start(t, "processors", func(job map[string]any) { setArgs(job, endless, nil) })
	began := time.Now()
	at := r.trains(t, began)
	fmt.Printf("first step %.1f s after the Job was created\n", at.Sub(began).Seconds())
	fmt.Println("| loss | the pod itself | the other pods | counted | training steps again after |\n|---|---|---|---|---|")
	for _, c := range []loss{
		{name: "rank killed", index: 1, cause: killRank(syscall.SIGKILL), counts: true},
		{name: "pod drained", index: 2, cause: drain, restore: uncordon, says: "SIGTERM: saved step"},
		{name: "rank 0 killed", index: 0, cause: killRank(syscall.SIGKILL), counts: true},
		{name: "pod of rank 0 drained", index: 0, cause: drain, restore: uncordon, says: "SIGTERM: saved step"},
		{name: "container killed (out of memory)", index: 1, cause: killLauncher, counts: true},
		{name: "node lost without a packet", index: 2, cause: loseNode, restore: restoreNode},
	} {
		if !t.Run(c.name, func(t *testing.T) { r.lose(t, c) }) {
			return
		}
	}
}

// lose causes a loss and checks what is promised.
func (r *run) lose(t *testing.T, c loss) {
	r.trains(t, time.Now())
	before, err := r.pods()
	if err != nil || len(before) != r.nodes {
		t.Fatalf("%d pods: %v", len(before), err)
	}
	counts := counted(before)
	began := time.Now()
	c.cause(t, r, before[c.index])
	if c.says != "" {
		r.says(t, began, c.says)
	}
	r.says(t, began, "launch: attempt ")
	var after map[int]*corev1.Pod
	waitFor(t, "the pods", func() error {
		if after, err = r.pods(); err != nil || len(after) != r.nodes {
			return fmt.Errorf("%d pods: %v", len(after), err)
		}
		if (after[c.index].UID == before[c.index].UID) != c.stays {
			return fmt.Errorf("index %d: pod %s", c.index, after[c.index].Name)
		}
		for index, pod := range after {
			if pod.Status.Phase != corev1.PodRunning {
				return fmt.Errorf("index %d is %s", index, pod.Status.Phase)
			}
		}
		return nil
	})
	running := time.Now()
	starts := r.says(t, began, fmt.Sprintf("on %d nodes", r.nodes))
	again := r.trains(t, starts)
	for index := range r.nodes {
		if index != c.index && after[index].UID != before[index].UID {
			t.Errorf("the pod of index %d was replaced too", index)
		}
	}
	want := slices.Clone(counts)
	if c.counts {
		var n int
		_, _ = fmt.Sscan(counts[c.index], &n)
		want[c.index] = fmt.Sprint(n + 1)
	}
	if got := counted(after); !slices.Equal(got, want) {
		t.Errorf("failures counted by index: %v, want %v", got, want)
	}
	if t.Failed() {
		r.dump(t)
	}
	fmt.Printf("| %s | %s | %s | %s | %.0f s; its pod runs after %.0f s |\n", c.name,
		map[bool]string{true: "stays", false: "replaced"}[c.stays], "stay", map[bool]string{true: "of this index", false: "no"}[c.counts],
		again.Sub(began).Seconds(), running.Sub(began).Seconds())
	if c.restore != nil {
		c.restore(t, before[c.index])
	}
}

func killRank(signal syscall.Signal) func(*testing.T, *run, *corev1.Pod) {
	return func(t *testing.T, r *run, victim *corev1.Pod) {
		signalTo(t, r.process(t, indexOf(victim), true), signal)
	}
}

func killLauncher(t *testing.T, r *run, victim *corev1.Pod) {
	signalTo(t, r.process(t, indexOf(victim), false), syscall.SIGKILL)
}

func indexOf(pod *corev1.Pod) int {
	var index int
	_, _ = fmt.Sscan(pod.Annotations["batch.kubernetes.io/job-completion-index"], &index)
	return index
}

func drain(t *testing.T, r *run, victim *corev1.Pod) {
	cordon(t, victim.Spec.NodeName, true)
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: victim.Name, Namespace: namespace}}
	if err := lab.client.PolicyV1().Evictions(namespace).Evict(background, eviction); err != nil {
		t.Fatal(err)
	}
}

func uncordon(t *testing.T, victim *corev1.Pod) { cordon(t, victim.Spec.NodeName, false) }

func cordon(t *testing.T, node string, closed bool) {
	patch := []byte(fmt.Sprintf(`{"spec":{"unschedulable":%v}}`, closed))
	if _, err := lab.client.CoreV1().Nodes().Patch(background, node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// loseNode takes a node away without a packet, and deletes its Node object 60 s later, as the cloud controller does when EC2
// has terminated the instance.
func loseNode(t *testing.T, r *run, victim *corev1.Pod) {
	index := nodeOf(victim)
	if err := lab.node(index, nil, "lose"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Second)
	deleteNodeObject(t, index)
}

func restoreNode(t *testing.T, victim *corev1.Pod) { addNodes(t, cpuPool, nodeOf(victim)) }

func nodeOf(pod *corev1.Pod) int {
	var index int
	_, _ = fmt.Sscan(strings.TrimPrefix(pod.Spec.NodeName, "node-"), &index)
	return index
}
