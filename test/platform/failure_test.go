package platform

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optimport"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// every selects the steps at which something fails: each n-th. `make test-failure` tries all.
var every = flag.Int("every", 40, "fail at every n-th step")

// injection makes calls to the cloud fail, each at most once.
type injection struct {
	op    string        // "create" or "delete"
	done  bool          // after the change, so that only its answer is lost, rather than before it
	every int           // fail every n-th call
	error string        // the answer; empty: the engine is killed instead
	delay time.Duration // of every answer

	mu     sync.Mutex
	seen   map[string]bool // URNs of the calls so far
	struck []simcloud.Call // in this run
	all    []simcloud.Call // in all runs
	kill   func()          // kills the engine; nil between the runs
}

func (i *injection) call(call simcloud.Call) error {
	time.Sleep(i.delay)
	i.mu.Lock()
	defer i.mu.Unlock()
	dying := i.error == "" && len(i.struck) > 0
	switch {
	case i.kill == nil:
		return nil
	case dying: // the dead engine gets nothing done any more
		return errors.New("the connection is lost")
	case call.Op != i.op || call.Done != i.done || i.seen[call.URN]:
		return nil
	}
	if i.seen == nil {
		i.seen = map[string]bool{}
	}
	i.seen[call.URN] = true
	if len(i.seen)%i.every != 0 {
		return nil
	}
	i.struck, i.all = append(i.struck, call), append(i.all, call)
	if i.error == "" {
		i.kill()
	}
	return errors.New(cmp.Or(i.error, "the connection is lost"))
}

// open opens the dev stack with the injection. A killed engine leaves what it saved.
func (i *injection) open(t *testing.T) (*simcloud.Cloud, *engine.Stack) {
	t.Helper()
	return enginetest.OpenWith(t, engine.Options{Stack: "dev", Save: i.error == ""}, func(c *simcloud.Cloud) { c.OnCall = i.call })
}

// run runs a verb with the injection, and returns the calls that it struck.
func (i *injection) run(s *engine.Stack, verb string) ([]simcloud.Call, error) {
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	i.mu.Lock()
	i.kill, i.struck = kill, nil
	i.mu.Unlock()
	_, err := s.Run(ctx, verb)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kill = nil
	return i.struck, err
}

// series repeats the verb with the injection until a run is struck nowhere; that one must succeed. between runs before
// the next run.
func (i *injection) series(t *testing.T, s *engine.Stack, verb string, between func([]simcloud.Call, error)) {
	t.Helper()
	for {
		struck, err := i.run(s, verb)
		if len(struck) == 0 {
			if err != nil {
				t.Errorf("%s after %d failures: %v", verb, len(i.all), err)
			}
			return
		}
		between(struck, err)
	}
}

// finish compares the cloud with the state and prints a line of the table in docs/proof.md: at how many steps something
// failed; how many of their resources the later runs recovered (after an up: once in the cloud and in the state; after a
// destroy: in neither); how many resources are lost, that is, in the cloud but not in the state; and how many exist twice.
func (i *injection) finish(t *testing.T, cloud *simcloud.Cloud, s *engine.Stack) {
	t.Helper()
	known, existing := stateURNs(t, s), map[string]int{}
	var lost, duplicated []string
	for _, r := range cloud.Resources() {
		if existing[r.URN]++; existing[r.URN] == 2 {
			duplicated = append(duplicated, r.Type+" "+r.Name)
		}
		// What a destroy retains is neither in the state nor lost.
		if !known[r.URN] && (i.op == "create" || !retained(r)) {
			lost = append(lost, r.Type+" "+r.Name)
		}
	}
	recovered := 0
	for _, call := range i.all {
		want := 0
		if i.op == "create" {
			want = 1
		}
		if existing[call.URN] == want && known[call.URN] == (want == 1) {
			recovered++
		} else {
			t.Errorf("after %s of %s failed: %d in the cloud, in the state: %v", call.Op, call.Name, existing[call.URN], known[call.URN])
		}
	}
	fmt.Fprintf(t.Output(), "| %-34s | tried %3d | recovered %3d | lost %d | duplicated %d |\n", t.Name(), len(i.all), recovered, len(lost), len(duplicated))
	if len(i.all) < 3 {
		t.Errorf("only %d steps failed: this test tests little", len(i.all))
	}
	if len(lost)+len(duplicated) > 0 {
		t.Errorf("lost %q, duplicated %q", lost, duplicated)
	}
}

// retained reports whether the dev stack leaves a resource in the cloud when it is destroyed: the organization, its
// OUs and accounts, and the log group that EKS creates anew.
func retained(r simcloud.Resource) bool {
	switch {
	case r.Type == "aws:cloudwatch/logGroup:LogGroup":
		return r.URN == ""
	case strings.HasPrefix(r.Type, "aws:organizations/"):
		return !strings.Contains(r.Type, "olicy")
	}
	// The bucket of the trail, and what blocks public access in the accounts.
	return strings.HasPrefix(r.Name, "trail-logs") || strings.HasSuffix(r.Type, "BlockPublicAccess") || strings.HasSuffix(r.Type, "EncryptionByDefault") ||
		strings.HasSuffix(r.Type, "AccountPublicAccessBlock")
}

// stateURNs returns the URNs of the resources in the state.
func stateURNs(t *testing.T, s *engine.Stack) map[string]bool {
	t.Helper()
	text, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	var file apitype.VersionedCheckpoint
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var checkpoint apitype.CheckpointV3
	if err := json.Unmarshal(file.Checkpoint, &checkpoint); err != nil {
		t.Fatal(err)
	}
	urns := map[string]bool{}
	for _, r := range checkpoint.Latest.Resources {
		urns[string(r.URN)] = true
	}
	return urns
}

// recoverState does what docs/troubleshooting.md describes for a killed engine: it releases the lock, finds out which of
// the pending creates took effect, removes all of them from the state, and imports those that did.
func recoverState(t *testing.T, cloud *simcloud.Cloud, s *engine.Stack) {
	t.Helper()
	pulumi := func(args ...string) string {
		t.Helper()
		out, err := s.CLI(context.Background(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	pulumi("cancel", "--yes")
	file := filepath.Join(t.TempDir(), "import.json")
	imports := importFile(t, cloud, pulumi("stack", "export"), file)
	pulumi("refresh", "--clear-pending-creates", "--yes", "--skip-preview")
	if imports > 0 {
		pulumi("import", "--file", file, "--protect=false", "--generate-code=false", "--yes", "--skip-preview")
	}
}

// importFile writes the import file of cmd/recover as a user completes it: with the ids of the resources that exist,
// and without those that do not. It returns how many it has.
func importFile(t *testing.T, cloud *simcloud.Cloud, export, file string) int {
	t.Helper()
	command, err := buildRecover()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command)
	cmd.Stdin, cmd.Stderr = strings.NewReader(export), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var imports struct {
		NameTable map[string]string          `json:"nameTable"`
		Resources []optimport.ImportResource `json:"resources"`
	}
	if err := json.Unmarshal(out, &imports); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, r := range cloud.Resources() {
		ids[r.Type+" "+r.Name] = r.ID
	}
	var found []optimport.ImportResource
	for _, r := range imports.Resources {
		id, exists := ids[r.Type+" "+r.Name]
		if !exists {
			continue
		}
		if r.ID != "FILL IN" && r.ID != id {
			t.Errorf("%s: recover guesses the id %s; it is %s", r.Name, r.ID, id)
		}
		r.ID = id
		found = append(found, r)
	}
	imports.Resources = found
	text, err := json.Marshal(imports)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// buildRecover builds cmd/recover, once.
var buildRecover = sync.OnceValues(func() (string, error) {
	repository, err := enginetest.Repository()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(repository, ".build", "bin", "recover")
	build := exec.Command("go", "build", "-o", binary, "./cmd/recover")
	build.Dir, build.Stderr = repository, os.Stderr
	return binary, build.Run()
})

// Creates of an up are refused, each once. The error names the resource, the place and the remedy, and the next run
// continues from there.
func TestCreatesFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		error, remedy string
		every         int
		delay         time.Duration
	}{
		"denied":    {"AccessDeniedException: refused once", "aws sts get-caller-identity", max(1, *every/8), 0}, // several in a run
		"throttled": {"ThrottlingException: Rate exceeded", "a few minutes", *every, 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injection := &injection{op: "create", error: c.error, delay: c.delay, every: c.every}
			cloud, s := injection.open(t)
			injection.series(t, s, "up", func(struck []simcloud.Call, err error) {
				if err == nil {
					t.Fatalf("%d creates were refused, but up succeeded", len(struck))
				}
				for _, call := range struck {
					explained(t, call, err.Error(), injection.error, c.remedy)
				}
			})
			injection.finish(t, cloud, s)
			enginetest.Expect(t, "a preview afterwards", enginetest.Run(t, s, "preview"))
		})
	}
}

// The error hook reaches the children of the EKS component, which another process registers.
func TestClusterFailureIsExplained(t *testing.T) {
	t.Parallel()
	const refusal = "UnsupportedAvailabilityZoneException: refused"
	var refused simcloud.Call
	_, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if call.Type != "aws:eks/cluster:Cluster" || call.Op != "create" {
				return nil
			}
			refused = call
			return errors.New(refusal)
		}
	})
	_, message := enginetest.Fail(t, s, "up")
	if refused.Name == "" {
		t.Fatal("no EKS cluster was created: this test saw nothing")
	}
	explained(t, refused, message, refusal, "remove it from network.zones")
}

// explained checks that an error names the refused call, the place, the cause and the remedy.
func explained(t *testing.T, call simcloud.Call, message string, wants ...string) {
	t.Helper()
	place := `account "`
	switch {
	case strings.HasPrefix(call.Type, "github:"):
		place = "GitHub"
	case strings.HasPrefix(call.Type, "kubernetes:"):
		place = "the cluster"
	case call.Account == simcloud.ManagementAccount:
		place = "the management account"
	}
	wants = append(wants, call.Name+" ("+call.Type+"): ", place, "the next `pulumi up`")
	for _, want := range wants {
		if !strings.Contains(message, want) {
			t.Errorf("%s: the error does not say %q: %s", call.Name, want, message)
		}
	}
}

// Deletes of a destroy are refused, each once. The error names the resource, and the next destroy continues.
func TestDeletesFail(t *testing.T) {
	t.Parallel()
	injection := &injection{op: "delete", error: "DependencyViolation: in use", every: *every}
	cloud, s := injection.open(t)
	enginetest.Run(t, s, "up")
	injection.series(t, s, "destroy", func(struck []simcloud.Call, err error) {
		for _, call := range struck {
			if err == nil || !strings.Contains(err.Error(), call.Name) || !strings.Contains(err.Error(), injection.error) || strings.Contains(err.Error(), "hook") {
				t.Errorf("the delete of %s was refused, and the error is %v", call.Name, err)
			}
		}
	})
	injection.finish(t, cloud, s)
}

// The engine is killed at one create after another, before it takes effect or after. After each kill a user recovers as
// docs/troubleshooting.md describes, and the next run continues until it is killed at the next create.
func TestKilledAtCreate(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injection := &injection{op: "create", done: done, every: *every}
			cloud, s := injection.open(t)
			kills := 0
			injection.series(t, s, "up", func([]simcloud.Call, error) {
				recoverState(t, cloud, s)
				if kills++; kills != 2 {
					return
				}
				for _, step := range enginetest.Run(t, s, "preview").Changed() { // of a partly created stack
					if step.Op != apitype.OpCreate {
						t.Errorf("a preview after the second kill shows %v", step)
					}
				}
			})
			injection.finish(t, cloud, s)
			enginetest.Expect(t, "a preview afterwards", enginetest.Run(t, s, "preview"))
		})
	}
}

// The engine is killed at one delete of a destroy after another. After each kill a user destroys again.
func TestKilledAtDelete(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injection := &injection{op: "delete", done: done, every: *every}
			cloud, s := injection.open(t)
			enginetest.Run(t, s, "up")
			injection.series(t, s, "destroy", func([]simcloud.Call, error) {
				if _, err := s.CLI(context.Background(), "cancel", "--yes"); err != nil {
					t.Fatal(err)
				}
			})
			injection.finish(t, cloud, s)
		})
	}
}
