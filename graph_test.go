package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden listings")

// The golden listings are what a reviewer reads first: every resource with its parent, its provider, and whether
// it is protected or retained. Update them with
//
//	go test -run TestListing -update .
func TestListing(t *testing.T) {
	for _, stack := range shipped(t) {
		g := runShipped(t, stack)
		var lines []string
		for _, r := range g.resources {
			line := fmt.Sprintf("%s %s parent=%s", r.kind, r.name, r.parent())
			if r.provider() != "" {
				line += " provider=" + r.provider()
			}
			if r.request.GetProtect() {
				line += " protect"
			}
			if r.request.GetRetainOnDelete() {
				line += " retain"
			}
			lines = append(lines, line)
		}
		sort.Strings(lines)
		got := strings.Join(lines, "\n") + "\n"
		file := filepath.Join("testdata", stack+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s (if this is intended: go test -run TestListing -update .):\n%s", stack, file, difference(string(want), got))
		}
	}
}

// difference returns the lines that only one of two listings has.
func difference(want, got string) string {
	var lines []string
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains("\n"+got, "\n"+line+"\n") {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range strings.Split(got, "\n") {
		if !strings.Contains("\n"+want, "\n"+line+"\n") {
			lines = append(lines, "+ "+line)
		}
	}
	return strings.Join(lines, "\n")
}

// Nothing lands in the wrong account: every resource of a cloud has a provider of the program.
func TestEveryResourceHasAProvider(t *testing.T) {
	for _, stack := range shipped(t) {
		for _, r := range runShipped(t, stack).resources {
			cloud, _, _ := strings.Cut(r.kind, ":")
			switch cloud {
			case "llm", "pulumi":
			default:
				if r.provider() == "" {
					t.Errorf("%s: %s %s has no provider", stack, r.kind, r.name)
				}
			}
		}
	}
}

// A configuration with a fault registers nothing at all.
func TestBadSettingsRegisterNothing(t *testing.T) {
	for name, set := range map[string]map[string]any{
		"unknown key":   {"regoin": "us-west-2"},
		"bad value":     {"organization.mode": "crate"},
		"contradiction": {"organization.mode": "none"},
	} {
		g, err := run(t, "dev", set, nil)
		if err == nil || !strings.Contains(err.Error(), "; nothing was created") {
			t.Errorf("%s: error is %v", name, err)
		}
		if len(g.resources) > 0 || len(g.calls) > 0 {
			t.Errorf("%s: registered %v, looked up %v", name, g.names(), g.calls)
		}
	}
}
