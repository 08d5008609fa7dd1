package local

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
		if _, got := recentEnough(answer, least); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
}

// The CLI that is built is the release of the SDK that the program uses: FindTools says so in its version.
func TestPinnedCLIIsTheSDKsRelease(t *testing.T) {
	mod, err := os.ReadFile("../../tools/pulumi/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/pulumi/pulumi/pkg/v3 v" + sdk.Version.String() + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("tools/pulumi/go.mod does not require %s", want)
	}
}

func TestGoFlags(t *testing.T) {
	for given, want := range map[string]string{"": "-trimpath", "-mod=mod": "-mod=mod -trimpath", "-trimpath": "-trimpath", "-trimpath=false": "-trimpath=false"} {
		t.Setenv("GOFLAGS", given)
		if got := goFlags(); got != want {
			t.Errorf("GOFLAGS=%q: %q, want %q", given, got, want)
		}
	}
}
