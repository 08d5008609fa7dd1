package settings

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Git servers for the scripts; with None there is no branch, and only the pods get the scripts.
const (
	GitHub = "github"
	GitLab = "gitlab"
)

// Git describes the branch that the training scripts are committed to.
type Git struct {
	Provider     string     // GitHub, GitLab or None
	BaseURL      string     // API of a self-managed server, with a slash at the end. Empty: github.com or gitlab.com
	Owner        string     // user or organization; on GitLab the group, for example a/b
	Repository   string     // name without the owner
	Branch       string     // to create or to adopt
	SourceBranch string     // from whose newest commit Branch is created; empty with SourceCommit
	SourceCommit string     // from which Branch is created; empty with SourceBranch
	Adopt        bool       // the branch exists: use it, and never delete it
	KeepBranch   bool       // retain the branch and its commits on destroy
	Token        SecretText // empty: the provider takes it from the environment
}

type rawGit struct {
	Provider   string     `json:"provider"`
	BaseURL    string     `json:"baseUrl"`
	Repository string     `json:"repository"` // with the owner
	Branch     string     `json:"branch"`     // with {stack}
	Source     string     `json:"source"`     // branch or commit
	Adopt      bool       `json:"adopt"`
	KeepBranch bool       `json:"keepBranch"`
	Token      SecretText `json:"token"`
}

func (g rawGit) resolve(stack string) Git {
	resolved := Git{
		Provider:   g.Provider,
		BaseURL:    g.BaseURL,
		Repository: g.Repository,
		Branch:     strings.ReplaceAll(g.Branch, "{stack}", stack),
		Adopt:      g.Adopt,
		KeepBranch: g.KeepBranch,
		Token:      g.Token,
	}
	if slash := strings.LastIndex(g.Repository, "/"); slash >= 0 {
		resolved.Owner, resolved.Repository = g.Repository[:slash], g.Repository[slash+1:]
	}
	if commitHash.MatchString(g.Source) {
		resolved.SourceCommit = g.Source
	} else {
		resolved.SourceBranch = g.Source
	}
	return resolved
}

// tokenVariable returns the environment variable from which the provider takes a token.
func (g Git) tokenVariable() string {
	if g.Provider == GitLab {
		return "GITLAB_TOKEN"
	}
	return "GITHUB_TOKEN"
}

var (
	ownerName      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	commitHash     = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	apiURL         = regexp.MustCompile(`^https://[^/\s]+/([^\s]*/)?$`)
	// slashed matches GitLab groups. branchName matches those branch names of
	// https://git-scm.com/docs/git-check-ref-format that need no escaping in the path of a URL.
	slashed    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
	branchName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+@-]*(/[A-Za-z0-9_][A-Za-z0-9_.+@-]*)*$`)
)

func (g rawGit) validate(p *field.Path, resolved Git, in input) field.ErrorList {
	errs := choice(p.Child("provider"), g.Provider, GitHub, GitLab, None)
	errs = append(errs, optional(p.Child("baseUrl"), g.BaseURL, apiURL,
		"the URL of an API with a slash at the end, for example https://git.example.com/api/v4/")...)
	errs = append(errs, validateBranch(p.Child("branch"), g.Branch, resolved.Branch)...)
	switch source := p.Child("source"); {
	case resolved.SourceCommit != "":
	case isAbbreviated(g.Source):
		errs = append(errs, field.Invalid(source, g.Source, "must be a branch, or a commit with all of its 40 digits"))
	default:
		errs = append(errs, validateBranch(source, g.Source, g.Source)...)
	}
	if resolved.Branch == g.Source {
		errs = append(errs, field.Invalid(p.Child("branch"), resolved.Branch,
			"must differ from "+p.Child("source").String()+"; the scripts need a branch of their own, for example training/{stack}"))
	} else if resolved.Branch == "main" || resolved.Branch == "master" || resolved.Branch == "HEAD" {
		errs = append(errs, field.Invalid(p.Child("branch"), resolved.Branch,
			"must not be the default branch; use another, for example training/{stack}"))
	}
	token := p.Child("token")
	errs = append(errs, mustBeSecret(token, g.Token, in.secretKeys)...)
	switch g.Provider {
	case None:
		if g.Token != "" {
			errs = append(errs, field.Forbidden(token, "is not used with git.provider none; remove it, or set git.provider"))
		}
	case GitHub, GitLab:
		errs = append(errs, g.validateRepository(p.Child("repository"), resolved)...)
		// Without a token the providers continue anonymously and fail with a misleading 404.
		if variable := resolved.tokenVariable(); g.Token == "" && in.environment(variable) == "" {
			errs = append(errs, field.Required(token,
				"run `pulumi config set --secret --path git.token`, set "+variable+" in the environment, "+
					"or set git.provider to none. The token needs write access to the repository"))
		}
	}
	return errs
}

func (g rawGit) validateRepository(p *field.Path, resolved Git) field.ErrorList {
	owner, must := ownerName, "must be owner/name, for example my-company/training-scripts"
	if g.Provider == GitLab {
		owner, must = slashed, "must be group/name, for example my-company/research/training-scripts"
	}
	if g.Repository == "" {
		return field.ErrorList{field.Required(p, "name an existing repository as owner/name, or set git.provider to none")}
	}
	name := resolved.Repository
	if !owner.MatchString(resolved.Owner) || !repositoryName.MatchString(name) || strings.HasSuffix(name, ".git") {
		return field.ErrorList{field.Invalid(p, g.Repository, must+"; omit the host and .git")}
	}
	return nil
}

// isAbbreviated reports whether a text looks like the first digits of a commit.
func isAbbreviated(text string) bool {
	const digits, letters = "0123456789", "abcdef"
	return len(text) >= 7 && strings.Trim(text, digits+letters) == "" && strings.ContainsAny(text, digits) && strings.ContainsAny(text, letters)
}

// validateBranch checks the name of a branch as it is with the stack filled in.
func validateBranch(p *field.Path, written, name string) field.ErrorList {
	switch {
	case name == "":
		return field.ErrorList{field.Required(p, "name a branch")}
	case strings.HasPrefix(name, "refs/"):
		return field.ErrorList{field.Invalid(p, written,
			"must be the name of a branch without refs/heads/, for example training/dev")}
	case !branchName.MatchString(name), len(name) > 200, strings.Contains(name, ".."),
		strings.HasSuffix(name, ".lock"), strings.HasSuffix(name, "."):
		return field.ErrorList{field.Invalid(p, written,
			"must be a branch name of letters, digits, single dots and slashes, and - _ + @")}
	}
	return nil
}
