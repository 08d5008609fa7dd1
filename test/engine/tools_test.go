package engine

import (
	"os"
	"strings"
	"testing"

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
