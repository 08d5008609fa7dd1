package edits

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/report"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// records are the rows whose previews internal/report/testdata has, by file.
var records = map[string]string{
	"copy-renamed":       "dev/storage.copies.a/renamed",
	"copy-source":        "dev/storage.copies.a.source/value=c.jsonl",
	"copies-swapped":     "dev/storage.copies.a.destination/reordered",
	"copy-removed":       "dev/storage.copies.b/removed",
	"own-source-removed": "existing_cluster/storage.sourceBucket/added",
	"encryption-off":     "existing_cluster/storage.encryption/value=aes256",
	"encryption-on":      "aes256/storage.encryption/value=kms",
	"nodes":              "dev/cluster.pools.gpu.nodes/value=2",
	"system-nodes":       "dev/cluster.systemNodes/value=4",
	"pool-removed":       "dev/cluster.pools.spare/removed",
	"pool-volume":        "dev/cluster.pools.gpu.volumeGB/value=300",
	"region":             "dev/region/value=us-east-1",
	"cidr":               "dev/network.cidr/value=10.1.0.0/16",
	"accelerator-zones":  "dev/network.acceleratorZones/reordered",
	"repository":         "existing_cluster/git.repository/value=other/training-scripts",
	"branch":             "existing_cluster/git.branch/value=training/new",
	"protected-branch":   "prod/git.branch/value=training/new",
	"kubeconfig":         "existing_cluster/cluster.kubeconfig/value",
	"ci-account":         "dev/ci.account/value=training",
	"account-removed":    "dev/organization.accounts.testing/removed",
	"tags":               "dev/tags.Team/value=vision",
	"kubernetes":         "1.35/cluster.version/value=1.36",
	"arguments":          "existing_cluster/training.args/value=[--steps=50_--batch=4]",
	"notebook-removed":   "dev/sagemaker.notebookInstanceType/removed",
	"container-insights": "dev/cluster.containerInsights/value=false",
	"nat":                "prod/network.nat/value=single",
}

// fresh are the records that `make test` holds against a fresh preview; with -all it is all of them.
var fresh = []string{"own-source-removed", "arguments", "region"}

// TestRecords compares the previews in internal/report/testdata with what the engine reports. To write them:
// go test ./edits -run TestRecords -args -all -update
func TestRecords(t *testing.T) {
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(repository, "internal", "report", "testdata")
	rows := map[string]Row{}
	for _, row := range Rows() {
		rows[row.Name()] = row
	}
	for file, name := range records {
		row, ok := rows[name]
		if !ok {
			t.Fatalf("%s: there is no row %q", file, name)
		}
		if !*all && !slices.Contains(fresh, file) {
			continue
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			from, err := bases[row.Base]()
			if err != nil {
				t.Fatal(err)
			}
			_, s := copied(t, engine.Options{Stack: Bases()[row.Base].Stack}, from)
			edit(t, s, row)
			compareRecord(t, folder, file, reported(t, s))
		})
	}
	t.Run("new", func(t *testing.T) {
		t.Parallel()
		_, s := enginetest.Open(t, "dev")
		first, second := reported(t, s), reported(t, s)
		if differ := report.Differences(first, second); len(first.Steps) == 0 || differ != nil {
			t.Errorf("two previews of the same have %d steps, and differ in %q", len(first.Steps), differ)
		}
		if err := s.Set("llm-platform:storage.logDays", 77); err != nil {
			t.Fatal(err)
		}
		if differ := report.Differences(first, reported(t, s)); len(differ) != 2 || !strings.Contains(differ[0], "storage-logs-lifecycle") {
			t.Errorf("a preview with another storage.logDays differs in %q", differ)
		}
		compareRecord(t, folder, "new", first)
	})
}

var anyRun = regexp.MustCompile(`train-[0-9a-f]{10}`)

// reported returns what `pulumi preview --json` prints, also of a preview that fails.
func reported(t *testing.T, s *engine.Stack) report.Preview {
	t.Helper()
	out, err := s.CLI(t.Context(), "preview", "--json")
	if len(out) == 0 {
		t.Fatal(err)
	}
	p, err := report.Read(strings.NewReader(out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return p
}

// compareRecord compares a preview with a file, or writes it, without what every other release of the program changes: the
// digests, the hash in a run's name and, but for the new stack, what the program says of every stack.
func compareRecord(t *testing.T, folder, name string, p report.Preview) {
	t.Helper()
	for i := range p.Steps {
		p.Steps[i].Digest = ""
	}
	p.Diagnostics = slices.DeleteFunc(p.Diagnostics, func(d report.Diagnostic) bool { return d.Severity == "info" && name != "new" })
	slices.SortFunc(p.Steps, func(a, b report.Step) int { return strings.Compare(a.URN+a.Op, b.URN+b.Op) })
	got, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = anyRun.ReplaceAll(got, []byte("train-0123456789"))
	file := filepath.Join(folder, name+".json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), got) {
		t.Errorf("%s is stale: go test ./edits -run TestRecords -args -all -update. The engine reports now:\n%s", file, got)
	}
}
