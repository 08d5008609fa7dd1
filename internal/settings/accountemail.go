package settings

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What AWS accepts as the name and e-mail address of an account to create, read 2026-11-26:
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_CreateAccount.html
//
// AWS also accepts $, { and } in an address. They are refused here because they are what a misspelled placeholder leaves,
// and an address can never be reused for another account.
var (
	accountName  = regexp.MustCompile(`^[ -~]{1,50}$`)
	accountEmail = regexp.MustCompile("^[A-Za-z0-9!#*+/=?^_`~-][A-Za-z0-9!#*+/=?^_`~.-]*@" +
		`([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
)

// validateAccountEmail checks the address of an account to create, with the placeholders of the template filled in.
func validateAccountEmail(p *field.Path, address string) field.ErrorList {
	if len(address) >= 6 && len(address) <= 64 && accountEmail.MatchString(address) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, address, "must be an e-mail address of 6 to 64 characters, name@domain; "+
		"organization.emailTemplate may contain {stack} and {account}")}
}
