// Package docs runs the commands of the README and of the pages in docs as they are written: in a shell with an empty HOME,
// against the Pulumi engine and the simulator. The scripts in testdata stand in for the user, and for AWS, docker and kubectl
// where a stand-in can tell a right call from a wrong one.
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// block is a code block of shell commands. It is known by its file and the beginning of its first line.
type block struct{ file, text string }

func (b block) matches(file, beginning string) bool {
	return b.file == file && strings.HasPrefix(b.text, beginning)
}

func (b block) String() string {
	line, _, _ := strings.Cut(b.text, "\n")
	return b.file + ": " + line
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// blocks returns all blocks of the documentation.
func blocks(t *testing.T, repository string) []block {
	t.Helper()
	var all []block
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(repository, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range shellBlock.FindAllStringSubmatch(string(text), -1) {
				all = append(all, block{filepath.ToSlash(name), match[1]})
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d blocks: this test tests little", len(all))
	}
	return all
}

// account is the one of the credentials that the scripts' aws has.
const account = "444455556666"

// TestCommands runs the scripts. The first line of each names its stack. A script's own commands are `block FILE BEGINNING`,
// which runs a block as a whole and stops at the first command that fails, and those of testscript.
func TestCommands(t *testing.T) {
	t.Parallel()
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	all := blocks(t, repository)
	for _, file := range scripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			_, s := enginetest.Open(t, strings.TrimPrefix(first, "# stack "), func(cloud *simcloud.Cloud) {
				cloud.PutObject("company-corpora", "text/wiki.jsonl", []byte("wiki"), 0)
				if err := engine.Assume(cloud, map[string]any{"organization": map[string]any{"managementAccountId": account}}); err != nil {
					t.Fatal(err)
				}
			})
			if err := os.Symlink(filepath.Join(repository, "image"), filepath.Join(s.Folder(), "image")); err != nil {
				t.Fatal(err)
			}
			testscript.Run(t, testscript.Params{
				Files:              []string{file},
				RequireUniqueNames: true,
				Setup: func(env *testscript.Env) error {
					env.Cd = s.Folder()
					env.Vars = append(s.Environ(), "WORK="+env.WorkDir, "REPOSITORY="+repository, "account="+account)
					env.Setenv("PATH", filepath.Join(env.WorkDir, "bin")+string(os.PathListSeparator)+env.Getenv("PATH"))
					stubs, err := filepath.Glob(filepath.Join(env.WorkDir, "bin", "*"))
					for _, stub := range stubs {
						if err := os.Chmod(stub, 0o755); err != nil {
							return err
						}
					}
					return err
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"block": func(ts *testscript.TestScript, neg bool, args []string) {
						if neg || len(args) != 2 {
							ts.Fatalf("usage: block FILE BEGINNING")
						}
						at := slices.IndexFunc(all, func(b block) bool { return b.matches(args[0], args[1]) })
						if at < 0 {
							ts.Fatalf("%s has no block that begins with %q", args[0], args[1])
						}
						ts.Check(ts.Exec("bash", "-eu", "-o", "pipefail", "-c", all[at].text))
					},
				},
			})
		})
	}
}

func scripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: this test tests nothing (%v)", err)
	}
	return files
}

// TestEveryCommand checks that every block is run by a script, or stands in docs/proof.md with the reason why it is not, and
// that both name one block that exists.
func TestEveryCommand(t *testing.T) {
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	all := blocks(t, repository)
	covered := map[string][]string{}
	cover := func(where, file, beginning string) {
		found := 0
		for _, b := range all {
			if b.matches(file, beginning) {
				found++
				covered[b.String()] = append(covered[b.String()], where)
			}
		}
		if found != 1 {
			t.Errorf("%s names %s %q, which are %d blocks", where, file, beginning, found)
		}
	}
	for _, script := range scripts(t) {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^block (\S+) '(.*)'$`).FindAllStringSubmatch(string(text), -1) {
			cover(filepath.Base(script), m[1], strings.ReplaceAll(m[2], "''", "'"))
		}
	}
	proof, err := os.ReadFile(filepath.Join(repository, "docs", "proof.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(proof), "\n## Commands that no test runs\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| (\\S+\\.md) \\| `(.+?)` \\| .+ \\|$").FindAllStringSubmatch(table, -1) {
		cover("proof.md", m[1], m[2])
	}
	for _, b := range all {
		if by := covered[b.String()]; len(by) == 0 {
			t.Errorf("%s: no script runs this block, and docs/proof.md has no reason", b)
		} else if slices.Contains(by, "proof.md") && len(by) > 1 {
			t.Errorf("%s is run by %s, although docs/proof.md says that no test runs it", b, fmt.Sprint(by))
		}
	}
}
