//go:build e2e

// Package e2e runs the program with real provider plugins in the lab (../lab), through the whole life of its stacks. The build tag
// keeps it out of `make test`: it downloads and builds what the lab needs, and it alone needs the AWS SDK's packages for EC2 and
// more, which take minutes to compile.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/lab"
)

const root = "../.."

// environment returns the process's environment by name, without what would lead the engine to the user's backend,
// configuration, home or cluster.
func environment() map[string]string {
	env := map[string]string{
		// What an SDK would look at after the environment.
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		// The plugins may be on PATH.
		"PULUMI_IGNORE_AMBIENT_PLUGINS": "false",
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		_, fixed := env[name]
		if !fixed && name != "HOME" && name != "PATH" && name != "KUBECONFIG" && !strings.HasPrefix(name, "PULUMI_") && !strings.HasPrefix(name, "GO") {
			env[name] = value
		}
	}
	return env
}

// pluginFolder returns the folder of the plugins that the user's Pulumi has installed; empty if there is none.
func pluginFolder() string {
	folder := lab.PluginFolder()
	if _, err := os.Stat(folder); err != nil {
		return ""
	}
	return folder
}

// nodes are the fake nodes on which the stacks' pods run.
const nodes = "system=1:m6i.large,gpu=2:p5.48xlarge"

// record is the file with all AWS requests of the tests.
const record = root + "/.build/e2e/requests.jsonl"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	repository := must(filepath.Abs(root))
	// The lab installs missing plugins with this CLI.
	must(engine.Build(context.Background(), repository, os.Stderr))
	if err := newRecord(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		return 2
	}
	l, err := lab.Start(context.Background(), lab.Options{Repository: repository, Fake: nodes, Record: must(filepath.Abs(record)), Out: os.Stderr})
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: lab: %v\n", err)
		return 2
	}
	defer func() {
		if err := l.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: lab: %v\n", err)
		}
	}()
	for name, value := range l.Env {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
			return 2
		}
	}
	if err := engine.CheckEndpoints(l.Env); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		return 2
	}
	code := m.Run()
	if err := judge(l.Python); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: requests that AWS's API models forbid (test/lab/judge.py): %v\n", err)
		code = max(code, 1)
	}
	return code
}

func newRecord() error {
	if err := os.MkdirAll(filepath.Dir(record), 0o755); err != nil {
		return err
	}
	return os.WriteFile(record, nil, 0o600)
}

// judge holds the recorded requests against AWS's API models, after the judge's own tests.
func judge(python string) error {
	for _, arguments := range [][]string{{"judge_test.py"}, {"judge.py", must(filepath.Abs(record)), "waivers.txt"}} {
		command := exec.Command(python, append([]string{"-B"}, arguments...)...)
		command.Dir, command.Stdout, command.Stderr = "../lab", os.Stdout, os.Stdout
		if err := command.Run(); err != nil {
			return fmt.Errorf("%s: %w", arguments[0], err)
		}
	}
	return nil
}

// open opens a stack of the repository against the endpoints of the environment, to which extra is added. What the CLI
// prints goes to .build/e2e/<name>.log.
func open(t *testing.T, name, stack string, extra map[string]string) *engine.Stack {
	t.Helper()
	folder := must(filepath.Abs(root))
	return openWith(t, name, engine.Options{Project: folder, Stack: stack, Tools: must(engine.Build(t.Context(), folder, os.Stderr))}, extra)
}

// openWith is open with a project and a program.
func openWith(t *testing.T, name string, options engine.Options, extra map[string]string) *engine.Stack {
	t.Helper()
	logs := filepath.Join(root, ".build", "e2e")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	log := must(os.Create(filepath.Join(logs, strings.ReplaceAll(name, " ", "-")+".log")))
	t.Cleanup(func() { _ = log.Close() })
	options.Env, options.Plugins, options.Save, options.Out = environment(), pluginFolder(), true, log
	maps.Copy(options.Env, extra)
	s, err := engine.Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
