package edits

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"llm-platform/internal/report"
	"llm-platform/test/engine/enginetest"
)

// cmd/local shows what a reviewer wants to see of an edit: the stack is up with its own file, and the edit is all that the
// preview shows.
func TestLocalEdited(t *testing.T) {
	t.Parallel()
	file := editedSolo(t)
	out, err := local(t, "-stack", "solo", "-edited", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, shown, found := strings.Cut(out, "== pulumi preview, stack solo edited by "+file)
	if !found || !strings.Contains(shown, "storage-logs-lifecycle update") || !strings.Contains(shown, "1 to update") || strings.Contains(shown, "to create") {
		t.Errorf("the preview of the edit:\n%s", out)
	}
}

// With -from, the edit is the other way round, and -report has it as cmd/review reads it.
func TestLocalReport(t *testing.T) {
	t.Parallel()
	file, written := editedSolo(t), filepath.Join(t.TempDir(), "report.json")
	if out, err := local(t, "-stack", "solo", "-from", file, "-report", written); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.Open(written)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	p, err := report.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) != 1 || p.Steps[0].Op != "update" || p.Steps[0].Name() != "storage-logs-lifecycle" {
		t.Errorf("%+v", p.Steps)
	}
	if out, err := local(t, "-from", file, "-edited", file); err == nil || !strings.Contains(out, "exclude each other") {
		t.Errorf("%v\n%s", err, out)
	}
}

// editedSolo returns a copy of Pulumi.solo.yaml with another storage.logDays.
func editedSolo(t *testing.T) string {
	t.Helper()
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(repository, "Pulumi.solo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), "logDays: 30", "logDays: 60", 1)
	if edited == string(text) {
		t.Fatal("Pulumi.solo.yaml has no storage.logDays of 30: this test tests nothing")
	}
	file := filepath.Join(t.TempDir(), "edited.yaml")
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// local runs the command, and returns what it prints.
func local(t *testing.T, args ...string) (string, error) {
	t.Helper()
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "./cmd/local"}, args...)...)
	cmd.Dir = filepath.Join(repository, "test")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
