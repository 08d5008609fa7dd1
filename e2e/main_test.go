// Package e2e runs the whole program with real provider plugins against local stand-ins for AWS, GitHub and
// Kubernetes, through the stacks' whole life. README.md says what it needs.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"llm-platform/internal/local"
)

const root = ".."

// environment is the process's environment by name, without what would lead the engine to a backend, a
// configuration, a home or a cluster of the user's.
func environment() map[string]string {
	env := map[string]string{
		// What an SDK would look at after the environment.
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		// The plugins may be on PATH.
		"PULUMI_IGNORE_AMBIENT_PLUGINS": "false",
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		_, ours := env[name]
		if !ours && name != "HOME" && name != "PATH" && name != "KUBECONFIG" && !strings.HasPrefix(name, "PULUMI_") && !strings.HasPrefix(name, "GO") {
			env[name] = value
		}
	}
	return env
}

// pluginFolder is where the user's Pulumi keeps the plugins that it downloaded; empty if there is none.
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

// missing names what cannot be run with what is here.
func missing() []string {
	var faults []string
	env := environment()
	env["KUBECONFIG"] = os.Getenv("KUBECONFIG")
	if err := local.CheckEndpoints(env); err != nil {
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
	there, err := organizationThere(context.Background())
	switch {
	case err != nil:
		faults = append(faults, fmt.Sprintf("AWS_ENDPOINT_URL: %v", err))
	case there:
		faults = append(faults, "AWS_ENDPOINT_URL: there is an organization already: start the emulator anew, and empty")
	}
	return faults
}

// TestMain says what is missing rather than let tests pass that saw nothing.
func TestMain(m *testing.M) {
	flag.Parse()
	if faults := missing(); len(faults) > 0 {
		fmt.Fprintln(os.Stderr, "e2e: cannot run; e2e/README.md says what it needs:\n  "+strings.Join(faults, "\n  "))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// open makes a workspace for a stack's file against the endpoints of the environment. extra is added to it. What
// the CLI prints goes to .build/e2e/<name>.log.
func open(t *testing.T, name, stack string, extra map[string]string) *local.Workspace {
	t.Helper()
	ctx := context.Background()
	logs := filepath.Join(root, ".build", "e2e")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(logs, strings.ReplaceAll(name, " ", "-")+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	folder, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := local.FindTools(ctx, folder, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	program, err := local.ProgramPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := local.BuildProgram(ctx, folder, program, os.Stderr); err != nil {
		t.Fatal(err)
	}
	env := environment()
	for name, value := range extra {
		env[name] = value
	}
	w, err := local.Open(ctx, local.Options{
		Project: folder, Program: program, Stack: stack, Tools: tools, Env: env, Plugins: pluginFolder(), Out: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}
