package settings

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// CI describes the roles that GitHub Actions or GitLab pipelines assume.
type CI struct {
	Server             string // GitHub or GitLab
	Issuer             string // of the tokens, as a URL without https://, for example gitlab.com
	Audience           string // of the tokens
	Repository         string // owner/name, or owner@id/name@id; on GitLab with all groups. Empty: no CI roles
	Environment        string // GitHub environment, or protected branch on GitLab, of the workflows that deploy
	Reviewers          Reviewers
	Account            string   // name of the account of the roles
	CreateProvider     bool     // create the OIDC provider for the issuer; an account has one at most
	StateBucketARN     string   // S3 bucket with Pulumi's state; empty: it is elsewhere
	StateKMSKeyARN     string   // KMS key that encrypts the state or its secrets; empty: none
	DeployAssumeRoles  []string // ARNs of further roles that the deploy role may assume
	PreviewAssumeRoles []string // ARNs of read-only roles that the preview role may assume
}

// HomeAccount returns the name of the account of the CI roles, or an empty string without any.
func (c CI) HomeAccount() string {
	if c.Repository == "" {
		return ""
	}
	return c.Account
}

// DeploySubject returns the token subject of workflows that deploy.
// https://docs.github.com/en/actions/reference/security/oidc,
// https://docs.gitlab.com/ci/secrets/id_token_authentication/, read 2026-11-26
func (c CI) DeploySubject() string {
	if c.Server == GitLab {
		return "project_path:" + c.Repository + ":ref_type:branch:ref:" + c.Environment
	}
	return "repo:" + c.Repository + ":environment:" + c.Environment
}

// PreviewSubjects returns the token subjects of workflows that preview. On GitHub it is those in two environments of the stack.
// GitLab's subjects name a branch and not a merge request, so there it is a pattern for all branches of the project.
func (c CI) PreviewSubjects() []string {
	if c.Server == GitLab {
		return []string{"project_path:" + c.Repository + ":ref_type:branch:ref:*"}
	}
	var subjects []string
	for _, e := range c.Environments()[1:] {
		subjects = append(subjects, "repo:"+c.Repository+":environment:"+e.Name)
	}
	return subjects
}

type rawCI struct {
	Repository         string    `json:"repository"`
	Environment        string    `json:"environment"` // default: the stack's name; on GitLab main
	Reviewers          Reviewers `json:"reviewers"`
	Account            string    `json:"account"` // default: deployment or training
	CreateProvider     bool      `json:"createProvider"`
	StateBucketARN     string    `json:"stateBucketArn"`
	StateKMSKeyARN     string    `json:"stateKmsKeyArn"`
	DeployAssumeRoles  []string  `json:"deployAssumeRoles"`
	PreviewAssumeRoles []string  `json:"previewAssumeRoles"`
}

func (c rawCI) resolve(stack string, git Git, accounts map[string]Account) CI {
	resolved := CI{
		Repository: c.Repository, Environment: c.Environment, Reviewers: c.Reviewers, Account: c.Account, CreateProvider: c.CreateProvider,
		StateBucketARN: c.StateBucketARN, StateKMSKeyARN: c.StateKMSKeyARN,
		DeployAssumeRoles: c.DeployAssumeRoles, PreviewAssumeRoles: c.PreviewAssumeRoles,
	}
	if c.Account == "" {
		resolved.Account = TrainingAccount
		if _, ok := accounts[deploymentAccount]; ok {
			resolved.Account = deploymentAccount
		}
	}
	resolved.Server, resolved.Issuer, resolved.Audience = issuer(git)
	switch {
	case c.Environment != "":
	case resolved.Server == GitLab:
		resolved.Environment = "main"
	default:
		resolved.Environment = stack
	}
	return resolved
}

// issuer returns the kind of the server with the CI workflows, which is that of git.provider and git.baseUrl, with the
// issuer and audience of its OIDC tokens.
//
//   - GitHub: https://docs.github.com/en/actions/reference/security/oidc, with a subdomain of GHE.com
//     https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom, on GitHub
//     Enterprise Server https://docs.github.com/en/enterprise-server@latest/actions/reference/security/oidc
//   - GitLab: https://docs.gitlab.com/ci/cloud_services/aws/
//
// Read 2026-11-26. IAM fetches the issuer's keys itself, so it must be reachable from the internet. The issuer of a GitLab
// below a path, for example https://acme.example/gitlab/api/v4/, has that path too.
func issuer(git Git) (server, issuer, audience string) {
	host, path := "", ""
	if base, err := url.Parse(git.BaseURL); err == nil && apiURL.MatchString(git.BaseURL) {
		host = strings.ToLower(base.Host)
		path = strings.TrimSuffix(strings.TrimSuffix(base.Path, "/"), "/api/v4")
	}
	if git.Provider == GitLab {
		server := cmp.Or(host, "gitlab.com") + path
		return GitLab, server, "https://" + server
	}
	const audienceOfSTS = "sts.amazonaws.com"
	switch {
	case host == "" || host == "github.com" || host == "api.github.com":
		return GitHub, "token.actions.githubusercontent.com", audienceOfSTS
	case strings.HasSuffix(host, ".ghe.com"):
		return GitHub, "token.actions." + strings.TrimPrefix(host, "api."), audienceOfSTS
	default:
		return GitHub, host + "/_services/token", audienceOfSTS
	}
}

// API URLs from which issuer can tell the URL of the server.
var (
	gitHubAPI = regexp.MustCompile(`^https://[A-Za-z0-9.-]+(:[0-9]+)?(/api/v3)?/$`)
	gitLabAPI = regexp.MustCompile(`^https://[A-Za-z0-9.-]+(:[0-9]+)?((/[A-Za-z0-9_][A-Za-z0-9_.-]*)*/api/v4)?/$`)
)

// validateIssuer checks that git.baseUrl, if set, tells which server's tokens the CI roles trust.
func validateIssuer(p *field.Path, git Git) field.ErrorList {
	pattern, must := gitHubAPI, "https://HOST/api/v3/ (GitHub Enterprise Server) or https://HOST/ (GHE.com)"
	if git.Provider == GitLab {
		pattern, must = gitLabAPI, "https://HOST/api/v4/, or https://HOST/PATH/api/v4/ for a server below a path"
	}
	if !apiURL.MatchString(git.BaseURL) { // empty, or refused as it is
		return nil
	}
	return match(p, git.BaseURL, pattern, must+", since the CI roles trust the tokens of this server; "+
		"correct it, or remove the ci keys")
}

var (
	// GitHub's names, with ids where the repository has immutable subjects: those created or renamed since 2026-07-15,
	// and those that opted in. GitHub Enterprise Server has none.
	// https://docs.github.com/en/actions/reference/security/oidc, read 2026-11-26
	repository  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,38}(@[0-9]+)?/[A-Za-z0-9._-]{1,100}(@[0-9]+)?$`)
	environment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)
	// project matches a GitLab project with its groups.
	project = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$`)
)

func (c rawCI) validate(p *field.Path, s Settings, in input) field.ErrorList {
	organization := s.Organization
	repositoryKey, deploy, preview := p.Child("repository"), p.Child("deployAssumeRoles"), p.Child("previewAssumeRoles")
	if c.Repository == "" {
		if organization.Mode == None && strings.HasPrefix(organization.PreviewRoleName, projectName+"-"+in.stack+"-") {
			return field.ErrorList{field.Required(repositoryKey,
				"with organization.mode none, the stack's organization.previewRoleName trusts the CI preview role only. Set it, or name an existing role")}
		}
		if !c.Reviewers.Empty() || c.StateBucketARN != "" || c.StateKMSKeyARN != "" || len(c.DeployAssumeRoles)+len(c.PreviewAssumeRoles) > 0 {
			return field.ErrorList{field.Required(repositoryKey,
				"other ci keys have no effect without it: set it, or remove them")}
		}
		return nil
	}
	errs := slices.Concat(
		validateIssuer(field.NewPath("git", "baseUrl"), s.Git),
		s.CI.validateRepository(repositoryKey, p.Child("environment")),
		s.CI.validateReviewers(p.Child("reviewers"), s.Git, in),
		knownAccount(p.Child("account"), s.CI.Account, organization, in),
		bucketARN.optional(p.Child("stateBucketArn"), c.StateBucketARN),
		keyARN.optional(p.Child("stateKmsKeyArn"), c.StateKMSKeyARN),
		unique(deploy, c.DeployAssumeRoles),
		unique(preview, c.PreviewAssumeRoles),
	)
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

// validateRepository checks what the roles' trust names: the repository and the environment or branch.
func (c CI) validateRepository(repositoryKey, environmentKey *field.Path) field.ErrorList {
	if c.Server == GitLab {
		errs := match(environmentKey, c.Environment, slashed,
			"the name of a protected branch, not a pattern, since git.provider is gitlab: letters, digits, dots, _, - and /")
		if !project.MatchString(c.Repository) {
			errs = append(errs, field.Invalid(repositoryKey, c.Repository,
				"must be a project of "+c.Issuer+" with its groups, for example my-company/research/platform, since git.provider is gitlab, not a URL or a pattern"))
		}
		return errs
	}
	errs := match(environmentKey, c.Environment, environment,
		"the name of a GitHub environment, not a pattern: letters, digits, dots, _ and -")
	const ids = "; `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids"
	switch at := strings.Count(c.Repository, "@"); {
	case !repository.MatchString(c.Repository) || at == 1:
		errs = append(errs, field.Invalid(repositoryKey, c.Repository,
			"must be owner/name or owner@id/name@id, not a URL or a pattern"+ids))
	case at == 2 && strings.HasSuffix(c.Issuer, "/_services/token"):
		errs = append(errs, field.Invalid(repositoryKey, c.Repository,
			"must be owner/name without ids, since git.baseUrl is a GitHub Enterprise Server, which has no immutable subjects"))
	}
	return errs
}
