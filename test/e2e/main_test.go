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

// pluginFolder returns the folder of the plugins that the user's Pulumi downloaded; empty if there is none.
func pluginFolder() string {
	home := os.Getenv("PULUMI_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		home = filepath.Join(user, ".pulumi")
	}
	folder := filepath.Join(home, "plugins")
	if _, err := os.Stat(folder); err != nil {
		return ""
	}
	return folder
}

// nodes are the fake nodes on which the stacks' pods run.
const nodes = "system=1:m6i.large,gpu=2:p5.48xlarge"

var record = flag.String("record", "", "file to which every AWS request is appended")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	repository := must(filepath.Abs(root))
	// The lab installs missing plugins with this CLI.
	must(engine.Build(context.Background(), repository, os.Stderr))
	l, err := lab.Start(context.Background(), lab.Options{Repository: repository, Fake: nodes, Record: *record, Out: os.Stderr})
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
	return m.Run()
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
