package settings

import (
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Roles lists who may assume the roles for everyday work, as ARNs of IAM roles and users, or as patterns of the roles of
// IAM Identity Center. A role without anybody is not created.
type Roles struct {
	Scientists   []string `json:"scientists"`
	ImagePushers []string `json:"imagePushers"`
}

// permissionSet matches the role of one permission set of IAM Identity Center in one account. Its name ends in 16 digits
// that change when the permission set is assigned anew. Only AWS can create roles below this path, so that * admits nobody else.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html, read 2026-11-26
var permissionSet = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:role/aws-reserved/sso\.amazonaws\.com/([a-z0-9-]+/)?AWSReservedSSO_[A-Za-z0-9+=,.@-][A-Za-z0-9+=,.@_-]{0,31}_\*$`)

func (r Roles) validate(p *field.Path) field.ErrorList {
	return slices.Concat(validateTrusted(p.Child("scientists"), r.Scientists), validateTrusted(p.Child("imagePushers"), r.ImagePushers))
}

func validateTrusted(p *field.Path, principals []string) field.ErrorList {
	errs := unique(p, principals)
	for i, principal := range principals {
		if !permissionSet.MatchString(principal) {
			errs = append(errs, trustedARN.check(p.Index(i), principal)...)
		}
	}
	return errs
}

var trustedARN = arnKind{"iam", false, true, principalARN.resource,
	"the ARN of a role or user; * is only allowed at the end of a permission set's role, for example " +
		"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Research_*"}
