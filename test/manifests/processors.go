package main

import (
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/job"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// processors returns the objects of a run on three nodes without accelerators. Retries are few, so that a failure that must
// not count ends the run if it does.
func processors(project string) ([]runtime.Object, error) {
	training, err := defaults(project, "g6.12xlarge")
	if err != nil {
		return nil, err
	}
	machine, err := accelerator.LookupProcessor("m7i.large")
	if err != nil {
		return nil, err
	}
	scripts, err := job.ReadScripts(os.DirFS(filepath.Join(project, "scripts")))
	if err != nil {
		return nil, err
	}
	pool := nodepool.NewFacts("cpu", settings.Pool{Type: machine, VolumeGB: 200, TaintKey: settings.PoolLabel, TaintValue: "cpu"}, true)
	run := job.New(training, "us-west-2", pool, scripts)
	run.Nodes = 3
	return objects(training, run), nil
}

// fabric returns the objects of a run on two nodes with GPUs and EFA.
func fabric(project string) ([]runtime.Object, error) {
	const instanceType = "p5.48xlarge"
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
	pool := nodepool.NewFacts("gpu", settings.Pool{Type: machine, VolumeGB: 200, EFA: true, TaintKey: "nvidia.com/gpu", TaintValue: "true"}, true)
	return objects(training, job.New(training, "us-west-2", pool, scripts)), nil
}
