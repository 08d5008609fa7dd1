// Command manifests writes the Kubernetes objects of a run with the default settings, for test/training. From the folder
// test:
//
//	go run ./manifests PROJECT FOLDER
//
// PROJECT is the folder with Pulumi.yaml and scripts. The results are lists of objects: FOLDER/plain.json of a run on two
// nodes with GPUs, FOLDER/fabric.json of one with EFA too, and FOLDER/processors.json of one on three nodes without
// accelerators.
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
	training, err := defaults(project)
	if err != nil {
		return err
	}
	scripts, err := job.ReadScripts(os.DirFS(filepath.Join(project, "scripts")))
	if err != nil {
		return err
	}
	pools, err := pools()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, pool := range pools {
		run := job.New(training, "us-west-2", pool, scripts, true)
		if pool.Type.Kind == accelerator.None {
			run.Nodes = 3
		}
		text, err := json.MarshalIndent(objects(training, run), "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pools returns the pool of each file's run.
func pools() (map[string]nodepool.Facts, error) {
	gpus, err := accelerator.Lookup(instanceType)
	if err != nil {
		return nil, err
	}
	efa, err := accelerator.Lookup("p5.48xlarge")
	if err != nil {
		return nil, err
	}
	processors, err := accelerator.LookupProcessor("m7i.large")
	if err != nil {
		return nil, err
	}
	return map[string]nodepool.Facts{
		"plain": {
			Name: "gpu", Type: gpus, DiskGB: gpus.InstanceStoreGB, Labels: map[string]string{settings.PoolLabel: "gpu"}, TaintKey: "nvidia.com/gpu", TaintValue: "true",
		},
		"fabric":     nodepool.NewFacts("gpu", settings.Pool{Type: efa, VolumeGB: 200, EFA: true, TaintKey: "nvidia.com/gpu", TaintValue: "true"}, true),
		"processors": nodepool.NewFacts("cpu", settings.Pool{Type: processors, VolumeGB: 200, TaintKey: settings.PoolLabel, TaintValue: "cpu"}, true),
	}, nil
}

// objects returns the objects of a run, in the order in which the program creates them.
func objects(training settings.Training, run job.Run) []runtime.Object {
	configMap := run.ConfigMap()
	configMap.Data[job.DatasetURI] = run.DatasetURI("dataset")
	configMap.Data[job.CheckpointURI] = run.OutputURI("checkpoints")
	configMap.Data[job.ArtifactURI] = run.OutputURI("artifacts")
	configMap.Data[job.ResumeFromURI] = run.ResumeURI("checkpoints")
	configMap.Data[job.ScriptCommit] = strings.Repeat("c0", 20)
	all := []runtime.Object{job.Namespace(training.GraceSeconds), job.NetworkPolicy(), job.ServicesQuota(), run.ServiceAccount()}
	if quota := job.Quota(map[string]nodepool.Facts{run.Pool.Name: run.Pool}, run); quota != nil {
		all = append(all, quota)
	}
	return append(all, configMap, run.Service(), run.Job())
}

// instanceType is that of the pool in the settings, and of the run in plain.json.
const instanceType = "g6.12xlarge"

// defaults returns the training of a stack that sets what has no default.
func defaults(project string) (settings.Training, error) {
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
