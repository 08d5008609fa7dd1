package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/job"
)

// Files are committed one after the other and overwrite those that the branch starts with. The list of their checksums
// comes last, so that its commit contains all files. They are deleted with their branch; an adopted branch is retained.
func TestFilesOfBranch(t *testing.T) {
	scripts, err := readScripts()
	if err != nil {
		t.Fatal(err)
	}
	for _, provider := range []string{"github", "gitlab"} {
		g := runWith(t, map[string]any{"git.provider": provider, "ci.repository": ""})
		const branch = "git-branch-training/dev"
		before := branch
		for _, script := range append(scripts, job.Script{Path: job.SumsFile}) {
			file := g.one(t, "git-file-"+script.Path)
			if !file.dependsOn(before) {
				t.Errorf("%s: %s does not wait for %s", provider, file.name, before)
			}
			if with := nameOf(file.request.GetDeletedWith()); with != branch {
				t.Errorf("%s: %s is deleted with %q", provider, file.name, with)
			}
			if over := at(file.inputs, "overwriteOnCreate"); !over.IsBool() || !over.BoolValue() {
				t.Errorf("%s: %s does not overwrite a file that the branch starts with", provider, file.name)
			}
			before = file.name
		}
		for _, adopt := range []bool{false, true} {
			g, err := run(t, "dev", map[string]any{"git.provider": provider, "git.adopt": adopt, "git.keepBranch": false, "ci.repository": ""}, func(string) (resource.PropertyMap, error) {
				return resource.PropertyMap{"defaultBranch": resource.NewProperty("main"), "accountId": resource.NewProperty("111111111111")}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			created := g.one(t, branch)
			if created.request.GetRetainOnDelete() != adopt || (created.request.GetImportId() != "") != adopt {
				t.Errorf("%s: with adopt %v the branch is retained %v, imported %q", provider, adopt, created.request.GetRetainOnDelete(), created.request.GetImportId())
			}
			if kept := at(created.inputs, "keepOnDestroy"); provider == "gitlab" && kept.BoolValue() != adopt {
				t.Errorf("gitlab: with adopt %v keepOnDestroy is %v", adopt, kept)
			}
		}
	}
}

func TestGitHubPages(t *testing.T) {
	for api, want := range map[string]string{
		"": "https://github.com", "https://api.github.com/": "https://github.com",
		"https://git.example.com/api/v3/": "https://git.example.com", "https://api.acme.ghe.com/": "https://acme.ghe.com",
	} {
		if got := githubPages(api); got != want {
			t.Errorf("%q: %s, want %s", api, got, want)
		}
	}
}

// An error of the look-up of the repository says what to do.
func TestLookUpOfRepositoryGetsAdvice(t *testing.T) {
	_, err := run(t, "dev", map[string]any{"git.provider": "github", "git.adopt": true}, func(token string) (resource.PropertyMap, error) {
		if token == "github:index/getRepository:getRepository" {
			return nil, errors.New("GET https://api.github.com/repos/llm/training-scripts: 403 API rate limit exceeded")
		}
		return organization("SERVICE_CONTROL_POLICY", "111111111111")(token)
	})
	if err == nil || !strings.Contains(err.Error(), "git.repository: cannot look up llm/training-scripts") || !strings.Contains(err.Error(), "Rate limited; retry") {
		t.Errorf("error is %v", err)
	}
}
