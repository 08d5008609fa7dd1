package settings

import (
	"fmt"
	"regexp"
	"strings"
)

// Where the scripts' branch is.
const (
	GitHub = "github"
	GitLab = "gitlab"
	NoGit  = "none" // scripts go to the pods only
)

// Git is the settings of the branch that the training scripts are delivered to.
type Git struct {
	Provider     string     `json:"provider"`     // GitHub, GitLab or NoGit
	BaseURL      string     `json:"baseUrl"`      // of the API of a server of one's own, with a slash at the end. Empty: github.com, gitlab.com
	Owner        string     `json:"owner"`        // user or organization; on GitLab the group, as a/b
	Repository   string     `json:"repository"`   // name without the owner
	Branch       string     `json:"branch"`       // {stack} is filled in
	SourceBranch string     `json:"sourceBranch"` // that the branch begins at
	SourceCommit string     `json:"sourceCommit"` // that the branch begins at. Empty: the newest of SourceBranch
	Adopt        bool       `json:"adopt"`        // the branch is there already: use it, and never delete it
	KeepBranch   bool       `json:"keepBranch"`   // leave the branch and its commits in place on destroy
	Token        SecretText `json:"token"`        // empty: from the environment
}

// TokenVariable is the environment variable that a token may come from.
func (g Git) TokenVariable() string {
	if g.Provider == GitLab {
		return "GITLAB_TOKEN"
	}
	return "GITHUB_TOKEN"
}

// CheckToken checks that there is a token. Without one the providers would go on
// anonymously and end in a misleading 404.
func (g Git) CheckToken(environment func(string) string) error {
	if g.Provider == NoGit || g.Token != "" || environment(g.TokenVariable()) != "" {
		return nil
	}
	return fmt.Errorf("git.token: is missing: `pulumi config set --secret --path git.token`, or set %s in the environment "+
		"(it needs to write to %s/%s); git.provider none does without a branch", g.TokenVariable(), g.Owner, g.Repository)
}

var (
	ownerName      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	groupName      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	commitHash     = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	apiURL         = regexp.MustCompile(`^https://[^/\s]+/([^\s]*/)?$`)
	// A part of https://git-scm.com/docs/git-check-ref-format that needs no escaping in an address.
	branchName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
)

func (g *Git) check(f *faults, stack string) {
	f.choice("git.provider", g.Provider, GitHub, GitLab, NoGit)
	f.mustBeSecret("git.token", g.Token)
	g.Branch = strings.ReplaceAll(g.Branch, "{stack}", stack)
	if g.BaseURL != "" && !apiURL.MatchString(g.BaseURL) {
		f.add("git.baseUrl", "%q is not the address of an API: https:// and a slash at the end, as https://git.example.com/api/v4/", g.BaseURL)
	}
	checkBranch(f, "git.branch", g.Branch)
	checkBranch(f, "git.sourceBranch", g.SourceBranch)
	if g.SourceCommit != "" && !commitHash.MatchString(g.SourceCommit) {
		f.add("git.sourceCommit", "%q is not a whole commit hash: 40 hexadecimal digits", g.SourceCommit)
	}
	switch {
	case g.Branch == g.SourceBranch:
		f.add("git.branch", "%q is also git.sourceBranch: the scripts get a branch of their own, as training/{stack}", g.Branch)
	case g.Branch == "main" || g.Branch == "master" || g.Branch == "HEAD":
		f.add("git.branch", "%q is, or looks like, the default branch, which is not for a program to write to: choose another, as training/{stack}", g.Branch)
	}
	if g.Provider == NoGit {
		if g.Token != "" {
			f.add("git.token", "is set, but git.provider none uses none: remove it, or set git.provider")
		}
		return
	}
	g.checkRepository(f)
}

func (g *Git) checkRepository(f *faults) {
	const ownerKey, repositoryKey = "git.owner", "git.repository"
	owner, sort := ownerName, "user or organization, as my-company"
	if g.Provider == GitLab {
		owner, sort = groupName, "group, as a or a/b"
	}
	switch {
	case g.Owner == "":
		f.add(ownerKey, "is missing: the %s that the repository belongs to (or set git.provider to none)", sort)
	case !owner.MatchString(g.Owner):
		f.add(ownerKey, "%q is not the name of a %s", g.Owner, sort)
	}
	switch {
	case g.Repository == "":
		f.add(repositoryKey, "is missing: the name of an existing repository (or set git.provider to none)")
	case strings.Contains(g.Repository, "/"):
		f.add(repositoryKey, "%q has a slash: give the bare name, and its owner in %s", g.Repository, ownerKey)
	case !repositoryName.MatchString(g.Repository) || strings.HasSuffix(g.Repository, ".git"):
		f.add(repositoryKey, "%q is not a repository's name: letters, digits, dots, hyphens and underscores, without .git", g.Repository)
	}
}

func checkBranch(f *faults, key, name string) {
	switch {
	case name == "":
		f.add(key, "is missing: the name of a branch")
	case strings.HasPrefix(name, "refs/"):
		f.add(key, "%q is a whole reference: give the bare name, as training/dev", name)
	case !branchName.MatchString(name) || len(name) > 200 || strings.Contains(name, "..") || strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, "."):
		f.add(key, "%q is not a branch's name: letters, digits, and single dots, hyphens, underscores and slashes between them", name)
	}
}
