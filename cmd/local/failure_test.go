package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
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

// every thins out the steps at which something fails: 1 tries each.
var every = flag.Int("every", 25, "let every n-th step fail")

// tally is what a failure test prints: how many steps failed, after how many of these the next run went on to the
// end or to the next failure, and what was then lost (made, but not known to the state) or doubled.
type tally struct{ tried, converged, lost, doubled int }

func (n tally) String() string {
	return fmt.Sprintf("tried %d, converged %d, lost %d, doubled %d", n.tried, n.converged, n.lost, n.doubled)
}

// injury is one failure at a time: it strikes at the first call that it has not struck at before.
type injury struct {
	mu     sync.Mutex
	op     string
	done   bool // strike after the change, so that its answer is lost, rather than before
	every  int
	seen   map[string]bool // URNs of the calls so far
	armed  bool
	struck string // URN
	strike func(simcloud.Call) error
}

func (i *injury) call(call simcloud.Call) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.struck != "" && i.armed {
		return errors.New("the connection is lost") // whatever the dead engine still had under way
	}
	if !i.armed || call.Op != i.op || call.Done != i.done || i.seen[call.URN] {
		return nil
	}
	i.seen[call.URN] = true
	if len(i.seen)%i.every != 0 {
		return nil
	}
	i.struck = call.URN
	return i.strike(call)
}

// again arms the injury for the next run.
func (i *injury) again(strike func(simcloud.Call) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed, i.struck, i.strike = true, "", strike
}

// rest disarms it, and tells where it struck.
func (i *injury) rest() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = false
	return i.struck
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

// state is what these tests read of a state file.
type state struct {
	Resources []struct {
		URN    string `json:"urn"`
		Type   string `json:"type"`
		Custom bool   `json:"custom"`
	} `json:"resources"`
}

func stateOf(t *testing.T, w *local.Workspace) state {
	t.Helper()
	text, err := w.State()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Checkpoint struct{ Latest state }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Checkpoint.Latest
}

// audit counts what the cloud has and the state does not know, and what it has twice.
func audit(t *testing.T, cloud *simcloud.Cloud, w *local.Workspace) (lost, doubled []string) {
	t.Helper()
	known := map[string]bool{}
	for _, r := range stateOf(t, w).Resources {
		known[r.URN] = true
	}
	made := map[string]int{}
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

// An up of which every create is refused once, one in each run: the error says what, where and what to do, and
// the next run goes on from there.
func TestEveryCreateFailsOnce(t *testing.T) {
	wound := &injury{op: "create", every: *every, seen: map[string]bool{}}
	cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) { c.OnCall = wound.call })
	var n tally
	for {
		var refused simcloud.Call
		wound.again(func(call simcloud.Call) error {
			refused = call
			return errors.New("AccessDeniedException: refused once")
		})
		_, err := w.Run(context.Background(), "up")
		if wound.rest() == "" {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		n.tried++
		if err == nil {
			t.Fatalf("the create of %s was refused, but up succeeded", refused.Name)
		}
		wanted := []string{refused.Name, "refused once"}
		if !strings.Contains(refused.URN, "eks:index:Cluster$") { // whose process knows nothing of ours
			wanted = append(wanted, refused.Name+" ("+refused.Type+"): could not create it in "+place(refused), "The identity lacks the right", "the next `pulumi up` goes on")
		}
		for _, want := range wanted {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q: %v", refused.Name, want, err)
			}
		}
		n.converged++ // or else a later run fails
	}
	n.finish(t, cloud, w)
}

// place is how the program calls where a call was made.
func place(call simcloud.Call) string {
	switch {
	case strings.HasPrefix(call.Type, "github:"):
		return "GitHub"
	case strings.HasPrefix(call.Type, "kubernetes:"):
		return "the cluster"
	case call.Account == simcloud.ManagementAccount:
		return "the management account"
	}
	return "account \""
}

// finish audits what a series of failures has left, and prints the line of the table.
func (n tally) finish(t *testing.T, cloud *simcloud.Cloud, w *local.Workspace) {
	t.Helper()
	lost, doubled := audit(t, cloud, w)
	n.lost, n.doubled = len(lost), len(doubled)
	t.Logf("| %-28s | %5d | %9d | %4d | %7d |", t.Name(), n.tried, n.converged, n.lost, n.doubled)
	if n.tried < 3 || n.tried != n.converged || n.lost+n.doubled > 0 {
		t.Errorf("%v: lost %q, doubled %q", n, lost, doubled)
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
			var n tally
			for {
				ctx, kill := context.WithCancel(context.Background())
				wound.again(func(simcloud.Call) error { kill(); return errors.New("the connection is lost") })
				began := time.Now()
				_, err := w.Run(ctx, "up")
				kill()
				struck := wound.rest()
				if struck == "" {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				t.Logf("killed at %s after %.1f s", struck, time.Since(began).Seconds())
				n.tried++
				began = time.Now()
				recovers(t, cloud, w)
				t.Logf("recovered in %.1f s", time.Since(began).Seconds())
				n.converged++
			}
			n.finish(t, cloud, w)
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
			all := len(cloud.Resources())
			var n tally
			for {
				ctx, kill := context.WithCancel(context.Background())
				wound.again(func(simcloud.Call) error { kill(); return errors.New("the connection is lost") })
				_, err := w.Run(ctx, "destroy")
				kill()
				if wound.rest() == "" {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				n.tried++
				stack := w.Stack()
				if err := stack.Cancel(context.Background()); err != nil {
					t.Fatal(err)
				}
				n.converged++
			}
			kinds := map[string]bool{}
			for _, r := range cloud.Resources() {
				kinds[r.Type] = true
			}
			stay := []string{"aws:organizations/account:Account", "aws:organizations/organization:Organization", "aws:organizations/organizationalUnit:OrganizationalUnit"}
			if left := slices.Sorted(maps.Keys(kinds)); !slices.Equal(left, stay) {
				t.Errorf("destroy left %v", left)
			}
			if n.tried < 3 || all < 100 {
				t.Errorf("%v of %d resources: this test tests little", n, all)
			}
			t.Logf("| %-28s | %5d | %9d | %4d | %7d |", t.Name(), n.tried, n.converged, n.lost, n.doubled)
		})
	}
}
