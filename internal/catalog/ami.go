package catalog

import "regexp"

// arm matches the instance types with an ARM processor: those with a g after the generation, for example m7g,
// c6gn and is4gen, and a1, the first of them.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
var arm = regexp.MustCompile(`^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)\.`)

// StandardAMIType returns the EKS AMI type of an instance type without accelerators: AL2023 for its processor.
// Types with accelerators have a driver in their image; accelerator.Type.AMIType returns theirs.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html, checked 2026-11-25
func StandardAMIType(instanceType string) string {
	if arm.MatchString(instanceType) {
		return "AL2023_ARM_64_STANDARD"
	}
	return "AL2023_x86_64_STANDARD"
}

// RootDevice is the root volume of an AL2023 node.
// https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html, checked 2026-11-25
const RootDevice = "/dev/xvda"
