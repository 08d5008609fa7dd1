package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3"
)

func TestRecentEnough(t *testing.T) {
	least := semver.MustParse("3.259.0")
	for answer, want := range map[string]bool{
		"v3.259.0\n": true, "3.259.0": true, "v3.260.1": true, "v3.259.0-dev.0": true, "v3.300.0-alpha.x1234": true,
		"v3.258.9": false, "v2.300.0": false, "v4.0.0": false, "": false, "\n": false, "unknown": false,
	} {
		if got := recentEnough(answer, least); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
}

// The versions that buildPinned writes into the binaries are those of the modules.
func TestPinnedVersions(t *testing.T) {
	for file, want := range map[string]string{
		"../tools/go.mod":             "github.com/pulumi/pulumi/pkg/v3 v" + sdk.Version.String() + " ",
		"../tools/language-go/go.mod": "github.com/pulumi/pulumi/sdk/v3 v3.188.0 ",
	} {
		mod, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(mod), want) {
			t.Errorf("%s does not require %s", file, want)
		}
	}
}

func TestGoFlags(t *testing.T) {
	for flags, want := range map[string]string{"": "-trimpath", "-mod=mod": "-mod=mod -trimpath", "-trimpath": "-trimpath", "-trimpath=false": "-trimpath=false"} {
		t.Setenv("GOFLAGS", flags)
		if got := goFlags(); got != want {
			t.Errorf("GOFLAGS=%q: %q, want %q", flags, got, want)
		}
	}
}

// Where nothing is built, the first line says how long it will take. A pulumi on PATH that is missing or too old is named, with
// what installing one saves; a build that takes long shows that it goes on.
func TestFirstBuildIsAnnounced(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"Pulumi.yaml": "name: tiny\nruntime: go\n", "go.mod": "module tiny\n\ngo 1.25.11\n", "main.go": "package main\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fakes := filepath.Join(folder, "fakes") // go, and pulumi of the pinned version with its language host
	if err := os.Mkdir(fakes, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]string{"pulumi": sdk.Version.String(), "pulumi-language-go": ""} {
		if err := os.WriteFile(filepath.Join(fakes, name), []byte("#!/bin/sh\necho v"+version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", fakes+string(os.PathListSeparator)+os.Getenv("PATH"))
	var first, second bytes.Buffer
	for _, progress := range []*bytes.Buffer{&first, &second} {
		if _, err := Build(t.Context(), folder, progress); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(first.String(), "The first time takes ") || second.Len() > 0 {
		t.Errorf("the first build said %q, the second %q", &first, &second)
	}
	if err := os.WriteFile(filepath.Join(fakes, "pulumi"), []byte("#!/bin/sh\necho v3.1.0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var old bytes.Buffer
	if _, err := Build(t.Context(), folder, &old); err == nil || !strings.Contains(old.String(), "half of the work") || !strings.Contains(old.String(), "install Pulumi "+sdk.Version.String()) {
		t.Errorf("with an old pulumi: %q (%v)", &old, err)
	}
	var shown bytes.Buffer
	p := &packages{progress: &shown, name: "pulumi", next: 3 * time.Second, began: time.Now().Add(-time.Minute)}
	for range 2 {
		if _, err := p.Write([]byte("a/package\n")); err != nil {
			t.Fatal(err)
		}
	}
	if want := "building pulumi: 1m0s, 0 packages compiled\n"; shown.String() != want {
		t.Errorf("shown: %q, want %q", &shown, want)
	}
}
