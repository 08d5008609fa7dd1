package main

import (
	"slices"
	"testing"
)

// EKS knows constant bounds of every pool, so that no setting but the number of system nodes changes a size: a pool to
// train on belongs to whoever scales it.
func TestSizesOfNodeGroups(t *testing.T) {
	g := runWith(t, map[string]any{"cluster.systemNodes": 3, "cluster.pools": map[string]any{
		"gpu":   map[string]any{"instanceType": "g5.xlarge", "nodes": 2, "maxNodes": 8},
		"empty": map[string]any{"instanceType": "g5.xlarge", "maxNodes": 100},
	}})
	for name, want := range map[string]struct {
		minimum, nodes float64
		ignored        bool
	}{"pool-gpu": {0, 2, true}, "pool-empty": {0, 0, true}, "pool-system": {1, 3, false}} {
		group := g.one(t, name)
		sizes := [3]float64{}
		for i, size := range []string{"minSize", "desiredSize", "maxSize"} {
			sizes[i] = at(group.inputs, "scalingConfig."+size).NumberValue()
		}
		if sizes != [3]float64{want.minimum, want.nodes, 450} {
			t.Errorf("%s has the sizes %v", name, sizes)
		}
		if ignored := slices.Contains(group.request.GetIgnoreChanges(), "scalingConfig"); ignored != want.ignored {
			t.Errorf("%s: later changes of the size are ignored: %t", name, ignored)
		}
	}
}
