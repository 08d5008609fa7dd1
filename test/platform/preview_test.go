package platform

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// Usual stacks can be previewed from their file alone, as `make preview` does it.
func TestPreviewOfUsualStacks(t *testing.T) {
	t.Parallel()
	for stack, c := range map[string]struct {
		want   []string // of the changes
		absent string   // from them
	}{
		"own":     {[]string{"create eks:index:Cluster cluster-eks"}, "aws:organizations/"},
		"roles":   {[]string{"create pulumi:providers:aws org-provider-testing"}, "aws:organizations/"},
		"adopted": {[]string{"create aws:organizations/account:Account org-account-testing"}, "org-account-training"},
		"cluster": {[]string{"create kubernetes:batch/v1:Job training-job-train-*"}, "aws:ec2/vpc:Vpc"},
		"corpora": {[]string{"create aws:s3/objectCopy:ObjectCopy storage-copy-books", "create aws:s3/objectCopy:ObjectCopy storage-copy-wiki"}, "storage-sample"},
	} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			changes := preview(t, copyProject(t, "testdata", stack), stack).Changes()
			for _, want := range c.want {
				before, _, _ := strings.Cut(want, "*")
				if !slices.ContainsFunc(changes, func(change string) bool { return strings.HasPrefix(change, before) }) {
					t.Errorf("no %q in\n%s", want, strings.Join(changes, "\n"))
				}
			}
			if all := strings.Join(changes, "\n"); strings.Contains(all, c.absent) {
				t.Errorf("%q in\n%s", c.absent, all)
			}
		})
	}
}

// preview previews a stack of a project with what it takes to exist.
func preview(t *testing.T, project, stack string) engine.Result {
	t.Helper()
	settings, err := stackfile.Tree(project, stack)
	if err != nil {
		t.Fatal(err)
	}
	_, s := enginetest.OpenWith(t, engine.Options{Project: project, Stack: stack}, func(c *simcloud.Cloud) {
		if err := engine.Assume(c, settings); err != nil {
			t.Fatal(err)
		}
	})
	return enginetest.Run(t, s, "preview")
}

// copyProject returns a folder with the repository's Pulumi.yaml and a stack file of another folder.
func copyProject(t *testing.T, from, stack string) string {
	t.Helper()
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var project map[string]any
	if err := stackfile.Read(filepath.Join(repository, "Pulumi.yaml"), &project); err != nil {
		t.Fatal(err)
	}
	if project["main"], err = filepath.Rel(folder, repository); err != nil {
		t.Fatal(err)
	}
	if err := stackfile.Write(filepath.Join(folder, "Pulumi.yaml"), project); err != nil {
		t.Fatal(err)
	}
	file := "Pulumi." + stack + ".yaml"
	text, err := os.ReadFile(filepath.Join(from, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// The first stack that a newcomer deploys: with an image, its first up trains, and its destroy leaves nothing.
func TestLifeOfSolo(t *testing.T) {
	t.Parallel()
	settings, err := stackfile.Tree("../..", "solo")
	if err != nil {
		t.Fatal(err)
	}
	cloud, s := enginetest.Open(t, "solo", func(c *simcloud.Cloud) {
		if err := engine.Assume(c, settings); err != nil {
			t.Fatal(err)
		}
	})
	preview := enginetest.Run(t, s, "preview")
	for _, d := range preview.Diagnostics {
		if d.Severity == "warning" && !strings.Contains(d.Message, "cluster.publicCidrs") { // its placeholder
			t.Errorf("preview warns: %s", d.Message)
		}
	}
	set(t, s, "training.enabled", true)
	set(t, s, "training.image", "registry.example.com/train@sha256:"+strings.Repeat("0", 64))
	up := enginetest.Run(t, s, "up")
	if run, _ := up.Outputs["runName"].(string); len(named(cloud, "kubernetes:batch/v1:Job", "training-job-"+run)) != 1 {
		t.Errorf("run %q has no Job", run)
	}
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
	enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))
	enginetest.Run(t, s, "destroy")
	for _, r := range cloud.Resources() {
		if !retained(r) {
			t.Errorf("destroy left %s %s", r.Type, r.Name)
		}
	}
}
