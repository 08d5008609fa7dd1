package bench

import (
	"encoding/json"
	"testing"
	"time"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// TestCriticalPath holds the shipped stacks' paths against what they are known to take, so that a dependency that lengthens an
// update is noticed. -v prints them.
func TestCriticalPath(t *testing.T) {
	for stack, limit := range map[string]time.Duration{"dev": 1080 * time.Second, "prod": 1065 * time.Second} {
		t.Run(stack, func(t *testing.T) {
			settings, err := stackfile.Tree("../..", stack)
			if err != nil {
				t.Fatal(err)
			}
			_, s := enginetest.OpenWith(t, engine.Options{Stack: stack}, func(c *simcloud.Cloud) {
				if err := engine.Assume(c, settings); err != nil {
					t.Fatal(err)
				}
			})
			enginetest.Run(t, s, "up")
			state, err := s.State()
			if err != nil {
				t.Fatal(err)
			}
			path, err := CriticalPath(state)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%v\n%s", path.Total(), path)
			if path.Total() > limit || path.Total() < limit/2 {
				t.Errorf("the critical path of %s takes %v, not at most %v:\n%s", stack, path.Total(), limit, path)
			}
		})
	}
}

func TestCriticalPathOfAGraph(t *testing.T) {
	resources := []map[string]any{
		{"urn": "u::a", "type": "aws:eks/cluster:Cluster"},
		{"urn": "u::b", "type": "aws:eks/addon:Addon", "dependencies": []string{"u::a"}},
		{"urn": "u::c", "type": "aws:ec2/vpc:Vpc", "propertyDependencies": map[string][]string{"x": {"u::a"}}},
		{"urn": "u::p", "type": "pulumi:providers:kubernetes", "dependencies": []string{"u::b"}},
		{"urn": "u::d", "type": "kubernetes:apps/v1:DaemonSet", "provider": "u::p::id"},
		{"urn": "u::e", "type": "aws:eks/cluster:Cluster", "external": true, "dependencies": []string{"u::d"}},
	}
	state, err := json.Marshal(map[string]any{"deployment": map[string]any{"resources": resources}})
	if err != nil {
		t.Fatal(err)
	}
	path, err := CriticalPath(state)
	if err != nil {
		t.Fatal(err)
	}
	if want := "   600 s   600 s  aws:eks/cluster:Cluster a\n   660 s    60 s  aws:eks/addon:Addon b\n   700 s    40 s  kubernetes:apps/v1:DaemonSet d\n"; path.String() != want {
		t.Errorf("path:\n%swant:\n%s", path, want)
	}
}
