package edits

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine/enginetest"
)

var update = flag.Bool("update", false, "write docs/edits.md, or the steps of the rows that are previewed")

const header = `# Edits of a standing stack

Generated from the table in test/edits with ` + "`cd test && go test ./edits -run TestDoc -update`" + `. Do not edit.

What an edit of a stack file does to a stack that is up, for every setting. ` + "`make test-edits`" + ` carries every row out in the
Pulumi engine against the simulator: up, edit, preview, up, refresh. To see an edit of your own file without an account:
` + "`cd test && go run ./cmd/local -stack dev -edited FILE`" + `.

| effect | meaning |
|---|---|
| in place | updates resources; nothing is deleted or replaced, no node, no run and no data is touched |
| creates | creates resources, and updates some; likewise |
| deletes, replaces | deletes or replaces what the last column names, and nothing else that holds data, money or accounts |
| rolls | EKS replaces the nodes of a pool, and interrupts the run on them |
| ends the run | the Job is deleted; its checkpoints and artifacts remain |
| changes nothing | no resource changes, until what the last column says |
| ignored | the setting counts at creation only; the last column says how to change it instead |
| refused | preview and up fail before anything changes; the last column says how to get there |

`

// TestDoc compares docs/edits.md with the table. To write it: go test ./edits -run TestDoc -update
func TestDoc(t *testing.T) {
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	page, err := doc(repository)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(repository, "docs", "edits.md")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != page {
		t.Error("docs/edits.md is stale: cd test && go test ./edits -run TestDoc -update")
	}
}

// doc returns the matrix as a Markdown page.
func doc(project string) (string, error) {
	var out strings.Builder
	out.WriteString(header)
	rows, refused := Rows(), 0
	for _, row := range rows {
		if row.Effect == Refused {
			refused++
		}
	}
	fmt.Fprintf(&out, "%d edits, of which %d are refused.\n", len(rows), refused)
	slices.SortStableFunc(rows, func(a, b Row) int { return strings.Compare(section(a), section(b)) })
	before, standing := "", map[string]object{}
	for _, row := range rows {
		if at := section(row); at != before {
			before = at
			fmt.Fprintf(&out, "\n## %s\n\n| setting | edit | from | to | effect | |\n|---|---|---|---|---|---|\n", at)
		}
		settings, ok := standing[row.Base]
		if !ok {
			var err error
			if settings, err = Bases()[row.Base].settings(project); err != nil {
				return "", err
			}
			standing[row.Base] = settings
		}
		from, to := shown(stackfile.Get(settings, row.Path)), shown(row.To)
		if row.Secret {
			to = "a secret"
		}
		if _, secret := Bases()[row.Base].Secrets[row.Path]; secret {
			from = "a secret"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s | %s |\n", Setting(row.Path), row.Change, from, to, row.Effect, cell(row.Note))
	}
	return out.String(), nil
}

// section returns the first name of a row's path, or General.
func section(row Row) string {
	first, _, nested := strings.Cut(row.Path, ".")
	if !nested || first == "tags" {
		return "General"
	}
	return first
}

// shown returns a value as it may be written in a stack file, or nothing if there is none.
func shown(value any) string {
	if value == nil || value == "" {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	const longest = 60
	short := strings.NewReplacer(`":`, ": ", `"`, "", ",", ", ").Replace(string(text))
	if len(short) > longest {
		short = short[:longest] + "…"
	}
	return "`" + cell(short) + "`"
}

// cell escapes what a table would read as markup.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
