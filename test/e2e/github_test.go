//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/lab"
)

func script(t *testing.T, name string) string {
	t.Helper()
	return string(must(os.ReadFile(filepath.Join(root, "scripts", name))))
}

// github reads a path of the scripts' repository from GitHub's API; ok is false if it does not exist.
func (r *reader) github(path string) (answer map[string]any, ok bool) {
	r.t.Helper()
	status, body := r.callGitHub(http.MethodGet, path, "")
	if status == http.StatusNotFound {
		return nil, false
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		r.t.Fatalf("GET %s: %d: %v: %s", path, status, err, body)
	}
	return answer, true
}

func (r *reader) callGitHub(method, path, content string) (status int, body []byte) {
	r.t.Helper()
	url := strings.TrimSuffix(os.Getenv("GITHUB_BASE_URL"), "/") + "/repos/" + lab.Repository + "/" + path
	request := must(http.NewRequestWithContext(r.t.Context(), method, url, strings.NewReader(content)))
	request.Header.Set("Authorization", "token "+os.Getenv("GITHUB_TOKEN"))
	response := must(http.DefaultClient.Do(request))
	defer response.Body.Close()
	return response.StatusCode, must(io.ReadAll(response.Body))
}

// createBranch creates a branch at the head of main that no stack knows.
func createBranch(t *testing.T, name string) {
	r := &reader{t: t}
	main, ok := r.github("git/ref/heads/main")
	if !ok {
		t.Fatalf("repository %s has no branch main", lab.Repository)
	}
	status, body := r.callGitHub(http.MethodPost, "git/refs", fmt.Sprintf(`{"ref": "refs/heads/%s", "sha": "%s"}`, name, stackfile.Get(main, "object.sha")))
	if status != http.StatusCreated {
		t.Fatalf("branch %s: %d: %s", name, status, body)
	}
}

// deleteBranch deletes a branch as somebody does on GitHub's pages.
func (r *reader) deleteBranch(name string) {
	r.t.Helper()
	if status, body := r.callGitHub(http.MethodDelete, "git/refs/heads/"+name, ""); status != http.StatusNoContent {
		r.t.Fatalf("branch %s: %d: %s", name, status, body)
	}
}

// branch checks that the branch's head is the commit of the Job, and its scripts those of the repository.
func (r *reader) branch(name string) {
	r.t.Helper()
	head, ok := r.github("git/ref/heads/" + name)
	if !ok {
		r.t.Errorf("no branch %s", name)
		return
	}
	r.equal("head of "+name, stackfile.Get(head, "object.sha"), r.output("scriptCommit"))
	file, ok := r.github("contents/scripts/train.py?ref=" + name)
	if !ok {
		r.t.Errorf("branch %s has no scripts/train.py", name)
		return
	}
	text := must(base64.StdEncoding.DecodeString(strings.ReplaceAll(fmt.Sprint(file["content"]), "\n", "")))
	r.equal("scripts/train.py of "+name+" is the delivered one", string(text) == script(r.t, "train.py"), true)
}
