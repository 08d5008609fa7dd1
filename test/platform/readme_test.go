package platform

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// The README's steps work as written: after its `pulumi config` commands, a preview of the stack succeeds, and no
// placeholder is left that it warns of.
func TestReadmeSteps(t *testing.T) {
	t.Parallel()
	const account, object = "444455556666", "text/wiki.jsonl"
	for stack, c := range map[string]struct {
		sections []string
		commands int // at least
		created  string
	}{
		"solo": {[]string{"Deploy the first stack", "Bring your data"}, 7, "Job training-job-train-"},
		"dev":  {[]string{"Deploy in an organization"}, 6, "Account org-account-training"},
	} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			_, s := enginetest.Open(t, stack, func(cloud *simcloud.Cloud) {
				cloud.PutObject("company-corpora", object, []byte("wiki"), 0)
				if err := engine.Assume(cloud, map[string]any{"organization": map[string]any{"managementAccountId": account}}); err != nil {
					t.Fatal(err)
				}
			})
			commands := configCommands(t, c.sections)
			if len(commands) < c.commands {
				t.Fatalf("only %q: this test tests little", commands)
			}
			for _, command := range commands {
				if _, err := s.CLI(t.Context(), words(t, command, account)...); err != nil {
					t.Errorf("%s: %v", command, err)
				}
			}
			preview := enginetest.Run(t, s, "preview")
			if all := strings.Join(preview.Changes(), "\n"); !strings.Contains(all, c.created) {
				t.Errorf("no %s in\n%s", c.created, all)
			}
			for _, d := range preview.Diagnostics {
				// Who reviews is the reader's to say.
				if d.Severity == "warning" && !strings.HasPrefix(d.Message, "ci.reviewers: ") {
					t.Errorf("preview warns: %s", d.Message)
				}
			}
		})
	}
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// configCommands returns the `pulumi config` commands of sections of the README.
func configCommands(t *testing.T, sections []string) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, name := range sections {
		_, section, found := strings.Cut(string(readme), "\n## "+name+"\n")
		if !found {
			t.Fatalf("the README has no section %q", name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, block := range shellBlock.FindAllStringSubmatch(section, -1) {
			for _, line := range strings.Split(block[1], "\n") {
				if strings.HasPrefix(line, "pulumi config ") {
					commands = append(commands, line)
				}
			}
		}
	}
	return commands
}

// words returns the arguments of a pulumi command as a shell passes them. The other commands in it answer for an account.
func words(t *testing.T, command, account string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", fmt.Sprintf(`
		aws() { echo %s; }
		curl() { echo 198.41.0.7; }
		docker() { echo %s.dkr.ecr.us-west-2.amazonaws.com/train@sha256:%s; }
		pulumi() { printf '%%s\n' "$@"; }
		%s`, account, account, strings.Repeat("0", 64), command)).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
