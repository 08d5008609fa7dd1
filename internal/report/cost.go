package report

import (
	"fmt"
	"slices"
	"strconv"

	"llm-platform/internal/prices"
)

// costs returns the part on cost. The program keeps its estimate in the stash "running", of which the step has the old and
// the new one; no second estimate is made here.
func (p Preview) costs() []string {
	at := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Type() == stashType && s.Name() == "running" })
	if at < 0 {
		if len(p.Errors()) > 0 {
			return []string{"Unknown, since the preview failed."}
		}
		return []string{"No change."}
	}
	before, after := estimate(p.Steps[at].Old), estimate(p.Steps[at].New)
	rows := []string{"| USD per hour | before | after | change | a month |", "|---|---:|---:|---:|---:|"}
	changed := false
	for _, line := range []struct{ title, key string }{
		{"initial nodes", prices.InitialFact}, {"all pools at maxNodes", prices.MaximumFact},
	} {
		changed = changed || before[line.key] != after[line.key]
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", line.title, amount(before, line.key), amount(after, line.key),
			change(before, after, line.key)))
	}
	notes := []string{}
	if region := after[prices.RegionFact]; region != "" {
		notes = append(notes, "", fmt.Sprintf("At the prices of %s, without traffic, storage, logs and taxes.", region))
	}
	if unknown := after[prices.UnknownFact]; unknown != "" {
		changed = changed || unknown != before[prices.UnknownFact]
		notes = append(notes, "", "Not included, since the price is unknown: "+escape(unknown)+".")
	}
	if !changed {
		return []string{"No change."}
	}
	return append(rows, notes...)
}

// estimate returns the facts in a stash; nil if there is no stash.
func estimate(state *State) map[string]string {
	if state == nil {
		return nil
	}
	facts := map[string]string{}
	input, _ := state.Inputs["input"].(map[string]any)
	for key, value := range input {
		facts[key], _ = value.(string)
	}
	return facts
}

// amount returns a cost for a table. A stash without one is of a stack that costs nothing by the hour, or of a release that
// did not keep the cost; the program gives no way to tell them apart.
func amount(facts map[string]string, key string) string {
	switch value, ok := facts[key]; {
	case facts == nil:
		return "0.000"
	case !ok:
		return "none known"
	default:
		return escape(value)
	}
}

// change returns the difference an hour and a month, for two columns of a table.
func change(before, after map[string]string, key string) string {
	number := func(facts map[string]string) float64 {
		value, _ := strconv.ParseFloat(facts[key], 64) // 0 of none
		return value
	}
	difference := number(after) - number(before)
	return fmt.Sprintf("%+.3f | %+.0f", difference, prices.Month(difference))
}
