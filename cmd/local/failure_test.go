package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optimport"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"

	"llm-platform/internal/local"
	"llm-platform/internal/local/localtest"
	"llm-platform/internal/recovery"
	"llm-platform/internal/simcloud"
)

// every thins out the steps at which something fails. `make test-failure` tries each.
var every = flag.Int("every", 40, "let every n-th step fail")

// injury makes calls to the cloud fail, each at most once.
type injury struct {
	op    string        // "create" or "delete"
	done  bool          // after the change, so that only its answer is lost, rather than before it
	every int           // each call, or each so many
	error string        // the answer; empty: the engine is killed instead
	delay time.Duration // of every answer

	mu     sync.Mutex
	seen   map[string]bool // URNs of the calls so far
	struck []simcloud.Call // in this run
	kill   func()          // kills the engine; nil between the runs
}

func (i *injury) call(call simcloud.Call) error {
	time.Sleep(i.delay)
	i.mu.Lock()
	defer i.mu.Unlock()
	dying := i.error == "" && len(i.struck) > 0
	switch {
	case i.kill == nil:
		return nil
	case dying: // nothing of the dead engine's comes about any more
		return errors.New("the connection is lost")
	case call.Op != i.op || call.Done != i.done || i.seen[call.URN]:
		return nil
	}
	i.seen[call.URN] = true
	if len(i.seen)%i.every != 0 {
		return nil
	}
	i.struck = append(i.struck, call)
	if i.error == "" {
		i.kill()
	}
	return errors.New(cmp.Or(i.error, "the connection is lost"))
}

// run runs a verb with the injury, and returns where it struck.
func (i *injury) run(w *local.Workspace, verb string) ([]simcloud.Call, error) {
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	i.mu.Lock()
	i.kill, i.struck = kill, nil
	i.mu.Unlock()
	_, err := w.Run(ctx, verb)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kill = nil
	return i.struck, err
}

// series runs the verb again and again, with the injury in each run, until it strikes nowhere any more. between is
// what comes before the next run.
func (i *injury) series(t *testing.T, w *local.Workspace, verb string, between func([]simcloud.Call, error)) tally {
	t.Helper()
	var n tally
	for {
		struck, err := i.run(w, verb)
		if len(struck) == 0 && err != nil {
			t.Errorf("%s after %d failures: %v", verb, n.tried, err)
			return n
		}
		n.converged = n.tried // this run has gone on, to its end or to the next failure
		if len(struck) == 0 {
			return n
		}
		n.tried += len(struck)
		between(struck, err)
	}
}

// tally is a line of the table that these tests print: how many steps failed, after how many of these the next run
// went on to its end or to the next failure, and what was then lost (made, but not known to the state) or doubled.
type tally struct{ tried, converged, lost, doubled int }

func (n tally) print(t *testing.T) {
	fmt.Fprintf(t.Output(), "| %-34s | tried %3d | converged %3d | lost %d | doubled %d |\n", t.Name(), n.tried, n.converged, n.lost, n.doubled)
	if n.tried < 3 {
		t.Errorf("only %d steps failed: this test tests little", n.tried)
	}
}

// recovers does what README.md tells a user to do after the engine was killed: give up its lock, look which of the
// creates that it had under way came about, drop them all from the state, and import those that did.
func recovers(t *testing.T, cloud *simcloud.Cloud, w *local.Workspace) {
	t.Helper()
	ctx, stack := context.Background(), w.Stack()
	if err := stack.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	export, err := stack.Export(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(export)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := recovery.Pending(text)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{} // URN -> id
	for _, r := range cloud.Resources() {
		made[r.URN] = r.ID
	}
	var found []*optimport.ImportResource
	for _, r := range pending.Resources {
		id, there := made[r.URN]
		switch {
		case !there:
			continue
		case r.ID != "" && r.ID != id:
			t.Errorf("%s: guessed the id %s; it is %s", r.Name, r.ID, id)
		}
		found = append(found, &optimport.ImportResource{Type: r.Type, Name: r.Name, ID: id, Parent: r.Parent, Provider: r.Provider})
	}
	if _, err := stack.Refresh(ctx, optrefresh.ClearPendingCreates()); err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return
	}
	if _, err := stack.ImportResources(ctx, optimport.Resources(found), optimport.NameTable(pending.NameTable), optimport.Protect(false), optimport.GenerateCode(false)); err != nil {
		t.Fatal(err)
	}
}

// known are the URNs in the state.
func known(t *testing.T, w *local.Workspace) map[string]bool {
	t.Helper()
	text, err := w.State()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Checkpoint struct {
			Latest struct {
				Resources []struct{ URN string }
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	urns := map[string]bool{}
	for _, r := range file.Checkpoint.Latest.Resources {
		urns[r.URN] = true
	}
	return urns
}

// audit finds what the cloud has and the state does not know, and what it has twice.
func audit(t *testing.T, cloud *simcloud.Cloud, w *local.Workspace) (lost, doubled []string) {
	t.Helper()
	known, made := known(t, w), map[string]int{}
	for _, r := range cloud.Resources() {
		if made[r.URN]++; made[r.URN] == 2 {
			doubled = append(doubled, r.Type+" "+r.Name)
		}
		if !known[r.URN] {
			lost = append(lost, r.Type+" "+r.Name)
		}
	}
	return lost, doubled
}

// An up of which creates are refused, each once: the error says what, where and what to do, and the next run goes on
// from there.
func TestCreatesFail(t *testing.T) {
	for name, c := range map[string]struct {
		error, do string
		every     int
		delay     time.Duration
	}{
		"denied":    {"AccessDeniedException: refused once", "The identity lacks the right", 1, 0}, // several a run: quick
		"throttled": {"ThrottlingException: Rate exceeded", "wait a few minutes", *every, 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			wound := &injury{op: "create", error: c.error, delay: c.delay, every: c.every, seen: map[string]bool{}}
			cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) { c.OnCall = wound.call })
			wound.series(t, w, "up", func(struck []simcloud.Call, err error) {
				if err == nil {
					t.Fatalf("%d creates were refused, but up succeeded", len(struck))
				}
				for _, call := range struck {
					explained(t, call, err.Error(), wound.error, c.do)
				}
			}).finish(t, cloud, w)
		})
	}
}

// explained looks in an error for what a user needs to know of a call that was refused.
func explained(t *testing.T, call simcloud.Call, message string, wanted ...string) {
	t.Helper()
	if strings.Contains(call.URN, "eks:index:Cluster$") { // in whose process nothing of ours runs
		wanted = []string{call.Name, wanted[0]}
	} else {
		place := `account "`
		switch {
		case strings.HasPrefix(call.Type, "github:"):
			place = "GitHub"
		case strings.HasPrefix(call.Type, "kubernetes:"):
			place = "the cluster"
		case call.Account == simcloud.ManagementAccount:
			place = "the management account"
		}
		wanted = append(wanted, fmt.Sprintf("%s (%s): could not create it in %s", call.Name, call.Type, place), "the next `pulumi up` goes on")
	}
	for _, want := range wanted {
		if !strings.Contains(message, want) {
			t.Errorf("%s: the error does not say %q: %s", call.Name, want, message)
		}
	}
}

// A destroy of which deletes are refused, each once: the error says what, and the next destroy goes on.
func TestDeletesFail(t *testing.T) {
	wound := &injury{op: "delete", error: "DependencyViolation: in use", every: *every, seen: map[string]bool{}}
	cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) { c.OnCall = wound.call })
	localtest.Run(t, w, "up")
	n := wound.series(t, w, "destroy", func(struck []simcloud.Call, err error) {
		for _, call := range struck {
			if err == nil || !strings.Contains(err.Error(), call.Name) || !strings.Contains(err.Error(), wound.error) || strings.Contains(err.Error(), "hook") {
				t.Errorf("the delete of %s was refused, and the error is %v", call.Name, err)
			}
		}
	})
	n.lost = len(leftovers(t, cloud))
	n.print(t)
}

// leftovers are what a destroy should not have left.
func leftovers(t *testing.T, cloud *simcloud.Cloud) []string {
	t.Helper()
	var left []string
	for _, r := range cloud.Resources() {
		if !strings.HasPrefix(r.Type, "aws:organizations/") || strings.Contains(strings.ToLower(r.Type), "policy") {
			left = append(left, r.Type+" "+r.Name)
		}
	}
	if len(left) > 0 {
		t.Errorf("destroy left %q", left)
	}
	return left
}

// finish audits what a series of failures has left.
func (n tally) finish(t *testing.T, cloud *simcloud.Cloud, w *local.Workspace) {
	t.Helper()
	lost, doubled := audit(t, cloud, w)
	n.lost, n.doubled = len(lost), len(doubled)
	n.print(t)
	if n.lost+n.doubled > 0 {
		t.Errorf("lost %q, doubled %q", lost, doubled)
	}
	expect(t, "a preview afterwards", localtest.Run(t, w, "preview"))
}

// The engine is killed at one create after another, before the cloud has changed or after; a user recovers as the
// README says; the next run goes on, and is killed at the next create.
func TestKilledAtCreate(t *testing.T) {
	for name, done := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			wound := &injury{op: "create", done: done, every: *every, seen: map[string]bool{}}
			cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) { c.OnCall = wound.call })
			kills := 0
			wound.series(t, w, "up", func([]simcloud.Call, error) {
				recovers(t, cloud, w)
				if kills++; kills != 2 {
					return
				}
				for _, c := range localtest.Run(t, w, "preview").Changed() { // half made
					if c.Op != "create" {
						t.Errorf("a preview of what is half made shows %v", c)
					}
				}
			}).finish(t, cloud, w)
		})
	}
}

// Likewise at each delete of a destroy, after which a user destroys again.
func TestKilledAtDelete(t *testing.T) {
	for name, done := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			wound := &injury{op: "delete", done: done, every: *every, seen: map[string]bool{}}
			cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) { c.OnCall = wound.call })
			localtest.Run(t, w, "up")
			n := wound.series(t, w, "destroy", func([]simcloud.Call, error) {
				stack := w.Stack()
				if err := stack.Cancel(context.Background()); err != nil {
					t.Fatal(err)
				}
			})
			n.lost = len(leftovers(t, cloud))
			n.print(t)
		})
	}
}
