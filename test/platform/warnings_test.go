package platform

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// A preview warns of what an update could not finish: of what follows from the settings, and of accounts beyond the
// quota of the organization that is there. The accounts that the update has created do not count again.
func TestWarnings(t *testing.T) {
	t.Parallel()
	_, w := enginetest.Open(t, "prod", func(c *simcloud.Cloud) {
		if err := c.PutOrganization(); err != nil {
			t.Fatal(err)
		}
		for i := range 7 { // with the management account eight
			if err := c.Put(simcloud.Resource{Type: "aws:organizations/account:Account", Account: simcloud.ManagementAccount, Inputs: map[string]any{
				"name": fmt.Sprint("team-", i), "email": fmt.Sprintf("team-%d@example.com", i),
			}}); err != nil {
				t.Fatal(err)
			}
		}
	})
	warns := func(result engine.Result, text string) bool {
		return slices.ContainsFunc(result.Diagnostics, func(d apitype.DiagnosticEvent) bool {
			return d.Severity == "warning" && strings.Contains(d.Message, text)
		})
	}
	const private = "cluster.publicCidrs: is empty, so the cluster's API is reached from inside the VPC only"
	const quota = "has 8 accounts, and this stack creates 3 more; AWS's default quota is 10"
	preview := enginetest.Run(t, w, "preview")
	for _, text := range []string{private, quota} {
		if !warns(preview, text) {
			t.Errorf("the preview does not warn: %s", text)
		}
	}
	enginetest.Run(t, w, "up")
	if again := enginetest.Run(t, w, "preview"); warns(again, "AWS's default quota") || !warns(again, private) {
		t.Errorf("the preview after the update warns of %v", again.Diagnostics)
	}
}
