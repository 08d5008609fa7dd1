package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"llm-platform/internal/accelerator"
	runs "llm-platform/internal/run"
	"llm-platform/internal/settings"
	"llm-platform/internal/stackfile"
)

var manifestsDir = flag.String("manifests", "", "folder to write each case's Kubernetes objects to, for test/cluster")

// manifestCases are the runs that test/cluster tries on a real control plane. Its
// tests name them.
var manifestCases = map[string]struct {
	instanceType string
	set          map[string]any // what differs from the defaults, under training
}{
	"four":     {"p5.48xlarge", map[string]any{"nodes": 4, "retries": 2, "args": []string{"--learning-rate", "3e-4"}}},
	"edited":   {"p5.48xlarge", map[string]any{"nodes": 4, "retries": 2, "args": []string{"--learning-rate", "1e-4"}}},
	"plain":    {"g6.12xlarge", map[string]any{"nodes": 2}},
	"thousand": {"p5.48xlarge", map[string]any{"nodes": 1000}},
	"full": {"p5en.48xlarge", map[string]any{
		"nodes": 2, "deadlineHours": 72, "resumeFrom": "train-0123456789",
		"environment": map[string]string{"NCCL_DEBUG": "INFO"}, "secrets": map[string]string{"HF_TOKEN": "hf-not-a-token"},
	}},
}

// TestManifests has newTraining register every case, and writes what it registered
// with Kubernetes where -manifests says.
func TestManifests(t *testing.T) {
	for name, c := range manifestCases {
		objects := trainingObjects(t, c.instanceType, c.set)
		kinds := map[string]int{}
		for _, object := range objects {
			kinds[object["kind"].(string)]++
		}
		for _, kind := range []string{"Namespace", "ServiceAccount", "ResourceQuota", "ConfigMap", "Service", "Job"} {
			if kinds[kind] == 0 {
				t.Errorf("%s: no %s registered; this test tests nothing", name, kind)
			}
		}
		for _, container := range containers(objects) {
			if container["securityContext"].(map[string]any)["readOnlyRootFilesystem"] != true {
				t.Errorf("%s: %s can write to its image", name, container["name"])
			}
		}
		if *manifestsDir == "" {
			continue
		}
		text, err := json.MarshalIndent(objects, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(*manifestsDir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*manifestsDir, name+".json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The golden manifests are what a reviewer of the Job reads: all that Kubernetes gets
// of a run with everything set, but for its name and the scripts. Write them anew with
// go test -run TestGoldenManifests -update .
func TestGoldenManifests(t *testing.T) {
	c := manifestCases["full"]
	objects := trainingObjects(t, c.instanceType, c.set)
	slices.SortFunc(objects, func(a, b map[string]any) int {
		return strings.Compare(fmt.Sprint(a["kind"], a["metadata"]), fmt.Sprint(b["kind"], b["metadata"]))
	})
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	for _, object := range objects {
		if data, ok := object["data"].(map[string]any); ok {
			for key := range data {
				if key != commitKey {
					data[key] = "…"
				}
			}
		}
		if err := encoder.Encode(object); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.ReplaceAll(text.String(), runNameOf(t, objects), "train-RUN")
	file := filepath.Join("testdata", "manifests.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the manifests differ from %s (if that is meant: go test -run TestGoldenManifests -update .):\n%s", file, difference(string(want), got))
	}
}

// A run is named by what it is, and not by what may change while it goes on.
func TestRunName(t *testing.T) {
	name := func(instanceType string, set map[string]any) string {
		return runNameOf(t, trainingObjects(t, instanceType, set))
	}
	first := name("p5.48xlarge", map[string]any{})
	seen := map[string]string{first: "nothing"}
	for setting, value := range map[string]any{
		"image": "pytorch/pytorch:2.9.0", "command": []string{"python", "other.py"}, "args": []string{"--steps=1"}, "nodes": 2, "runNumber": 2, "retries": 1,
		"environment": map[string]string{"A": "1"}, "secrets": map[string]string{"HF_TOKEN": "one"}, "datasetPrefix": "wiki/",
		"resumeFrom": "train-0123456789", "graceSeconds": 600,
	} {
		got := name("p5.48xlarge", map[string]any{setting: value})
		if other, taken := seen[got]; taken {
			t.Errorf("another %s names the run as another %s does", setting, other)
		}
		seen[got] = setting
	}
	if name("p5e.48xlarge", map[string]any{}) == first {
		t.Error("another instance type does not name another run")
	}
	for setting, value := range map[string]any{"deadlineHours": 5} {
		if got := name("p5.48xlarge", map[string]any{setting: value}); got != first {
			t.Errorf("another %s names another run: it would end the one that goes on", setting)
		}
	}
	builder := func(change func(*trainingBuilder)) string {
		machine, err := accelerator.Lookup("p5.48xlarge")
		if err != nil {
			t.Fatal(err)
		}
		b := &trainingBuilder{
			cfg: trainingSettings(t, "p5.48xlarge", nil).Training, scripts: runs.Scripts{{Path: "train.py", Content: "one"}},
			pool: Pool{Name: "gpu", Type: machine, EFA: machine.EFAInterfaces},
		}
		change(b)
		return b.identity().Name("train")
	}
	same := builder(func(*trainingBuilder) {})
	for what, change := range map[string]func(*trainingBuilder){
		"pool": func(b *trainingBuilder) { b.pool.Name = "other" }, "EFA": func(b *trainingBuilder) { b.pool.EFA = 0 },
		"script": func(b *trainingBuilder) { b.scripts[0].Content = "two" },
	} {
		if builder(change) == same {
			t.Errorf("another %s does not name another run", what)
		}
	}
	secret := func(value string) string {
		return name("p5.48xlarge", map[string]any{"secrets": map[string]string{"HF_TOKEN": value}})
	}
	if secret("one") != secret("two") {
		t.Error("a renewed secret names another run")
	}
}

func runNameOf(t *testing.T, objects []map[string]any) string {
	t.Helper()
	for _, object := range objects {
		if object["kind"] == "ConfigMap" {
			return object["metadata"].(map[string]any)["name"].(string)
		}
	}
	t.Fatal("no ConfigMap of a run")
	return ""
}

// containers is those of all Jobs.
func containers(objects []map[string]any) []map[string]any {
	var found []map[string]any
	for _, object := range objects {
		if object["kind"] != "Job" {
			continue
		}
		pod := object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		for _, list := range []string{"initContainers", "containers"} {
			parts, _ := pod[list].([]any)
			for _, part := range parts {
				found = append(found, part.(map[string]any))
			}
		}
	}
	return found
}

// trainingObjects is what newTraining registers with Kubernetes for the settings.
func trainingObjects(t *testing.T, instanceType string, set map[string]any) []map[string]any {
	t.Helper()
	set = maps.Clone(set)
	set["enabled"] = true
	cfg := trainingSettings(t, instanceType, set)
	machine, err := accelerator.Lookup(instanceType)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := runs.ReadScripts(os.DirFS("scripts"))
	if err != nil {
		t.Fatal(err)
	}
	seen := &objectRecorder{}
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		provider, err := kubernetes.NewProvider(ctx, "kubernetes", &kubernetes.ProviderArgs{})
		if err != nil {
			return err
		}
		cluster := &Cluster{Provider: provider, Pools: map[string]Pool{"gpu": {
			Name: "gpu", Type: machine, EFA: machine.EFAInterfaces,
			Labels: map[string]string{"llm-platform/pool": "gpu"}, TaintKey: "nvidia.com/gpu", TaintValue: "true",
		}}}
		bucket := func(name string) *Bucket { return &Bucket{Name: pulumi.String(name).ToStringOutput()} }
		store := &Storage{Dataset: bucket("dataset"), Checkpoints: bucket("checkpoints"), Artifacts: bucket("artifacts")}
		branch := &GitBranch{Commit: pulumi.String(strings.Repeat("c0", 20)).ToStringOutput()}
		_, err = newTraining(ctx, "training", cfg, cluster, store, branch, scripts)
		return err
	}, pulumi.WithMocks("llm-platform", "dev", seen))
	if err != nil {
		t.Fatal(err)
	}
	return seen.objects
}

// objectRecorder notes every Kubernetes object as the program registers it.
type objectRecorder struct {
	mu      sync.Mutex
	objects []map[string]any
}

func (r *objectRecorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(args.TypeToken, "kubernetes:") {
		r.objects = append(r.objects, plain(resource.NewObjectProperty(args.Inputs)).(map[string]any))
	}
	return args.Name, args.Inputs, nil
}

func (r *objectRecorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{}, nil
}

// plain is a value as JSON has it: what is secret shows, as it does in the cluster.
func plain(value resource.PropertyValue) any {
	switch {
	case value.IsSecret():
		return plain(value.SecretValue().Element)
	case value.IsOutput():
		return plain(value.OutputValue().Element)
	case value.IsObject():
		object := map[string]any{}
		for key, part := range value.ObjectValue() {
			object[string(key)] = plain(part)
		}
		return object
	case value.IsArray():
		list := []any{}
		for _, part := range value.ArrayValue() {
			list = append(list, plain(part))
		}
		return list
	default:
		return value.V
	}
}

// trainingSettings is the defaults of Pulumi.yaml with some of training's changed.
func trainingSettings(t *testing.T, instanceType string, set map[string]any) settings.Settings {
	t.Helper()
	cfg, err := loadTraining(instanceType, set)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func loadTraining(instanceType string, set map[string]any) (settings.Settings, error) {
	_, declared, err := stackfile.Keys(".")
	if err != nil {
		return settings.Settings{}, err
	}
	tree := map[string]any{}
	if err := stackfile.Default(tree, declared); err != nil {
		return settings.Settings{}, err
	}
	stackfile.Set(tree, "organization.emailTemplate", "aws+{stack}-{account}@example.com")
	stackfile.Set(tree, "cluster.kubeconfig", "{kind: Config, current-context: a, clusters: [{name: a}], contexts: [{name: a}]}") // of a cluster that may have a thousand nodes
	stackfile.Set(tree, "cluster.pools.gpu", map[string]any{"instanceType": instanceType})
	stackfile.Set(tree, "training.image", "registry.example.com/train:1")
	for leaf, value := range set {
		stackfile.Set(tree, "training."+leaf, value)
	}
	values, err := stackfile.Text(tree)
	if err != nil {
		return settings.Settings{}, err
	}
	return settings.Load("dev", values, []string{"cluster", "training"}, os.Getenv)
}
