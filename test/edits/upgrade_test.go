package edits

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

var record = flag.String("record", "", "write testdata/upgrade/NAME.json.gz, a stack of today's program, for later ones to upgrade")

// recorded is a standing stack in a file.
type recorded struct {
	Stack engine.Snapshot
	Cloud json.RawMessage
	Run   string
}

// A stack that an earlier release of the program brought up is upgraded by an up: no resource is deleted or replaced that
// CHANGELOG.md does not name, and a run that ends can be resumed as it says. The files are named after the commits of the releases.
// To write one before a release: go test ./edits -run TestUpgrade -record $(git rev-parse --short HEAD)
func TestUpgrade(t *testing.T) {
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	if *record != "" {
		write(t, filepath.Join("testdata", "upgrade", *record+".json.gz"))
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
			cloud, s := copied(t, engine.Options{Stack: "dev"}, from)
			if !bytes.Contains(changelog, []byte("with `training.resumeFrom` set to the old run")) {
				t.Error("CHANGELOG.md does not tell to set training.resumeFrom")
			}
			if err := s.Set("llm-platform:training.resumeFrom", r.Run); err != nil {
				t.Fatal(err)
			}
			// What CHANGELOG.md says to set first: the owner of the source, which was not checked, and the account of the CI roles.
			for path, value := range map[string]any{"storage.sourceAccountId": "999999999999", "ci.account": "training"} {
				if err := s.Set("llm-platform:"+path, value); err != nil {
					t.Fatal(err)
				}
			}
			before := cloud.Resources()
			if len(before) < 100 || from.run == "" {
				t.Fatalf("%d resources, run %q: this test tests nothing", len(before), from.run)
			}
			preview := enginetest.Run(t, s, "preview")
			enginetest.Named(t, preview, from.run)
			narrowed := func(d apitype.DiagnosticEvent) bool {
				return strings.Contains(d.Message, "arn:aws:iam::222222222222:role/team may from now on only see namespace training")
			}
			if !slices.ContainsFunc(preview.Diagnostics, narrowed) {
				t.Error("the preview does not say what scientists of cluster.access can no longer do")
			}
			up := enginetest.Run(t, s, "up")
			if run := up.Outputs["runName"]; run == "" || run == from.run {
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

// write brings the dev base up and writes it to a file.
func write(t *testing.T, file string) {
	t.Helper()
	base, err := bases["dev"]()
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(recorded{base.stack, base.cloud, base.run})
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
