//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/lab"
)

const (
	storyImage = "registry.example.com/train:1"
	podKey     = "podaccesskey" // of the pods, by which their requests are known; Pulumi hides this text in outputs
	storyNodes = 3              // one more than the run needs
)

// TestStory is what the platform is for, once: the one-account stack is brought up, its run trains on two real nodes and loses one
// to a drain, a scientist with nothing but the stack's output and the role for scientists follows it and loads the model, an edit
// changes what it says, and a destroy leaves nothing. Every request of the pods is one that their role allows.
func TestStory(t *testing.T) {
	var rows table
	defer func() { rows.print(os.Stdout) }()
	defer func() {
		if failure := recover(); failure != nil { // of must
			t.Errorf("%v\n%s", failure, debug.Stack())
		}
	}()
	step := func(name string, run func() string) { t.Helper(); rows.step(t, "story", name, run) }
	w := newStoryWorld(t)
	s := open(t, "story", "solo", w.env)
	set(t, s, map[string]any{
		"cluster.publicCidrs": []any{publicRange}, "cluster.pools.cpu.nodes": 2,
		"organization.accounts.training.id": caller(t), "roles.scientists": []any{"arn:aws:iam::" + caller(t) + ":role/research"},
		"training.enabled": true, "training.image": storyImage, "training.nodes": 2,
		"training.environment": map[string]any{"AWS_ENDPOINT_URL": w.aws, "OMP_NUM_THREADS": "1"},
	})
	setSecrets(t, s, map[string]string{
		"llm-platform:training.secrets.AWS_ACCESS_KEY_ID": podKey, "llm-platform:training.secrets.AWS_SECRET_ACCESS_KEY": "podsecretkey",
	})
	var scientist *scientist
	var last engine.Result
	step("up, in one go", func() string {
		last = enginetest.Run(t, s, "up")
		scientist = newScientist(t, w, last.Outputs["dataScientist"])
		return fmt.Sprintf("%d created", count(t, last, "create", "import"))
	})
	step("the scientist follows the run", func() string {
		scientist.follow()
		scientist.waitFor(`"event": "step"`)
		return "steps"
	})
	step("a node of the run is drained", func() string {
		node := w.kubectl("get", "pods", "-n", "training", "-l", "batch.kubernetes.io/job-completion-index=1", "-o", "jsonpath={.items[0].spec.nodeName}")
		w.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")
		return "its pod was evicted"
	})
	step("the run finishes", func() string {
		w.kubectl("wait", "-n", "training", "--for=condition=complete", "job/"+scientist.run["name"].(string), "--timeout=15m")
		scientist.waitFor(`"event": "finished"`)
		if failed := w.kubectl("get", "-n", "training", "job", scientist.run["name"].(string), "-o", "jsonpath={.status.failedIndexes}"); failed != "" {
			t.Errorf("failed indexes: %s", failed)
		}
		return "complete, no index failed"
	})
	step("the scientist loads the model", scientist.loadModel)
	step("the scientist is refused elsewhere", scientist.refusals)
	step("requests of the pods", func() string { return w.requestsAllowed(last.Outputs) })
	step("retention changed", func() string {
		return edit{name: "retention changed", set: map[string]any{"storage.logDays": 60}, want: []string{
			"update aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 storage-logs-lifecycle",
		}}.carryOut(t, s, &last)
	})
	step("destroy", func() string {
		destroy := enginetest.Run(t, s, "destroy")
		reader := newReader(t, map[string]any{"accountIds": map[string]any{"training": caller(t)}})
		reader.equal("left in the account", reader.left(), []string{})
		return fmt.Sprintf("%d deleted; nothing left", count(t, destroy, "delete"))
	})
}

// storyWorld is a lab with real nodes.
type storyWorld struct {
	t      *testing.T
	lab    *lab.Lab
	env    map[string]string
	aws    string // the emulator's address for pods
	python string // with PyTorch and transformers
	began  int64  // length of the record before
}

func newStoryWorld(t *testing.T) *storyWorld {
	t.Helper()
	python, err := lab.TrainingPython()
	if err != nil {
		t.Fatal(err)
	}
	repository := must(filepath.Abs(root))
	reserved, err := lab.ReserveNodes(repository)
	if err != nil {
		t.Fatal(err)
	}
	began := must(os.Stat(record)).Size()
	l, err := lab.Start(t.Context(), lab.Options{Repository: repository, Real: reserved, Record: must(filepath.Abs(record)), Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reserved.Release(l.Plane); err != nil {
			t.Error(err)
		}
		if err := l.Stop(); err != nil {
			t.Error(err)
		}
	})
	for name, value := range l.Env {
		t.Setenv(name, value)
	}
	images, err := reserved.Images(l.Dir, storyImage, python.Environment())
	if err != nil {
		t.Fatal(err)
	}
	for index := range storyNodes {
		env := []string{"LABELS=llm-platform/pool=cpu", "TAINTS=llm-platform/pool=cpu:NoSchedule", "MOUNTS=" + python.Mounts}
		if err := reserved.Start(l.Plane, index, env, images...); err != nil {
			t.Fatal(err)
		}
	}
	return &storyWorld{t: t, lab: l, env: l.Env, aws: fmt.Sprintf("http://%s:%d", reserved.Host(), l.AWSPort), python: python.Path, began: began}
}

func (w *storyWorld) kubectl(arguments ...string) string {
	w.t.Helper()
	command := exec.Command("kubectl", append([]string{"--kubeconfig", w.lab.Plane.Kubeconfig}, arguments...)...)
	output, err := command.CombinedOutput()
	if err != nil {
		panic(fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, output))
	}
	return string(output)
}

// requestsAllowed has a third party's evaluator judge the requests of the pods by the policies of their role and of the buckets.
func (w *storyWorld) requestsAllowed(outputs map[string]any) string {
	w.t.Helper()
	question := must(json.Marshal(map[string]any{
		"python": w.lab.Python, "record": must(filepath.Abs(record)), "offset": w.began, "key": podKey, "role": outputs["trainingRoleArn"],
		"context": map[string]any{
			"aws:SourceVpc": outputs["vpcId"], "aws:PrincipalTag/kubernetes-namespace": "training",
			"aws:PrincipalTag/kubernetes-service-account": w.kubectl("get", "pods", "-n", "training", "-o", "jsonpath={.items[0].spec.serviceAccountName}"),
		},
	}))
	command := exec.Command("node", "requests.mjs", string(question))
	command.Dir = filepath.Join(root, "test", "policy")
	output, err := command.CombinedOutput()
	if err != nil {
		w.t.Errorf("requests that the role of the pods does not allow: %v\n%s", err, output)
	}
	return strings.TrimSpace(string(output))
}

// scientist is a person with the stack's output dataScientist, the AWS CLI and kubectl, and credentials that may do nothing but
// assume the role for scientists.
type scientist struct {
	world  *storyWorld
	folder string
	output map[string]any
	run    map[string]any

	mu  sync.Mutex
	log bytes.Buffer
}

func newScientist(t *testing.T, w *storyWorld, output any) *scientist {
	t.Helper()
	s := &scientist{world: w, folder: t.TempDir(), output: output.(map[string]any)}
	s.run = s.output["runs"].(map[string]any)["train"].(map[string]any)
	if err := os.MkdirAll(filepath.Join(s.folder, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.folder, ".aws", "credentials"), []byte("[default]\naws_access_key_id=test\naws_secret_access_key=test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// command returns a shell in the scientist's folder that has assumed the role.
func (s *scientist) command(lines ...string) *exec.Cmd {
	commands := s.output["commands"].(map[string]any)
	script := append([]string{"set -e", commands["assumeRole"].(string), commands["kubeconfig"].(string) + " >/dev/null"}, lines...)
	shell := exec.Command("sh", "-c", strings.Join(script, "\n"))
	shell.Dir = s.folder
	shell.Env = []string{
		"HOME=" + s.folder, "PATH=" + os.Getenv("PATH"), "AWS_ENDPOINT_URL=" + s.world.env["AWS_ENDPOINT_URL"], "AWS_DEFAULT_REGION=" + region,
	}
	return shell
}

func (s *scientist) does(lines ...string) string {
	output, err := s.command(lines...).CombinedOutput()
	if err != nil {
		panic(fmt.Errorf("%s: %w: %s", strings.Join(lines, "; "), err, output))
	}
	return string(output)
}

// follow follows the log of the run in the background.
func (s *scientist) follow() {
	shell := s.command(s.run["commands"].(map[string]any)["follow"].(string))
	shell.Stdout, shell.Stderr = s, s
	if err := shell.Start(); err != nil {
		panic(err)
	}
	s.world.t.Cleanup(func() {
		_ = shell.Process.Kill()
		_ = shell.Wait()
	})
}

func (s *scientist) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(text)
}

func (s *scientist) waitFor(text string) {
	for deadline := time.Now().Add(15 * time.Minute); ; time.Sleep(time.Second) {
		s.mu.Lock()
		log := s.log.String()
		s.mu.Unlock()
		if strings.Contains(log, text) {
			return
		}
		if time.Now().After(deadline) {
			panic(fmt.Errorf("the log has no %s: %s", text, log))
		}
	}
}

// loadModel downloads what the run has published and has it write some text.
func (s *scientist) loadModel() string {
	s.does(s.run["commands"].(map[string]any)["models"].(string), "aws s3 cp --recursive --quiet "+s.run["artifacts"].(string)+" model")
	load := exec.Command(s.world.python, "-c", `
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = AutoModelForCausalLM.from_pretrained("model"), AutoTokenizer.from_pretrained("model")
text = tokenizer.decode(model.generate(**tokenizer("The ", return_tensors="pt"), max_new_tokens=20)[0])
print(f"{sum(p.numel() for p in model.parameters())} parameters; it writes {len(text)} characters")
`)
	load.Dir = s.folder
	output, err := load.Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(output))
}

// refusals tries what the scientist has no right to.
func (s *scientist) refusals() string {
	attempts := []string{
		"get secrets -n training", "get pods -n kube-system", "get nodes", "delete pods --all -n training",
		"delete networkpolicies --all -n training", "create serviceaccount x -n training",
	}
	for _, attempt := range attempts {
		if output, err := s.command("kubectl --kubeconfig kubeconfig " + attempt).CombinedOutput(); err == nil || !strings.Contains(string(output), "orbidden") {
			s.world.t.Errorf("kubectl %s: %v: %s", attempt, err, output)
		}
	}
	allowed := s.does("kubectl --kubeconfig kubeconfig -n training describe job "+s.run["name"].(string), "kubectl --kubeconfig kubeconfig get pods -n training -o json")
	if !json.Valid([]byte(allowed[strings.Index(allowed, "\n{")+1:])) {
		s.world.t.Errorf("the scientist sees no pods: %s", allowed)
	}
	return fmt.Sprintf("%d commands of kubectl", len(attempts))
}
