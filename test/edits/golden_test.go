package edits

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/test/engine"
)

// golden holds the steps of every row. To write them, after previews only: go test ./edits -run TestEdits -all -update
type golden struct {
	file string

	mu    sync.Mutex
	steps map[string][]string // by the row's name
}

// readGolden reads a file of rows: "# name", then a step a line.
func readGolden(file string) (*golden, error) {
	g := &golden{file: file, steps: map[string][]string{}}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	name := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if heading, ok := strings.CutPrefix(line, "# "); ok {
			name = heading
			g.steps[name] = []string{}
		} else if line != "" {
			g.steps[name] = append(g.steps[name], line)
		}
	}
	return g, nil
}

func (g *golden) write() error {
	var out strings.Builder
	for _, row := range Rows() {
		if steps, ok := g.steps[row.Name()]; ok {
			fmt.Fprintf(&out, "# %s\n%s\n", row.Name(), strings.Join(append(steps, ""), "\n"))
		}
	}
	return os.WriteFile(g.file, []byte(out.String()), 0o644)
}

// expect compares the steps of a run with those of the row.
func (g *golden) expect(t *testing.T, row Row, verb string, result engine.Result) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	got := changes(result)
	if *update && verb == "preview" {
		g.steps[row.Name()] = got
	}
	want, ok := g.steps[row.Name()]
	if !ok {
		t.Errorf("%s has no row %q: go test ./edits -run TestEdits -all -update", g.file, row.Name())
	}
	for _, step := range got {
		if !slices.Contains(want, step) {
			t.Errorf("%s: unexpected: %s", verb, step)
		}
	}
	for _, step := range want {
		if !slices.Contains(got, step) {
			t.Errorf("%s: missing: %s", verb, step)
		}
	}
}

// changes returns the steps of a run that change a resource of a vendor, "operation type name" without the package of the
// type, sorted. A replacement is one step. * stands for the hash in a run's name.
func changes(result engine.Result) []string {
	var steps []string
	for _, s := range result.Changed() {
		if s.Type != stash && s.Op != apitype.OpCreateReplacement && s.Op != apitype.OpDeleteReplaced {
			step := fmt.Sprintf("%s %s %s", s.Op, s.Type[strings.LastIndex(s.Type, ":")+1:], s.Name())
			steps = append(steps, runHash.ReplaceAllString(step, "-*"))
		}
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}

var runHash = regexp.MustCompile(`-[0-9a-f]{10}$`)
