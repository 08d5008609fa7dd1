package accelerator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// processorFamily is a family of instance types without accelerators. vCPU and memory of a size follow from its name.
type processorFamily struct {
	name         string
	gibPerVCPU   int
	architecture string
	sizes        []string
}

// processorFamilies are current general purpose (4 GiB for each vCPU), compute (2) and memory (8) families without
// local disks. AWS names its sizes by vCPU: large has 2, xlarge 4, 12xlarge 48.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html; every type was compared with EC2
// DescribeInstanceTypes as published by karpenter-provider-aws 1d927085, instance-types.md, read 2026-11-26.
//
// Left out: bare metal, 96xlarge and medium sizes, and burstable families (T), whose vCPUs are throttled when a training
// has used up their credits.
func processorFamilies() []processorFamily {
	all := strings.Fields("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge")
	to := func(last string) []string { return all[:slices.Index(all, last)+1] }
	without32 := slices.Concat(to("24xlarge"), []string{"48xlarge"})
	return []processorFamily{
		{"c6i", 2, x86, to("32xlarge")},
		{"c6g", 2, arm, to("16xlarge")},
		{"c7i", 2, x86, without32},
		{"c7a", 2, x86, to("48xlarge")},
		{"c7g", 2, arm, to("16xlarge")},
		{"c8i", 2, x86, to("48xlarge")},
		{"c8g", 2, arm, without32},
		{"m6i", 4, x86, to("32xlarge")},
		{"m6g", 4, arm, to("16xlarge")},
		{"m7i", 4, x86, without32},
		{"m7a", 4, x86, to("48xlarge")},
		{"m7g", 4, arm, to("16xlarge")},
		{"m8i", 4, x86, to("48xlarge")},
		{"m8g", 4, arm, without32},
		{"r6i", 8, x86, to("32xlarge")},
		{"r6g", 8, arm, to("16xlarge")},
		{"r7i", 8, x86, without32},
		{"r7a", 8, x86, to("48xlarge")},
		{"r7g", 8, arm, to("16xlarge")},
		{"r8i", 8, x86, to("48xlarge")},
		{"r8g", 8, arm, without32},
		{"m5", 4, x86, to("24xlarge")},
		{"r5", 8, x86, to("24xlarge")},
		{"c7i-flex", 2, x86, to("16xlarge")},
		{"m7i-flex", 4, x86, to("16xlarge")},
		{"m8i-flex", 4, x86, to("16xlarge")},
	}
}

// ProcessorFamilies returns the families of the instance types without accelerators, sorted.
func ProcessorFamilies() []string {
	var names []string
	for _, f := range processorFamilies() {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

// Processors returns the instance types without accelerators, sorted.
func Processors() []string {
	var names []string
	for _, f := range processorFamilies() {
		for _, size := range f.sizes {
			names = append(names, f.name+"."+size)
		}
	}
	slices.Sort(names)
	return names
}

// LookupProcessor returns an instance type without accelerators: the training then uses its vCPUs, in one process.
func LookupProcessor(instanceType string) (Type, error) {
	name, size, _ := strings.Cut(instanceType, ".")
	for _, f := range processorFamilies() {
		if f.name == name && slices.Contains(f.sizes, size) {
			return f.build(size), nil
		}
	}
	return Type{}, fmt.Errorf("instance type %q is in no family of the processor table", instanceType)
}

func (f processorFamily) build(size string) Type {
	vcpu := map[string]int{"large": 2, "xlarge": 4}[size]
	if number, err := strconv.Atoi(strings.TrimSuffix(size, "xlarge")); err == nil {
		vcpu = 4 * number
	}
	return Type{
		Name:         f.name + "." + size,
		Kind:         None,
		Processes:    1,
		VCPU:         vcpu,
		MemoryGiB:    vcpu * f.gibPerVCPU,
		NetworkCards: 1,
		Architecture: f.architecture,
		OnDemand:     true,
		// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html
		PlacementGroup: !strings.HasSuffix(f.name, "-flex"),
		OnDemandQuota:  "L-1216C47A", // Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
		SpotQuota:      "L-34B43A08", // All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests
		Price:          onDemand(f.name + "." + size),
		Source:         "https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html (2026-11-26)",
	}
}
