package platform

import (
	"slices"
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// hosts lists the Git hosts. existing returns a branch that exists before the stack does.
var hosts = []struct {
	provider, branch, file string // git.provider, and the types of a branch and of a file
	refusal                string // part of the error for a branch that another stack or user has created
	existing               func(name string) simcloud.Resource
}{
	{
		provider: "github", branch: "github:index/branch:Branch", file: "github:index/repositoryFile:RepositoryFile",
		refusal: "git.adopt",
		existing: func(name string) simcloud.Resource {
			return simcloud.Resource{Type: "github:index/branch:Branch", Account: "llm", Inputs: map[string]any{"repository": "training-scripts", "branch": name}}
		},
	},
	{
		provider: "gitlab", branch: "gitlab:index/branch:Branch", file: "gitlab:index/repositoryFile:RepositoryFile",
		refusal: `"llm/training-scripts:training/theirs" already exists`,
		existing: func(name string) simcloud.Resource {
			return simcloud.Resource{Type: "gitlab:index/branch:Branch", Inputs: map[string]any{"project": "llm/training-scripts", "name": name}}
		},
	},
}

// A branch that the stack creates has its files, and is deleted or retained as configured. A branch that the stack has
// not created is refused, or adopted and retained. Nothing is committed to the default branch.
func TestLifeOfBranch(t *testing.T) {
	t.Parallel()
	for _, host := range hosts {
		t.Run(host.provider, func(t *testing.T) {
			t.Parallel()
			cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
				c.SetDefaultBranch("llm/training-scripts", "trunk")
				for _, branch := range []string{"training/theirs", "trunk"} {
					if err := c.Put(host.existing(branch)); err != nil {
						t.Fatal(err)
					}
				}
			})
			alone(t, s)
			set(t, s, "git.provider", host.provider)
			set(t, s, "training.enabled", false)

			// on returns the files on a branch, and whether the branch exists.
			on := func(name string) (files []string, exists bool) {
				for _, r := range cloud.Resources() {
					switch {
					case r.Type == host.branch && strings.HasSuffix(r.ID, ":"+name):
						exists = true
					case r.Type == host.file && r.Inputs["branch"] == name:
						path, _ := r.Inputs["file"].(string)
						if path == "" {
							path, _ = r.Inputs["filePath"].(string)
						}
						files = append(files, path)
					}
				}
				return files, exists
			}
			holds := func(when, name string, want bool) {
				t.Helper()
				files, exists := on(name)
				if exists != want || want != slices.Contains(files, "scripts/train.py") || want != slices.Contains(files, "scripts/SHA256SUMS") {
					t.Errorf("%s: branch %s exists: %v, with files %v; want both or neither: %v", when, name, exists, files, want)
				}
			}
			untouched := func(when, name string) {
				t.Helper()
				if files, exists := on(name); !exists || len(files) > 0 {
					t.Errorf("%s: branch %s exists: %v, with files %v; want it untouched", when, name, exists, files)
				}
			}

			// A branch that the stack has not created, without git.adopt.
			set(t, s, "git.branch", "training/theirs")
			if host.provider == "github" { // GitLab refuses only the create
				enginetest.Fail(t, s, "preview")
			}
			if _, message := enginetest.Fail(t, s, "up"); !strings.Contains(message, host.refusal) {
				t.Errorf("up into a branch of others: %s", message)
			}
			untouched("a refused up", "training/theirs")

			// The stack's own branch, and its rename.
			set(t, s, "git.branch", "training/{stack}")
			up := enginetest.Run(t, s, "up")
			if up.Outputs["branchName"] != "training/dev" || up.Outputs["scriptCommit"] == "" || !strings.HasPrefix(up.Outputs["branchUrl"].(string), "https://") {
				t.Errorf("outputs are %v, %v, %v", up.Outputs["branchName"], up.Outputs["branchUrl"], up.Outputs["scriptCommit"])
			}
			holds("up", "training/dev", true)
			enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
			enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))
			set(t, s, "git.source", "release") // only counts when the branch is created
			enginetest.Expect(t, "another source", enginetest.Run(t, s, "up"))
			set(t, s, "git.branch", "training/second")
			renamed := enginetest.Run(t, s, "up")
			if got := renamed.Outputs["branchName"]; got != "training/second" {
				t.Errorf("rename: branchName is %v", got)
			}
			for _, c := range renamed.Changed() {
				if !strings.HasPrefix(c.Type, host.provider+":") && c.Name() != "standing" {
					t.Errorf("rename: %s", c)
				}
			}
			holds("rename", "training/dev", false)
			holds("rename", "training/second", true)
			set(t, s, "git.keepBranch", true)
			enginetest.Run(t, s, "up")
			set(t, s, "git.branch", "training/third")
			enginetest.Run(t, s, "up")
			holds("rename that keeps", "training/second", true)
			holds("rename that keeps", "training/third", true)
			enginetest.Run(t, s, "destroy")
			holds("destroy that keeps", "training/third", true)

			// A retained branch is no longer the stack's: refused, adopted with git.adopt, and then never deleted.
			enginetest.Fail(t, s, "up")
			set(t, s, "git.adopt", true)
			set(t, s, "git.keepBranch", false)
			if adopted := enginetest.Run(t, s, "up").Changes(); !slices.Contains(adopted, "import "+host.branch+" git-branch-training/third") {
				t.Errorf("adoption: %v", adopted)
			}
			enginetest.Expect(t, "a second up with an adopted branch", enginetest.Run(t, s, "up"))
			set(t, s, "git.adopt", false)
			set(t, s, "git.branch", "training/{stack}")
			enginetest.Run(t, s, "up")
			holds("back to the stack's own branch", "training/third", true)
			holds("back to the stack's own branch", "training/dev", true)
			enginetest.Run(t, s, "destroy")
			holds("destroy", "training/dev", false)

			// The default branch, and a branch that does not exist.
			set(t, s, "git.adopt", true)
			set(t, s, "git.branch", "trunk")
			if _, message := enginetest.Fail(t, s, "preview"); !strings.Contains(message, "default branch") {
				t.Errorf("preview of the default branch: %s", message)
			}
			set(t, s, "git.branch", "training/none")
			if _, message := enginetest.Fail(t, s, "preview"); !strings.Contains(message, "does not exist") {
				t.Errorf("adoption of a branch that does not exist: %s", message)
			}
			untouched("all of it", "training/theirs")
			untouched("all of it", "trunk")
		})
	}
}
