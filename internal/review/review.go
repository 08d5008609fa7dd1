// Package review writes what a reviewer of a preview should know before approving it, from the settings alone: what the
// stack costs, the quotas it needs, and what may be destroyed.
package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/prices"
	"llm-platform/internal/settings"
)

// Block returns the text, in a fixed order, or "" if there is nothing to say. A part with nothing to say is left out.
func Block(s settings.Settings) string {
	var parts []string
	for _, part := range [][]string{costs(s), quotas(s), destroyed(s)} {
		if len(part) > 0 {
			parts = append(parts, strings.Join(part, "\n  "))
		}
	}
	return strings.Join(parts, "\n")
}

// costs returns the bill. Where the prices of the stack's region are not known, it is that of prices.Region.
func costs(s settings.Settings) []string {
	bill := prices.Estimate(s)
	if len(bill.Lines) == 0 {
		return nil
	}
	title := fmt.Sprintf("Cost in %s", s.Region)
	if bill.Region != s.Region {
		title = fmt.Sprintf("Cost in %s: unknown; at the prices of %s", s.Region, bill.Region)
	}
	text := []string{title + ", without traffic, storage, logs and taxes:"}
	width := 0
	for _, line := range bill.Lines {
		width = max(width, len(line.What))
	}
	for _, line := range bill.Lines {
		if line.Unknown != "" {
			text = append(text, fmt.Sprintf("%-*s  unknown: %s", width, line.What, line.Unknown))
			continue
		}
		text = append(text, fmt.Sprintf("%-*s  %s", width, line.What, money(line.Initial)))
	}
	initial, maximum, complete := bill.Total()
	total := "total"
	if !complete {
		total = "total of what is known"
	}
	text = append(text, fmt.Sprintf("%-*s  %s", width, total, money(initial)))
	if maximum > initial {
		text = append(text, fmt.Sprintf("%-*s  %s", width, "with all pools at maxNodes", money(maximum)))
	}
	return text
}

func money(hour float64) string {
	return fmt.Sprintf("%10.3f USD/h %12.0f USD/month", hour, prices.Month(hour))
}

// quotas returns the vCPUs that the stack's nodes count against each service quota of EC2. Nodes in a capacity block do
// not: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-blocks-how.html, read 2026-11-26
func quotas(s settings.Settings) []string {
	if s.Cluster.Existing() {
		return nil
	}
	needed := map[string][2]int{} // initially and with all pools at maxNodes, by code
	add := func(code string, vcpu, nodes, most int) {
		if code == "" {
			code = "unknown code"
		}
		n := needed[code]
		needed[code] = [2]int{n[0] + vcpu*nodes, n[1] + vcpu*most}
	}
	for _, pool := range s.Cluster.Pools {
		switch pool.Capacity {
		case settings.CapacityBlock:
		case settings.Spot:
			add(pool.Type.SpotQuota, pool.Type.VCPU, pool.Nodes, pool.MaxNodes)
		default:
			add(pool.Type.OnDemandQuota, pool.Type.VCPU, pool.Nodes, pool.MaxNodes)
		}
	}
	if t, err := accelerator.LookupProcessor(s.Cluster.SystemInstanceType); err == nil {
		add(t.OnDemandQuota, t.VCPU, s.Cluster.SystemNodes, s.Cluster.SystemNodes)
	}
	var text []string
	for _, code := range slices.Sorted(maps.Keys(needed)) {
		n := needed[code]
		line := fmt.Sprintf("%s: %d vCPUs", code, n[0])
		if n[1] > n[0] {
			line += fmt.Sprintf(", %d with all pools at maxNodes", n[1])
		}
		text = append(text, line)
	}
	if len(text) == 0 {
		return nil
	}
	return append([]string{fmt.Sprintf("Quotas needed in %s (aws service-quotas get-service-quota --service-code ec2 --quota-code CODE):", s.Region)}, text...)
}

// destroyed returns what the settings allow to be deleted.
func destroyed(s settings.Settings) []string {
	var text []string
	if !s.Protect {
		text = append(text, "protect is false: organization, accounts, cluster, buckets, keys and branch can be deleted or replaced")
	}
	if !s.Storage.KeepData {
		text = append(text, "storage.keepData is false: pulumi destroy deletes the buckets with all objects, and their KMS key")
	}
	if s.Git.Provider != settings.None && !s.Git.Adopt && !s.Git.KeepBranch {
		text = append(text, fmt.Sprintf("git.keepBranch is false: pulumi destroy deletes the branch %s with its commits", s.Git.Branch))
	}
	if len(text) == 0 {
		return nil
	}
	return append([]string{"The settings allow deletion:"}, text...)
}
