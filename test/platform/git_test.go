package platform

import (
	"slices"
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// hosts names, for each Git host, the types of a branch and of its files, and describes an existing branch.
var hosts = []struct {
	mode, branch, file, refusal string
	existing                    func(name string) simcloud.Resource
}{
	{
		mode: "github", branch: "github:index/branch:Branch", file: "github:index/repositoryFile:RepositoryFile",
		refusal: "llm/training-scripts has a branch training/theirs already, which this stack has not made: choose another name, or set git.adopt to true",
		existing: func(name string) simcloud.Resource {
			return simcloud.Resource{Type: "github:index/branch:Branch", Account: "llm", Inputs: map[string]any{"repository": "training-scripts", "branch": name}}
		},
	},
	{
		mode: "gitlab", branch: "gitlab:index/branch:Branch", file: "gitlab:index/repositoryFile:RepositoryFile",
		refusal: `"llm/training-scripts:training/theirs" already exists`,
		existing: func(name string) simcloud.Resource {
			return simcloud.Resource{Type: "gitlab:index/branch:Branch", Inputs: map[string]any{"project": "llm/training-scripts", "name": name}}
		},
	},
}

// A branch that the stack makes comes with its files and goes as told; one that somebody
// else made is refused, or used and left; the default branch is never written to.
func TestLifeOfBranch(t *testing.T) {
	for _, host := range hosts {
		t.Run(host.mode, func(t *testing.T) {
			t.Parallel()
			cloud, w := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
				c.SetDefaultBranch("llm/training-scripts", "trunk")
				for _, branch := range []string{"training/theirs", "trunk"} {
					if err := c.Put(host.existing(branch)); err != nil {
						t.Fatal(err)
					}
				}
			})
			alone(t, w)
			set(t, w, "git.provider", host.mode)
			set(t, w, "training.enabled", false)

			// on is the files on a branch, and whether there is such a branch.
			on := func(name string) (files []string, there bool) {
				for _, r := range cloud.Resources() {
					switch {
					case r.Type == host.branch && strings.HasSuffix(r.ID, ":"+name):
						there = true
					case r.Type == host.file && r.Inputs["branch"] == name:
						path, _ := r.Inputs["file"].(string)
						if path == "" {
							path, _ = r.Inputs["filePath"].(string)
						}
						files = append(files, path)
					}
				}
				return files, there
			}
			holds := func(when, name string, want bool) {
				t.Helper()
				files, there := on(name)
				if there != want || want != slices.Contains(files, "scripts/train.py") || want != slices.Contains(files, "scripts/SHA256SUMS") {
					t.Errorf("%s: branch %s there %v with %v, want all or nothing: %v", when, name, there, files, want)
				}
			}
			untouched := func(when, name string) {
				t.Helper()
				if files, there := on(name); !there || len(files) > 0 {
					t.Errorf("%s: branch %s there %v, want it untouched; it has %v", when, name, there, files)
				}
			}

			// Somebody else's, without a word of adoption.
			set(t, w, "git.branch", "training/theirs")
			if host.mode == "github" { // GitLab says so when asked to make it
				enginetest.Fail(t, w, "preview")
			}
			if _, message := enginetest.Fail(t, w, "up"); !strings.Contains(message, host.refusal) {
				t.Errorf("up into a branch of others: %s", message)
			}
			untouched("a refused up", "training/theirs")

			// One's own, and one by another name in its place.
			set(t, w, "git.branch", "training/{stack}")
			up := enginetest.Run(t, w, "up")
			if up.Outputs["branchName"] != "training/dev" || up.Outputs["scriptCommit"] == "" || !strings.HasPrefix(up.Outputs["branchUrl"].(string), "https://") {
				t.Errorf("outputs are %v, %v, %v", up.Outputs["branchName"], up.Outputs["branchUrl"], up.Outputs["scriptCommit"])
			}
			holds("up", "training/dev", true)
			enginetest.Expect(t, "a second up", enginetest.Run(t, w, "up"))
			enginetest.Expect(t, "refresh", enginetest.Run(t, w, "refresh"))
			set(t, w, "git.source", "release") // where it began is history
			enginetest.Expect(t, "another source", enginetest.Run(t, w, "up"))
			set(t, w, "git.branch", "training/second")
			renamed := enginetest.Run(t, w, "up")
			if got := renamed.Outputs["branchName"]; got != "training/second" {
				t.Errorf("rename: branchName is %v", got)
			}
			for _, c := range renamed.Changed() {
				if !strings.HasPrefix(c.Type, host.mode+":") {
					t.Errorf("rename: %s", c)
				}
			}
			holds("rename", "training/dev", false)
			holds("rename", "training/second", true)
			set(t, w, "git.keepBranch", true)
			enginetest.Run(t, w, "up")
			set(t, w, "git.branch", "training/third")
			enginetest.Run(t, w, "up")
			holds("rename that keeps", "training/second", true)
			holds("rename that keeps", "training/third", true)
			enginetest.Run(t, w, "destroy")
			holds("destroy that keeps", "training/third", true)

			// What was kept is anybody's by then: refused, adopted when told, and left for good.
			enginetest.Fail(t, w, "up")
			set(t, w, "git.adopt", true)
			set(t, w, "git.keepBranch", false)
			if adopted := enginetest.Run(t, w, "up").Changes(); !slices.Contains(adopted, "import "+host.branch+" git-branch-training/third") {
				t.Errorf("adoption: %v", adopted)
			}
			enginetest.Expect(t, "a second up with an adopted branch", enginetest.Run(t, w, "up"))
			set(t, w, "git.adopt", false)
			set(t, w, "git.branch", "training/{stack}")
			enginetest.Run(t, w, "up")
			holds("a branch of one's own again", "training/third", true)
			holds("a branch of one's own again", "training/dev", true)
			enginetest.Run(t, w, "destroy")
			holds("destroy", "training/dev", false)

			// The default branch, and one that is not there.
			set(t, w, "git.adopt", true)
			set(t, w, "git.branch", "trunk")
			if _, message := enginetest.Fail(t, w, "preview"); !strings.Contains(message, "trunk is the default branch of llm/training-scripts") {
				t.Errorf("preview of the default branch: %s", message)
			}
			set(t, w, "git.branch", "training/none")
			if _, message := enginetest.Fail(t, w, "preview"); !strings.Contains(message, "does not exist") {
				t.Errorf("adoption of nothing: %s", message)
			}
			untouched("all of it", "training/theirs")
			untouched("all of it", "trunk")
		})
	}
}
