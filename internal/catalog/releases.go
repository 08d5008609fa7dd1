package catalog

import (
	"errors"
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
	AMI          string            // release of EKS's AL2023 images, the same for every AMI type
	Addons       map[string]string // build of every add-on by its name
}

// releases returns the supported versions, oldest first. The dates are from
// https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html and
// https://endoflife.date/amazon-eks, read 2026-11-22.
//
// Add-on builds and AMI releases are those that clusters in public repositories were seen with. None of them was
// tried for this program.
//
//   - 1.36: the builds that EKS resolved for one cluster with the newest of each, us-east-1, autumn 2026; `aws eks
//     describe-addon-versions` of 2026-10-07 in another repository lists the same versions. The node monitoring agent
//     is from a third cluster. AMI release: two clusters with 1.36.4-20260930; NVIDIA GPUs and EFA were seen working
//     with 1.36.3-20260911.
//   - 1.35: describe-addon-versions of 2026-10-02, the newest of CNI, CoreDNS and Pod Identity agent, and the default
//     kube-proxy; the other three are from clusters of autumn 2026. AMI release: NVIDIA GPUs (g6e) were seen working
//     with 1.35.8-20260930.
//
// For Neuron, no run with an AMI release of these dates was found. Read 2026-11-26. docs/troubleshooting.md has the
// commands that list newer builds and releases; they need an account.
//
// 1.33 left standard support on 2026-07-29, 1.34 leaves it on 2026-12-02. See Unpinned for 1.37.
func releases() []Release {
	return []Release{
		{"1.35", day(2027, time.March, 27), "1.35.8-20260930", map[string]string{
			VPCCNI:           "v1.23.2-eksbuild.1",
			KubeProxy:        "v1.35.3-eksbuild.29",
			CoreDNS:          "v1.14.6-eksbuild.4",
			PodIdentityAgent: "v1.4.0-eksbuild.3",
			MetricsServer:    "v0.9.0-eksbuild.5",
			NodeMonitoring:   "v1.6.4-eksbuild.1",
			CloudWatch:       "v6.2.0-eksbuild.1",
		}},
		{"1.36", day(2027, time.August, 2), "1.36.4-20260930", map[string]string{
			VPCCNI:           "v1.23.2-eksbuild.1",
			KubeProxy:        "v1.36.0-eksbuild.45",
			CoreDNS:          "v1.14.7-eksbuild.11",
			PodIdentityAgent: "v1.4.0-eksbuild.3",
			MetricsServer:    "v0.9.0-eksbuild.11",
			NodeMonitoring:   "v1.7.2-eksbuild.1",
			CloudWatch:       "v6.7.0-eksbuild.1",
		}},
	}
}

// Unpinned returns why a version that EKS offers is not supported here, or "". 1.37 is in standard support from
// 2026-10-01 to 2027-12-01, and clusters with it were seen, but every one of them leaves the add-on builds and the AMI
// release to EKS: a guess would fail after the control plane is paid for. Read 2026-11-26.
func Unpinned(version string) string {
	if version == "1.37" {
		return "EKS offers 1.37, but no public source names its add-on builds and AMI release, so there is nothing to pin"
	}
	return ""
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
	message := "must be one of " + strings.Join(Versions(), ", ") + ", the versions of Kubernetes in standard support whose add-on builds and AMI release are known"
	if reason := Unpinned(version); reason != "" {
		message += "; " + reason
	}
	return Release{}, errors.New(message)
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
