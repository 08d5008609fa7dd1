package accelerator

import "strings"

// The table holds figures from two sources that agree, except where a comment says so:
//
//   - The EC2 API (DescribeInstanceTypes), as published by Karpenter's AWS provider:
//     https://github.com/aws/karpenter-provider-aws, website/content/en/preview/reference/instance-types.md,
//     of 2026-07-11, for accelerators and their memory, vCPU, nominal memory, EFA interfaces and instance store;
//     pkg/providers/instancetype/zz_generated.vpclimits.go, of 2026-08-06, for network cards.
//   - AWS's page "Specifications for Amazon EC2 accelerated computing instances", read 2026-11-22 in a copy from
//     between the releases of P6-B200 and P6-B300 (2025). The tests compare the table with it.
//
// Other sources:
//
//   - Capacity blocks: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-blocks.html
//     and capacity-blocks-how.html (which alone names P5en), read 2026-11-22.
//
//   - Cluster placement groups support every current generation except burstable, Mac1 and M7i-flex:
//     https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html, read 2026-11-22.
//
//   - Network cards of Trn2, which Karpenter's file lacks:
//     https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html#network-cards, read 2026-11-22.
//
//   - Quota codes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
//     and using-spot-limits.html, read 2026-11-22; P5's spot quota in several public lists of an account's quotas
//     (aws service-quotas list-service-quotas --service-code ec2), read 2026-11-26.
//
//   - G4dn, Gr6, G7, G7e and P6-B300: Karpenter's files as above, at 1d927085, and a second
//     copy of DescribeInstanceTypes: moto 5.2.5 (PyPI, 2026-10-27), moto/ec2/resources/instance_types.json.gz. Both read
//     2026-11-26; the tests compare the table with the second. G7 needs the driver of AMI releases since 20260917:
//     https://github.com/awslabs/amazon-eks-ami/issues/2768.
//
// Left out:
//
//   - because a figure had only one source: trn2.3xlarge (vCPU, memory) and trn2u.48xlarge (accelerators);
//   - p2, p3 and p3dn, whose GPUs CUDA 13, which image/requirements.txt installs, does not support;
//   - g5g, which has ARM processors: image/Dockerfile builds an image for amd64;
//   - inf1 and inf2, which are for inference, g6f, which has a part of a GPU, and g4ad, whose GPU is AMD's.
const specifications = "https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html (2026-11-22), " +
	"EC2 DescribeInstanceTypes by karpenter-provider-aws (2026-07-11)"

// family holds the figures that all sizes of an instance family have in common.
type family struct {
	kind           Kind
	accelerator    string
	acceleratorMiB int
	processes      int // for each accelerator
	sizes          []size
}

// size is one line of the table.
type size struct {
	name            string
	count           int
	vcpu            int
	memoryGiB       int
	networkCards    int
	efaInterfaces   int
	instanceStoreGB int
	capacityBlock   bool
}

var families = []family{
	{NVIDIA, "NVIDIA T4", 16384, 1, []size{
		{"g4dn.xlarge", 1, 4, 16, 1, 0, 125, false},
		{"g4dn.2xlarge", 1, 8, 32, 1, 0, 225, false},
		{"g4dn.4xlarge", 1, 16, 64, 1, 0, 225, false},
		{"g4dn.8xlarge", 1, 32, 128, 1, 1, 900, false},
		{"g4dn.12xlarge", 4, 48, 192, 1, 1, 900, false},
		{"g4dn.16xlarge", 1, 64, 256, 1, 1, 900, false},
		{"g4dn.metal", 8, 96, 384, 1, 1, 1800, false},
	}},
	{NVIDIA, "NVIDIA A10G", 22888, 1, []size{
		{"g5.xlarge", 1, 4, 16, 1, 0, 250, false},
		{"g5.2xlarge", 1, 8, 32, 1, 0, 450, false},
		{"g5.4xlarge", 1, 16, 64, 1, 0, 600, false},
		{"g5.8xlarge", 1, 32, 128, 1, 1, 900, false},
		{"g5.12xlarge", 4, 48, 192, 1, 1, 3800, false},
		{"g5.16xlarge", 1, 64, 256, 1, 1, 1900, false},
		{"g5.24xlarge", 4, 96, 384, 1, 1, 3800, false},
		{"g5.48xlarge", 8, 192, 768, 1, 1, 7600, false},
	}},
	{NVIDIA, "NVIDIA L4", 22888, 1, []size{
		{"g6.xlarge", 1, 4, 16, 1, 0, 250, false},
		{"g6.2xlarge", 1, 8, 32, 1, 0, 450, false},
		{"g6.4xlarge", 1, 16, 64, 1, 0, 600, false},
		{"g6.8xlarge", 1, 32, 128, 1, 1, 900, false},
		{"g6.12xlarge", 4, 48, 192, 1, 1, 3760, false},
		{"g6.16xlarge", 1, 64, 256, 1, 1, 1880, false},
		{"g6.24xlarge", 4, 96, 384, 1, 1, 3760, false},
		{"g6.48xlarge", 8, 192, 768, 1, 1, 7520, false},
		{"gr6.4xlarge", 1, 16, 128, 1, 0, 600, false},
		{"gr6.8xlarge", 1, 32, 256, 1, 1, 900, false},
	}},
	{NVIDIA, "NVIDIA L40S", 45776, 1, []size{
		{"g6e.xlarge", 1, 4, 32, 1, 0, 250, false},
		{"g6e.2xlarge", 1, 8, 64, 1, 0, 450, false},
		{"g6e.4xlarge", 1, 16, 128, 1, 0, 600, false},
		{"g6e.8xlarge", 1, 32, 256, 1, 1, 900, false},
		{"g6e.12xlarge", 4, 48, 384, 1, 1, 3800, false},
		{"g6e.16xlarge", 1, 64, 512, 1, 1, 1900, false},
		{"g6e.24xlarge", 4, 96, 768, 2, 2, 3800, false},
		{"g6e.48xlarge", 8, 192, 1536, 4, 4, 7600, false},
	}},
	{NVIDIA, "NVIDIA RTX PRO 4500", 32768, 1, []size{
		{"g7.2xlarge", 1, 8, 32, 1, 0, 440, false},
		{"g7.4xlarge", 1, 16, 64, 1, 0, 875, false},
		{"g7.8xlarge", 1, 32, 128, 1, 1, 930, false},
		{"g7.12xlarge", 2, 48, 192, 1, 1, 1900, false},
		{"g7.24xlarge", 4, 96, 384, 1, 1, 3800, false},
		{"g7.48xlarge", 8, 192, 768, 2, 2, 7600, false},
	}},
	{NVIDIA, "NVIDIA RTX PRO 6000", 98304, 1, []size{
		{"g7e.2xlarge", 1, 8, 64, 1, 0, 1900, false},
		{"g7e.4xlarge", 1, 16, 128, 1, 0, 1900, false},
		{"g7e.8xlarge", 1, 32, 256, 1, 1, 1900, false},
		{"g7e.12xlarge", 2, 48, 512, 1, 1, 3800, false},
		{"g7e.24xlarge", 4, 96, 1024, 2, 2, 7600, false},
		{"g7e.48xlarge", 8, 192, 2048, 4, 4, 15200, false},
	}},
	{NVIDIA, "NVIDIA A100 40GB", 40960, 1, []size{
		{"p4d.24xlarge", 8, 96, 1152, 4, 4, 8000, true},
	}},
	{NVIDIA, "NVIDIA A100 80GB", 81920, 1, []size{
		{"p4de.24xlarge", 8, 96, 1152, 4, 4, 8000, true},
	}},
	{NVIDIA, "NVIDIA H100", 81920, 1, []size{
		{"p5.4xlarge", 1, 16, 256, 1, 1, 3800, true},
		{"p5.48xlarge", 8, 192, 2048, 32, 32, 30400, true},
	}},
	{NVIDIA, "NVIDIA H200", 144384, 1, []size{
		// The price list has no P5e: it is sold by capacity block.
		{"p5e.48xlarge", 8, 192, 2048, 32, 32, 30400, true},
		{"p5en.48xlarge", 8, 192, 2048, 16, 16, 30400, true},
	}},
	{NVIDIA, "NVIDIA B200", 183359, 1, []size{
		{"p6-b200.48xlarge", 8, 192, 2048, 8, 8, 30400, true},
	}},
	{NVIDIA, "NVIDIA B300", 275040, 1, []size{
		{"p6-b300.48xlarge", 8, 192, 4096, 17, 16, 30400, true},
	}},
	{Neuron, "AWS Trainium", 32 * 1024, 2, []size{
		{"trn1.2xlarge", 1, 8, 32, 1, 0, 474, false},
		{"trn1.32xlarge", 16, 128, 512, 8, 8, 7600, true},
		{"trn1n.32xlarge", 16, 128, 512, 16, 16, 7600, false},
	}},
	// AWS's page gives a Trainium2 512 GiB, unlike all other pages. Neuron's documentation says 96 GiB, and 4 logical
	// cores with the default LNC=2, read 2026-11-22:
	// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/training/best-practices.html
	{Neuron, "AWS Trainium2", 96 * 1024, 4, []size{
		// Sold by capacity block, in us-east-2; the price list of us-east-1 has no Trn2.
		{"trn2.48xlarge", 16, 192, 2048, 16, 16, 7600, true},
	}},
}

// build returns the type of one line of the table.
func (f family) build(s size) Type {
	onDemandQuota, spotQuota := quotas(s.name)
	price := onDemand(s.name)
	return Type{
		Name:            s.name,
		Kind:            f.kind,
		Accelerator:     f.accelerator,
		Count:           s.count,
		AcceleratorMiB:  f.acceleratorMiB,
		Processes:       s.count * f.processes,
		VCPU:            s.vcpu,
		MemoryGiB:       s.memoryGiB,
		NetworkCards:    s.networkCards,
		EFAInterfaces:   s.efaInterfaces,
		Architecture:    x86, // all types above
		InstanceStoreGB: s.instanceStoreGB,
		OnDemand:        price.USDPerHour > 0,
		CapacityBlock:   s.capacityBlock,
		PlacementGroup:  true,
		OnDemandQuota:   onDemandQuota,
		SpotQuota:       spotQuota,
		Price:           price,
		Source:          specifications,
	}
}

// quotas returns the codes of the vCPU quotas that an instance type counts against. They are empty where unknown. The
// sources disagree about spot requests of P6.
func quotas(instanceType string) (onDemand, spot string) {
	family, _, _ := strings.Cut(instanceType, ".")
	letters := family
	if digit := strings.IndexAny(family, "0123456789"); digit >= 0 {
		letters = family[:digit]
	}
	switch letters {
	case "p":
		onDemand = "L-417A185B" // Running On-Demand P instances
		switch generation := family[:min(2, len(family))]; generation {
		case "p5":
			return onDemand, "L-C4BD4855" // All P5 Spot Instance Requests
		case "p2", "p3", "p4":
			return onDemand, "L-7212CCBC" // All P4, P3 and P2 Spot Instance Requests
		}
		return onDemand, ""
	case "g", "gr":
		return "L-DB2E81BA", "L-3819A6DF" // ... G and VT ...
	case "trn":
		return "L-2C3B7624", "L-6B0D517C" // ... Trn ...
	case "inf":
		return "L-1945791B", "L-B5D1601B" // ... Inf ...
	}
	return "", ""
}
