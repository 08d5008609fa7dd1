package eksversion

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// all is the add-ons that the program installs.
var all = []string{VPCCNI, KubeProxy, CoreDNS, PodIdentityAgent, MetricsServer, NodeMonitoring, CloudWatch}

func TestEveryReleasePinsEveryAddon(t *testing.T) {
	build := regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+$`)
	if len(releases) == 0 {
		t.Fatal("no release; this test tests nothing")
	}
	for _, r := range releases {
		if _, err := time.Parse(time.DateOnly, r.StandardEnds); err != nil {
			t.Errorf("%s: %v", r.Version, err)
		}
		if len(r.Addons) != len(all) {
			t.Errorf("%s pins %d add-ons, want %d", r.Version, len(r.Addons), len(all))
		}
		for _, name := range all {
			if !build.MatchString(r.Addons[name]) {
				t.Errorf("%s: %s is pinned to %q", r.Version, name, r.Addons[name])
			}
		}
		// kube-proxy comes out with Kubernetes and may not be newer than it.
		if !strings.HasPrefix(r.Addons[KubeProxy], "v"+r.Version+".") {
			t.Errorf("%s: kube-proxy %s is of another version", r.Version, r.Addons[KubeProxy])
		}
	}
}

func TestLookup(t *testing.T) {
	for _, version := range Known() {
		if r, err := Lookup(version); err != nil || r.Version != version {
			t.Errorf("%s: got %+v, %v", version, r, err)
		}
	}
	for _, version := range []string{"", "1.3", "1.33", "1.34", "v1.36", "1.36.2", "latest", "2.0"} {
		_, err := Lookup(version)
		if err == nil {
			t.Errorf("%q was found", version)
			continue
		}
		for _, known := range Known() {
			if !strings.Contains(err.Error(), known) {
				t.Errorf("%q: the error does not name %s: %v", version, known, err)
			}
		}
	}
}

func TestWarning(t *testing.T) {
	r := Release{Version: "1.36", StandardEnds: "2027-08-02"}
	for day, says := range map[string]string{
		"2026-11-22": "",
		"2027-05-03": "",
		"2027-05-05": "ends on 2027-08-02",
		"2027-08-02": "ends on 2027-08-02",
		"2027-08-04": "ended on 2027-08-02",
	} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Warning(at); (says == "") != (got == "") || !strings.Contains(got, says) {
			t.Errorf("%s: %q, want %q", day, got, says)
		}
	}
}
