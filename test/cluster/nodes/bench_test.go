package nodes

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	bench  = flag.String("bench-run", "", "compare ways to launch, separated by commas, or all")
	events = flag.Int("events", 4, "losses of each way")
	pause  = flag.Duration("pause", 20*time.Second, "training between two losses")
	seed   = flag.Uint64("seed", 1, "of the losses")
)

// way is a way to launch a run, and to go on after a loss.
type way struct {
	name   string
	change func(kind string, object map[string]any)
	jobSet bool
}

var torchrun = []any{"python", "-m", "torch.distributed.run", "train.py"}

// asTorchrun starts the ranks by torchrun. Only drained pods are not counted.
func asTorchrun(env map[string]string, job map[string]any) {
	container := podSpec(job)["containers"].([]any)[0].(map[string]any)
	container["command"] = torchrun
	variables := container["env"].([]any)
	for name, value := range env {
		variables = slices.DeleteFunc(variables, func(v any) bool { return v.(map[string]any)["name"] == name })
		variables = append(variables, map[string]any{"name": name, "value": value})
	}
	container["env"] = variables
	policy := job["spec"].(map[string]any)["podFailurePolicy"].(map[string]any)
	policy["rules"] = policy["rules"].([]any)[:2]
}

// jobOfSet is what JobSet appends to its name for the only Job of a JobSet of asJobSet.
const jobOfSet = "-run-0"

// asJobSet makes a Job the only one of a JobSet, which replaces all pods when one fails.
func asJobSet(job map[string]any) {
	name := job["metadata"].(map[string]any)["name"].(string)
	asTorchrun(map[string]string{"RUN_NAME": name + jobOfSet, "PET_MASTER_ADDR": name + jobOfSet + "-0." + name}, job)
	spec := job["spec"].(map[string]any)
	for _, perIndex := range []string{"podFailurePolicy", "backoffLimitPerIndex", "maxFailedIndexes"} {
		delete(spec, perIndex)
	}
	spec["backoffLimit"] = 0
	job["apiVersion"], job["kind"] = "jobset.x-k8s.io/v1alpha2", "JobSet"
	job["spec"] = map[string]any{
		"network":       map[string]any{"enableDNSHostnames": false}, // the run has a Service
		"failurePolicy": map[string]any{"maxRestarts": 1000},
		"replicatedJobs": []any{map[string]any{
			"name": "run", "replicas": 1, "template": map[string]any{"spec": spec},
		}},
	}
}

// startJobSet starts the controller of JobSet, without its webhooks: asJobSet sets what they default.
func startJobSet(t *testing.T) {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/jobset")
	list.Dir = "../../tools/jobset"
	source, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	apply := exec.Command("kubectl", "--kubeconfig", filepath.Join(lab.dir, "kubeconfig"), "apply", "--server-side",
		"-f", filepath.Join(strings.TrimSpace(string(source)), "config/components/crd/bases"))
	if output, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	waitFor(t, "JobSet to be known", func() error {
		lab.mapper.Reset()
		_, err := lab.mapper.RESTMapping(schema.GroupKind{Group: "jobset.x-k8s.io", Kind: "JobSet"}, "v1alpha2")
		return err
	})
	for _, name := range []string{"crt", "key"} { // the controller needs a certificate, though nobody calls its webhooks
		if err := os.Symlink("serving."+name, filepath.Join(lab.dir, "tls."+name)); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`apiVersion: config.jobset.x-k8s.io/v1alpha1
kind: Configuration
leaderElection: {leaderElect: false}
internalCertManagement: {enable: false}
metrics: {bindAddress: "0"}
health: {healthProbeBindAddress: "0"}
webhook: {port: %d, certDir: %s}
`, 19443+first(), lab.dir)
	file := filepath.Join(lab.dir, "jobset.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(filepath.Dir(kube()), "jobset")
	controller, err := lab.background("jobset", []string{"KUBECONFIG=" + filepath.Join(lab.dir, "kubeconfig")}, binary, "-config", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-controller.Process.Pid, syscall.SIGKILL)
		_ = controller.Wait()
	})
}

func ways() []way {
	ofJob := func(change func(job map[string]any)) func(string, map[string]any) {
		return elsewhere(func(kind string, object map[string]any) {
			if kind == "Job" {
				setArgs(object, endless, nil)
				change(object)
			}
		})
	}
	return []way{
		{name: "launch.py", change: ofJob(func(map[string]any) {})},
		{name: "torchrun static", change: ofJob(func(job map[string]any) { asTorchrun(nil, job) })},
		{name: "torchrun c10d", change: ofJob(func(job map[string]any) {
			address := ""
			for _, v := range podSpec(job)["containers"].([]any)[0].(map[string]any)["env"].([]any) {
				if variable := v.(map[string]any); variable["name"] == "PET_MASTER_ADDR" {
					address = variable["value"].(string)
				}
			}
			asTorchrun(map[string]string{
				"PET_RDZV_BACKEND": "c10d", "PET_RDZV_ENDPOINT": address + ":29500", "PET_MAX_RESTARTS": "1000", "PET_RDZV_ID": "run",
			}, job)
		})},
		{name: "restartPolicyRules", change: ofJob(func(job map[string]any) {
			asTorchrun(nil, job)
			container := podSpec(job)["containers"].([]any)[0].(map[string]any)
			container["restartPolicy"] = "Never"
			container["restartPolicyRules"] = []any{map[string]any{"action": "Restart", "exitCodes": map[string]any{"operator": "NotIn", "values": []any{int64(0)}}}}
		})},
		{name: "JobSet", jobSet: true, change: ofJob(asJobSet)},
	}
}

// TestWays kills ranks and drains nodes under a seed, one after the other, and prints how long it takes until the run makes a
// new step, and what is counted. The effective time is that of the training between the losses.
func TestWays(t *testing.T) {
	if *bench == "" {
		t.Skip("make bench-run")
	}
	addNodes(t, cpuPool, first(), first()+1, first()+2, first()+3)
	t.Cleanup(func() {
		for index := range 4 {
			removeNode(t, first()+index)
		}
	})
	fmt.Println("| way | loss | training steps again after | failures counted by index | restarts of containers, or of the JobSet |\n|---|---|---|---|---|")
	for _, w := range ways() {
		if *bench == "all" || slices.Contains(strings.Split(*bench, ","), w.name) {
			t.Run(w.name, func(t *testing.T) { w.measure(t) })
		}
	}
}

func (w way) measure(t *testing.T) {
	random := rand.New(rand.NewPCG(*seed, *seed))
	began := time.Now()
	if w.jobSet {
		startJobSet(t)
	}
	r := start(t, "processors", w.change)
	if w.jobSet {
		r.name, r.recreated = r.name+jobOfSet, true
	}
	r.trains(t, began)
	first := time.Now()
	training := time.Duration(0)
	for range *events {
		time.Sleep(*pause)
		training += *pause
		pods, err := r.pods()
		if err != nil {
			t.Fatal(err)
		}
		index, drained := random.IntN(3), random.IntN(2) == 0
		name, at := fmt.Sprintf("rank %d killed", index), time.Now()
		if drained {
			name = fmt.Sprintf("node of rank %d drained", index)
			drain(index)(t, r, pods)
		} else {
			signalTo(t, r.rankProcess(t, index), 9)
		}
		again, end := r.stepAfter(t, at)
		if drained {
			cordon(t, pods[index].Spec.NodeName, false)
		}
		after, _ := r.pods()
		restarts := 0
		for _, pod := range after {
			for _, status := range pod.Status.ContainerStatuses {
				restarts += int(status.RestartCount)
			}
			if w.jobSet {
				restarts, _ = strconv.Atoi(pod.Labels["jobset.sigs.k8s.io/restart-attempt"])
			}
		}
		load, _ := os.ReadFile("/proc/loadavg")
		fmt.Printf("| %s | %s | %s | %v | %d | load %s", w.name, name, again, counted(after), restarts, load)
		if end != "" {
			fmt.Printf("| %s | the Job has failed: %s | | | |\n", w.name, end)
			return
		}
	}
	fmt.Printf("| %s | **effective: %.2f** | | | |\n", w.name, training.Seconds()/time.Since(first).Seconds())
}

// stepAfter waits for a step after a loss that is later than the last launch, for at most the patience.
func (r *run) stepAfter(t *testing.T, at time.Time) (took, end string) {
	t.Helper()
	for deadline := at.Add(*patience); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if reason, message := r.ended(t); reason != "" {
			return "-", reason + ": " + message
		}
		started := time.Time{}
		for _, l := range r.log() {
			switch {
			case l.at.After(at) && strings.HasPrefix(l.text, `{"event": "started"`):
				started = l.at
			case !started.IsZero() && l.at.After(started) && strings.HasPrefix(l.text, stepped):
				return fmt.Sprintf("%.0f s", l.at.Sub(at).Seconds()), ""
			}
		}
	}
	r.dump(t)
	return "not within " + patience.String(), "stuck"
}
