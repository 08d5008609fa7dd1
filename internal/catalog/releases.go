package catalog

import (
	"fmt"
	"strings"
	"time"
)

// Names of the EKS add-ons that the program installs.
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
	Version      string            // for example 1.36
	StandardEnds time.Time         // last day of standard support, at midnight UTC
	Addons       map[string]string // build of every add-on by its name
}

// releases returns the supported versions, oldest first. The dates are from
// https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html and
// https://endoflife.date/amazon-eks, read 2026-11-22.
//
// `aws eks describe-addon-versions` lists the builds, but needs an account. The builds of 1.36 are those that
// EKS chose for a cluster with EFA nodes in us-west-2 on 2026-09-16, according to the compatibility matrix of
// https://github.com/awslabs/awsome-distributed-ai. That matrix has no metrics-server, node monitoring agent
// or CloudWatch: these, and all builds of 1.35, are from clusters in public repositories with the same version
// of Kubernetes, autumn 2026. None of them was tried for this program: check them when you move the version.
//
// 1.33 left standard support on 2026-07-29, 1.34 leaves it on 2026-12-02. EKS has 1.37 since 2026-10-01; no
// source for its builds was found.
func releases() []Release {
	return []Release{
		{"1.35", day(2027, time.March, 27), map[string]string{
			VPCCNI:           "v1.22.4-eksbuild.3",
			KubeProxy:        "v1.35.3-eksbuild.18",
			CoreDNS:          "v1.14.3-eksbuild.3",
			PodIdentityAgent: "v1.3.10-eksbuild.3",
			MetricsServer:    "v0.9.0-eksbuild.5",
			NodeMonitoring:   "v1.6.4-eksbuild.1",
			CloudWatch:       "v6.2.0-eksbuild.1",
		}},
		{"1.36", day(2027, time.August, 2), map[string]string{
			VPCCNI:           "v1.22.4-eksbuild.3",
			KubeProxy:        "v1.36.0-eksbuild.21",
			CoreDNS:          "v1.14.3-eksbuild.16",
			PodIdentityAgent: "v1.3.10-eksbuild.3",
			MetricsServer:    "v0.9.0-eksbuild.11",
			NodeMonitoring:   "v1.7.2-eksbuild.1",
			CloudWatch:       "v6.2.0-eksbuild.1",
		}},
	}
}

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// Versions returns the supported versions, oldest first.
func Versions() []string {
	var versions []string
	for _, r := range releases() {
		versions = append(versions, r.Version)
	}
	return versions
}

// LookupRelease returns a version's release. The error for an unknown version lists the known ones.
func LookupRelease(version string) (Release, error) {
	for _, r := range releases() {
		if r.Version == version {
			return r, nil
		}
	}
	return Release{}, fmt.Errorf("%q is not supported: must be one of %s, the versions of Kubernetes in standard support whose add-on builds are known (internal/catalog)",
		version, strings.Join(Versions(), ", "))
}

// notice is how long before the end of standard support Warning starts. EKS then upgrades the control plane by
// itself, which should not happen during a training run.
const notice = 90 * 24 * time.Hour

// Warning returns what a user must know about the version's support at a time, or "".
func (r Release) Warning(now time.Time) string {
	ends := r.StandardEnds.Format(time.DateOnly)
	switch {
	case now.After(r.StandardEnds.AddDate(0, 0, 1)):
		return fmt.Sprintf("Kubernetes %s: standard support ended on %s. EKS creates no new clusters with it under the standard upgrade policy and upgrades existing ones: set cluster.version to a later one", r.Version, ends)
	case now.After(r.StandardEnds.Add(-notice)):
		return fmt.Sprintf("Kubernetes %s: standard support ends on %s. EKS then upgrades the control plane by itself: plan the move of cluster.version", r.Version, ends)
	default:
		return ""
	}
}
