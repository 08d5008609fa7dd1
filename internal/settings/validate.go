package settings

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/catalog"
)

// between checks that a number lies within limits, both included.
func between(p *field.Path, value, least, most int) field.ErrorList {
	if value >= least && value <= most {
		return nil
	}
	return field.ErrorList{field.Invalid(p, value, fmt.Sprintf("must be between %d and %d", least, most))}
}

// cutNumber matches what YAML may have made of a number with a zero at its end: unquoted, it reads 1.40 as 1.4.
var cutNumber = regexp.MustCompile(`^[0-9]+\.[0-9]$`)

// choice checks that a value is one of the options.
func choice(p *field.Path, value string, options ...string) field.ErrorList {
	if slices.Contains(options, value) {
		return nil
	}
	way := suggest(value, options)
	if cutNumber.MatchString(value) {
		way = "; quote it, so that YAML keeps a zero at its end"
	}
	return field.ErrorList{field.Invalid(p, value, "must be one of "+strings.Join(options, ", ")+way)}
}

// match checks a value against a pattern. must completes "must be".
func match(p *field.Path, value string, pattern *regexp.Regexp, must string) field.ErrorList {
	if pattern.MatchString(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, value, "must be "+must)}
}

// optional is match for a value that may be empty.
func optional(p *field.Path, value string, pattern *regexp.Regexp, must string) field.ErrorList {
	if value == "" {
		return nil
	}
	return match(p, value, pattern, must)
}

// unique checks that a list has no value twice.
func unique[T comparable](p *field.Path, list []T) field.ErrorList {
	var errs field.ErrorList
	for i, value := range list {
		if slices.Contains(list[:i], value) {
			errs = append(errs, field.Duplicate(p.Index(i), value))
		}
	}
	return errs
}

// account checks an AWS account id, which may be empty.
func account(p *field.Path, id string) field.ErrorList {
	return optional(p, id, accountID, "an AWS account id of 12 digits; quote it, so that YAML keeps a leading zero")
}

// isName reports whether a name can be part of a DNS name and starts with a letter.
func isName(name string, longest int) bool {
	return len(name) <= longest && len(validation.IsDNS1035Label(name)) == 0
}

// entryName checks the name of an entry that becomes part of a logical name.
func entryName(p *field.Path, name string) field.ErrorList {
	if len(name) <= 40 && len(validation.IsDNS1123Label(name)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(p, name, "must have a name of 1 to 40 lower-case letters, digits and hyphens")}
}

// mustBeSecret checks that a secret was set with --secret.
func mustBeSecret(p *field.Path, value SecretText, secretKeys []string) field.ErrorList {
	if value == "" || slices.ContainsFunc(secretKeys, func(key string) bool { return within(p.String(), key) }) {
		return nil
	}
	return field.ErrorList{field.Forbidden(p,
		fmt.Sprintf("is stored in plain text in the stack file; run `pulumi config set --secret --path %s`, and "+
			"rotate the old value", p))}
}

// cidrRange checks an IPv4 range, for example 203.0.113.0/24.
func cidrRange(p *field.Path, text string) field.ErrorList {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(p, text,
			"must be a CIDR range, for example 203.0.113.0/24; a single address is a /32")}
	case !prefix.Addr().Is4():
		return field.ErrorList{field.Invalid(p, text, "must be an IPv4 range, since the endpoint has no IPv6 address")}
	case prefix != prefix.Masked():
		return field.ErrorList{field.Invalid(p, text,
			"must start at the first address of the range; write "+prefix.Masked().String())}
	}
	return nil
}

// arnKind describes the ARNs of one kind of resource.
type arnKind struct {
	service  string
	regional bool           // the ARN has a region
	account  bool           // the ARN has an account id
	resource *regexp.Regexp // last part of the ARN
	must     string         // completes "must be"
}

var (
	roleARN = arnKind{"iam", false, true, regexp.MustCompile(`^role/[A-Za-z0-9+=,.@_/-]{1,512}$`),
		"the ARN of a role, for example arn:aws:iam::111122223333:role/reader"}
	principalARN = arnKind{"iam", false, true, regexp.MustCompile(`^(role|user)/[A-Za-z0-9+=,.@_/-]{1,512}$`),
		"the ARN of a role or user, for example arn:aws:iam::111122223333:role/research"}
	keyARN = arnKind{"kms", true, true, regexp.MustCompile(`^key/[A-Za-z0-9-]+$`),
		"the ARN of a KMS key, for example arn:aws:kms:us-west-2:111122223333:key/…; an alias or an id is not enough"}
	topicARN = arnKind{"sns", true, true, regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`),
		"the ARN of a standard SNS topic, for example arn:aws:sns:us-east-1:111122223333:budgets"}
	bucketARN = arnKind{"s3", false, false, regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`),
		"the ARN of a bucket, for example arn:aws:s3:::pulumi-state"}
)

// optional checks an ARN, which may be empty.
func (k arnKind) optional(p *field.Path, text string) field.ErrorList {
	if text == "" {
		return nil
	}
	return k.check(p, text)
}

func (k arnKind) check(p *field.Path, text string) field.ErrorList {
	a, err := arn.Parse(text)
	if err == nil && a.Partition == catalog.Partition && a.Service == k.service && (a.Region != "") == k.regional &&
		(accountID.MatchString(a.AccountID) || !k.account && a.AccountID == "") && k.resource.MatchString(a.Resource) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, text, "must be "+k.must)}
}

// sameRole reports whether an ARN names a role that has the name, without a path.
func sameRole(text, role string) bool {
	a, err := arn.Parse(text)
	return err == nil && role != "" && a.Service == "iam" && a.Resource == "role/"+role
}
