//go:build e2e

// Package e2e runs the program with real provider plugins against local emulators of AWS, GitHub and Kubernetes,
// through the whole life of its stacks. README.md lists what it needs. The build tag keeps it out of `make test`: it
// cannot run without the emulators, and it alone needs the AWS SDK's packages for EC2 and more, which take minutes to
// compile.
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

// missing lists what the tests need and this machine lacks.
func missing() []string {
	var faults []string
	env := environment()
	env["KUBECONFIG"] = os.Getenv("KUBECONFIG")
	if err := engine.CheckEndpoints(env); err != nil {
		faults = append(faults, strings.Split(err.Error(), "\n")...)
	}
	for _, name := range []string{"aws", "eks", "kubernetes", "github"} {
		downloaded, _ := filepath.Glob(filepath.Join(pluginFolder(), "resource-"+name+"-v*"))
		if _, err := exec.LookPath("pulumi-resource-" + name); err != nil && len(downloaded) == 0 {
			faults = append(faults, fmt.Sprintf("provider plugin %s: neither on PATH nor downloaded (pulumi plugin ls)", name))
		}
	}
	for _, command := range []string{"kubectl", "aws"} { // kubeconfigs of EKS call the latter
		if _, err := exec.LookPath(command); err != nil {
			faults = append(faults, command+": not on PATH")
		}
	}
	if len(faults) > 0 {
		return faults
	}
	exists, err := organizationExists(context.Background())
	switch {
	case err != nil:
		faults = append(faults, fmt.Sprintf("AWS_ENDPOINT_URL: %v", err))
	case exists:
		faults = append(faults, "AWS_ENDPOINT_URL: an organization already exists: restart the emulator, empty")
	}
	return faults
}

// TestMain fails with a list of what is missing, so that no test passes that saw nothing.
func TestMain(m *testing.M) {
	flag.Parse()
	if faults := missing(); len(faults) > 0 {
		fmt.Fprintln(os.Stderr, "e2e: cannot run; test/e2e/README.md lists what it needs:\n  "+strings.Join(faults, "\n  "))
		os.Exit(2)
	}
	os.Exit(m.Run())
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
