package platform

import (
	"strings"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// A preview shows cost, quotas and what may be destroyed as one message, and warns of a budget below the cost.
func TestReviewBlock(t *testing.T) {
	t.Parallel()
	_, s := enginetest.Open(t, "dev")
	const title, budget = "Cost in us-west-2", "budget.monthlyUSD.training: is 50,"
	count := func(result engine.Result, severity, text string) (n int) {
		for _, d := range result.Diagnostics {
			if strings.HasPrefix(d.Severity, severity) && strings.Contains(d.Message, text) {
				n++
			}
		}
		return n
	}
	preview := enginetest.Run(t, s, "preview")
	if count(preview, "info", title) != 1 || count(preview, "warning", "budget.monthlyUSD") != 0 {
		t.Errorf("%+v", preview.Diagnostics)
	}
	for _, d := range preview.Diagnostics {
		if !strings.Contains(d.Message, title) {
			continue
		}
		for _, part := range []string{"L-DB2E81BA: 4 vCPUs", "storage.keepData is false"} {
			if !strings.Contains(d.Message, part) {
				t.Errorf("no %q in the message: %s", part, d.Message)
			}
		}
	}
	set(t, s, "budget.monthlyUSD.training", 50)
	if preview := enginetest.Run(t, s, "preview"); count(preview, "warning", budget) != 1 {
		t.Errorf("no warning of the budget in %+v", preview.Diagnostics)
	}
}
