// Package subnets divides a VPC's CIDR range into subnets. It is pure arithmetic: the same range always gives
// the same plan, and a longer list of zones only adds subnets to it, because moving a subnet would replace
// everything in it.
package subnets

import (
	"errors"
	"fmt"
	"net/netip"
)

const (
	// MaxZones is the number of availability zones that a plan has room for. No AWS region has more.
	MaxZones = 6

	// MaxAcceleratorZones is the number of accelerator subnets that a plan has room for.
	MaxAcceleratorZones = 5

	// addressesPerNode is the most addresses that one accelerator node takes: with its defaults, the VPC CNI
	// holds the interface in use and a whole spare one, 50 addresses each on the largest types. Both are on
	// network card 0, where a P5 has just two; the EFA-only interfaces on its other 31 cards have no address.
	// https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/eni-and-ip-target.md
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html, read 2026-11-22
	addressesPerNode = 100
)

// Plan is the subnets of a VPC. Index i of Public and Private belongs to zone i, index i of Accelerator to
// accelerator zone i, which can be any of the zones.
type Plan struct {
	VPC         netip.Prefix
	Public      []netip.Prefix // NAT gateways and load balancers
	Private     []netip.Prefix // control plane, system nodes, endpoints
	Accelerator []netip.Prefix // accelerator nodes and their pods
}

// New divides an IPv4 CIDR range, for example 10.0.0.0/16, among 2 to MaxZones zones and 0 to
// MaxAcceleratorZones accelerator zones:
//
//	half       accelerator zone 0, for most nodes: /17 of a /16, 32763 addresses
//	sixteenth  every further accelerator zone:     /20, 4091
//	1/32       every private subnet:               /21, 2043
//	1/256      every public subnet:                /24, 251
//
// The place of a subnet does not depend on which others are in use, so zones can be appended to the end and
// removed from it without moving the rest. Accelerator subnets have an index of their own: appending an
// accelerator zone moves nothing either.
//
// The range must be a /16 to /19: a VPC is at most a /16, and a public subnet must be at least a /27 for a
// load balancer. It must be private (RFC 1918, or the shared 100.64.0.0/10), because hosts that have these
// addresses on the internet would be unreachable, and must not overlap 172.17.0.0/16, which SageMaker and
// Docker's bridge use. The error lists everything that is wrong.
//
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer, read 2026-11-22
func New(vpc string, zones, acceleratorZones int) (Plan, error) {
	whole, err := parse(vpc)
	faults := []error{err}
	if zones < 2 || zones > MaxZones {
		faults = append(faults, fmt.Errorf("zones: must be between 2, which EKS needs, and %d, got %d", MaxZones, zones))
	}
	if acceleratorZones < 0 || acceleratorZones > MaxAcceleratorZones {
		faults = append(faults, fmt.Errorf("accelerator zones: must be between 0 and %d, got %d", MaxAcceleratorZones, acceleratorZones))
	} else if acceleratorZones > zones {
		faults = append(faults, fmt.Errorf("accelerator zones: %d, more than the %d zones", acceleratorZones, zones))
	}
	if err := errors.Join(faults...); err != nil {
		return Plan{}, err
	}

	// The lower half holds, in sixteenths of the VPC: 0 to 3 for private and public subnets, 4 to 7 for the
	// further accelerator zones. Its first 32nd holds the public subnets; the one after the last private
	// subnet is spare.
	plan := Plan{VPC: whole}
	for zone := range zones {
		plan.Public = append(plan.Public, part(whole, 8, zone))
		plan.Private = append(plan.Private, part(whole, 5, 1+zone))
	}
	for zone := range acceleratorZones {
		if zone == 0 {
			plan.Accelerator = append(plan.Accelerator, part(whole, 1, 1))
		} else {
			plan.Accelerator = append(plan.Accelerator, part(whole, 4, 3+zone))
		}
	}
	return plan, nil
}

// AcceleratorNodes returns how many accelerator nodes a subnet has addresses for.
func AcceleratorNodes(subnet netip.Prefix) int { return addresses(subnet) / addressesPerNode }

// addresses returns how many addresses of a subnet can be used: AWS reserves the first four and the last.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html, read 2026-11-22
func addresses(subnet netip.Prefix) int { return 1<<(32-subnet.Bits()) - 5 }

// parse reads a range that can be divided.
func parse(vpc string) (netip.Prefix, error) {
	whole, err := netip.ParsePrefix(vpc)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("VPC range %q: not a CIDR range, for example 10.0.0.0/16", vpc)
	}
	if !whole.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("VPC range %s: IPv6 is not supported", vpc)
	}
	var faults []error
	if whole != whole.Masked() {
		faults = append(faults, fmt.Errorf("VPC range %s: has bits set after the prefix; write %s", vpc, whole.Masked()))
	}
	switch bits := whole.Bits(); {
	case bits < 16:
		faults = append(faults, fmt.Errorf("VPC range %s: larger than AWS's largest VPC, a /16", vpc))
	case bits > 28:
		faults = append(faults, fmt.Errorf("VPC range %s: smaller than AWS's smallest VPC, a /28; use a /16 to /19", vpc))
	case bits > 19:
		faults = append(faults, fmt.Errorf("VPC range %s: public subnets would be a /%d, smaller than a load balancer's /27; use a /16 to /19", vpc, bits+8))
	}
	private := false
	for _, block := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} {
		private = private || netip.MustParsePrefix(block).Contains(whole.Addr())
	}
	if !private {
		faults = append(faults, fmt.Errorf("VPC range %s: public addresses; use a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10", vpc))
	}
	if whole.Overlaps(netip.MustParsePrefix("172.17.0.0/16")) {
		faults = append(faults, fmt.Errorf("VPC range %s: overlaps 172.17.0.0/16, which SageMaker and Docker use", vpc))
	}
	return whole, errors.Join(faults...)
}

// part returns the index-th of the 2^bits equal parts of an IPv4 range.
func part(whole netip.Prefix, bits, index int) netip.Prefix {
	b := whole.Addr().As4()
	size := whole.Bits() + bits
	start := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	start += uint32(index) << (32 - size)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(start >> 24), byte(start >> 16), byte(start >> 8), byte(start)}), size)
}
