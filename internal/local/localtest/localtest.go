// Package localtest opens a program in the engine for a test: tools and program are built once per test
// binary, each test gets a cloud and a stack of its own.
package localtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/internal/local"
	"llm-platform/internal/simcloud"
)

// Open starts a cloud and opens the stack of the project in folder against it. prepare, if any, sees the cloud
// before it starts. What the CLI prints goes to the test's log.
func Open(t testing.TB, folder, stack string, prepare ...func(*simcloud.Cloud)) (*simcloud.Cloud, *local.Workspace) {
	t.Helper()
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := findTools()
	if err != nil {
		t.Fatal(err)
	}
	program, err := build(folder)
	if err != nil {
		t.Fatal(err)
	}
	cloud := simcloud.New()
	for _, f := range prepare {
		f(cloud)
	}
	stop, err := cloud.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	workspace, err := local.Open(context.Background(), local.Options{
		Project: folder, Program: program, Stack: stack, Tools: tools, Env: cloud.Env(), Out: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud, workspace
}

// Run runs a verb that must succeed, and must have seen something.
func Run(t testing.TB, w *local.Workspace, verb string) local.Result {
	t.Helper()
	result, err := w.Run(context.Background(), verb)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Changes) == 0 {
		t.Fatalf("%s: the engine told of no step; this test tests nothing", verb)
	}
	return result
}

// Changed is what a run changed, one "operation type name" each, sorted.
func Changed(r local.Result) []string {
	var all []string
	for _, c := range r.Changed() {
		all = append(all, c.String())
	}
	slices.Sort(all)
	return all
}

// Fail runs a verb that must fail, and returns what was told and the error's message.
func Fail(t testing.TB, w *local.Workspace, verb string) (local.Result, string) {
	t.Helper()
	result, err := w.Run(context.Background(), verb)
	if err == nil {
		t.Fatalf("%s succeeded; it should have failed", verb)
	}
	return result, err.Error()
}

var findTools = sync.OnceValues(func() (local.Tools, error) {
	root, err := repository()
	if err != nil {
		return local.Tools{}, err
	}
	return local.FindTools(context.Background(), root, os.Stderr)
})

var repository = sync.OnceValues(func() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	return filepath.Dir(strings.TrimSpace(string(mod))), err
})

var programs sync.Map // folder -> func() (string, error)

// build builds the program of a folder, once, where nothing else writes: test binaries may run side by side.
func build(folder string) (string, error) {
	f, _ := programs.LoadOrStore(folder, sync.OnceValues(func() (string, error) {
		root, err := repository()
		if err != nil {
			return "", err
		}
		binary, err := os.Executable()
		if err != nil {
			return "", err
		}
		name := strings.TrimSuffix(filepath.Base(binary), ".test") + "-" + filepath.Base(folder)
		program := filepath.Join(root, ".build", "test", name)
		return program, local.BuildProgram(context.Background(), folder, program, os.Stderr)
	}))
	return f.(func() (string, error))()
}
