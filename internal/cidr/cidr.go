// Package cidr divides a VPC's address range into subnets. It is pure arithmetic on
// addresses: the same range gives the same plan, and a longer list of zones only adds
// subnets to it, because moving a subnet would mean replacing everything in it.
package cidr

import (
	"errors"
	"fmt"
	"net/netip"
)

const (
	// MaxZones is how many availability zones a plan has room for. No AWS region has more.
	MaxZones = 6

	// MaxGPUZones is how many GPU subnets a plan has room for.
	MaxGPUZones = 5

	// AddressesPerNode is how many addresses one GPU node takes at most: the VPC CNI
	// with its defaults holds the interface in use and a whole spare one, 50 addresses
	// each on the largest types. Both are on network card 0, where a P5 has just two;
	// the EFA-only interfaces on its other 31 cards have no address.
	// https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/eni-and-ip-target.md
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html
	AddressesPerNode = 100
)

// Plan is a VPC's subnets. Index i of Public and Private is zone i; index i of GPU is
// GPU zone i, which may be any of the zones.
type Plan struct {
	VPC     netip.Prefix
	Public  []netip.Prefix // NAT gateways and load balancers
	Private []netip.Prefix // control plane, system nodes, endpoints
	GPU     []netip.Prefix // GPU nodes and their pods
}

// New divides an IPv4 range, such as "10.0.0.0/16", among 2 to MaxZones zones and 0 to
// MaxGPUZones GPU zones:
//
//	half       GPU zone 0, where the fleet stands: /17 of a /16, 32763 addresses
//	sixteenth  each further GPU zone:              /20, 4091
//	1/32       each private subnet:                /21, 2043
//	1/256      each public subnet:                 /24, 251
//
// Every subnet has its place for good, whether or not those before it are in use, so
// that zones can be appended and taken off the end while the others stay put. GPU
// subnets go by their own index: appending a GPU zone moves nothing either.
//
// The range must be a /16 to /19: a VPC is at most a /16, and a public subnet must be
// at least a /27 for a load balancer. It must be private (RFC 1918, or the shared
// 100.64.0.0/10), or hosts that own the addresses would be out of reach, and not meet
// 172.17.0.0/16, which SageMaker and Docker's bridge take for themselves. The error
// lists all that is wrong.
//
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer
func New(vpc string, zones, gpuZones int) (Plan, error) {
	whole, err := parse(vpc)
	faults := []error{err}
	if zones < 2 || zones > MaxZones {
		faults = append(faults, fmt.Errorf("zones: %d, but EKS needs 2 and the plan has room for %d", zones, MaxZones))
	}
	if gpuZones < 0 || gpuZones > MaxGPUZones {
		faults = append(faults, fmt.Errorf("GPU zones: %d, but the plan has room for 0 to %d", gpuZones, MaxGPUZones))
	} else if gpuZones > zones {
		faults = append(faults, fmt.Errorf("GPU zones: %d, more than the %d zones", gpuZones, zones))
	}
	if err := errors.Join(faults...); err != nil {
		return Plan{}, err
	}

	// The lower half holds, in sixteenths of the VPC: 0 to 3 for private and public
	// subnets, 4 to 7 for the further GPU zones. Its first 32nd is the public subnets',
	// and the one after the last private subnet is spare.
	plan := Plan{VPC: whole}
	for zone := range zones {
		plan.Public = append(plan.Public, part(whole, 8, zone))
		plan.Private = append(plan.Private, part(whole, 5, 1+zone))
	}
	for zone := range gpuZones {
		if zone == 0 {
			plan.GPU = append(plan.GPU, part(whole, 1, 1))
		} else {
			plan.GPU = append(plan.GPU, part(whole, 4, 3+zone))
		}
	}
	return plan, nil
}

// Addresses is how many addresses of a subnet can be used: AWS keeps the first four
// and the last.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
func Addresses(subnet netip.Prefix) int { return 1<<(32-subnet.Bits()) - 5 }

// GPUNodes is how many GPU nodes a subnet has addresses for while each of them takes
// AddressesPerNode.
func GPUNodes(subnet netip.Prefix) int { return Addresses(subnet) / AddressesPerNode }

// parse reads a range that a plan can be made of.
func parse(vpc string) (netip.Prefix, error) {
	whole, err := netip.ParsePrefix(vpc)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("VPC range %q: not a CIDR block such as 10.0.0.0/16", vpc)
	}
	if !whole.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("VPC range %s: IPv6; the plan is of IPv4", vpc)
	}
	var faults []error
	if whole != whole.Masked() {
		faults = append(faults, fmt.Errorf("VPC range %s: does not start at its own first address; write %s", vpc, whole.Masked()))
	}
	switch bits := whole.Bits(); {
	case bits < 16:
		faults = append(faults, fmt.Errorf("VPC range %s: larger than AWS's largest VPC, a /16", vpc))
	case bits > 28:
		faults = append(faults, fmt.Errorf("VPC range %s: smaller than AWS's smallest VPC, a /28; give a /16 to /19", vpc))
	case bits > 19:
		faults = append(faults, fmt.Errorf("VPC range %s: public subnets would be a /%d, less than a load balancer's /27; give a /16 to /19", vpc, bits+8))
	}
	private := false
	for _, block := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} {
		private = private || netip.MustParsePrefix(block).Contains(whole.Addr())
	}
	if !private {
		faults = append(faults, fmt.Errorf("VPC range %s: public addresses; take from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10", vpc))
	}
	if whole.Overlaps(netip.MustParsePrefix("172.17.0.0/16")) {
		faults = append(faults, fmt.Errorf("VPC range %s: meets 172.17.0.0/16, which SageMaker and Docker use themselves", vpc))
	}
	return whole, errors.Join(faults...)
}

// part is the index-th of the 2^bits equal parts of an IPv4 range.
func part(whole netip.Prefix, bits, index int) netip.Prefix {
	b := whole.Addr().As4()
	size := whole.Bits() + bits
	start := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	start += uint32(index) << (32 - size)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(start >> 24), byte(start >> 16), byte(start >> 8), byte(start)}), size)
}
