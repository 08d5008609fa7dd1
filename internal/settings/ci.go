package settings

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// CI describes the roles that GitHub Actions assumes.
type CI struct {
	Repository         string   // owner/name, or owner@id/name@id. Empty: no CI roles
	Environment        string   // GitHub environment of the workflows that deploy
	Account            string   // name of the account of the roles
	CreateProvider     bool     // create the OIDC provider for GitHub; an account has one at most
	StateBucketARN     string   // S3 bucket with Pulumi's state; empty: it is elsewhere
	StateKMSKeyARN     string   // KMS key that encrypts the state or its secrets; empty: none
	DeployAssumeRoles  []string // ARNs of further roles that the deploy role may assume
	PreviewAssumeRoles []string // ARNs of read-only roles that the preview role may assume
}

// DeploySubject returns the token subject of workflows that deploy.
func (c CI) DeploySubject() string { return "repo:" + c.Repository + ":environment:" + c.Environment }

// PreviewSubject returns the token subject of workflows for pull requests.
func (c CI) PreviewSubject() string { return "repo:" + c.Repository + ":pull_request" }

type rawCI struct {
	Repository         string   `json:"repository"`
	Environment        string   `json:"environment"` // default: the stack's name
	Account            string   `json:"account"`
	CreateProvider     bool     `json:"createProvider"`
	StateBucketARN     string   `json:"stateBucketArn"`
	StateKMSKeyARN     string   `json:"stateKmsKeyArn"`
	DeployAssumeRoles  []string `json:"deployAssumeRoles"`
	PreviewAssumeRoles []string `json:"previewAssumeRoles"`
}

func (c rawCI) resolve(stack string) CI {
	if c.Environment == "" {
		c.Environment = stack
	}
	return CI(c)
}

var (
	// GitHub's names, with ids where the repository has immutable subjects, as all created since 2026-07-15 have.
	// https://docs.github.com/en/actions/reference/security/oidc
	repository  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}(@[0-9]+)?/[A-Za-z0-9._-]{1,100}(@[0-9]+)?$`)
	environment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)
)

func (c rawCI) validate(p *field.Path, resolved CI, organization Organization, in input) field.ErrorList {
	repositoryKey, deploy, preview := p.Child("repository"), p.Child("deployAssumeRoles"), p.Child("previewAssumeRoles")
	if c.Repository == "" {
		if c.StateBucketARN != "" || c.StateKMSKeyARN != "" || len(c.DeployAssumeRoles)+len(c.PreviewAssumeRoles) > 0 {
			return field.ErrorList{field.Required(repositoryKey,
				"other ci keys have no effect without it: set it, or remove them")}
		}
		return nil
	}
	errs := slices.Concat(
		match(p.Child("environment"), resolved.Environment, environment,
			"the name of a GitHub environment, not a pattern: letters, digits, dots, _ and -"),
		knownAccount(p.Child("account"), c.Account, organization, in),
		bucketARN.optional(p.Child("stateBucketArn"), c.StateBucketARN),
		keyARN.optional(p.Child("stateKmsKeyArn"), c.StateKMSKeyARN),
		unique(deploy, c.DeployAssumeRoles),
		unique(preview, c.PreviewAssumeRoles),
	)
	if !repository.MatchString(c.Repository) || strings.Count(c.Repository, "@") == 1 {
		errs = append(errs, field.Invalid(repositoryKey, c.Repository,
			"must be owner/name or owner@id/name@id, not a URL or a pattern; `gh api repos/OWNER/NAME --jq "+
				"'.owner.id, .id'` prints the ids"))
	}
	for i, role := range c.DeployAssumeRoles {
		errs = append(errs, roleARN.check(deploy.Index(i), role)...)
	}
	for i, role := range c.PreviewAssumeRoles {
		errs = append(errs, roleARN.check(preview.Index(i), role)...)
		if sameRole(role, organization.RoleName) {
			errs = append(errs, field.Invalid(preview.Index(i), role,
				"must not be organization.roleName, since anyone who opens a pull request could deploy; use a read-only role"))
		}
	}
	return errs
}
