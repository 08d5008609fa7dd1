package platform

import (
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
	before, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	existing := len(cloud.Resources())
	for _, c := range []struct {
		path     string
		from, to any
		want     []string
	}{
		{"region", nil, "us-east-1", []string{"region: cannot change from us-west-2 to us-east-1"}},
		{"ci.account", nil, "deployment", []string{"ci.account: cannot change from training to deployment", "Remove ci.repository"}},
	} {
		set(t, s, c.path, c.to)
		for _, verb := range []string{"preview", "up", "up"} {
			result, message := enginetest.Fail(t, s, verb)
			if !strings.Contains(message, "refused edit of stack dev: 1 error; nothing was changed") {
				t.Errorf("%s, %s: %s", c.path, verb, message)
			}
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("%s, %s: no %q in %s", c.path, verb, want, message)
				}
			}
			onlyStanding(t, c.path+", "+verb, result)
		}
		set(t, s, c.path, c.from)
	}
	if after, err := s.State(); err != nil || len(cloud.Resources()) != existing || existing < 50 {
		t.Errorf("refused edits left %d of %d resources, and a state of %d bytes for %d: %v", len(cloud.Resources()), existing, len(after), len(before), err)
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
