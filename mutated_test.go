package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
)

const mutants = 200

// mutation is one change of a stack's settings.
type mutation struct {
	path  string // dotted
	what  string
	value any  // what stands there now
	gone  bool // rather than a value, nothing
}

func (m mutation) String() string {
	if m.gone {
		return m.path + ": " + m.what
	}
	text, _ := json.Marshal(m.value)
	return fmt.Sprintf("%s: %s: %.80s", m.path, m.what, text)
}

// leavesOf are the dotted paths of what is no object, sorted.
func leavesOf(tree map[string]any, prefix string) []string {
	var paths []string
	for key, value := range tree {
		at := prefix + key
		if object, ok := value.(map[string]any); ok && len(object) > 0 {
			paths = append(paths, leavesOf(object, at+".")...)
		} else {
			paths = append(paths, at)
		}
	}
	sort.Strings(paths)
	return paths
}

// mutate changes one leaf as people do who err: in its name, its type, its range, or by leaving it out.
func mutate(random *rand.Rand, tree map[string]any) mutation {
	paths := leavesOf(tree, "")
	// What is to be copied may be in the bucket or not: that is looked up, not checked.
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "storage.copies.sample.source" })
	path := paths[random.IntN(len(paths))]
	value := stackfile.Get(tree, path)
	cut := strings.LastIndex(path, ".")
	parent, name := path[:cut+1], path[cut+1:]
	other := func(choices ...any) any { return choices[random.IntN(len(choices))] }
	switch kind := random.IntN(6); {
	case kind == 0: // a letter is missing
		i := random.IntN(len(name))
		return mutation{path: parent + name[:i] + name[i+1:] + "q", what: "another name", value: value}
	case kind == 1:
		return mutation{path: path, what: "left out", gone: true}
	case kind == 2: // another type
		switch value.(type) {
		case bool:
			return mutation{path: path, what: "another type", value: other("perhaps", 3, []any{true}, map[string]any{"a": true})}
		case []any:
			return mutation{path: path, what: "another type", value: other("text", 7, map[string]any{"a": "b"}, []any{[]any{}})}
		case map[string]any:
			return mutation{path: path, what: "another type", value: other("text", 7, []any{"a"})}
		default:
			return mutation{path: path, what: "another type", value: other(map[string]any{"a": "b"}, []any{"a"}, []any{})}
		}
	case kind == 3:
		return mutation{path: path, what: "out of range", value: other(-1, 1<<40, 0, -0.5, strings.Repeat("9", 30))}
	case kind == 4:
		return mutation{path: path, what: "nonsense", value: other("", " ", "\t x", "💥", "../../etc", "${{ secrets.TOKEN }}", strings.Repeat("x", 5000), "null", "{", "[1")}
	default:
		if list, ok := value.([]any); ok && len(list) > 0 {
			return mutation{path: path, what: "an element twice", value: append(slices.Clone(list), list[0])}
		}
		return mutation{path: path, what: "nonsense", value: other("yes", "arn:aws:iam::1:role/x", "10.0.0.0/33", "s3://bucket", "latest", "a b c")}
	}
}

// Of 200 stack files with one mutation each, none makes the program panic, and those that are refused register
// nothing and look up nothing, and say in one line for each fault which key it is, what stands there and what to do.
func TestMutatedStackFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in each run
	refused, accepted := 0, 0
	for n := range mutants {
		stack := []string{"dev", "prod"}[n%2]
		tree, err := stackfile.Tree(".", stack)
		if err != nil {
			t.Fatal(err)
		}
		m := mutate(random, tree)
		set := map[string]any{m.path: m.value}
		if m.gone {
			set[m.path] = nil
		}
		g, err := run(t, stack, set, organization("SERVICE_CONTROL_POLICY", "111111111111"))
		if err == nil {
			accepted++
			t.Logf("accepted: %v", m)
			continue
		}
		refused++
		if !strings.Contains(err.Error(), "to mend before anything is made") {
			t.Errorf("%v: refused too late: %v", m, err)
		}
		if len(g.resources) > 0 || len(g.calls) > 0 {
			t.Errorf("%v: registered %v, looked up %v", m, g.names(), g.calls)
		}
		checkMessage(t, m, err.Error())
	}
	t.Logf("%d refused, %d accepted", refused, accepted)
	if refused < mutants/2 || accepted == 0 {
		t.Errorf("of %d mutated files %d were refused and %d accepted: this test tests little", mutants, refused, accepted)
	}
}

// wayOut is how a fault that has named key and value goes on.
var wayOut = regexp.MustCompile(`: |, as |did you mean|is not one of|is neither .+ (n?or) |from .+ to |is not a whole number|\(.+\)`)

// checkMessage looks for key, value and way out in an error about a mutated file.
func checkMessage(t *testing.T, m mutation, message string) {
	t.Helper()
	var faults []string
	for _, line := range strings.Split(message, "\n") {
		if fault, ok := strings.CutPrefix(strings.TrimPrefix(line, "\t"), "* "); ok { // how Pulumi lists errors
			line = fault
		}
		if fault, ok := strings.CutPrefix(line, "  "); ok {
			faults = append(faults, strings.TrimSpace(fault))
		}
	}
	if len(faults) == 0 {
		t.Errorf("%v: no fault in %q", m, message)
	}
	section, _, _ := strings.Cut(m.path, ".")
	named, shown := false, m.gone || m.what == "another name" || m.path == "cluster.kubeconfig" // a secret
	value := m.value
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	text, _ := json.Marshal(value)
	spelled := strings.Trim(string(text), `"`)
	for _, fault := range faults {
		key, text, ok := strings.Cut(fault, ": ")
		named = named || strings.HasPrefix(m.path, key) || strings.HasPrefix(key, section)
		shown = shown || strings.Contains(text, spelled) || strings.Contains(text, "not shown") ||
			strings.Contains(text, "is empty") || strings.Contains(text, "is missing") || strings.Contains(text, "plain text")
		if !ok || !wayOut.MatchString(text) {
			t.Errorf("%v: names no way out: %s", m, fault)
		}
	}
	if !named || !shown {
		t.Errorf("%v: named %v, shown %v: %s", m, named, shown, message)
	}
}
