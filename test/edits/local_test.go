package edits

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
)

// cmd/local shows what a reviewer wants to see of an edit: the stack is up with its own file, and the edit is all that the
// preview shows.
func TestLocalEdited(t *testing.T) {
	t.Parallel()
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
	local := exec.CommandContext(t.Context(), "go", "run", "./cmd/local", "-stack", "solo", "-edited", file)
	local.Dir = filepath.Join(repository, "test")
	out, err := local.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, shown, found := strings.Cut(string(out), "== pulumi preview, stack solo edited by "+file)
	if !found || !strings.Contains(shown, "storage-logs-lifecycle update") || !strings.Contains(shown, "1 to update") || strings.Contains(shown, "to create") {
		t.Errorf("the preview of the edit:\n%s", out)
	}
}
