package settings

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
)

const mutants = 1000

// mutation is a change of one setting.
type mutation struct {
	path  string // dotted
	what  string
	value any  // new value
	gone  bool // no value
}

func (m mutation) String() string {
	if m.gone {
		return m.path + ": " + m.what
	}
	text, _ := json.Marshal(m.value)
	return fmt.Sprintf("%s: %s: %.80s", m.path, m.what, text)
}

// leavesOf returns the dotted paths of everything but objects, sorted.
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

// mutate changes one leaf as mistakes do: its name, its type or its value, or it leaves the leaf out.
func mutate(random *rand.Rand, tree map[string]any) mutation {
	paths := leavesOf(tree, "")
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

// No stack file with one mutation makes the program panic. What is refused is refused with key, value and reason.
func TestMutatedStackFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in every run
	refused := 0
	for n := range mutants {
		stack := []string{"dev", "prod"}[n%2]
		tree := treeOf(t, stack)
		m := mutate(random, tree)
		if m.gone {
			stackfile.Set(tree, m.path, nil)
		} else {
			stackfile.Set(tree, m.path, m.value)
		}
		values, err := stackfile.Text(tree)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Load(stack, values, nil, token); err != nil {
			refused++
			checkMessage(t, m, err.Error())
		}
	}
	t.Logf("%d of %d refused", refused, mutants)
	if refused < mutants/2 || refused == mutants {
		t.Errorf("%d of %d mutated files were refused: this test tests little", refused, mutants)
	}
}

// checkMessage looks for the key and the value of a mutation in an error about it. An error about another key of the
// section, or one that names such a key, is fine too: the two may only be wrong together.
func checkMessage(t *testing.T, m mutation, message string) {
	t.Helper()
	section, _, _ := strings.Cut(m.path, ".")
	lines := strings.Split(message, "\n  ")[1:]
	named, shown := false, m.gone || m.what == "another name"
	for _, line := range lines {
		key, text, ok := strings.Cut(line, ": ")
		if !ok || text == "" || strings.Contains(line, "\n") {
			t.Errorf("%v: not a key and a reason: %q", m, line)
		}
		named = named || within(m.path, key) || within(key, section) || strings.Contains(text, section+".")
		// Errors about a repeated element show the element, and some are about another value or none.
		value := m.value
		if list, ok := value.([]any); ok && m.what == "an element twice" {
			value = list[0]
		}
		shown = shown || strings.Contains(text, spell(value)) || strings.Contains(text, "got ") || strings.Contains(text, "repeats ") ||
			strings.HasPrefix(text, "is required") || strings.HasPrefix(text, "requires ") || strings.Contains(text, "plain text") || key == "network.cidr"
	}
	if !named || !shown {
		t.Errorf("%v: key named: %v, value shown: %v:\n%s", m, named, shown, message)
	}
}
