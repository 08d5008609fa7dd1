package prices

import (
	"strconv"
	"strings"

	"llm-platform/internal/settings"
)

// Keys of Facts.
const (
	InitialFact = "cost.initial" // USD per hour
	MaximumFact = "cost.maximum" // USD per hour with all pools at maxNodes
	RegionFact  = "cost.region"  // of the prices
	UnknownFact = "cost.unknown" // what has no price; absent if everything has one
)

// Estimate returns what a stack costs at the prices of its own region or, where one of these is unknown, of Region.
func Estimate(s settings.Settings) Bill {
	bill := Cost(s)
	if _, _, complete := bill.Total(); complete || s.Region == Region {
		return bill
	}
	return Reference(s)
}

// Facts returns the total of the estimate as text. The stack's state keeps it, so that a preview has the cost before and
// after. It is empty if nothing in the stack is billed by the hour.
func Facts(s settings.Settings) map[string]string {
	bill := Estimate(s)
	if len(bill.Lines) == 0 {
		return nil
	}
	initial, maximum, complete := bill.Total()
	facts := map[string]string{InitialFact: usd(initial), MaximumFact: usd(maximum), RegionFact: bill.Region}
	if complete {
		return facts
	}
	var unknown []string
	for _, line := range bill.Lines {
		if line.Unknown != "" {
			unknown = append(unknown, line.What+": "+line.Unknown)
		}
	}
	facts[UnknownFact] = strings.Join(unknown, "; ")
	return facts
}

func usd(hour float64) string { return strconv.FormatFloat(hour, 'f', 3, 64) }
