package catalog

import "testing"

func TestStandardAMIType(t *testing.T) {
	for instanceType, want := range map[string]string{
		"a1.large": "AL2023_ARM_64_STANDARD", "t4g.medium": "AL2023_ARM_64_STANDARD", "m7g.large": "AL2023_ARM_64_STANDARD",
		"c6gn.xlarge": "AL2023_ARM_64_STANDARD", "m8gd.metal-24xl": "AL2023_ARM_64_STANDARD", "im4gn.large": "AL2023_ARM_64_STANDARD",
		"is4gen.medium": "AL2023_ARM_64_STANDARD", "x2gd.large": "AL2023_ARM_64_STANDARD", "hpc7g.4xlarge": "AL2023_ARM_64_STANDARD",
		"m6i.large": "AL2023_x86_64_STANDARD", "m7i-flex.large": "AL2023_x86_64_STANDARD", "c5n.large": "AL2023_x86_64_STANDARD",
		"g4dn.xlarge": "AL2023_x86_64_STANDARD", "r7a.large": "AL2023_x86_64_STANDARD", "t3.large": "AL2023_x86_64_STANDARD",
		"u-6tb1.112xlarge": "AL2023_x86_64_STANDARD", "x2idn.16xlarge": "AL2023_x86_64_STANDARD",
	} {
		if got := StandardAMIType(instanceType); got != want {
			t.Errorf("%s runs %s, want %s", instanceType, got, want)
		}
	}
}
