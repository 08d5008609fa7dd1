package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// finding is what a scanner found.
type finding struct{ Check, Resource, Title string }

// waiver says why findings are accepted.
type waiver struct {
	Check  string   // id
	On     []string // resources; * stands for any text
	Reason string
}

func (w waiver) covers(f finding) bool {
	return w.Check == f.Check && slices.ContainsFunc(w.On, func(pattern string) bool {
		matched, err := path.Match(unslashed(pattern), unslashed(f.Resource))
		return matched && err == nil
	})
}

// unslashed lets a * stand for a / too.
func unslashed(text string) string { return strings.ReplaceAll(text, "/", "|") }

// judge returns the findings without a waiver, and the waivers that cover no finding or give no reason.
func judge(findings []finding, waivers []waiver) (faults []string) {
	for _, f := range findings {
		fault := fmt.Sprintf("%s %s: %s", f.Check, f.Resource, f.Title)
		if !slices.ContainsFunc(waivers, func(w waiver) bool { return w.covers(f) }) && !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	for _, w := range waivers {
		if w.Reason == "" {
			faults = append(faults, fmt.Sprintf("waiver of %s: no reason", w.Check))
		}
		for _, pattern := range w.On {
			one := waiver{w.Check, []string{pattern}, w.Reason}
			if !slices.ContainsFunc(findings, one.covers) {
				faults = append(faults, fmt.Sprintf("waiver of %s on %s: matches no finding; remove it", w.Check, pattern))
			}
		}
		if len(w.On) == 0 {
			faults = append(faults, fmt.Sprintf("waiver of %s: names no resource", w.Check))
		}
	}
	return faults
}
