package stackfile

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write docs/settings.md")

const settingsHeader = `# Settings

Generated from [Pulumi.yaml](../Pulumi.yaml) with ` + "`go test ./internal/stackfile -run TestSettingsDoc -update`" + `. Do not edit.

A dot denotes nesting. Set a key with ` + "`pulumi config set --path storage.encryption aes256`" + `, or in the stack's file:

` + "```yaml" + `
config:
  llm-platform:storage:
    encryption: aes256
` + "```" + `

The command makes a number or a boolean of a value that looks like one. For text, for example an element of ` + "`training.args`" + ` or
a variable of ` + "`training.environment`" + `, add ` + "`--type string`" + `, or quote it in the file.
`

// TestSettingsDoc compares docs/settings.md with the keys that Pulumi.yaml declares. To write it:
// go test ./internal/stackfile -run TestSettingsDoc -update
func TestSettingsDoc(t *testing.T) {
	const file = "../../docs/settings.md"
	desired, keys, err := settingsDoc("../..")
	if err != nil {
		t.Fatal(err)
	}
	if keys == 0 {
		t.Fatal("Pulumi.yaml declares no keys: this test tests nothing")
	}
	if *update {
		if err := os.WriteFile(file, []byte(desired), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != desired {
		t.Error("docs/settings.md is stale: go test ./internal/stackfile -run TestSettingsDoc -update")
	}
}

// settingsDoc returns a Markdown page with a table of keys for every section of a folder's Pulumi.yaml, in the
// order of the file, and the number of keys.
func settingsDoc(folder string) (page string, keys int, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "Pulumi.yaml"))
	if err != nil {
		return "", 0, err
	}
	var file struct{ Config yaml.Node } // a node keeps the order of the keys
	if err := yaml.Unmarshal(text, &file); err != nil {
		return "", 0, err
	}
	var out strings.Builder
	out.WriteString(settingsHeader)
	section := "none yet"
	for pair := range slices.Chunk(file.Config.Content, 2) {
		name := pair[0].Value
		if strings.Contains(name, ":") { // belongs to Pulumi
			continue
		}
		var key struct {
			Type, Description string
			Items             struct{ Type string }
			Default           yaml.Node
		}
		if err := pair[1].Decode(&key); err != nil {
			return "", 0, fmt.Errorf("%s: %w", name, err)
		}
		value, err := inline(key.Default)
		if err != nil {
			return "", 0, fmt.Errorf("%s: %w", name, err)
		}
		heading, _, nested := strings.Cut(name, ".")
		if !nested {
			heading = "" // the keys without a section
		}
		if heading != section {
			section = heading
			fmt.Fprintf(&out, "\n## %s\n\n| key | type | default | description |\n|---|---|---|---|\n", cmp.Or(section, "General"))
		}
		if key.Items.Type != "" {
			key.Type = "list of " + key.Items.Type + "s"
		}
		description := strings.Replace(cell(key.Description), " Fields: ", "<br>Fields: ", 1)
		fmt.Fprintf(&out, "| `%s` | %s | `%s` | %s |\n", name, key.Type, value, description)
		keys++
	}
	return out.String(), keys, nil
}

// inline returns a YAML value on one line.
func inline(value yaml.Node) (string, error) {
	var flow func(*yaml.Node)
	flow = func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			n.Style = yaml.FlowStyle
		}
		for _, child := range n.Content {
			flow(child)
		}
	}
	flow(&value)
	text, err := yaml.Marshal(&value)
	return strings.Join(strings.Fields(string(text)), " "), err
}

// cell escapes what a table or HTML would read as markup, except in code spans, where only the pipe counts.
func cell(text string) string {
	spans := strings.Split(strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`), "`")
	for i := 0; i < len(spans); i += 2 {
		spans[i] = strings.NewReplacer("<", `\<`, "*", `\*`).Replace(spans[i])
	}
	return strings.Join(spans, "`")
}
