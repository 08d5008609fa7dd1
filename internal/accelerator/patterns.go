package accelerator

import "strings"

// Patterns returns patterns for the names of all accelerated EC2 instance types, future ones included, and of no others:
// the families P, G, Gr, VT, Trn, Inf, DL and F of AWS's "accelerated computing". They are for policies, where * matches
// anything.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html
func Patterns() []string {
	return []string{"p*", "g*", "vt*", "trn*", "inf*", "dl*", "f1.*", "f2.*"}
}

// Accelerated reports whether an instance type has accelerators. It need not be in the table.
func Accelerated(instanceType string) bool {
	for _, pattern := range Patterns() {
		if strings.HasPrefix(instanceType, strings.TrimSuffix(pattern, "*")) {
			return true
		}
	}
	return false
}
