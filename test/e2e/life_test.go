//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// variant is a stack file with more settings, and what is expected of it.
type variant struct {
	name    string
	stack   string
	set     map[string]any
	secrets map[string]string
	extra   map[string]string               // more environment
	prepare func(*testing.T) map[string]any // creates what exists beforehand; returns more settings
	read    func(*reader)                   // after the first up
	edits   []edit
	after   func(*reader)  // after the last edit
	beside  string         // name of the variant that lives its whole life before this one's destroy
	keep    map[string]any // settings for the destroy; an up with them comes first
	end     func(*reader)  // after the destroy
}

// destroyTime is how long a destroy may take: the provider empties a bucket in a loop that has no end.
const destroyTime = 10 * time.Minute

// table collects the steps that were run, to be printed.
type table []string

// step runs a step and adds its line with the result, or FAILED.
func (rows *table) step(t *testing.T, variant, name string, run func() string) {
	t.Helper()
	began, before := time.Now(), t.Failed()
	shown := "FAILED"
	defer func() {
		*rows = append(*rows, fmt.Sprintf("| %-11s | %-24s | %-58s | %4.0f s |", variant, name, shown, time.Since(began).Seconds()))
	}()
	if result := run(); before || !t.Failed() {
		shown = result
	}
}

func (rows table) print(w io.Writer) {
	fmt.Fprintf(w, "\n| %-11s | %-24s | %-58s | %6s |\n|---|---|---|---|\n%s\n", "stack", "step", "shown", "took", strings.Join(rows, "\n"))
}

// TestLives takes the variants through their lives, one after another: the first creates the organization that others
// adopt, and prod lives in it while dev stands.
func TestLives(t *testing.T) {
	var rows table
	defer func() { rows.print(os.Stdout) }()
	all := variants(t)
	for _, v := range all {
		if slices.ContainsFunc(all, func(other variant) bool { return other.beside == v.name }) {
			continue
		}
		var neighbor variant
		if i := slices.IndexFunc(all, func(other variant) bool { return other.name == v.beside }); i >= 0 {
			neighbor = all[i]
		}
		if !t.Run(v.name, func(t *testing.T) { v.live(t, &rows, neighbor) }) && v.name == "dev" {
			break // the other variants adopt the organization of dev
		}
	}
	if len(rows) < 5 {
		t.Errorf("only %d steps were run", len(rows))
	}
}

// live takes a variant through its life, and its neighbor, if there is one, before the destroy.
func (v variant) live(t *testing.T, rows *table, neighbor variant) {
	defer func() {
		if failure := recover(); failure != nil { // of must
			t.Errorf("%v\n%s", failure, debug.Stack())
		}
	}()
	s := open(t, v.name, v.stack, v.extra)
	set(t, s, v.set)
	if v.prepare != nil {
		set(t, s, v.prepare(t))
	}
	for path, value := range v.secrets {
		if err := s.SetSecret(t.Context(), path, value); err != nil {
			t.Fatal(err)
		}
	}
	step := func(name string, run func() string) { t.Helper(); rows.step(t, v.name, name, run) }

	var last engine.Result
	step("up, in one go", func() string {
		last = enginetest.Run(t, s, "up")
		return fmt.Sprintf("%d created", count(t, last, "create", "import"))
	})
	unchanged(t, s, step)
	step("read back without Pulumi", func() string {
		v.read(newReader(t, last.Outputs))
		return "as configured"
	})
	for _, e := range v.edits {
		step(e.name, func() string { return e.carryOut(t, s, &last) })
	}
	if v.after != nil {
		step("read back without Pulumi", func() string {
			v.after(newReader(t, last.Outputs))
			return "as configured"
		})
	}
	if neighbor.name != "" {
		v.standBeside(t, s, neighbor, rows)
	}
	if v.keep != nil {
		step("destroy while protected", func() string {
			if _, message := enginetest.Fail(t, s, "destroy"); !strings.Contains(message, "protected") {
				t.Errorf("destroy while protected: %s", message)
			}
			return "refused, nothing deleted"
		})
		step("protection lifted", func() string {
			set(t, s, v.keep)
			last = enginetest.Run(t, s, "up")
			enginetest.Expect(t, "protection lifted", last, "update pulumi:index:Stash standing")
			return "no resource changed"
		})
	}
	step("destroy", func() string {
		ctx, cancel := context.WithTimeout(t.Context(), destroyTime)
		defer cancel()
		destroy := must(s.Run(ctx, "destroy"))
		r := newReader(t, last.Outputs)
		v.end(r)
		kinds := map[string]int{}
		for _, what := range r.left() {
			kinds[what[:strings.LastIndex(what, " ")]]++
		}
		return fmt.Sprintf("%d deleted; left in the account: %s", count(t, destroy, "delete"), counted(kinds))
	})
}

// standBeside takes a neighbor through its life while this variant's stack stands. All clusters are one API server here, in
// which the objects of both stacks have the same names, so those of this stack are deleted by hand beforehand. Afterwards
// the stack misses these and nothing else, and creates them again.
func (v variant) standBeside(t *testing.T, s *engine.Stack, neighbor variant, rows *table) {
	t.Helper()
	step := func(name string, run func() string) { t.Helper(); rows.step(t, v.name, name, run) }
	var deleted []string // "type name" each
	step("objects deleted by hand", func() string {
		deleted = deleteObjects(t, enginetest.Run(t, s, "preview"))
		return fmt.Sprintf("%d deleted", len(deleted))
	})
	t.Run(neighbor.name, func(t *testing.T) { neighbor.live(t, rows, variant{}) })
	each := func(operation string) []string {
		var changes []string
		for _, what := range deleted {
			changes = append(changes, operation+" "+what)
		}
		return changes
	}
	step("refresh, after "+neighbor.name, func() string {
		enginetest.Expect(t, "refresh after "+neighbor.name, enginetest.Run(t, s, "refresh"), each("delete")...)
		return "only the deleted objects are missing"
	})
	step("up, after "+neighbor.name, func() string {
		enginetest.Expect(t, "up after "+neighbor.name, enginetest.Run(t, s, "up"), each("create")...)
		return "only the deleted objects are created"
	})
}

func set(t *testing.T, s *engine.Stack, values map[string]any) {
	t.Helper()
	for path, value := range values {
		if err := s.Set("llm-platform:"+path, value); err != nil {
			t.Fatal(err)
		}
	}
}

// count returns the number of changes, all of which must be one of these operations.
func count(t *testing.T, r engine.Result, operations ...string) int {
	t.Helper()
	for _, c := range r.Changed() {
		if !slices.Contains(operations, string(c.Op)) {
			t.Errorf("%s, where only %v was expected", c, operations)
		}
	}
	return len(r.Changed())
}

// tally returns, for example, "3 create, 1 update".
func tally(r engine.Result) string {
	operations := map[string]int{}
	for _, c := range r.Changed() {
		operations[string(c.Op)]++
	}
	return counted(operations)
}

func counted(counts map[string]int) string {
	var parts []string
	for what, n := range counts {
		parts = append(parts, fmt.Sprint(n, " ", what))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// unchanged shows that neither settings nor the account differ from the state.
func unchanged(t *testing.T, s *engine.Stack, step func(name string, run func() string)) {
	t.Helper()
	step("preview without a change", func() string {
		enginetest.Expect(t, "preview after the up", enginetest.Run(t, s, "preview"))
		return "nothing to change"
	})
	step("refresh", func() string {
		refresh := enginetest.Run(t, s, "refresh")
		enginetest.Expect(t, "refresh", refresh)
		return fmt.Sprintf("%d resources, no drift", len(refresh.Steps))
	})
}
