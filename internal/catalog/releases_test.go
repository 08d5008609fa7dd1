package catalog

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestEveryReleaseIsPinned(t *testing.T) {
	installed := []string{VPCCNI, KubeProxy, CoreDNS, PodIdentityAgent, MetricsServer, NodeMonitoring, CloudWatch}
	build := regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+$`)
	// <patch of Kubernetes>-<day>; EKS refuses one of another minor version.
	ami := regexp.MustCompile(`^([0-9]+\.[0-9]+)\.[0-9]+-20[0-9]{6}$`)
	if len(releases()) == 0 {
		t.Fatal("no release: this test tests nothing")
	}
	var last time.Time
	for _, r := range releases() {
		if !r.StandardEnds.After(last) {
			t.Errorf("%s: standard support ends %v, not after the release before it", r.Version, r.StandardEnds)
		}
		last = r.StandardEnds
		if parts := ami.FindStringSubmatch(r.AMI); parts == nil || parts[1] != r.Version {
			t.Errorf("%s: AMI release %q", r.Version, r.AMI)
		}
		if len(r.Addons) != len(installed) {
			t.Errorf("%s has builds of %d add-ons, want %d", r.Version, len(r.Addons), len(installed))
		}
		for _, name := range installed {
			if !build.MatchString(r.Addons[name]) {
				t.Errorf("%s: build of %s is %q", r.Version, name, r.Addons[name])
			}
		}
		// kube-proxy is released with Kubernetes and must not be newer than the control plane.
		if !strings.HasPrefix(r.Addons[KubeProxy], "v"+r.Version+".") {
			t.Errorf("%s: kube-proxy %s belongs to another version", r.Version, r.Addons[KubeProxy])
		}
	}
}

func TestLookupRelease(t *testing.T) {
	for _, known := range releases() {
		if r, err := LookupRelease(known.Version); err != nil || r.Version != known.Version {
			t.Errorf("%s: got %+v, %v", known.Version, r, err)
		}
	}
	for _, version := range []string{"", "1.3", "1.33", "1.34", "v1.36", "1.36.2", "latest", "2.0"} {
		_, err := LookupRelease(version)
		if err == nil {
			t.Errorf("%q was found", version)
			continue
		}
		for _, known := range releases() {
			if !strings.Contains(err.Error(), known.Version) {
				t.Errorf("%q: the error does not name %s: %v", version, known.Version, err)
			}
		}
	}
}

// EKS offers 1.37. The error says why the program does not.
func TestUnpinnedRelease(t *testing.T) {
	_, err := LookupRelease("1.37")
	if err == nil || !strings.Contains(err.Error(), "no public source names its add-on builds and AMI release") {
		t.Errorf("1.37: %v", err)
	}
	if _, err := LookupRelease("1.29"); err == nil || strings.Contains(err.Error(), "EKS offers") {
		t.Errorf("1.29: %v", err)
	}
}

func TestWarning(t *testing.T) {
	r := Release{Version: "1.36", StandardEnds: day(2027, time.August, 2)}
	for date, want := range map[string]string{
		"2026-11-22": "",
		"2027-05-03": "",
		"2027-05-05": "ends on 2027-08-02",
		"2027-08-02": "ends on 2027-08-02",
		"2027-08-04": "ended on 2027-08-02",
	} {
		now, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Warning(now); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", date, got, want)
		}
	}
}
