package policy

import (
	"slices"
	"testing"
)

// Roles of a stack are exempt from the VPC, or bound to it, by a pattern that no role of another stack matches.
func TestNewNetwork(t *testing.T) {
	const account = "111122223333"
	arn := func(role string) string { return "arn:aws:iam::" + account + ":role/" + role }
	for name, c := range map[string]struct {
		got, want Network
	}{
		"no VPC": {NewNetwork("aws", account, "llm-dev", "", "Deploy", nil), Network{}},
		"a role deploys": {NewNetwork("aws", account, "llm-dev", "vpc-1", "Deploy", []string{"team/Admin", "stacksets-*"}), Network{VPC: "vpc-1", Exempt: []string{
			arn("Deploy"), arn("llm-dev-roles-scientist-???????"), arn("llm-dev-sagemaker-role-???????"), arn("llm-dev-storage-transfer-???????"),
			arn("stacksets-*"), arn("team/Admin"),
		}}},
		"anybody deploys": {NewNetwork("aws", account, "llm-dev", "vpc-1", "", []string{"Admin"}), Network{VPC: "vpc-1", Bound: []string{
			arn("llm-dev-cluster-node-role-???????"), arn("llm-dev-training-role-???????"),
		}}},
	} {
		if c.got.VPC != c.want.VPC || !slices.Equal(c.got.Exempt, c.want.Exempt) || !slices.Equal(c.got.Bound, c.want.Bound) {
			t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
		}
	}
}
