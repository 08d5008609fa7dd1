// Package eksversion knows the Kubernetes versions that this program makes clusters
// of: until when AWS supports each, and the builds of the EKS add-ons that belong to
// it. It imports nothing but the standard library.
package eksversion

import (
	"fmt"
	"strings"
	"time"
)

// EKS add-ons by the names that EKS gives them.
const (
	VPCCNI           = "vpc-cni"
	KubeProxy        = "kube-proxy"
	CoreDNS          = "coredns"
	PodIdentityAgent = "eks-pod-identity-agent"
	MetricsServer    = "metrics-server"
	NodeMonitoring   = "eks-node-monitoring-agent"
	CloudWatch       = "amazon-cloudwatch-observability"
)

// Release is one minor version of Kubernetes on EKS.
type Release struct {
	Version      string            // as "1.36"
	StandardEnds string            // last day of standard support, YYYY-MM-DD
	Addons       map[string]string // build of each add-on
}

// releases is the versions, oldest first. Dates are from
// https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html and
// https://endoflife.date/amazon-eks, read 2026-11-22.
//
// `aws eks describe-addon-versions` lists the builds and needs an account, so these
// are builds that others run together. Those of 1.36: what EKS itself chose for a
// cluster with EFA nodes in us-west-2 on 2026-09-16, as the compatibility matrix of
// https://github.com/awslabs/awsome-distributed-ai notes it; metrics-server,
// node-monitoring-agent and CloudWatch, which are not in it, and those of 1.35, from
// clusters in public repositories with that version of Kubernetes, autumn 2026. None
// has run here: check them once, when moving a version.
//
// 1.33 left standard support on 2026-07-29 and 1.34 leaves it on 2026-12-02, with no
// builds to be had here.
var releases = []Release{
	{"1.35", "2027-03-27", map[string]string{
		VPCCNI:           "v1.22.4-eksbuild.3",
		KubeProxy:        "v1.35.3-eksbuild.18",
		CoreDNS:          "v1.14.3-eksbuild.3",
		PodIdentityAgent: "v1.3.10-eksbuild.3",
		MetricsServer:    "v0.9.0-eksbuild.5",
		NodeMonitoring:   "v1.6.4-eksbuild.1",
		CloudWatch:       "v6.2.0-eksbuild.1",
	}},
	{"1.36", "2027-08-02", map[string]string{
		VPCCNI:           "v1.22.4-eksbuild.3",
		KubeProxy:        "v1.36.0-eksbuild.21",
		CoreDNS:          "v1.14.3-eksbuild.16",
		PodIdentityAgent: "v1.3.10-eksbuild.3",
		MetricsServer:    "v0.9.0-eksbuild.11",
		NodeMonitoring:   "v1.7.2-eksbuild.1",
		CloudWatch:       "v6.2.0-eksbuild.1",
	}},
}

// Known lists the versions, oldest first.
func Known() []string {
	var known []string
	for _, r := range releases {
		known = append(known, r.Version)
	}
	return known
}

// Lookup finds a version. The error of any other lists those that are known.
func Lookup(version string) (Release, error) {
	for _, r := range releases {
		if r.Version == version {
			return r, nil
		}
	}
	return Release{}, fmt.Errorf("%q is not one of %s, the versions of Kubernetes in standard support whose add-ons are pinned (internal/eksversion)", version, strings.Join(Known(), ", "))
}

// notice is how long before the end of standard support one is warned: EKS then
// upgrades the control plane by itself, and a training run should not meet that.
const notice = 90 * 24 * time.Hour

// Warning is what is to be said about the version on a day, or nothing.
func (r Release) Warning(day time.Time) string {
	ends, err := time.Parse(time.DateOnly, r.StandardEnds)
	switch {
	case err != nil:
		return fmt.Sprintf("Kubernetes %s: end of standard support %q is no date", r.Version, r.StandardEnds)
	case day.After(ends.Add(24 * time.Hour)):
		return fmt.Sprintf("Kubernetes %s: standard support ended on %s; EKS makes no new clusters of it here and upgrades those there are: set cluster.version to a later one", r.Version, r.StandardEnds)
	case day.After(ends.Add(-notice)):
		return fmt.Sprintf("Kubernetes %s: standard support ends on %s, and EKS then upgrades the control plane by itself: plan cluster.version's move", r.Version, r.StandardEnds)
	default:
		return ""
	}
}
