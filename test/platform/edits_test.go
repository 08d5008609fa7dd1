package platform

import (
	"fmt"
	"strings"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// An edit that cannot be carried out is refused before anything changes, also without a preview, and a second time too;
// with the edit undone, nothing is left to change.
func TestRefusedEdits(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	enginetest.Run(t, s, "up")
	existing := len(cloud.Resources())
	edits := []struct {
		path     string
		from, to any
		want     string
	}{
		{"ci.account", nil, "training", "ci.account: cannot change from deployment to training"},
		{"cluster.pools.gpu.nodes", 1, 2, "cluster.pools.gpu.nodes: cannot change from 1 to 2"},
		{"git.repository", "llm/training-scripts", "other/training-scripts", "git.repository: cannot change from llm/training-scripts to other/training-scripts"},
		{"network.cidr", nil, "10.1.0.0/16", "network.cidr: cannot change from 10.0.0.0/16 to 10.1.0.0/16"},
		{"organization.mode", "create", "adopt", "organization.mode: cannot change from create to adopt"},
		{"region", nil, "us-east-1", "region: cannot change from us-west-2 to us-east-1"},
		{"storage.encryption", nil, "aes256", "storage.encryption: cannot change from kms to aes256"},
	}
	for _, c := range edits {
		set(t, s, c.path, c.to)
	}
	for _, verb := range []string{"preview", "up", "up"} {
		result, message := enginetest.Fail(t, s, verb)
		if !strings.Contains(message, fmt.Sprintf("refused edit of stack dev: %d errors; nothing was changed", len(edits))) {
			t.Errorf("%s: %s", verb, message)
		}
		for _, c := range edits {
			if !strings.Contains(message, "\n  "+c.want) {
				t.Errorf("%s: no %q in %s", verb, c.want, message)
			}
		}
		onlyStanding(t, verb, result)
	}
	for _, c := range edits {
		set(t, s, c.path, c.from)
	}
	if n := len(cloud.Resources()); n != existing || existing < 50 {
		t.Errorf("refused edits left %d of %d resources", n, existing)
	}
	enginetest.Expect(t, "an up with the edits undone", enginetest.Run(t, s, "up"))
}

// onlyStanding fails if a run did more than to try the update of the standing settings.
func onlyStanding(t *testing.T, what string, result engine.Result) {
	t.Helper()
	for _, step := range result.Changed() {
		if step.Name() != "standing" {
			t.Errorf("%s: %s", what, step)
		}
	}
}
