package engine

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// The engine gets no variable through which a run could reach the user's accounts.
func TestEnvironmentIsClosed(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "KUBECONFIG", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "HTTPS_PROXY"} {
		t.Setenv(name, "of the user")
	}
	s := &Stack{folder: t.TempDir(), options: Options{Env: map[string]string{"AWS_REGION": "us-west-2"}, Tools: Tools{Pulumi: "/pinned/pulumi", pinned: true}}}
	env, err := s.environment(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		seen[name] = value
		if value == "of the user" {
			t.Errorf("%s", entry)
		}
	}
	for _, name := range []string{"PATH", "HOME", "GOCACHE", "GOMODCACHE", "AWS_REGION", "PULUMI_BACKEND_URL"} {
		if seen[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	if !strings.HasPrefix(seen["PATH"], "/pinned"+string(os.PathListSeparator)) {
		t.Errorf("PATH is %s: the language host of the pinned CLI is not the first", seen["PATH"])
	}
}

// folder writes a project with one stack file.
func folder(t *testing.T, project, stack string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"Pulumi.yaml": project, "Pulumi.dev.yaml": stack} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// stackFile writes a stack file and returns its path.
func stackFile(t *testing.T, text string) string {
	t.Helper()
	return filepath.Join(folder(t, "", text), "Pulumi.dev.yaml")
}

// equal compares content with YAML text.
func equal(t *testing.T, got map[string]any, want string) {
	t.Helper()
	content := map[string]any{}
	if err := yaml.Unmarshal([]byte(want), &content); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, content) {
		t.Errorf("got\n%v\nwant\n%v", got, content)
	}
}

func TestThrowawaySettings(t *testing.T) {
	content, secrets, err := throwawaySettings(stackFile(t, `
secretsprovider: awskms://alias/owner
encryptedkey: AAAA
encryptionsalt: v1:xxx
environment: [shared/aws]
config:
  llm-platform:region: us-west-2
  llm-platform:token: {secure: AAABAOK=}
  llm-platform:git: {token: {secure: AAABAP8=}, users: [{name: ann, password: {secure: AAABAQI=}}]}
  llm-platform:a.b: {secure: AAABAQM=}
  llm-platform:notsecret: {secure: AAAB, other: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, content, `
config:
  llm-platform:region: us-west-2
  llm-platform:token: placeholder
  llm-platform:git: {token: placeholder, users: [{name: ann, password: placeholder}]}
  llm-platform:a.b: placeholder
  llm-platform:notsecret: {secure: AAAB, other: 1}
`)
	if want := []string{`llm-platform:["a.b"]`, "llm-platform:git.token", "llm-platform:git.users[0].password", "llm-platform:token"}; !slices.Equal(secrets, want) {
		t.Errorf("secrets\n got  %q\n want %q", secrets, want)
	}
	for _, empty := range []string{"", "config:\n", "encryptionsalt: x\n"} {
		if _, _, err := throwawaySettings(stackFile(t, empty)); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
	if _, _, err := throwawaySettings(stackFile(t, "config: [")); err == nil {
		t.Error("accepted invalid YAML")
	}
}

func TestThrowawayProject(t *testing.T) {
	project := folder(t, "name: x\nmain: cmd/x\nruntime: {name: go, options: {buildTarget: bin/y}}\nbackend: {url: 's3://state'}\n", "")
	got, err := throwawayProject(project, "/repo/bin/y")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, "{name: x, main: "+project+"/cmd/x, runtime: {name: go, options: {binary: /repo/bin/y}}}")
	if path, err := programPath(project); path != project+"/bin/y" || err != nil {
		t.Errorf("program: %s, %v", path, err)
	}
}

func TestUnknownStack(t *testing.T) {
	_, err := Open(context.Background(), Options{Project: folder(t, "", ""), Stack: "staging"})
	if want := `stack "staging" has no Pulumi.staging.yaml; existing stacks: dev`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
