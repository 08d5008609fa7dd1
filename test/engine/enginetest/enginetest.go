// Package enginetest opens the platform's stacks in the engine for tests: tools and program are built once per test
// binary, and every test gets a simulated cloud and a stack of its own.
package enginetest

import (
	"cmp"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/test/engine"
	"llm-platform/test/simcloud"
)

// Open starts a cloud and opens a stack of the repository against it. prepare is called with the cloud before it
// starts. The CLI prints to the test's log.
func Open(t testing.TB, stack string, prepare ...func(*simcloud.Cloud)) (*simcloud.Cloud, *engine.Stack) {
	t.Helper()
	return OpenWith(t, engine.Options{Stack: stack}, prepare...)
}

// OpenWith is Open with more options; those that Open sets are set here too, but for the project's folder if there is one.
// Env is added to that of the cloud.
func OpenWith(t testing.TB, options engine.Options, prepare ...func(*simcloud.Cloud)) (*simcloud.Cloud, *engine.Stack) {
	t.Helper()
	repository, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	options.Project = cmp.Or(options.Project, repository)
	if options.Tools, err = tools(); err != nil {
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
	env := cloud.Env()
	maps.Copy(env, options.Env)
	options.Env, options.Out = env, t.Output()
	s, err := engine.Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud, s
}

// Run runs a verb that must succeed and must report at least one step.
func Run(t testing.TB, s *engine.Stack, verb string) engine.Result {
	t.Helper()
	result, err := s.Run(context.Background(), verb)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Steps) == 0 {
		t.Fatalf("%s: the engine reported no step; this test tests nothing", verb)
	}
	return result
}

// Fail runs a verb that must fail, and returns what was reported and the error's message.
func Fail(t testing.TB, s *engine.Stack, verb string) (engine.Result, string) {
	t.Helper()
	result, err := s.Run(context.Background(), verb)
	if err == nil {
		t.Fatalf("%s succeeded; it should have failed", verb)
	}
	return result, err.Error()
}

// Expect compares what a run changed with the "operation type name" that it should have, in any order. A * in want
// stands for any text, for example the hash in a run's name.
func Expect(t testing.TB, what string, r engine.Result, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := r.Changes(); !slices.EqualFunc(got, want, matches) {
		t.Errorf("%s changed:\n  %s\nbut should have changed:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// Named fails the test for every deletion and replacement that CHANGELOG.md does not name, in which a name has RUN in place of the run.
func Named(t testing.TB, preview engine.Result, run string) {
	t.Helper()
	repository, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	changelog, err := os.ReadFile(filepath.Join(repository, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range preview.Changed() {
		name := strings.ReplaceAll(step.Name(), run, "RUN")
		if step.Op != apitype.OpCreate && step.Op != apitype.OpUpdate && !strings.Contains(string(changelog), "`"+name+"`") {
			t.Errorf("preview: %s, which CHANGELOG.md does not name", step)
		}
	}
}

func matches(got, want string) bool {
	before, after, wildcard := strings.Cut(want, "*")
	return got == want || wildcard && strings.HasPrefix(got, before) && strings.HasSuffix(got, after)
}

var tools = sync.OnceValues(func() (engine.Tools, error) {
	repository, err := Repository()
	if err != nil {
		return engine.Tools{}, err
	}
	return engine.Build(context.Background(), repository, os.Stderr)
})

// Repository returns the folder of the root module, whichever module and folder the test is in.
var Repository = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "llm-platform").Output()
	return filepath.Clean(strings.TrimSpace(string(out))), err
})
