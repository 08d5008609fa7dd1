package catalog

import (
	"slices"
	"strings"
)

// Partition is the ARN partition of every region that the platform serves. China and GovCloud are refused: their
// accounts, budgets, service principals and endpoint names differ.
const Partition = "aws"

// dnsSuffix is the domain of the partition's endpoints.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html, read 2026-11-26
const dnsSuffix = "amazonaws.com"

// region is one region of the partition.
type region struct {
	name  string
	zones string // letters of its availability zones for a new account; empty: unknown
	optIn bool   // disabled in every account until somebody enables it
}

// regions returns the regions of the partition.
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html, read 2026-11-26
//
// The zones are those of DescribeInstanceTypeOfferings, as published by moto 5.2.5 (PyPI, 2026-10-27), read 2026-11-26.
// An account sees two of us-west-1's three zones under any two of the letters, so all three are listed.
func regions() []region {
	return []region{
		{"af-south-1", "abc", true},
		{"ap-east-1", "abc", true},
		{"ap-east-2", "", true},
		{"ap-northeast-1", "acd", false},
		{"ap-northeast-2", "abcd", false},
		{"ap-northeast-3", "abc", false},
		{"ap-south-1", "abc", false},
		{"ap-south-2", "abc", true},
		{"ap-southeast-1", "abc", false},
		{"ap-southeast-2", "abc", false},
		{"ap-southeast-3", "abc", true},
		{"ap-southeast-4", "abc", true},
		{"ap-southeast-5", "abc", true},
		{"ap-southeast-6", "", true},
		{"ap-southeast-7", "", true},
		{"ca-central-1", "abd", false},
		{"ca-west-1", "abc", true},
		{"eu-central-1", "abc", false},
		{"eu-central-2", "abc", true},
		{"eu-north-1", "abc", false},
		{"eu-south-1", "abc", true},
		{"eu-south-2", "abc", true},
		{"eu-west-1", "abc", false},
		{"eu-west-2", "abcd", false},
		{"eu-west-3", "abc", false},
		{"il-central-1", "abc", true},
		{"me-central-1", "abc", true},
		{"me-south-1", "abc", true},
		{"mx-central-1", "", true},
		{"sa-east-1", "abc", false},
		{"us-east-1", "abcdef", false},
		{"us-east-2", "abc", false},
		{"us-west-1", "abc", false},
		{"us-west-2", "abcd", false},
	}
}

func lookupRegion(name string) (region, bool) {
	all := regions()
	i := slices.IndexFunc(all, func(r region) bool { return r.name == name })
	if i < 0 {
		return region{}, false
	}
	return all[i], true
}

// Regions returns the names of the known regions.
func Regions() []string {
	var names []string
	for _, r := range regions() {
		names = append(names, r.name)
	}
	return names
}

// OptIn reports whether a region is disabled in an account until somebody enables it.
func OptIn(name string) bool {
	r, _ := lookupRegion(name)
	return r.optIn
}

// Zones returns the letters of a region's availability zones, or nil if they are unknown.
func Zones(name string) []string {
	r, _ := lookupRegion(name)
	if r.zones == "" {
		return nil
	}
	return strings.Split(r.zones, "")
}

// WithoutControlPlane returns the id of the region's availability zone in which EKS puts no control plane, and the name
// that most accounts know it by; both are empty where there is none, or where new accounts do not see it. Names differ
// by account: only DescribeAvailabilityZones tells for certain.
// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, read 2026-11-26: use1-az3, usw1-az2 and cac1-az3
func WithoutControlPlane(name string) (zoneID, zone string) {
	if name == "us-east-1" {
		return "use1-az3", "us-east-1e"
	}
	return "", ""
}
