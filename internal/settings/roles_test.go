package settings

import "testing"

// Those who may assume a role are accepted in the forms that AWS gives them.
func TestTrustedPrincipals(t *testing.T) {
	for _, principal := range []string{
		"arn:aws:iam::123456789012:role/research",
		"arn:aws:iam::123456789012:role/team/research",
		"arn:aws:iam::123456789012:user/ada",
		"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Research_0123456789abcdef",
		"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Research_*",
		"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Deep_Learning_*",
	} {
		set := map[string]any{"roles.scientists": []any{principal}, "roles.imagePushers": []any{principal}}
		if _, err := Load("dev", with(t, "dev", set), nil, token); err != nil {
			t.Errorf("%s: %v", principal, err)
		}
	}
}
