package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-github/sdk/v6/go/github"
	"github.com/pulumi/pulumi-gitlab/sdk/v8/go/gitlab"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
	"llm-platform/internal/job"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// GitBranch is the branch that the training scripts are committed to. Its Outputs are empty with git.provider none.
type GitBranch struct {
	pulumi.ResourceState

	Name   pulumi.StringOutput
	URL    pulumi.StringOutput // https://…, for a browser
	Commit pulumi.StringOutput // hash of the commit that contains all scripts as they are
}

// newGitBranch creates a branch and commits the scripts to it, one file after another: each file is a commit, and
// concurrent commits on one parent conflict.
func newGitBranch(ctx *pulumi.Context, name string, s scope.Scope, cfg settings.Git, scripts job.Scripts) (*GitBranch, error) {
	empty := pulumi.String("").ToStringOutput()
	component := &GitBranch{Name: empty, URL: empty, Commit: empty}
	if cfg.Provider == settings.None {
		return component, nil
	}
	if err := ctx.RegisterComponentResource("llm:platform:GitBranch", name, component); err != nil {
		return nil, err
	}
	files := append(job.Scripts{}, scripts...)
	files = append(files, job.Script{Path: job.SumsFile, Content: scripts.Sums()})
	b := gitBuilder{ctx: ctx, name: name, scope: s, cfg: cfg, component: component}
	deliver := b.toGitHub
	if cfg.Provider == settings.GitLab {
		deliver = b.toGitLab
	}
	branch, err := deliver(files)
	if err != nil {
		return nil, err
	}
	component.Name, component.URL, component.Commit = branch.name, branch.url, branch.commit
	return component, ctx.RegisterResourceOutputs(component, pulumi.Map{"branchName": branch.name, "scriptCommit": branch.commit})
}

type gitBuilder struct {
	ctx       *pulumi.Context
	name      string
	scope     scope.Scope
	cfg       settings.Git
	component pulumi.Resource
}

// delivered is a branch with the scripts on it.
type delivered struct{ name, url, commit pulumi.StringOutput }

// branchOptions returns the options of the branch. What it started from is history: creating it again would lose
// its commits. An adopted branch is imported, which fails if it does not exist, and always retained.
//
// The branch's name is part of its logical name, so that another branch is another resource: the old one is deleted
// or retained with its files, and is neither renamed nor emptied.
func (b gitBuilder) branchOptions(id string, provider pulumi.ProviderResource, start ...string) []pulumi.ResourceOption {
	options := []pulumi.ResourceOption{
		pulumi.Parent(b.component), pulumi.Provider(provider),
		b.scope.Keep(b.cfg.KeepBranch || b.cfg.Adopt), pulumi.IgnoreChanges(start),
	}
	if b.cfg.Adopt {
		options = append(options, pulumi.Import(pulumi.ID(id)))
	}
	return options
}

// fileOptions returns the options of one file, which is committed after the previous resource. A file is deleted
// with its branch, and nothing is deleted from a branch that is retained.
func (b gitBuilder) fileOptions(branch pulumi.Resource, provider pulumi.ProviderResource, previous pulumi.Resource) []pulumi.ResourceOption {
	return []pulumi.ResourceOption{
		pulumi.Parent(b.component), pulumi.Provider(provider), pulumi.DeletedWith(branch),
		pulumi.DependsOn([]pulumi.Resource{previous}),
	}
}

func (b gitBuilder) commitMessage(script job.Script) pulumi.StringInput {
	return pulumi.Sprintf("%s of %s %s", script.Path, b.scope.Project, b.scope.Stack)
}

func (b gitBuilder) toGitHub(files job.Scripts) (delivered, error) {
	provider, err := newGitHub(b.ctx, b.name+"-github", b.cfg, b.component)
	if err != nil {
		return delivered{}, fmt.Errorf("provider: %w", err)
	}
	absent, err := b.ctx.RegisterResourceHook(b.name+"-absent", b.requireAbsent(provider), &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return delivered{}, fmt.Errorf("hook: %w", err)
	}
	branch, err := github.NewBranch(b.ctx, b.name+"-branch-"+b.cfg.Branch, &github.BranchArgs{
		Repository:   pulumi.String(b.cfg.Repository),
		Branch:       pulumi.String(b.cfg.Branch),
		SourceBranch: optional(b.cfg.SourceBranch),
		SourceSha:    optional(b.cfg.SourceCommit),
	}, append(b.branchOptions(b.cfg.Repository+":"+b.cfg.Branch, provider, "sourceBranch", "sourceSha"),
		pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{absent}}))...)
	if err != nil {
		return delivered{}, fmt.Errorf("branch: %w", err)
	}
	d := delivered{
		name: branch.Branch,
		url:  pulumi.Sprintf("%s/%s/%s/tree/%s", githubPages(b.cfg.BaseURL), b.cfg.Owner, b.cfg.Repository, branch.Branch),
	}
	if b.cfg.Adopt {
		d.name = branch.Branch.ApplyT(func(name string) (string, error) {
			repository, err := github.LookupRepository(b.ctx, &github.LookupRepositoryArgs{Name: &b.cfg.Repository},
				pulumi.Provider(provider), pulumi.Parent(b.component))
			if err != nil {
				return "", fmt.Errorf("git.repository: cannot look up %s/%s: %w", b.cfg.Owner, b.cfg.Repository, advice.With(err))
			}
			return name, b.requireNotDefault(name == repository.DefaultBranch)
		}).(pulumi.StringOutput)
	}
	var previous pulumi.Resource = branch
	for _, script := range files {
		file, err := github.NewRepositoryFile(b.ctx, b.name+"-file-"+script.Path, &github.RepositoryFileArgs{
			Repository:        pulumi.String(b.cfg.Repository),
			Branch:            d.name,
			File:              pulumi.String("scripts/" + script.Path),
			Content:           pulumi.String(script.Content),
			CommitMessage:     b.commitMessage(script),
			OverwriteOnCreate: pulumi.Bool(true), // the branch may start with an older version
		}, b.fileOptions(branch, provider, previous)...)
		if err != nil {
			return delivered{}, fmt.Errorf("file %s: %w", script.Path, err)
		}
		previous, d.commit = file, file.CommitSha
	}
	return d, nil
}

// newGitHub creates the provider of the owner's repositories. Without git.token the plugin reads GITHUB_TOKEN from the
// engine's environment. NewProvider reads it too and would send it with the arguments, which are kept in the state: the
// transformation removes it from them. The SDK of GitLab does not.
// https://github.com/pulumi/pulumi-github/blob/v6.14.0/sdk/go/github/provider.go, read 2026-11-26
func newGitHub(ctx *pulumi.Context, name string, cfg settings.Git, parent pulumi.Resource) (*github.Provider, error) {
	token := secretToken(cfg.Token)
	return github.NewProvider(ctx, name, &github.ProviderArgs{
		Owner: pulumi.String(cfg.Owner), BaseUrl: optional(cfg.BaseURL), Token: token,
	}, pulumi.Parent(parent), pulumi.Transformations([]pulumi.ResourceTransformation{
		func(r *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			args, ok := r.Props.(*github.ProviderArgs)
			if ok && token == nil {
				args.Token = nil
			}
			return &pulumi.ResourceTransformationResult{Props: r.Props, Opts: r.Opts}
		},
	}))
}

// requireAbsent returns the hook that runs before the branch is created, and only then. GitHub's provider adopts an
// existing branch without a warning, and would delete it on destroy.
func (b gitBuilder) requireAbsent(provider pulumi.ProviderResource) pulumi.ResourceHookFunction {
	return func(*pulumi.ResourceHookArgs) error {
		found, err := github.LookupBranch(b.ctx, &github.LookupBranchArgs{Repository: b.cfg.Repository, Branch: b.cfg.Branch}, pulumi.Provider(provider))
		if err != nil && !strings.Contains(err.Error(), "404") { // provider versions differ: some answer 404 for a missing branch, some an empty result
			return fmt.Errorf("git.branch: cannot check whether branch %s exists in %s/%s: %w", b.cfg.Branch, b.cfg.Owner, b.cfg.Repository, advice.With(err))
		}
		if err == nil && found.Sha != "" {
			return fmt.Errorf("git.branch: branch %s exists in %s/%s and was not created by this stack: choose another name, or set git.adopt to true to use it",
				b.cfg.Branch, b.cfg.Owner, b.cfg.Repository)
		}
		return nil
	}
}

func (b gitBuilder) toGitLab(files job.Scripts) (delivered, error) {
	project := b.cfg.Owner + "/" + b.cfg.Repository
	provider, err := gitlab.NewProvider(b.ctx, b.name+"-gitlab", &gitlab.ProviderArgs{
		BaseUrl: optional(b.cfg.BaseURL),
		Token:   secretToken(b.cfg.Token),
	}, pulumi.Parent(b.component))
	if err != nil {
		return delivered{}, fmt.Errorf("provider: %w", err)
	}
	start := b.cfg.SourceCommit
	if start == "" {
		start = b.cfg.SourceBranch
	}
	// GitLab itself refuses to create a branch that exists.
	branch, err := gitlab.NewBranch(b.ctx, b.name+"-branch-"+b.cfg.Branch, &gitlab.BranchArgs{
		Project:       pulumi.String(project),
		Name:          pulumi.String(b.cfg.Branch),
		Ref:           pulumi.String(start),
		KeepOnDestroy: pulumi.Bool(b.cfg.KeepBranch || b.cfg.Adopt),
	}, b.branchOptions(project+":"+b.cfg.Branch, provider, "ref")...)
	if err != nil {
		return delivered{}, fmt.Errorf("branch: %w", err)
	}
	d := delivered{
		url: branch.WebUrl,
		name: pulumi.All(branch.Name, branch.Default).ApplyT(func(known []any) (string, error) {
			return known[0].(string), b.requireNotDefault(known[1].(bool))
		}).(pulumi.StringOutput),
	}
	var previous pulumi.Resource = branch
	for _, script := range files {
		file, err := gitlab.NewRepositoryFile(b.ctx, b.name+"-file-"+script.Path, &gitlab.RepositoryFileArgs{
			Project:           pulumi.String(project),
			Branch:            d.name,
			FilePath:          pulumi.String("scripts/" + script.Path),
			Encoding:          pulumi.String("base64"),
			Content:           pulumi.String(base64.StdEncoding.EncodeToString([]byte(script.Content))),
			CommitMessage:     b.commitMessage(script),
			OverwriteOnCreate: pulumi.Bool(true),
		}, b.fileOptions(branch, provider, previous)...)
		if err != nil {
			return delivered{}, fmt.Errorf("file %s: %w", script.Path, err)
		}
		previous, d.commit = file, file.LastCommitId
	}
	return d, nil
}

// requireNotDefault returns an error for the default branch, before anything is committed to it.
func (b gitBuilder) requireNotDefault(isDefault bool) error {
	if isDefault {
		return fmt.Errorf("git.branch: %s is the default branch of %s/%s, which the program never commits to: choose another", b.cfg.Branch, b.cfg.Owner, b.cfg.Repository)
	}
	return nil
}

// githubPages returns the URL of the web pages that belong to an API's base URL. Those of GitHub Enterprise Server
// are at its root, and those of a subdomain of GHE.com at the host without api.
func githubPages(api string) string {
	switch {
	case api == "" || api == "https://api.github.com/":
		return "https://github.com"
	case strings.HasSuffix(api, ".ghe.com/"):
		return strings.TrimSuffix(strings.Replace(api, "https://api.", "https://", 1), "/")
	}
	return strings.TrimSuffix(strings.TrimSuffix(api, "/"), "/api/v3")
}

// optional returns a value, or nil if it is empty, so that the provider looks elsewhere.
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
