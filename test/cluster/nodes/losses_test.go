package nodes

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
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
	"--steps=100000000", "--context=32", "--batch=2", "--log-every=5", "--save-every=20", "--validate-every=0",
}

// loss is one way to lose something of a run that trains on three of four nodes.
type loss struct {
	name     string
	cause    func(t *testing.T, r *run, pods map[int]*corev1.Pod)
	replaced []int // indexes whose pods are replaced; the other pods stay
	counted  []int // indexes of which Kubernetes counts a failure
	either   bool  // of one of them
	goesOn   bool  // no attempt ends
	says     string
	restore  func(t *testing.T, pods map[int]*corev1.Pod)
}

func losses() []loss {
	return []loss{
		{name: "a rank is killed", cause: killRanks(1), replaced: []int{1}, counted: []int{1}},
		{name: "a node is drained", cause: drain(2), restore: uncordon(2), replaced: []int{2}, says: "SIGTERM: saved step"},
		{name: "rank 0 is killed", cause: killRanks(0), replaced: []int{0}, counted: []int{0}},
		{name: "the node of rank 0 is drained", cause: drain(0), restore: uncordon(0), replaced: []int{0}, says: "SIGTERM: saved step"},
		{name: "a container is killed, as for its memory", cause: killLauncher(1), replaced: []int{1}, counted: []int{1}},
		{name: "two ranks are killed at once", cause: killRanks(1, 2), replaced: []int{1, 2}, counted: []int{1, 2}, either: true},
		{name: "a rank is killed while a checkpoint is saved", cause: killWhileSaving(2), replaced: []int{2}, counted: []int{2}},
		{name: "a rank is killed while the others wait for another", cause: killWhileWaiting(1, 2), replaced: []int{1, 2}, counted: []int{1, 2}},
		{name: "a rank is killed while all resume", cause: killWhileResuming(1, 2), replaced: []int{1, 2}, counted: []int{1, 2}},
		{name: "a rank hangs", cause: freeze(1, 0), says: "no progress of local rank 0"},
		{name: "a rank is slow: it stops for 20 s", cause: freeze(2, 20*time.Second), goesOn: true},
		{name: "the control plane is away for a minute", cause: freezePlane, goesOn: true},
		{name: "a node is drained and none takes its place for a minute", cause: drainWithoutRoom(1), replaced: []int{1}, says: "waiting for 1 of 3 nodes: 1"},
		{name: "a node disappears without a packet", cause: loseNode(2), restore: restoreNode(2), replaced: []int{2}, says: "node 2 is lost: no sign"},
		{name: "the node of rank 0 disappears without a packet", cause: loseNode(0), restore: restoreNode(0), replaced: []int{0}, says: "has lost node 0"},
	}
}

// TestLosses: after each loss, the pods of the others are the same as before, nothing is counted against them, and training
// goes on from a checkpoint.
func TestLosses(t *testing.T) {
	addNodes(t, cpuPool, first(), first()+1, first()+2, first()+3)
	t.Cleanup(func() {
		for index := range 4 {
			removeNode(t, first()+index)
		}
	})
	fmt.Println("| loss | pods replaced | counted | noticed after | training steps again after |\n|---|---|---|---|---|")
	// Two runs, since Kubernetes waits twice as long each time that an index loses a pod.
	all := losses()
	for i, half := range [][]loss{all[:len(all)/2], all[len(all)/2:]} {
		t.Run(fmt.Sprintf("run %d", i+1), func(t *testing.T) { loseAll(t, half) })
	}
}

// loseAll starts a run and causes one loss after the other.
func loseAll(t *testing.T, losses []loss) {
	began := time.Now()
	r := start(t, "processors", elsewhere(func(kind string, object map[string]any) {
		if kind == "Job" {
			object["spec"].(map[string]any)["backoffLimitPerIndex"] = 20 // more than the losses that count
			setArgs(object, endless, map[string]string{"HANG_SECONDS": "60"})
		}
	}))
	at := r.trains(t, began)
	fmt.Printf("first step %.0f s after the Job was created\n", at.Sub(began).Seconds())
	for _, c := range losses {
		t.Run(c.name, func(t *testing.T) { r.lose(t, c) })
		if reason, message := r.ended(t); reason != "" {
			t.Fatalf("the Job has ended: %s: %s", reason, message)
		}
	}
}

// lose causes a loss and checks what is promised.
func (r *run) lose(t *testing.T, c loss) {
	t.Cleanup(func() {
		if t.Failed() {
			r.dump(t)
		}
	})
	r.says(t, r.trains(t, time.Now()), `{"event": "saved"`) // so that failures of two losses are not from one checkpoint
	before, err := r.pods()
	if err != nil || len(before) != r.nodes {
		t.Fatalf("%d pods: %v", len(before), err)
	}
	counts := counted(before)
	if c.restore != nil {
		t.Cleanup(func() { c.restore(t, before) })
	}
	began := time.Now()
	c.cause(t, r, before)
	if c.says != "" {
		r.says(t, began, c.says)
	}
	noticed, again := "-", time.Time{}
	if c.goesOn {
		again = r.trains(t, time.Now())
		for _, l := range r.log() {
			if l.at.After(began) && strings.HasPrefix(l.text, "launch: ") {
				t.Errorf("it has not gone on: %s", l.text)
			}
		}
	} else {
		noticed = fmt.Sprintf("%.0f s", r.says(t, began, "starts over").Sub(began).Seconds())
	}
	var after map[int]*corev1.Pod
	waitFor(t, "the pods", func() error {
		if after, err = r.pods(); err != nil || len(after) != r.nodes {
			return fmt.Errorf("%d pods: %v", len(after), err)
		}
		for index, pod := range after {
			if pod.Status.Phase != corev1.PodRunning {
				return fmt.Errorf("index %d is %s", index, pod.Status.Phase)
			}
			if !c.either && slices.Contains(c.replaced, index) && pod.UID == before[index].UID {
				return fmt.Errorf("index %d is not replaced", index)
			}
		}
		return nil
	})
	if !c.goesOn {
		waitFor(t, "the last attempt to train", func() error {
			lines := r.log()
			for i := len(lines) - 1; i >= 0; i-- {
				if l := lines[i]; strings.HasPrefix(l.text, "launch: attempt") {
					if !strings.HasSuffix(l.text, fmt.Sprintf("on %d nodes", r.nodes)) || l.at.Before(began) {
						return fmt.Errorf("%s", l.text)
					}
					break
				}
				if l := lines[i]; strings.HasPrefix(l.text, stepped) && l.at.After(began) {
					again = l.at
				}
			}
			if again.IsZero() {
				return fmt.Errorf("no step")
			}
			return nil
		})
	}
	if after, err = r.pods(); err != nil || len(after) != r.nodes {
		t.Fatalf("%d pods: %v", len(after), err)
	}
	for index := range r.nodes {
		if !slices.Contains(c.replaced, index) && after[index].UID != before[index].UID {
			t.Errorf("the pod of index %d was replaced too", index)
		}
	}
	if more := newly(counts, counted(after)); c.either && (len(more) != 1 || !slices.Contains(c.counted, more[0])) || !c.either && !slices.Equal(more, c.counted) {
		t.Errorf("failures are counted of indexes %v, want %v; before %v, after %v", more, c.counted, counts, counted(after))
	}
	fmt.Printf("| %s | %s | %s | %s | %.0f s |\n", c.name, list(c.replaced, c.either), list(c.counted, c.either), noticed, again.Sub(began).Seconds())
}

// newly returns the indexes of which one failure more is counted, and -1 for anything else.
func newly(before, after []string) []int {
	var more []int
	for i := range before {
		var was, is int
		_, _ = fmt.Sscan(before[i], &was)
		_, _ = fmt.Sscan(after[i], &is)
		switch is - was {
		case 0:
		case 1:
			more = append(more, i)
		default:
			more = append(more, -1)
		}
	}
	return more
}

func list(indexes []int, either bool) string {
	if len(indexes) == 0 {
		return "none"
	}
	text := strings.Trim(fmt.Sprint(indexes), "[]")
	if either {
		text = "one of " + text
	}
	return text
}

type cause = func(t *testing.T, r *run, pods map[int]*corev1.Pod)

func killRanks(indexes ...int) cause {
	return func(t *testing.T, r *run, _ map[int]*corev1.Pod) {
		var processes []int
		for _, index := range indexes {
			processes = append(processes, r.process(t, index, true))
		}
		for _, process := range processes {
			signalTo(t, process, syscall.SIGKILL)
		}
	}
}

func killLauncher(index int) cause {
	return func(t *testing.T, r *run, _ map[int]*corev1.Pod) {
		signalTo(t, r.process(t, index, false), syscall.SIGKILL)
	}
}

func killWhileSaving(index int) cause {
	return func(t *testing.T, r *run, _ map[int]*corev1.Pod) {
		process := r.process(t, index, true)
		waitFor(t, "a checkpoint that is being saved", func() error {
			folder, complete := newestCheckpoint(t)
			if folder == "" || complete {
				return fmt.Errorf("%q is complete", folder)
			}
			return nil
		})
		signalTo(t, process, syscall.SIGKILL)
	}
}

// newestCheckpoint returns the folder of the newest checkpoint in S3, and whether it has its marker.
func newestCheckpoint(t *testing.T) (string, bool) {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/checkpoints?list-type=2", s3Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	folder := ""
	for _, match := range regexp.MustCompile(`<Key>[^<]*(step-\d+)/`).FindAllSubmatch(text, -1) {
		folder = max(folder, string(match[1]))
	}
	return folder, strings.Contains(string(text), folder+"/complete.json")
}

func killWhileWaiting(first, second int) cause {
	return func(t *testing.T, r *run, pods map[int]*corev1.Pod) {
		began := time.Now()
		killRanks(first)(t, r, pods)
		r.says(t, began, fmt.Sprintf("node %d stays and starts over", second)) // its ranks have ended
		killLauncher(second)(t, r, pods)
	}
}

func killWhileResuming(first, second int) cause {
	return func(t *testing.T, r *run, pods map[int]*corev1.Pod) {
		began := time.Now()
		killRanks(first)(t, r, pods)
		r.says(t, began, fmt.Sprintf("on %d nodes", r.nodes))
		killRanks(second)(t, r, pods)
	}
}

// freeze stops a rank, for ever or for a time.
func freeze(index int, pause time.Duration) cause {
	return func(t *testing.T, r *run, _ map[int]*corev1.Pod) {
		process := r.process(t, index, true)
		signalTo(t, process, syscall.SIGSTOP)
		if pause > 0 {
			time.Sleep(pause)
			signalTo(t, process, syscall.SIGCONT)
		}
	}
}

// freezePlane stops the API server, the controllers, the scheduler and etcd for a minute.
func freezePlane(t *testing.T, _ *run, _ map[int]*corev1.Pod) {
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := lab.plane.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if signal == syscall.SIGSTOP {
			time.Sleep(time.Minute)
		}
	}
}

func drain(index int) cause {
	return func(t *testing.T, _ *run, pods map[int]*corev1.Pod) {
		cordon(t, pods[index].Spec.NodeName, true)
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods[index].Name, Namespace: namespace}}
		if err := lab.client.PolicyV1().Evictions(namespace).Evict(background, eviction); err != nil {
			t.Fatal(err)
		}
	}
}

// drainWithoutRoom drains a node while no other takes pods, for some 70 s.
func drainWithoutRoom(index int) cause {
	return func(t *testing.T, r *run, pods map[int]*corev1.Pod) {
		for node := range 4 {
			cordon(t, fmt.Sprintf("node-%d", first()+node), true)
		}
		began := time.Now()
		drain(index)(t, r, pods)
		r.says(t, began, fmt.Sprintf("waiting for 1 of %d nodes", r.nodes))
		for node := range 4 {
			cordon(t, fmt.Sprintf("node-%d", first()+node), false)
		}
	}
}

func uncordon(index int) func(*testing.T, map[int]*corev1.Pod) {
	return func(t *testing.T, pods map[int]*corev1.Pod) { cordon(t, pods[index].Spec.NodeName, false) }
}

func cordon(t *testing.T, node string, closed bool) {
	patch := []byte(fmt.Sprintf(`{"spec":{"unschedulable":%v}}`, closed))
	if _, err := lab.client.CoreV1().Nodes().Patch(background, node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// loseNode takes a node away without a packet, and deletes its Node object 60 s later, as the cloud controller does when EC2
// has terminated the instance.
func loseNode(index int) cause {
	return func(t *testing.T, _ *run, pods map[int]*corev1.Pod) {
		node := nodeOf(pods[index])
		if err := lab.node(node, nil, "lose"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * time.Second)
		deleteNodeObject(t, node)
	}
}

func restoreNode(index int) func(*testing.T, map[int]*corev1.Pod) {
	return func(t *testing.T, pods map[int]*corev1.Pod) { addNodes(t, cpuPool, nodeOf(pods[index])) }
}

func nodeOf(pod *corev1.Pod) int {
	var index int
	_, _ = fmt.Sscan(strings.TrimPrefix(pod.Spec.NodeName, "node-"), &index)
	return index
}
