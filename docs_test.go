package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"llm-platform/internal/stackfile"
)

// TestOutputsDoc compares the outputs in docs/outputs.md with those that outputs.go exports.
func TestOutputsDoc(t *testing.T) {
	exported := slices.Sorted(maps.Keys(matches(t, "outputs.go", `ctx\.Export\("(\w+)"`)))
	if len(exported) == 0 {
		t.Fatal("outputs.go exports nothing: this test tests nothing")
	}
	documented := map[string]bool{}
	for row := range matches(t, "docs/outputs.md", "(?m)^\\| (`.+?`) \\|") {
		for _, name := range strings.Split(row, ", ") {
			documented[strings.Trim(name, "`")] = true
		}
	}
	if names := slices.Sorted(maps.Keys(documented)); !slices.Equal(names, exported) {
		t.Errorf("docs/outputs.md has the outputs\n%v\noutputs.go exports\n%v", names, exported)
	}
}

// TestReadmePreview compares the number of resources in the README's preview of dev with the golden listing. The preview
// also counts the stack and the resources that the component eks:index:Cluster creates.
func TestReadmePreview(t *testing.T) {
	const componentCreates = 12 // by test/simcloud/construct.go: cluster, access entry, 2 security groups, 6 rules, 2 providers
	listing, err := os.ReadFile("testdata/dev.golden")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(strings.Count(string(listing), "\n") + 1 + componentCreates)
	if got := slices.Collect(maps.Keys(matches(t, "README.md", `\+ (\d+) to create`))); !slices.Equal(got, []string{want}) {
		t.Errorf("README.md says that %v resources are created, want %s", got, want)
	}
}

// TestDocsNameDeclaredSettings checks that every setting in the documentation is a key that Pulumi.yaml declares: in
// code spans, in arguments of --path and in YAML.
func TestDocsNameDeclaredSettings(t *testing.T) {
	_, keys, err := stackfile.Keys(".")
	if err != nil {
		t.Fatal(err)
	}
	var sections []string
	for key := range keys {
		if section, _, nested := strings.Cut(key, "."); nested && !slices.Contains(sections, section) {
			sections = append(sections, section)
		}
	}
	setting := fmt.Sprintf(`((?:%s)\.[A-Za-z]+)`, strings.Join(sections, "|"))
	for _, file := range docs(t) {
		named := matches(t, file, "`"+setting, `--path '?`+setting)
		for block := range matches(t, file, "(?s)```yaml\n(.+?)```") {
			var stack struct{ Config map[string]map[string]any }
			if err := yaml.Unmarshal([]byte(block), &stack); err != nil {
				t.Errorf("%s: %v in\n%s", file, err, block)
			}
			for section, values := range stack.Config {
				for key := range values {
					named[strings.TrimPrefix(section, "llm-platform:")+"."+key] = true
				}
			}
		}
		if file == "README.md" && len(named) < 20 {
			t.Errorf("README.md names %d settings: this test tests little", len(named))
		}
		for key := range named {
			if _, declared := keys[key]; !declared && !strings.HasSuffix(key, ".go") {
				t.Errorf("%s: %s is no key of Pulumi.yaml", file, key)
			}
		}
	}
}

// TestDocsNameFiles checks that every link between files leads somewhere, and that docs/architecture.md names every
// Go file and internal package, and no other.
func TestDocsNameFiles(t *testing.T) {
	links := 0
	for _, file := range docs(t) {
		for link := range matches(t, file, `\]\(([^):#]+)(?:#[^)]*)?\)`) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), link)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if links == 0 {
		t.Error("no links: this test tests nothing")
	}
	var exist []string
	for _, pattern := range []string{"*.go", "cmd/*", "internal/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		exist = append(exist, slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, "_test.go") })...)
	}
	slices.Sort(exist)
	named := slices.Sorted(maps.Keys(matches(t, "docs/architecture.md", "`(\\w+\\.go|(?:cmd|internal)/\\w+)`")))
	if !slices.Equal(named, exist) {
		t.Errorf("docs/architecture.md names\n%v\nthere are\n%v", named, exist)
	}
}

// docs returns the Markdown files of the program's documentation.
func docs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(files, "README.md")
}

// matches returns what the first group of any of the patterns matches in a file.
func matches(t *testing.T, file string, patterns ...string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, pattern := range patterns {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	return found
}
