// Command manifests writes the Kubernetes objects of a run with the default settings, for test/training. From the folder
// test:
//
//	go run ./manifests PROJECT FOLDER
//
// PROJECT is the folder with Pulumi.yaml and scripts. The results are lists of objects: FOLDER/plain.json of a run on GPUs,
// FOLDER/fabric.json of one with EFA, and FOLDER/processors.json.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/job"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
	"llm-platform/internal/stackfile"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: manifests PROJECT FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(project, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, render := range map[string]func(string) ([]runtime.Object, error){"plain": plain, "processors": processors, "fabric": fabric} {
		objects, err := render(project)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(objects, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// plain returns the objects of a run on two nodes with GPUs and without EFA.
func plain(project string) ([]runtime.Object, error) {
	const instanceType = "g6.12xlarge"
	training, err := defaults(project, instanceType)
	if err != nil {
		return nil, err
	}
	machine, err := accelerator.Lookup(instanceType)
	if err != nil {
		return nil, err
	}
	scripts, err := job.ReadScripts(os.DirFS(filepath.Join(project, "scripts")))
	if err != nil {
		return nil, err
	}
	pool := nodepool.Facts{
		Name: "gpu", Type: machine, DiskGB: machine.InstanceStoreGB, Labels: map[string]string{settings.PoolLabel: "gpu"}, TaintKey: "nvidia.com/gpu", TaintValue: "true",
	}
	run := job.New(training, "us-west-2", pool, scripts)
	return objects(training, run), nil
}

// objects returns the objects of a run, in the order in which the program creates them.
func objects(training settings.Training, run job.Run) []runtime.Object {
	configMap := run.ConfigMap()
	configMap.Data[job.DatasetURI] = run.DatasetURI("dataset")
	configMap.Data[job.CheckpointURI] = run.OutputURI("checkpoints")
	configMap.Data[job.ArtifactURI] = run.OutputURI("artifacts")
	configMap.Data[job.ResumeFromURI] = run.ResumeURI("checkpoints")
	configMap.Data[job.ScriptCommit] = strings.Repeat("c0", 20)
	all := []runtime.Object{job.Namespace(training.GraceSeconds), job.ServiceAccount()}
	if quota := job.Quota(map[string]nodepool.Facts{run.Pool.Name: run.Pool}, run); quota != nil {
		all = append(all, quota)
	}
	return append(all, configMap, run.Service(), run.Job())
}

// defaults returns the training of a stack that sets what has no default.
func defaults(project, instanceType string) (settings.Training, error) {
	_, declared, err := stackfile.Keys(project)
	if err != nil {
		return settings.Training{}, err
	}
	tree := map[string]any{}
	if err := stackfile.Default(tree, declared); err != nil {
		return settings.Training{}, err
	}
	stackfile.Set(tree, "organization.emailTemplate", "aws+{stack}-{account}@example.com")
	stackfile.Set(tree, "cluster.pools.gpu", map[string]any{"instanceType": instanceType, "nodes": 2, "maxNodes": 2})
	stackfile.Set(tree, "training.enabled", true)
	stackfile.Set(tree, "training.image", "registry.example.com/train:1")
	stackfile.Set(tree, "training.nodes", 2)
	values, err := stackfile.Text(tree)
	if err != nil {
		return settings.Training{}, err
	}
	cfg, err := settings.Load("dev", values, nil, os.Getenv)
	return cfg.Training, err
}
