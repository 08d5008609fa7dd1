package platform

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// The preview of an edit says what it ends, deletes, replaces, rolls and interrupts, and nothing of other edits.
func TestPreviewSays(t *testing.T) {
	t.Parallel()
	_, s := enginetest.Open(t, "dev")
	base := map[string]any{
		"cluster.version":                    "1.35",
		"cluster.pools.gpu.instanceType":     "g5.xlarge",
		"storage.logDays":                    30,
		"cluster.access.team.principal":      "arn:aws:iam::222222222222:role/team",
		"cluster.access.team.role":           "administrator",
		"training.enabled":                   true,
		"cluster.pools.spare":                map[string]any{"instanceType": "g5.xlarge"},
		"sagemaker.notebookInstanceType":     "ml.t3.medium",
		"sagemaker.notebookSubnetId":         "subnet-0123456789abcdef0",
		"sagemaker.notebookSecurityGroupIds": []any{"sg-0123456789abcdef0"},
	}
	for path, value := range base {
		set(t, s, path, value)
	}
	run, _ := enginetest.Run(t, s, "up").Outputs["runName"].(string)
	interrupts := ". Interrupts run " + run + ", which resumes from its newest checkpoint"
	ends := "training: ends run " + run
	for name, c := range map[string]struct {
		set  map[string]any // nil removes
		want []string       // beginnings of the messages
	}{
		"nothing":          {nil, nil},
		"a label":          {map[string]any{"cluster.pools.gpu.labels": map[string]any{"team": "nlp"}}, nil},
		"a retention":      {map[string]any{"storage.logDays": 60}, nil},
		"a pool":           {map[string]any{"cluster.pools.more": map[string]any{"instanceType": "g5.xlarge"}}, nil},
		"less access":      {map[string]any{"cluster.access.team.role": "scientist"}, []string{"cluster.access: arn:aws:iam::222222222222:role/team may from now on only see"}},
		"a volume":         {map[string]any{"cluster.pools.gpu.volumeGB": 300}, []string{"cluster.pools.gpu: replaces the nodes of the pool one after another (new launch template)" + interrupts}},
		"another pool's":   {map[string]any{"cluster.pools.spare.volumeGB": 300}, []string{"cluster.pools.spare: replaces the nodes of the pool one after another (new launch template)"}},
		"system nodes":     {map[string]any{"cluster.systemInstanceType": "m6i.xlarge"}, []string{"cluster: replaces the system nodes one after another (new launch template)"}},
		"an argument":      {map[string]any{"training.args": []any{"--steps=50"}}, []string{ends}},
		"the end of a run": {map[string]any{"training.enabled": false}, []string{ends}},
		"its resumption":   {map[string]any{"training.resumeFrom": run}, []string{ends}},
		"a deleted pool":   {map[string]any{"cluster.pools.spare": nil}, []string{"cluster.pools.spare: deletes the pool"}},
		"other capacity":   {map[string]any{"cluster.pools.gpu.capacity": "spot"}, []string{"cluster.pools.gpu: replaces the node group: 1 new nodes start, then the old ones are terminated" + interrupts}},
		"another subnet":   {map[string]any{"sagemaker.notebookSubnetId": "subnet-0123456789abcdef1"}, []string{"sagemaker.notebook: replaces the notebook"}},
		"no notebook":      {map[string]any{"sagemaker.notebookInstanceType": "", "sagemaker.notebookSubnetId": nil, "sagemaker.notebookSecurityGroupIds": nil}, []string{"sagemaker.notebook: deletes the notebook"}},
		"an instance type": {map[string]any{"cluster.pools.gpu.instanceType": "g5.2xlarge"}, []string{ends, "cluster.pools.gpu: replaces the nodes of the pool one after another (new launch template)"}},
		"Kubernetes": {map[string]any{"cluster.version": "1.36"}, []string{
			"cluster.pools.gpu: replaces the nodes of the pool one after another (Kubernetes 1.35 to 1.36, node image ",
			"cluster.pools.spare: replaces the nodes of the pool one after another (Kubernetes 1.35 to 1.36, ",
			"cluster: replaces the system nodes one after another (Kubernetes 1.35 to 1.36, ",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for path, value := range c.set {
				set(t, s, path, value)
			}
			preview := enginetest.Run(t, s, "preview")
			said := warnings(preview)
			slices.Sort(c.want)
			if !slices.EqualFunc(said, c.want, strings.HasPrefix) {
				t.Errorf("said:\n  %s\nwant:\n  %s", strings.Join(said, "\n  "), strings.Join(c.want, "\n  "))
			}
			for path := range c.set {
				set(t, s, path, base[path])
			}
		})
	}
}

// warnings returns the warnings of a run, sorted, without those that the settings give every time.
func warnings(result engine.Result) []string {
	found := map[string]bool{}
	for _, d := range result.Diagnostics {
		if d.Severity == "warning" && !strings.HasPrefix(d.Message, "cluster.publicCidrs") && !strings.HasPrefix(d.Message, "cluster.version: ") &&
			!strings.HasPrefix(d.Message, "ci.reviewers: ") { // of the shipped file
			found[strings.TrimSpace(d.Message)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// EKS cannot roll nodes of a reservation, which has no room for the new ones: refused while the pool has nodes.
func TestReservedPoolIsNotRolled(t *testing.T) {
	t.Parallel()
	for nodes, want := range map[int]string{2: "desiredSize=0", 0: ""} {
		_, s := enginetest.Open(t, "dev")
		set(t, s, "training.enabled", false)
		set(t, s, "cluster.pools", map[string]any{"block": map[string]any{
			"instanceType": "p5.48xlarge", "nodes": nodes, "maxNodes": 2, "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0",
		}})
		set(t, s, "training.pool", "block")
		enginetest.Run(t, s, "up")
		set(t, s, "cluster.pools.block.volumeGB", 300)
		if want == "" {
			enginetest.Run(t, s, "up")
			continue
		}
		for _, verb := range []string{"preview", "up"} {
			_, message := enginetest.Fail(t, s, verb)
			if !strings.Contains(message, "cluster.pools.block: the edit replaces the nodes") || !strings.Contains(message, want) {
				t.Errorf("%s with %d nodes: %s", verb, nodes, message)
			}
		}
	}
}

// A plain destroy does not run the program, and works.
func TestDestroyWithoutProgram(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	alone(t, s)
	enginetest.Run(t, s, "up")
	enginetest.Run(t, s, "destroy")
	if left := named(cloud, "kubernetes:", ""); len(left) > 0 {
		t.Errorf("destroy left %v", left)
	}
}

// What an update would have ended is said again after it failed.
func TestSaidAgain(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	_, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if refuse.Load() && call.Op == "create" {
				return errors.New("refused")
			}
			return nil
		}
	})
	alone(t, s)
	set(t, s, "guardrails.enabled", false) // without an organization, a warning
	enginetest.Run(t, s, "up")
	set(t, s, "training.args", []any{"--steps=50"})
	refuse.Store(true)
	enginetest.Fail(t, s, "up")
	refuse.Store(false)
	if said := warnings(enginetest.Run(t, s, "preview")); len(said) != 1 || !strings.HasPrefix(said[0], "training: ends run ") {
		t.Errorf("said %q", said)
	}
	enginetest.Run(t, s, "up")
	if said := warnings(enginetest.Run(t, s, "preview")); len(said) > 0 {
		t.Errorf("said without an edit: %q", said)
	}
}
