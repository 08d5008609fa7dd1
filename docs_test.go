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

// TestStackPage checks that the page of a stack, in which Pulumi Cloud fills in outputs, names outputs that exist.
func TestStackPage(t *testing.T) {
	exported := matches(t, "outputs.go", `ctx\.Export\("(\w+)"`)
	named := matches(t, "Pulumi.README.md", `\$\{outputs\.(\w+)`)
	if len(named) < 5 {
		t.Errorf("Pulumi.README.md names the outputs %v: this test tests little", named)
	}
	for name := range named {
		if !exported[name] {
			t.Errorf("Pulumi.README.md names the output %s, which does not exist", name)
		}
	}
}

// TestPicture checks that the picture is rendered from its text, with the outputs on its arrows.
func TestPicture(t *testing.T) {
	exported := matches(t, "outputs.go", `ctx\.Export\("(\w+)"`)
	drawn, arrows := matches(t, "docs/platform.svg", `>([^<>]+)</(?:text|tspan)>`), 0
	for label := range matches(t, "docs/platform.d2", `(?m)-> [\w.]+: (\w+)$`) {
		arrows++
		if !exported[label] {
			t.Errorf("docs/platform.d2 has %s on an arrow, which is no output", label)
		}
	}
	for label := range matches(t, "docs/platform.d2", `(?m)^ *\w+: "([\w ,-]+)"`, `(?m)-> [\w.]+: (\w+)$`) {
		if !drawn[label] {
			t.Errorf("docs/platform.svg does not show %q: run make picture", label)
		}
	}
	if arrows < 8 {
		t.Errorf("only %d arrows are labelled: this test tests little", arrows)
	}
}

// TestReadmeLength keeps the README readable at one go. What is reference goes to docs.
func TestReadmeLength(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines >= 200 {
		t.Errorf("README.md has %d lines", lines)
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
	setting := fmt.Sprintf(`((?:%s)\.[A-Za-z0-9]+)`, strings.Join(sections, "|"))
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
		if file == "README.md" && len(named) < 15 {
			t.Errorf("README.md names %d settings: this test tests little", len(named))
		}
		for key := range named {
			_, declared := keys[key]
			for known := range keys {
				declared = declared || strings.HasPrefix(known, key+".") // ci.reviewers of ci.reviewers.users
			}
			if !declared && !strings.HasSuffix(key, ".go") {
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
	return append(files, "README.md", "CONTRIBUTING.md", "SECURITY.md")
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
