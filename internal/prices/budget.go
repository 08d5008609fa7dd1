package prices

import (
	"fmt"

	"llm-platform/internal/settings"
)

// Warnings returns a warning if the monthly budget of the training account is below what the stack costs before anybody
// trains or scales a pool: the account would be over its budget, and its kill switch due, by design.
func Warnings(s settings.Settings) []string {
	budget, ok := s.Budget.MonthlyUSD[settings.TrainingAccount]
	if !ok {
		return nil
	}
	bill := Estimate(s)
	hour, _, complete := bill.Total()
	where := ""
	if bill.Region != s.Region {
		where = fmt.Sprintf(" at the prices of %s (those of %s are not known here)", bill.Region, s.Region)
	}
	least := ""
	if !complete {
		least = "at least "
	}
	month := Month(hour)
	if float64(budget) >= month {
		return nil
	}
	return []string{fmt.Sprintf("budget.monthlyUSD.%s: is %d, but the initial nodes and what they need cost %s%.0f USD a month%s. Raise it, or "+
		"lower nodes or the instance types of cluster.pools", settings.TrainingAccount, budget, least, month, where)}
}
