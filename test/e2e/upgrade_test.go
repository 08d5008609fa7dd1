//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// earlier is the commit of the release that TestUpgrade starts from, which the repository must have.
const earlier = "a8c6ff7"

// TestUpgrade brings a stack up with an earlier release, has an operator scale its pool, and goes on with today's program, on
// the stack file that the user has: nothing is deleted or replaced that CHANGELOG.md does not name, another run resumes the one that
// ends, and the pool keeps its size.
func TestUpgrade(t *testing.T) {
	var rows table
	defer func() { rows.print(os.Stdout) }()
	defer func() {
		if failure := recover(); failure != nil { // of must
			t.Errorf("%v\n%s", failure, debug.Stack())
		}
	}()
	step := func(name string, run func() string) { t.Helper(); rows.step(t, "upgrade", name, run) }
	settings := map[string]any{
		"organization.accounts.training.id": caller(t), "cluster.publicCidrs": []any{publicRange},
		"training.enabled": true, "training.image": image,
	}

	before := openProgram(t, "upgrade from "+earlier, source(t, "earlier", "git archive "+earlier))
	set(t, before, settings)
	var up engine.Result
	step("up with "+earlier, func() string {
		up = enginetest.Run(t, before, "up")
		return fmt.Sprintf("%d created", count(t, up, "create"))
	})
	run, _ := up.Outputs["runName"].(string)
	job := newReader(t, up.Outputs).jobID()
	newReader(t, up.Outputs).resize("cpu", &ekstypes.NodegroupScalingConfig{DesiredSize: aws.Int32(3), MaxSize: aws.Int32(5)})

	today := "git ls-files -z --cached --others --exclude-standard | tar --create --null --ignore-failed-read --files-from -"
	s := openProgram(t, "upgrade", source(t, "today", today, "git archive "+earlier+" Pulumi.solo.yaml"))
	set(t, s, settings)
	set(t, s, map[string]any{"training.resumeFrom": run}) // as CHANGELOG.md says
	state := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(state, []byte(must(before.CLI(t.Context(), "stack", "export", "--show-secrets"))), 0o600); err != nil {
		t.Fatal(err)
	}
	must(s.CLI(t.Context(), "stack", "import", "--file", state))
	step("preview", func() string {
		preview := enginetest.Run(t, s, "preview")
		enginetest.Named(t, preview, run)
		return tally(preview)
	})
	step("up", func() string {
		up = enginetest.Run(t, s, "up")
		r := newReader(t, up.Outputs)
		r.equal("another Job", r.jobID() != job, true)
		r.equal("the Job of the last run", r.kubectl("job", run, "-n", "training") == nil, true)
		r.nodes("cpu", 3)
		return tally(up)
	})
	unchanged(t, s, step)
	step("destroy", func() string {
		destroy := enginetest.Run(t, s, "destroy")
		r := newReader(t, up.Outputs)
		left := slices.DeleteFunc(r.left(), func(what string) bool { return what == "bucket "+corpora }) // of TestLives, if it ran
		r.equal("left in the account", left, []string{})
		return fmt.Sprintf("%d deleted", count(t, destroy, "delete"))
	})
}

// source writes what the commands, run in the repository, print as tar archives to a folder, and returns it.
func source(t *testing.T, name string, archives ...string) string {
	t.Helper()
	folder := must(filepath.Abs(filepath.Join(root, ".build", "e2e", name)))
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, archive := range archives {
		cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", archive+` | tar --extract --directory "$0"`, folder)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", archive, err, out)
		}
	}
	return folder
}

// openProgram builds the program in a folder and opens the stack solo of it.
func openProgram(t *testing.T, name, folder string) *engine.Stack {
	t.Helper()
	tools := must(engine.Build(t.Context(), must(filepath.Abs(root)), os.Stderr))
	tools.Program = filepath.Join(folder, "bin", "llm-platform")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", tools.Program, ".")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v: %s", folder, err, out)
	}
	return openWith(t, name, engine.Options{Project: folder, Stack: "solo", Tools: tools}, nil)
}

// jobID returns the id that Kubernetes has given to the run's Job.
func (r *reader) jobID() string {
	r.t.Helper()
	id, _ := stackfile.Get(r.kubectl("job", r.output("runName"), "-n", "training"), "metadata.uid").(string)
	r.equal("the Job exists", id != "", true)
	return id
}
