package settings

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxPublicCIDRs is how many ranges a cluster may have. The quota, L-93A74D60, is not adjustable.
// https://docs.aws.amazon.com/general/latest/gr/eks.html, read 2026-11-26
const maxPublicCIDRs = 40

// reservedRanges are the ranges that EKS refuses in publicAccessCidrs ("The following CIDRs are not allowed"). AWS
// publishes no list: these are the special-purpose ranges of
// https://www.iana.org/assignments/iana-ipv4-special-registry, of which 10.0.0.0/8 and 203.0.113.0/24 were seen refused,
// read 2026-11-26.
var reservedRanges = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4")

// documentationRanges are reserved too, for examples. EKS refuses them, but the stack files that come with the program
// have one as a placeholder: the preview warns of it, and Deployable refuses it. https://www.rfc-editor.org/rfc/rfc5737
var documentationRanges = prefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// overlapping returns the first of the ranges that has addresses in common with a range.
func overlapping(ranges []netip.Prefix, with netip.Prefix) (netip.Prefix, bool) {
	i := slices.IndexFunc(ranges, with.Overlaps)
	if i < 0 {
		return netip.Prefix{}, false
	}
	return ranges[i], true
}

// Deployable returns an error if the settings contain a placeholder, which a preview may show but AWS would refuse after
// other resources have been created.
func (s Settings) Deployable() error {
	var invalid field.ErrorList
	ranges := field.NewPath("cluster", "publicCidrs")
	for i, text := range s.Cluster.PublicCIDRs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Bits() == 0 {
			continue
		}
		if _, reserved := overlapping(documentationRanges, prefix); reserved {
			invalid = append(invalid, field.Invalid(ranges.Index(i), text, "must not be a range reserved for examples, which EKS refuses; "+
				"use the range of pulumi and kubectl, for example the output of `curl -s https://checkip.amazonaws.com` with /32"))
		}
	}
	return report(s.Stack, nil, invalid)
}

func (c rawCluster) validatePublic(p *field.Path) field.ErrorList {
	ranges, allow := p.Child("publicCidrs"), p.Child("allowPublicAccessFromAnywhere")
	errs := unique(ranges, c.PublicCIDRs)
	if n := len(c.PublicCIDRs); n > maxPublicCIDRs {
		errs = append(errs, field.Invalid(ranges, n, fmt.Sprintf("must be at most %d ranges; join neighbors", maxPublicCIDRs)))
	}
	anywhere := false
	var valid []netip.Prefix
	for i, text := range c.PublicCIDRs {
		at := ranges.Index(i)
		if invalid := cidrRange(at, text); len(invalid) > 0 {
			errs = append(errs, invalid...)
			continue
		}
		prefix := netip.MustParsePrefix(text)
		if prefix.Bits() == 0 {
			anywhere = true
			if !c.AllowPublicAccessFromAnywhere {
				errs = append(errs, field.Invalid(at, text,
					fmt.Sprintf("must not include the whole internet; list your own ranges, or confirm with %s: true", allow)))
			}
			continue
		}
		if reserved, ok := overlapping(reservedRanges, prefix); ok {
			errs = append(errs, field.Invalid(at, text, fmt.Sprintf("must not overlap %s, which is private or reserved: EKS "+
				"refuses it; use the public addresses that requests come from (curl -s https://checkip.amazonaws.com)", reserved)))
			continue
		}
		valid = append(valid, prefix)
	}
	if !anywhere && addresses(valid) > 1<<31 {
		errs = append(errs, field.Invalid(ranges, len(c.PublicCIDRs), fmt.Sprintf("must not add up to more than half of the "+
			"internet; list your own ranges, or set [0.0.0.0/0] and %s: true", allow)))
	}
	if c.AllowPublicAccessFromAnywhere && !anywhere {
		errs = append(errs, field.Forbidden(allow, fmt.Sprintf("requires 0.0.0.0/0 in %s; add it, or remove this", ranges)))
	}
	return errs
}

// addresses returns how many IPv4 addresses some ranges have together. A range within another counts once.
func addresses(ranges []netip.Prefix) uint64 {
	slices.SortFunc(ranges, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	var sum uint64
	for i, prefix := range ranges {
		if _, within := overlapping(ranges[:i], prefix); !within {
			sum += 1 << (32 - prefix.Bits())
		}
	}
	return sum
}
