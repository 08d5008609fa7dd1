package stackfile

import (
	"slices"
	"testing"
)

// Names in quotes may contain dots.
func TestNames(t *testing.T) {
	for path, want := range map[string][]string{
		"region":             {"region"},
		"storage.encryption": {"storage", "encryption"},
		`cluster.instanceTypes["p5.48xlarge"].count`: {"cluster", "instanceTypes", "p5.48xlarge", "count"},
		`cluster.instanceTypes["p5.48xlarge"]`:       {"cluster", "instanceTypes", "p5.48xlarge"},
		`["a.b"].c`:                                  {"a.b", "c"},
	} {
		if got := Names(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
