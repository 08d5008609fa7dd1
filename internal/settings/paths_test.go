package settings

import (
	"slices"
	"testing"
)

// The paths reach into entries that the user names, and go no further than a list.
func TestPaths(t *testing.T) {
	paths := Paths()
	for _, want := range []string{
		"region", "tags.*", "organization.accounts.*.organizationalUnit", "network.zones", "cluster.instanceTypes.*.usdPerHour",
		"cluster.pools.*.efa", "cluster.pools.*.labels.*", "storage.copies.*.destination", "training.secrets.*",
	} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s is not among the %d paths", want, len(paths))
		}
	}
	if _, repeated := slices.BinarySearch(paths, "cluster.pools"); repeated {
		t.Error("cluster.pools is among the paths, beside its entries")
	}
}
