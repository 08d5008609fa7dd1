package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// platformTags are the tags that the program sets itself.
var platformTags = []string{"Environment", "ManagedBy", "Project"}

// maxTags is how many tags an S3 object may have, which is the lowest limit of the platform's resources.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html, read 2026-11-22
const maxTags = 10

// The tags are on every resource, so the narrowest rules of all services apply: DataSync's patterns (ASCII, no @ in a
// key, no empty value; API_TagListEntry), EC2's length of a key (Using_Tags.html#tag-restrictions), and EKS's
// prohibition of the prefix aws: in values too (API_CreateCluster). Read 2026-11-26 in botocore 1.44.8.
var (
	tagKey   = regexp.MustCompile(`^[A-Za-z0-9+=._:/ -]{1,127}$`)
	tagValue = regexp.MustCompile(`^[A-Za-z0-9+=._:@/ -]{1,256}$`)
)

func validateTags(p *field.Path, tags map[string]string) field.ErrorList {
	var errs field.ErrorList
	if most := maxTags - len(platformTags); len(tags) > most {
		errs = append(errs, field.Invalid(p, len(tags),
			fmt.Sprintf("must be at most %d tags; an S3 object may have %d, including %s", most, maxTags, strings.Join(platformTags, ", "))))
	}
	spelled := map[string]string{} // a name by its lower case: IAM takes names that differ only in case for one
	for _, name := range sortedKeys(tags) {
		at, value, lower := entry(p, name), tags[name], strings.ToLower(name)
		other, taken := spelled[lower]
		switch {
		case !tagKey.MatchString(name) || strings.TrimSpace(name) != name:
			errs = append(errs, field.Invalid(at, name, "must have a name of 1 to 127 characters that every service accepts: "+
				"ASCII letters, digits, spaces and + - = . _ : /"))
		case strings.HasPrefix(lower, "aws:"):
			errs = append(errs, field.Forbidden(at, "names that start with aws: are reserved; choose another name"))
		case slices.ContainsFunc(platformTags, func(own string) bool { return strings.EqualFold(name, own) }):
			errs = append(errs, field.Forbidden(at, "is set by the platform; choose another name"))
		case taken:
			errs = append(errs, field.Invalid(at, name, "must differ from "+other+" in more than upper and lower case"))
		}
		spelled[lower] = name
		switch {
		case value == "":
			errs = append(errs, field.Required(at, "a tag without a value is refused by DataSync and dropped by the AWS provider: set it, or remove the tag"))
		case !tagValue.MatchString(value):
			errs = append(errs, field.Invalid(at, value, "must be 1 to 256 characters that every service accepts: "+
				"ASCII letters, digits, spaces and + - = . _ : / @"))
		case strings.HasPrefix(strings.ToLower(value), "aws:"):
			errs = append(errs, field.Invalid(at, value, "must not start with aws:, which is reserved"))
		}
	}
	return errs
}
