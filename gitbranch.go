package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-github/sdk/v6/go/github"
	"github.com/pulumi/pulumi-gitlab/sdk/v8/go/gitlab"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	runs "llm-platform/internal/run"
	"llm-platform/internal/settings"
)

// GitBranch is the branch that carries the training scripts.
type GitBranch struct {
	pulumi.ResourceState

	Name   pulumi.StringOutput // empty without a branch, as are the others
	URL    pulumi.StringOutput // https://…, for a browser
	Commit pulumi.StringOutput // hash of the commit that has all scripts as they are

	files []pulumi.Resource
}

// newGitBranch makes a branch and delivers the scripts to it, one file after the
// other: each is a commit, and two that begin at the same commit collide.
func newGitBranch(ctx *pulumi.Context, name string, cfg settings.Settings, scripts runs.Scripts, opts ...pulumi.ResourceOption) (*GitBranch, error) {
	none := pulumi.String("").ToStringOutput()
	git := &GitBranch{Name: none, URL: none, Commit: none}
	if cfg.Git.Provider == settings.None {
		return git, nil
	}
	if err := ctx.RegisterComponentResource("llm:platform:GitBranch", name, git, opts...); err != nil {
		return nil, err
	}
	files := append(runs.Scripts{}, scripts...)
	files = append(files, runs.Script{Path: runs.SumsFile, Content: scripts.Sums()})
	deliver := git.toGitHub
	if cfg.Git.Provider == settings.GitLab {
		deliver = git.toGitLab
	}
	if err := deliver(ctx, name, cfg, files); err != nil {
		return nil, err
	}
	return git, ctx.RegisterResourceOutputs(git, pulumi.Map{"branchName": git.Name, "scriptCommit": git.Commit})
}

// branchOptions are those of the branch itself. Once it is there, where it began is
// history: to make it anew would lose its commits. An adopted branch is imported,
// which fails if there is none, and left in place whatever happens.
//
// Its name is in Pulumi's name too, so that another branch is another resource: the
// last one goes or stays with its files, and is neither renamed nor emptied.
func branchOptions(git *GitBranch, cfg settings.Settings, id string, began ...string) []pulumi.ResourceOption {
	options := []pulumi.ResourceOption{
		pulumi.Parent(git), kept(cfg, cfg.Git.KeepBranch || cfg.Git.Adopt), pulumi.IgnoreChanges(began),
	}
	if cfg.Git.Adopt {
		options = append(options, pulumi.Import(pulumi.ID(id)))
	}
	return options
}

// fileOptions are those of one file. With the branch goes or stays what is on it:
// nothing is deleted from a branch that stays behind.
func (g *GitBranch) fileOptions(branch, provider pulumi.Resource) []pulumi.ResourceOption {
	after := append([]pulumi.Resource{branch}, g.files...)
	return []pulumi.ResourceOption{
		pulumi.Parent(g), pulumi.Provider(provider.(pulumi.ProviderResource)), pulumi.DeletedWith(branch),
		pulumi.DependsOn(after[len(after)-1:]),
	}
}

func commitMessage(ctx *pulumi.Context, script runs.Script) pulumi.StringInput {
	return pulumi.Sprintf("%s of %s %s", script.Path, ctx.Project(), ctx.Stack())
}

func (g *GitBranch) toGitHub(ctx *pulumi.Context, name string, cfg settings.Settings, files runs.Scripts) error {
	provider, err := github.NewProvider(ctx, name+"-github", &github.ProviderArgs{
		Owner:   pulumi.String(cfg.Git.Owner),
		BaseUrl: optional(cfg.Git.BaseURL),
		Token:   secretToken(cfg.Git.Token),
	}, pulumi.Parent(g))
	if err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	absent, err := ctx.RegisterResourceHook(name+"-absent", g.mustBeAbsent(ctx, cfg.Git, provider), &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	branch, err := github.NewBranch(ctx, name+"-branch-"+cfg.Git.Branch, &github.BranchArgs{
		Repository:   pulumi.String(cfg.Git.Repository),
		Branch:       pulumi.String(cfg.Git.Branch),
		SourceBranch: optional(cfg.Git.SourceBranch),
		SourceSha:    optional(cfg.Git.SourceCommit),
	}, append(branchOptions(g, cfg, cfg.Git.Repository+":"+cfg.Git.Branch, "sourceBranch", "sourceSha"),
		pulumi.Provider(provider), pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{absent}}))...)
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	g.Name, g.URL = branch.Branch, pulumi.Sprintf("%s/%s/%s/tree/%s", githubPages(cfg.Git.BaseURL), cfg.Git.Owner, cfg.Git.Repository, branch.Branch)
	if cfg.Git.Adopt {
		repository := github.LookupRepositoryOutput(ctx, github.LookupRepositoryOutputArgs{Name: pulumi.String(cfg.Git.Repository)}, pulumi.Provider(provider), pulumi.Parent(g))
		g.Name = pulumi.All(branch.Branch, repository.DefaultBranch()).ApplyT(func(names []any) (string, error) {
			return names[0].(string), notDefault(cfg.Git, names[0] == names[1])
		}).(pulumi.StringOutput)
	}
	for _, script := range files {
		file, err := github.NewRepositoryFile(ctx, name+"-file-"+script.Path, &github.RepositoryFileArgs{
			Repository:        pulumi.String(cfg.Git.Repository),
			Branch:            g.Name,
			File:              pulumi.String("scripts/" + script.Path),
			Content:           pulumi.String(script.Content),
			CommitMessage:     commitMessage(ctx, script),
			OverwriteOnCreate: pulumi.Bool(true), // the branch may begin with an older one
		}, g.fileOptions(branch, provider)...)
		if err != nil {
			return fmt.Errorf("file %s: %w", script.Path, err)
		}
		g.files, g.Commit = append(g.files, file), file.CommitSha
	}
	return nil
}

// mustBeAbsent is what happens before the branch is made, and only then. GitHub's
// provider takes an existing branch for its own without a word, and would delete it
// on destroy.
func (g *GitBranch) mustBeAbsent(ctx *pulumi.Context, git settings.Git, provider pulumi.ProviderResource) pulumi.ResourceHookFunction {
	return func(*pulumi.ResourceHookArgs) error {
		found, err := github.LookupBranch(ctx, &github.LookupBranchArgs{Repository: git.Repository, Branch: git.Branch}, pulumi.Provider(provider))
		if err != nil && !strings.Contains(err.Error(), "404") { // some versions answer a missing branch with nothing, some so
			return fmt.Errorf("git.branch: cannot tell whether %s/%s has a branch %s: %w", git.Owner, git.Repository, git.Branch, err)
		}
		if err == nil && found.Sha != "" {
			return fmt.Errorf("git.branch: %s/%s has a branch %s already, which this stack has not made: choose another name, or set git.adopt to true to use it",
				git.Owner, git.Repository, git.Branch)
		}
		return nil
	}
}

func (g *GitBranch) toGitLab(ctx *pulumi.Context, name string, cfg settings.Settings, files runs.Scripts) error {
	project := cfg.Git.Owner + "/" + cfg.Git.Repository
	provider, err := gitlab.NewProvider(ctx, name+"-gitlab", &gitlab.ProviderArgs{
		BaseUrl: optional(cfg.Git.BaseURL),
		Token:   secretToken(cfg.Git.Token),
	}, pulumi.Parent(g))
	if err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	from := cfg.Git.SourceCommit
	if from == "" {
		from = cfg.Git.SourceBranch
	}
	// GitLab refuses to make a branch that is there already.
	branch, err := gitlab.NewBranch(ctx, name+"-branch-"+cfg.Git.Branch, &gitlab.BranchArgs{
		Project:       pulumi.String(project),
		Name:          pulumi.String(cfg.Git.Branch),
		Ref:           pulumi.String(from),
		KeepOnDestroy: pulumi.Bool(cfg.Git.KeepBranch || cfg.Git.Adopt),
	}, append(branchOptions(g, cfg, project+":"+cfg.Git.Branch, "ref"), pulumi.Provider(provider))...)
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	g.URL = branch.WebUrl
	g.Name = pulumi.All(branch.Name, branch.Default).ApplyT(func(known []any) (string, error) {
		return known[0].(string), notDefault(cfg.Git, known[1].(bool))
	}).(pulumi.StringOutput)
	for _, script := range files {
		file, err := gitlab.NewRepositoryFile(ctx, name+"-file-"+script.Path, &gitlab.RepositoryFileArgs{
			Project:           pulumi.String(project),
			Branch:            g.Name,
			FilePath:          pulumi.String("scripts/" + script.Path),
			Encoding:          pulumi.String("base64"),
			Content:           pulumi.String(base64.StdEncoding.EncodeToString([]byte(script.Content))),
			CommitMessage:     commitMessage(ctx, script),
			OverwriteOnCreate: pulumi.Bool(true),
		}, g.fileOptions(branch, provider)...)
		if err != nil {
			return fmt.Errorf("file %s: %w", script.Path, err)
		}
		g.files, g.Commit = append(g.files, file), file.LastCommitId
	}
	return nil
}

// notDefault refuses the default branch before anything is written to it.
func notDefault(git settings.Git, isDefault bool) error {
	if isDefault {
		return fmt.Errorf("git.branch: %s is the default branch of %s/%s, which is not for a program to write to: choose another", git.Branch, git.Owner, git.Repository)
	}
	return nil
}

// githubPages is where a browser finds what an API has: an Enterprise server's own
// pages stand at its root.
func githubPages(api string) string {
	if api == "" {
		return "https://github.com"
	}
	return strings.TrimSuffix(strings.TrimSuffix(api, "/"), "/api/v3")
}

// optional is a value, or nothing at all, so that a provider looks elsewhere.
func optional(value string) pulumi.StringPtrInput {
	if value == "" {
		return nil
	}
	return pulumi.String(value)
}

func secretToken(token settings.SecretText) pulumi.StringPtrInput {
	if token == "" {
		return nil
	}
	return pulumi.ToSecret(pulumi.String(token.Reveal())).(pulumi.StringOutput)
}
