package main

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/internal/local/localtest"
	"llm-platform/internal/simcloud"
)

// Guardrails are attached with one up, edited in place, and detached before they are
// deleted, the last attached first. The accounts stay.
func TestLifeOfGuardrails(t *testing.T) {
	var mu sync.Mutex
	var deleted []string
	cloud, w := localtest.Open(t, program, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if call.Op == "delete" && call.Done && strings.HasPrefix(call.Name, "guardrails-") {
				mu.Lock()
				defer mu.Unlock()
				deleted = append(deleted, call.Name)
			}
			return nil
		}
	})
	localtest.Run(t, w, "up")
	expect(t, "a second up", localtest.Run(t, w, "up"))

	set(t, w, "guardrails.regions", []any{"eu-west-1"})
	expect(t, "another region", localtest.Run(t, w, "up"), "update aws:organizations/policy:Policy guardrails-regions")
	set(t, w, "guardrails.instanceTypes", []any{"g6.xlarge"})
	expect(t, "another instance type", localtest.Run(t, w, "up"), "update aws:organizations/policy:Policy guardrails-accelerators")
	set(t, w, "budget.monthlyUSD", map[string]any{"training": 60})
	expect(t, "a larger budget", localtest.Run(t, w, "up"), "update aws:budgets/budget:Budget budgets-training")
	set(t, w, "budget.killSwitch", "automatic")
	expect(t, "an automatic kill switch", localtest.Run(t, w, "up"), "update aws:budgets/budgetAction:BudgetAction budgets-killswitch-training")

	localtest.Run(t, w, "destroy")
	want := []string{
		"guardrails-unit-workloads-accelerators", "guardrails-unit-workloads-regions", "guardrails-unit-workloads-baseline",
		"guardrails-unit-infrastructure-accelerators", "guardrails-unit-infrastructure-regions", "guardrails-unit-infrastructure-baseline",
		"guardrails-accelerators", "guardrails-regions", "guardrails-baseline",
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
