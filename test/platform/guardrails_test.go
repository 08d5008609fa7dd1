package platform

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// Guardrails are attached in one up, edited in place, and detached before they are deleted, the last attached first. The
// accounts are retained.
func TestLifeOfGuardrails(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var deleted []string
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if call.Op == "delete" && call.Done && strings.HasPrefix(call.Name, "guardrails-") {
				mu.Lock()
				defer mu.Unlock()
				deleted = append(deleted, call.Name)
			}
			return nil
		}
	})
	enginetest.Run(t, s, "up")
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))

	set(t, s, "guardrails.regions", []any{"eu-west-1"})
	enginetest.Expect(t, "another region", enginetest.Run(t, s, "up"), "update aws:organizations/policy:Policy guardrails-regions")
	set(t, s, "guardrails.instanceTypes", []any{"g6.xlarge"})
	enginetest.Expect(t, "another instance type", enginetest.Run(t, s, "up"), "update aws:organizations/policy:Policy guardrails-accelerators")
	set(t, s, "budget.monthlyUSD", map[string]any{"training": 60})
	enginetest.Expect(t, "a larger budget", enginetest.Run(t, s, "up"), "update aws:budgets/budget:Budget budgets-training")
	set(t, s, "budget.killSwitch", "automatic")
	enginetest.Expect(t, "an automatic kill switch", enginetest.Run(t, s, "up"), "update aws:budgets/budgetAction:BudgetAction budgets-killswitch-training")

	enginetest.Run(t, s, "destroy")
	var want []string
	for _, target := range []string{"guardrails-unit-workloads-", "guardrails-unit-infrastructure-", "guardrails-"} {
		for _, part := range []string{"data", "services", "accelerators", "regions", "baseline"} {
			want = append(want, target+part)
		}
	}
	if !slices.Equal(deleted, want) {
		t.Errorf("deleted in the order\n  %s\nwant\n  %s", strings.Join(deleted, "\n  "), strings.Join(want, "\n  "))
	}
	accounts := 0
	for _, r := range cloud.Resources() {
		if r.Type == "aws:organizations/account:Account" {
			accounts++
		}
	}
	if accounts != 3 {
		t.Errorf("%d accounts are left, want all 3", accounts)
	}
}
