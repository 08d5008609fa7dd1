package settings

import (
	"regexp"
	"strings"
)

// CI is the settings of the roles that GitHub Actions works as.
type CI struct {
	Repository         string   `json:"repository"`         // owner/name, or owner@id/name@id; empty: no CI roles
	Environment        string   `json:"environment"`        // GitHub environment that deploys; default: the stack's name
	Account            string   `json:"account"`            // name of the account that the roles are in
	CreateProvider     bool     `json:"createProvider"`     // make the account's OIDC provider; an account has one for GitHub
	StateBucketARN     string   `json:"stateBucketArn"`     // S3 bucket with Pulumi's state; empty: it is elsewhere
	StateKMSKeyARN     string   `json:"stateKmsKeyArn"`     // KMS key that encrypts the state or its secrets; empty: none
	DeployAssumeRoles  []string `json:"deployAssumeRoles"`  // ARNs of further roles that the deploy role may assume
	PreviewAssumeRoles []string `json:"previewAssumeRoles"` // ARNs of roles, read-only ones, that the preview role may assume
}

var (
	// GitHub's names, each with its number where the repository has immutable subjects,
	// as those made since 2026-07-15 have.
	// https://docs.github.com/en/actions/reference/security/oidc
	repository  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}(@[0-9]+)?/[A-Za-z0-9._-]{1,100}(@[0-9]+)?$`)
	environment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)
	bucketARN   = regexp.MustCompile(`^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`)
)

// DeploySubject is the subject of the tokens of workflows that deploy.
func (c CI) DeploySubject() string { return "repo:" + c.Repository + ":environment:" + c.Environment }

// PreviewSubject is the subject of the tokens of workflows for pull requests.
func (c CI) PreviewSubject() string { return "repo:" + c.Repository + ":pull_request" }

func (c *CI) check(f *faults, stack string, organization Organization) {
	if c.Environment == "" {
		c.Environment = stack
	}
	if c.Repository == "" {
		if c.StateBucketARN != "" || c.StateKMSKeyARN != "" || len(c.DeployAssumeRoles)+len(c.PreviewAssumeRoles) > 0 {
			f.add("ci.repository", "is empty, but other ci keys are set: name the repository, or remove them")
		}
		return
	}
	if !repository.MatchString(c.Repository) || strings.Count(c.Repository, "@") == 1 {
		f.add("ci.repository", "%q is neither owner/name nor owner@id/name@id (no URL, no pattern); `gh api repos/OWNER/NAME --jq '.owner.id, .id'` has the ids", c.Repository)
	}
	if !environment.MatchString(c.Environment) {
		f.add("ci.environment", "%q is not the name of an environment that a subject can hold: letters, digits, dots, _ and - (no pattern)", c.Environment)
	}
	if !organization.has(c.Account) {
		f.add("ci.account", "there is no account %q in organization.accounts%s", c.Account, suggest(c.Account, organization.AccountNames()))
	}
	if c.StateBucketARN != "" && !bucketARN.MatchString(c.StateBucketARN) {
		f.add("ci.stateBucketArn", "%q is not a bucket's ARN (arn:…:s3:::name)", c.StateBucketARN)
	}
	if c.StateKMSKeyARN != "" && !keyARN.MatchString(c.StateKMSKeyARN) {
		f.add("ci.stateKmsKeyArn", "%q is not a key's ARN (arn:…:kms:region:account:key/id)", c.StateKMSKeyARN)
	}
	for key, roles := range map[string][]string{"ci.deployAssumeRoles": c.DeployAssumeRoles, "ci.previewAssumeRoles": c.PreviewAssumeRoles} {
		for _, role := range roles {
			if !roleARN.MatchString(role) {
				f.add(key, "%q is not a role's ARN (arn:…:iam::account:role/name, no pattern)", role)
			}
		}
	}
	for _, role := range c.PreviewAssumeRoles {
		if organization.RoleName != "" && strings.HasSuffix(role, ":role/"+organization.RoleName) {
			f.add("ci.previewAssumeRoles", "%s is the role that deploys (organization.roleName), and anyone who opens a pull request would be it: name a read-only role", role)
		}
	}
}
