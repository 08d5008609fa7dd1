// Package workflows tests the GitHub workflows of the repository, and what they and the Makefile run: with the commands that
// reach GitHub and AWS replaced by ones that write down how they are called.
package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine/enginetest"
)

type object = map[string]any

// folder returns the repository's folder.
func folder(t *testing.T) string {
	t.Helper()
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

// workflows returns all workflows by name of the file.
func workflows(t *testing.T) map[string]object {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder(t), ".github", "workflows", "*.yml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d workflows (%v): this test tests little", len(files), err)
	}
	all := map[string]object{}
	for _, file := range files {
		var content object
		if err := stackfile.Read(file, &content); err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = content
	}
	return all
}

// jobs calls f with every job.
func jobs(t *testing.T, f func(name string, workflow, job object)) {
	t.Helper()
	for file, workflow := range workflows(t) {
		for name, job := range workflow["jobs"].(object) {
			f(file+"/"+name, workflow, job.(object))
		}
	}
}

// steps returns the steps of a job.
func steps(job object) []object {
	var all []object
	for _, step := range job["steps"].([]any) {
		all = append(all, step.(object))
	}
	return all
}

// Every action is pinned by commit, with its version beside, and the same action everywhere at the same commit.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^\s*(?:- )?uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$`)
	commits := map[string]string{}
	for file := range workflows(t) {
		text, err := os.ReadFile(filepath.Join(folder(t), ".github", "workflows", file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, "uses:") {
				continue
			}
			found := pinned.FindStringSubmatch(strings.TrimRight(line, "\n"))
			if found == nil {
				t.Errorf("%s: %s", file, line)
				continue
			}
			if commit, ok := commits[found[1]]; ok && commit != found[2] {
				t.Errorf("%s: %s is elsewhere at %s", file, found[0], commit)
			}
			commits[found[1]] = found[2]
		}
	}
	if len(commits) < 6 {
		t.Errorf("only %d actions: %v", len(commits), commits)
	}
}

// No job has more permissions than it uses, runs for ever, or leaves a token where the code of a pull request finds it.
func TestJobs(t *testing.T) {
	jobs(t, func(name string, workflow, job object) {
		if _, limited := job["timeout-minutes"].(int); !limited {
			t.Errorf("%s has no timeout", name)
		}
		if workflow["concurrency"] == nil {
			t.Errorf("%s: no concurrency", name)
		}
		for scope, access := range workflow["permissions"].(object) {
			if scope != "contents" || access != "read" {
				t.Errorf("%s: %s: %s for all jobs", name, scope, access)
			}
		}
		granted, _ := job["permissions"].(object)
		cloud := false
		for _, step := range steps(job) {
			uses, _ := step["uses"].(string)
			with, _ := step["with"].(object)
			if strings.HasPrefix(uses, "actions/checkout@") && with["persist-credentials"] != false {
				t.Errorf("%s leaves its token in the checkout", name)
			}
			cloud = cloud || strings.HasPrefix(uses, "aws-actions/configure-aws-credentials@")
		}
		if (granted["id-token"] == "write") != cloud {
			t.Errorf("%s: id-token is %v, and it uses AWS: %v", name, granted["id-token"], cloud)
		}
		if cloud && job["environment"] == nil {
			t.Errorf("%s uses AWS outside an environment", name)
		}
	})
}

// What runs in the base repository's name runs no code of a pull request.
func TestForeignCode(t *testing.T) {
	for file, workflow := range workflows(t) {
		on, _ := workflow["on"].(object)
		if _, ok := on["pull_request_target"]; ok {
			t.Errorf("%s runs for pull_request_target", file)
		}
	}
	comment := workflows(t)["preview-comment.yml"]["jobs"].(object)["comment"].(object)
	for _, step := range steps(comment) {
		if uses, _ := step["uses"].(string); strings.HasPrefix(uses, "actions/checkout@") {
			t.Error("preview-comment.yml checks out code")
		}
		if run, _ := step["run"].(string); strings.Contains(run, "${{") {
			t.Error("preview-comment.yml puts an expression into a script")
		}
	}
}

// The workflows install the CLI of the SDK's release, as `make tools` builds it.
func TestPulumiVersion(t *testing.T) {
	module, err := os.ReadFile(filepath.Join(folder(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`github.com/pulumi/pulumi/sdk/v3 v(\S+)`).FindStringSubmatch(string(module))
	installed := 0
	jobs(t, func(name string, _, job object) {
		for _, step := range steps(job) {
			if uses, _ := step["uses"].(string); strings.HasPrefix(uses, "pulumi/actions@") {
				installed++
				if got := step["with"].(object)["pulumi-version"]; version == nil || got != version[1] {
					t.Errorf("%s installs %v, go.mod has %v", name, got, version)
				}
			}
		}
	})
	if installed < 3 {
		t.Errorf("%d jobs install Pulumi: this test tests little", installed)
	}
}

// script returns the one script of a job that has the text.
func script(t *testing.T, file, job, text string) string {
	t.Helper()
	for _, step := range steps(workflows(t)[file]["jobs"].(object)[job].(object)) {
		if run, _ := step["run"].(string); strings.Contains(run, text) {
			return run
		}
	}
	t.Fatalf("%s: no script with %q in %s", file, text, job)
	return ""
}

// fake runs a shell command in a new folder, with commands on the PATH that are scripts. The file calls has how they were called,
// if they write it.
func fake(t *testing.T, commands map[string]string, env []string, files map[string]string, command string, args ...string) (calls, out string, code int) {
	t.Helper()
	work := t.TempDir()
	for name, text := range commands {
		files = merged(files, "bin/"+name, "#!/usr/bin/env bash\n"+text)
	}
	for name, text := range files {
		path := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir = work
	cmd.Env = append([]string{"PATH=" + filepath.Join(work, "bin") + ":" + os.Getenv("PATH"), "HOME=" + work, "CALLS=" + filepath.Join(work, "calls")}, env...)
	text, err := cmd.CombinedOutput()
	if _, exit := err.(*exec.ExitError); err != nil && !exit {
		t.Fatal(err)
	}
	written, _ := os.ReadFile(filepath.Join(work, "calls")) // none if nothing was called
	return string(written), string(text), cmd.ProcessState.ExitCode()
}

func merged(files map[string]string, name, text string) map[string]string {
	all := map[string]string{name: text}
	for n, t := range files {
		all[n] = t
	}
	return all
}
