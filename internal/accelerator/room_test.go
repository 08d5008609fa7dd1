package accelerator

import (
	"slices"
	"strings"
	"testing"
)

// allocatable is what Karpenter computes for pods on a node: vCPU, nominal GiB, and what is left of them for pods in
// thousandths and MiB. From instance-types.md of karpenter-provider-aws 1d927085, read 2026-11-26.
var allocatable = []struct {
	name                              string
	vcpu, memoryGiB, leftCPU, leftMiB int
}{
	{"m5.large", 2, 8, 1930, 6903},
	{"m6i.32xlarge", 128, 512, 127610, 476504},
	{"m6g.large", 2, 8, 1930, 6844},
	{"m7i.large", 2, 8, 1930, 6903},
	{"m7i.xlarge", 4, 16, 3920, 14162},
	{"m7i.2xlarge", 8, 32, 7910, 29317},
	{"m7i.48xlarge", 192, 768, 191450, 718987},
	{"m7i-flex.large", 2, 8, 1930, 6903},
	{"m7a.32xlarge", 128, 512, 127610, 476504},
	{"m7g.large", 2, 8, 1930, 6844},
	{"m8i.large", 2, 8, 1930, 6573},
	{"m8i.4xlarge", 16, 64, 15890, 55931},
	{"m8i.48xlarge", 192, 768, 191450, 710440},
	{"m8g.48xlarge", 192, 768, 191450, 718928},
	{"c6g.large", 2, 4, 1930, 3055},
	{"c7i.large", 2, 4, 1930, 3114},
	{"c7i.2xlarge", 8, 16, 7910, 14162},
	{"c7i-flex.16xlarge", 64, 128, 63770, 112779},
	{"c7g.16xlarge", 64, 128, 63770, 112720},
	{"c8i.large", 2, 4, 1930, 2784},
	{"r5.24xlarge", 96, 768, 95690, 718987},
	{"r6i.xlarge", 4, 32, 3920, 29317},
	{"r7g.4xlarge", 16, 128, 15890, 118253},
	{"r8i.8xlarge", 32, 256, 31850, 236716},
	{"m8i-flex.16xlarge", 64, 256, 63770, 231018},
	{"g4dn.xlarge", 4, 16, 3920, 14481},
	{"g5.xlarge", 4, 16, 3920, 14162},
	{"g5.12xlarge", 48, 192, 47810, 173400},
	{"g5g.xlarge", 4, 8, 3920, 6525},
	{"g6.4xlarge", 16, 64, 15890, 57691},
	{"g6e.48xlarge", 192, 1536, 191450, 1449132},
	{"g7.2xlarge", 8, 32, 7910, 27161},
	{"g7.4xlarge", 16, 64, 15890, 54699},
	{"g7.8xlarge", 32, 128, 31850, 113934},
	{"g7.24xlarge", 96, 384, 95690, 346715},
	{"g7e.2xlarge", 8, 64, 7910, 57471},
	{"p4d.24xlarge", 96, 1152, 95690, 1082712},
	{"p5.4xlarge", 16, 256, 15890, 240830},
	{"p5.48xlarge", 192, 2048, 191450, 1938410},
	{"p6-b200.48xlarge", 192, 2048, 191450, 1937332},
	{"p6-b300.48xlarge", 192, 4096, 191450, 3877198},
	{"trn1.2xlarge", 8, 32, 7910, 29317},
	{"trn1.32xlarge", 128, 512, 127610, 481894},
	{"trn2.48xlarge", 192, 2048, 191450, 1938410},
}

// The training pod fits every node beside the pods of the system, and does not leave much of it idle.
func TestPodFitsNode(t *testing.T) {
	// Requested by the pods of the system on every node, and by those on nodes with accelerators: see room.go.
	const everywhere, accelerated, systemMemory = 460, 270, 153 + 128 + 2*64
	for _, node := range allocatable {
		it := Type{Name: node.name, Kind: NVIDIA, VCPU: node.vcpu, MemoryGiB: node.memoryGiB}
		others := everywhere + accelerated
		if processors, err := LookupProcessor(node.name); err == nil {
			it, others = processors, everywhere
			if it.VCPU != node.vcpu || it.MemoryGiB != node.memoryGiB {
				t.Errorf("%s has %d vCPU and %d GiB, want %d and %d", node.name, it.VCPU, it.MemoryGiB, node.vcpu, node.memoryGiB)
			}
		} else if !Accelerated(node.name) {
			t.Error(err)
		}
		if got := it.RequestMilli(); got+others > node.leftCPU || got < node.vcpu*500 {
			t.Errorf("%s: requests %dm CPU of %dm, beside %dm", node.name, got, node.leftCPU, others)
		}
		if got := it.FreeMiB(); got+systemMemory > node.leftMiB || got < node.leftMiB*3/4 {
			t.Errorf("%s: may use %d MiB of %d, beside %d", node.name, got, node.leftMiB, systemMemory)
		}
		if got := it.RequestMiB(); got > it.FreeMiB() || got < node.memoryGiB*1024/2 {
			t.Errorf("%s: requests %d MiB, may use %d", node.name, got, it.FreeMiB())
		}
	}
}

func TestLookupProcessor(t *testing.T) {
	for name, want := range map[string]Type{
		"m7i.large":    {VCPU: 2, MemoryGiB: 8, Architecture: x86, PlacementGroup: true},
		"m7g.4xlarge":  {VCPU: 16, MemoryGiB: 64, Architecture: arm, PlacementGroup: true},
		"c7i.48xlarge": {VCPU: 192, MemoryGiB: 384, Architecture: x86, PlacementGroup: true},
		// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html
		"m7i-flex.xlarge": {VCPU: 4, MemoryGiB: 16, Architecture: x86},
	} {
		got, err := LookupProcessor(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got.Name != name || got.VCPU != want.VCPU || got.MemoryGiB != want.MemoryGiB || got.Architecture != want.Architecture || got.PlacementGroup != want.PlacementGroup {
			t.Errorf("%s is %+v", name, got)
		}
		if got.Kind != None || got.Count != 0 || got.Processes != 1 || got.ResourceName() != "" || got.EFAInterfaces != 0 || !got.OnDemand || got.CapacityBlock {
			t.Errorf("%s has accelerators: %+v", name, got)
		}
		if wantAMI := map[string]string{x86: "AL2023_x86_64_STANDARD", arm: "AL2023_ARM_64_STANDARD"}[want.Architecture]; got.AMIType() != wantAMI {
			t.Errorf("%s runs %s", name, got.AMIType())
		}
	}
	for _, name := range []string{"m7i", "m7i.", "m7i.32xlarge", "m7i.3xlarge", "m7i.medium", "m7i.metal-24xl", "t3.large", "g5.xlarge", "p5.48xlarge", ""} {
		if _, err := LookupProcessor(name); err == nil {
			t.Errorf("%q is in the processor table", name)
		}
	}
	families := ProcessorFamilies()
	if !slices.IsSorted(families) || len(slices.Compact(slices.Clone(families))) != len(families) || len(families) < 20 {
		t.Errorf("families are %v", families)
	}
	for _, family := range families {
		if Accelerated(family+".large") || strings.Contains(family, ".") {
			t.Errorf("%s has accelerators", family)
		}
	}
}
