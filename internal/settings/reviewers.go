package settings

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reviewers are those who approve jobs in the GitHub environments of a stack, by id.
type Reviewers struct {
	Users []int `json:"users"`
	Teams []int `json:"teams"`
}

// Empty reports whether there is nobody.
func (r Reviewers) Empty() bool { return len(r.Users)+len(r.Teams) == 0 }

// Several reports whether somebody else can approve what one of them has started.
func (r Reviewers) Several() bool { return len(r.Users) > 1 || len(r.Teams) > 0 }

// Environment is a GitHub environment of a stack.
type Environment struct {
	Name          string
	Reviewed      bool // a job waits for a reviewer
	DefaultBranch bool // jobs of the default branch only
}

// Environments returns the GitHub environments of a stack: one in which it is deployed, and two for the preview role, one of
// pull requests and one of nightly runs.
func (c CI) Environments() []Environment {
	return []Environment{
		{Name: c.Environment, Reviewed: true, DefaultBranch: true},
		{Name: c.Environment + "-preview", Reviewed: true},
		{Name: c.Environment + "-drift", DefaultBranch: true},
	}
}

// OwnerAndName returns the two parts of a repository on GitHub, without ids.
func (c CI) OwnerAndName() (owner, name string) {
	owner, name, _ = strings.Cut(c.Repository, "/")
	owner, _, _ = strings.Cut(owner, "@")
	name, _, _ = strings.Cut(name, "@")
	return owner, name
}

// mostReviewers of an environment. https://docs.github.com/en/rest/deployments/environments, read 2026-11-26
const mostReviewers = 6

func (c CI) validateReviewers(p *field.Path, git Git, in input) (errs field.ErrorList) {
	r := c.Reviewers
	if r.Empty() {
		return nil
	}
	if c.Server == GitLab {
		return field.ErrorList{field.Forbidden(p, "is for GitHub, and git.provider is gitlab; protect the branch of ci.environment in GitLab instead")}
	}
	if n := len(r.Users) + len(r.Teams); n > mostReviewers {
		errs = append(errs, field.Invalid(p, n, fmt.Sprintf("must be %d users and teams together at most", mostReviewers)))
	}
	errs = append(errs, validateIDs(p.Child("users"), r.Users)...)
	errs = append(errs, validateIDs(p.Child("teams"), r.Teams)...)
	if git.Token == "" && in.environment("GITHUB_TOKEN") == "" {
		errs = append(errs, field.Required(field.NewPath("git", "token"), "ci.reviewers needs a token that may administer ci.repository: "+
			"set GITHUB_TOKEN in the environment, or remove ci.reviewers"))
	}
	return errs
}

func validateIDs(p *field.Path, ids []int) (errs field.ErrorList) {
	for i, id := range ids {
		if id < 1 || slices.Index(ids, id) < i {
			errs = append(errs, field.Invalid(p.Index(i), id, "must be an id on GitHub, each once"))
		}
	}
	return errs
}

// ciWarnings returns a warning where nothing but somebody's care keeps those who may push from deploying.
func (s Settings) ciWarnings() []string {
	switch c := s.CI; {
	case c.Repository == "" || !c.Reviewers.Empty():
		return nil
	case c.Server == GitLab:
		return []string{fmt.Sprintf("ci.environment: whoever may push to the branch %s of %s deploys: protect it (Settings, Repository, Protected branches)", c.Environment, c.Repository)}
	default:
		names := []string{}
		for _, e := range c.Environments() {
			names = append(names, e.Name)
		}
		return []string{fmt.Sprintf("ci.reviewers: is empty, so whoever may push to %s deploys, unless somebody has protected its environments %s by hand "+
			"(docs/governance.md). Set it to the ids of reviewers", c.Repository, strings.Join(names, ", "))}
	}
}
