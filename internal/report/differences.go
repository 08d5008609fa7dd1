package report

import (
	"fmt"
	"slices"
	"strings"
)

// Differences returns how the steps of a preview differ from those of the reviewed one, one line each, or nothing: then an
// update does what was reviewed. The role with which a provider assumes its account does not count, since whoever previews
// need not be allowed what whoever deploys is.
func Differences(reviewed, fresh Preview) []string {
	before, after := reviewed.changes(), fresh.changes()
	var lines []string
	for _, step := range before {
		if !slices.Contains(after, step) {
			lines = append(lines, "reviewed, and not planned: "+step)
		}
	}
	for _, step := range after {
		if !slices.Contains(before, step) {
			lines = append(lines, "planned, and not reviewed: "+step)
		}
	}
	return lines
}

// changes returns the steps as text, sorted.
func (p Preview) changes() []string {
	var all []string
	for _, s := range p.Steps {
		if s.otherRole() {
			continue
		}
		digest := ""
		if s.Digest != "" {
			digest = ", inputs " + s.Digest
		}
		retained := ""
		if s.removes() && s.Old != nil && s.Old.Retain {
			retained = ", retained"
		}
		all = append(all, fmt.Sprintf("%s %s%s%s", s.Op, s.resource(), retained, digest))
	}
	slices.Sort(all)
	return all
}

// otherRole reports whether the step only updates the role that a provider assumes.
func (s Step) otherRole() bool {
	return s.Op == "update" && strings.HasPrefix(s.Type(), "pulumi:providers:") && len(s.Diff) > 0 &&
		!slices.ContainsFunc(s.Diff, func(property string) bool { return !strings.HasPrefix(firstName(property), "assumeRole") })
}
