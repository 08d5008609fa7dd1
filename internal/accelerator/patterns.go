package accelerator

import "strings"

// Patterns match the names of all accelerated EC2 instance types, those to come
// included, and no others: the families P, G and Gr, VT, Trn, Inf, DL and F of AWS's
// "accelerated computing". They are for policies, where * stands for anything.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html
func Patterns() []string {
	return []string{"p*", "g*", "vt*", "trn*", "inf*", "dl*", "f1.*", "f2.*"}
}

// Accelerated says whether a pattern matches the instance type, which need not be in
// the table.
func Accelerated(instanceType string) bool {
	for _, pattern := range Patterns() {
		if strings.HasPrefix(instanceType, strings.TrimSuffix(pattern, "*")) {
			return true
		}
	}
	return false
}
