package edits

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

var record = flag.String("record", "", "write testdata/upgrade/NAME.json.gz, a stack of today's program, for later ones to upgrade")

// recorded is a standing stack in a file, with the scripts that its run has.
type recorded struct {
	Stack   engine.Snapshot
	Cloud   json.RawMessage
	Run     string
	Scripts map[string]string // content by path in the folder scripts
}

// A stack that an earlier release of the program brought up is upgraded by an up: no resource is deleted or replaced that
// CHANGELOG.md does not name, and the run goes on if the scripts are still the same. The files are named after the commits of the releases. To write one
// before a release: go test ./edits -run TestUpgrade -record $(git rev-parse --short HEAD)
func TestUpgrade(t *testing.T) {
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	if *record != "" {
		write(t, repository, filepath.Join("testdata", "upgrade", *record+".json.gz"))
	}
	files, _ := filepath.Glob("testdata/upgrade/*.json.gz")
	if len(files) == 0 {
		t.Fatal("no earlier release: this test tests nothing")
	}
	changelog, err := os.ReadFile(filepath.Join(repository, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			t.Parallel()
			r := read(t, file)
			from := standing{stack: r.Stack, cloud: r.Cloud, run: r.Run}
			cloud, s := copied(t, engine.Options{Stack: "dev", Tools: engine.Tools{Program: with(t, repository, r.Scripts)}}, from)
			for path, value := range keepRun(strings.TrimSuffix(filepath.Base(file), ".json.gz")) {
				if !bytes.Contains(changelog, []byte(fmt.Sprintf("`%s: %v`", path, value))) {
					t.Errorf("CHANGELOG.md does not tell to set %s: %v", path, value)
				}
				if err := s.Set("llm-platform:"+path, value); err != nil {
					t.Fatal(err)
				}
			}
			before := cloud.Resources()
			if len(before) < 100 || from.run == "" {
				t.Fatalf("%d resources, run %q: this test tests nothing", len(before), from.run)
			}
			enginetest.Named(t, enginetest.Run(t, s, "preview"))
			up := enginetest.Run(t, s, "up")
			if run := up.Outputs["runName"]; run != from.run {
				t.Errorf("the run is %v, before %s", run, from.run)
			}
			for _, gone := range slices.Concat(lost(Row{}, before, cloud.Resources()), resized(Row{}, before, cloud.Resources())) {
				t.Errorf("lost or resized: %s", gone)
			}
			enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))
			enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
		})
	}
}

// keepRun returns the settings of a stack of a release that keep its run and its CI roles: defaults that have changed since.
func keepRun(release string) map[string]any {
	if release == "a8c6ff7" {
		return map[string]any{"training.graceSeconds": 300, "ci.account": "training"}
	}
	return nil
}

// write brings the dev base up and writes it to a file.
func write(t *testing.T, repository, file string) {
	t.Helper()
	base, err := bases["dev"]()
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(recorded{base.stack, base.cloud, base.run, scripts(t, repository)})
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) recorded {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	reader, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(content, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// scripts returns the files of the folder scripts by path.
func scripts(t *testing.T, repository string) map[string]string {
	t.Helper()
	root, files := os.DirFS(filepath.Join(repository, "scripts")), map[string]string{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, path)
		files[path] = string(content)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts: %v", len(files), err)
	}
	return files
}

// with builds today's program with these scripts and no others, and returns its path.
func with(t *testing.T, repository string, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name := range scripts(t, repository) {
		overlay.Replace[filepath.Join(repository, "scripts", name)] = "" // deleted
	}
	for name, content := range files {
		copied := filepath.Join(folder, "scripts", name)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(repository, "scripts", name)] = copied
	}
	content, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file, program := filepath.Join(folder, "overlay.json"), filepath.Join(folder, "llm-platform")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", file, "-o", program, ".")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return program
}
