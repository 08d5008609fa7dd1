package edits

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Edit is an update of a standing stack.
type Edit struct {
	Stack   string // name of the stack
	Cluster string // name of its EKS cluster
	Old     Facts  // of the last update
	New     Facts  // of this one
}

// Review returns an error that lists every refused change by its key, or nil; and, one line each, what the allowed
// changes do that the preview does not show.
func (e Edit) Review() (notes []string, err error) {
	var refused []string
	for _, c := range e.changes() {
		for _, r := range rules() {
			check := r.changed
			switch {
			case c.gone:
				check = r.gone
			case c.added:
				check = r.added
			}
			if check == nil || !matches(r.key, c.key) {
				continue
			}
			refuse, note := check(c)
			if refuse != "" {
				refused = append(refused, fmt.Sprintf("  %s: %s", c.key, refuse))
			}
			if note != "" {
				notes = append(notes, fmt.Sprintf("%s: %s", c.key, note))
			}
		}
	}
	if len(refused) == 0 {
		return notes, nil
	}
	plural := "s"
	if len(refused) == 1 {
		plural = ""
	}
	return nil, fmt.Errorf("refused edit of stack %s: %d error%s; nothing was changed\n%s", e.Stack, len(refused), plural, strings.Join(refused, "\n"))
}

// change is one fact that differs.
type change struct {
	Edit
	key      string
	old, new string
	gone     bool // what the key describes is no longer desired
	added    bool // what the key describes is new
}

// changes returns the changes by key.
func (e Edit) changes() []change {
	var all []change
	for _, key := range slices.Sorted(maps.Keys(e.Old)) {
		if desired, ok := e.New[key]; !ok || desired != e.Old[key] {
			all = append(all, change{Edit: e, key: key, old: e.Old[key], new: desired, gone: !ok})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.New)) {
		if _, ok := e.Old[key]; !ok {
			all = append(all, change{Edit: e, key: key, new: e.New[key], added: true})
		}
	}
	return all
}

// entry returns the name of the entry of a map that a change is about: gpu of cluster.pools.gpu.nodes.
func (c change) entry() string {
	parts := strings.Split(c.key, ".")
	return parts[len(parts)-2]
}

// matches reports whether a key matches a pattern, in which * stands for a name without dots.
func matches(pattern, key string) bool {
	want, got := strings.Split(pattern, "."), strings.Split(key, ".")
	return slices.EqualFunc(want, got, func(want, got string) bool { return want == "*" || want == got })
}
