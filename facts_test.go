package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const factsHeader = `# Facts

What the program knows of AWS, Kubernetes and their software, and where from, oldest first. Check the oldest first.

Generated from the comments in the code with ` + "`go test . -run TestFactsDoc -update`" + `. Do not edit. A fact is a declaration whose
comment names its source and the day, for example ` + "`// https://docs.aws.amazon.com/…, read 2026-11-26`" + `. The day is the newest in
the comment.

| day | fact | declaration | source |
|---|---|---|---|
`

// fact is a row of docs/facts.md.
type fact struct{ day, what, name, in, source string }

// TestFactsDoc compares docs/facts.md with the comments that say when a source was read. To write it:
// go test . -run TestFactsDoc -update
func TestFactsDoc(t *testing.T) {
	const file = "docs/facts.md"
	facts := readFacts(t)
	if len(facts) < 15 {
		t.Fatalf("only %d facts: this test tests little", len(facts))
	}
	var desired strings.Builder
	desired.WriteString(factsHeader)
	for _, f := range facts {
		fmt.Fprintf(&desired, "| %s | %s | [`%s`](../%s) | %s |\n", f.day, cmp.Or(f.what, f.name), f.name, f.in, f.source)
	}
	if *update {
		if err := os.WriteFile(file, []byte(desired.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != desired.String() {
		t.Error("docs/facts.md is stale: go test . -run TestFactsDoc -update")
	}
}

// readFacts returns the facts of all Go files but tests, by day, file and position.
func readFacts(t *testing.T) []fact {
	t.Helper()
	var facts []fact
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == "test" || strings.HasPrefix(path, ".") && path != "."):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, comment := range file.Comments {
				facts = append(facts, factsOf(comment.Text(), declared(file, comment), path)...)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(facts, func(a, b fact) int { return strings.Compare(a.day, b.day) })
	return facts
}

// declared returns the name of what a comment documents or stands in.
func declared(file *ast.File, comment *ast.CommentGroup) string {
	name := file.Name.Name
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Doc == comment || within(d, comment) {
				return d.Name.Name
			}
		case *ast.GenDecl:
			if d.Doc != comment && !within(d, comment) {
				continue
			}
			for _, spec := range d.Specs {
				if name = specName(spec, name); d.Doc == comment || comment.Pos() < spec.End() {
					return name
				}
			}
		}
	}
	return name
}

func within(node ast.Node, comment *ast.CommentGroup) bool {
	return node.Pos() <= comment.Pos() && comment.End() <= node.End()
}

// specName returns the name of a type or of the first value; otherwise the last one.
func specName(spec ast.Spec, last string) string {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.Name
	case *ast.ValueSpec:
		return s.Names[0].Name
	}
	return last
}

var (
	dated  = regexp.MustCompile(`\b(?:[Rr]ead|checked|of) (\d{4}-\d{2}-\d{2})\b`)
	source = regexp.MustCompile(`https://[^\s,;)]*[^\s,;).:]`)
)

// factsOf returns the fact of a comment that says when its source was read: with the newest day in it and all its URLs.
func factsOf(comment, name, path string) []fact {
	text := strings.Join(strings.Fields(comment), " ")
	newest := ""
	for _, day := range dated.FindAllStringSubmatch(text, -1) {
		newest = max(newest, day[1])
	}
	if newest == "" {
		return nil
	}
	var urls []string
	for _, url := range source.FindAllString(text, -1) {
		if !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	return []fact{{
		newest, cell(firstSentence(text)), name, filepath.ToSlash(path),
		cell(cmp.Or(strings.Join(urls, " "), "named in the comment")),
	}}
}

// firstSentence returns what a text says up to its first sentence's end, or up to the source or the day in it.
func firstSentence(text string) string {
	sentence, _, _ := strings.Cut(text+" ", ". ")
	sentence, _, _ = strings.Cut(sentence, "https://")
	sentence, _, _ = strings.Cut(sentence, ": - ") // a list
	if at := dated.FindStringIndex(sentence); at != nil {
		sentence = sentence[:at[0]]
	}
	return strings.Trim(sentence, " -,;:(")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
