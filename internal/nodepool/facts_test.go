package nodepool

import (
	"maps"
	"testing"

	"llm-platform/internal/settings"
)

func TestNewFacts(t *testing.T) {
	labelled := checked(t, "p5.48xlarge", settings.OnDemand)
	labelled.Labels = map[string]string{"team": "a"}
	for name, c := range map[string]struct {
		pool    settings.Pool
		managed bool
		efa     int
		labels  map[string]string
	}{
		"with EFA": {
			checked(t, "p5.48xlarge", settings.OnDemand), true, 32,
			map[string]string{settings.PoolLabel: "gpu", nvidiaLabel: "true", efaLabel: "true"},
		},
		"without EFA": {
			checked(t, "g5.xlarge", settings.Spot), true, 0,
			map[string]string{settings.PoolLabel: "gpu", nvidiaLabel: "true"},
		},
		"Trainium": {
			checked(t, "trn1.32xlarge", settings.OnDemand), true, 8,
			map[string]string{settings.PoolLabel: "gpu", neuronLabel: "true", efaLabel: "true"},
		},
		"labels": {
			labelled, true, 32,
			map[string]string{settings.PoolLabel: "gpu", nvidiaLabel: "true", efaLabel: "true", "team": "a"},
		},
		"processors": {
			checked(t, "m7i.large", settings.OnDemand), true, 0,
			map[string]string{settings.PoolLabel: "gpu"},
		},
		"existing cluster": {
			labelled, false, 32,
			map[string]string{"team": "a"},
		},
		"existing cluster without labels": {
			checked(t, "g5.xlarge", settings.OnDemand), false, 0,
			map[string]string{settings.PoolLabel: "gpu", nvidiaLabel: "true"},
		},
	} {
		facts := NewFacts("gpu", c.pool, c.managed)
		if facts.Name != "gpu" || facts.Type.Name != c.pool.InstanceType || facts.EFA != c.efa || !maps.Equal(facts.Labels, c.labels) {
			t.Errorf("%s: %+v", name, facts)
		}
		if facts.TaintKey != c.pool.TaintKey || facts.TaintValue != c.pool.TaintValue {
			t.Errorf("%s: taint %s=%s", name, facts.TaintKey, facts.TaintValue)
		}
		if len(labelled.Labels) != 1 {
			t.Errorf("%s: the configuration's labels became %v", name, labelled.Labels)
		}
	}
}

// Files of pods are on the local disks where there are some.
func TestDisk(t *testing.T) {
	for instanceType, want := range map[string]int{"p5.48xlarge": 30400, "g5.xlarge": 250, "m7i.large": 200} {
		if got := NewFacts("gpu", checked(t, instanceType, settings.OnDemand), true).DiskGB; got != want {
			t.Errorf("%s: %d GB, want %d", instanceType, got, want)
		}
	}
}

func TestDescribeSystem(t *testing.T) {
	node := DescribeSystem("m7g.large")
	if node.Name != "system" || node.InstanceType != "m7g.large" || node.AMIType != "AL2023_ARM_64_STANDARD" || node.VolumeGB != 50 {
		t.Errorf("%+v", node)
	}
	if node.TaintKey != "" || len(node.Interfaces) > 0 || node.UserData != "" || !maps.Equal(node.Labels, map[string]string{settings.PoolLabel: "system"}) {
		t.Errorf("%+v", node)
	}
}
