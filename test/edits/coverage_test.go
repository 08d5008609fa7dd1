package edits

import (
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/settings"
)

// Every setting has a row, and every object whose names the user chooses has rows for an entry that is added, removed and,
// where that makes a difference, renamed. Every row is about a setting, and says what a user must know.
func TestEverySettingHasARow(t *testing.T) {
	paths := settings.Paths()
	if len(paths) < 100 {
		t.Fatalf("only %d settings: this test tests nothing", len(paths))
	}
	found := map[string][]Change{}
	for _, row := range Rows() {
		setting := Setting(row.Path)
		if setting == "" {
			t.Errorf("%s: there is no such setting", row.Name())
		}
		found[setting] = append(found[setting], row.Change)
		for path := range row.With {
			if Setting(path) == "" {
				t.Errorf("%s: %s: there is no such setting", row.Name(), path)
			}
		}
		if _, ok := Bases()[row.Base]; !ok {
			t.Errorf("%s: there is no base %q", row.Name(), row.Base)
		}
		if row.Note == "" && row.Effect != InPlace && row.Effect != Creates && row.Effect != Nothing {
			t.Errorf("%s: an edit that is %q needs a note", row.Name(), row.Effect)
		}
	}
	entries := map[string][]Change{}
	for _, path := range paths {
		switch entry, field, ok := cut(path); {
		case ok && field == "":
			entries[entry] = []Change{Added, Removed}
		case ok:
			entries[entry] = []Change{Added, Removed, Renamed}
		}
		if len(found[path]) == 0 {
			t.Errorf("%s has no row", path)
		}
	}
	for entry, changes := range entries {
		for _, change := range changes {
			if !slices.Contains(found[entry], change) {
				t.Errorf("%s: no row for an entry that is %s", entry, change)
			}
		}
	}
}

// cut returns the entry that a setting is in, for example cluster.pools.*, and the rest of its path.
func cut(path string) (entry, rest string, ok bool) {
	at := strings.LastIndex(path, ".*")
	if at < 0 {
		return "", "", false
	}
	return path[:at+2], strings.TrimPrefix(path[at+2:], "."), true
}

// No two rows are the same, so that a name is one row.
func TestRowsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range Rows() {
		if seen[row.Name()] {
			t.Errorf("%s: twice", row.Name())
		}
		seen[row.Name()] = true
	}
}
