package local

import (
	"context"
	"strings"
	"testing"
)

// Nothing by which a run could reach the user's accounts gets to the engine.
func TestEnvironmentIsClosed(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "KUBECONFIG", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "HTTPS_PROXY"} {
		t.Setenv(name, "users-own")
	}
	w := &Workspace{folder: t.TempDir(), options: Options{Env: map[string]string{"AWS_REGION": "us-west-2"}, Tools: Tools{pinned: true}}}
	env, err := w.environment(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		seen[name] = value
		if value == "users-own" {
			t.Errorf("%s", entry)
		}
	}
	for _, name := range []string{"PATH", "HOME", "GOCACHE", "GOMODCACHE", "AWS_REGION", "PULUMI_BACKEND_URL"} {
		if seen[name] == "" {
			t.Errorf("no %s", name)
		}
	}
}
