package local

import (
	"reflect"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestReadStackFile(t *testing.T) {
	f, err := readStackFile([]byte(`
secretsprovider: awskms://alias/owner
encryptedkey: AAAA
encryptionsalt: v1:xxx
environment: [shared/aws]
config:
  llm-platform:region: us-west-2
  llm-platform:nodes: 4
  llm-platform:token: {secure: AAABAOK=}
  llm-platform:git:
    kind: github
    token:
      secure: AAABAP8=
    users:
      - name: ann
        password: {secure: AAABAQI=}
  llm-platform:a.b: {secure: AAABAQM=}
  llm-platform:notsecret: {secure: AAAB, other: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := yaml.Unmarshal([]byte(`
config:
  llm-platform:region: us-west-2
  llm-platform:nodes: 4
  llm-platform:token: placeholder
  llm-platform:git: {kind: github, token: placeholder, users: [{name: ann, password: placeholder}]}
  llm-platform:a.b: placeholder
  llm-platform:notsecret: {secure: AAAB, other: 1}
`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.content, want) {
		t.Errorf("content\n got  %v\n want %v", f.content, want)
	}
	secrets := []string{`llm-platform:["a.b"]`, "llm-platform:git.token", "llm-platform:git.users[0].password", "llm-platform:token"}
	if !slices.Equal(f.secrets, secrets) {
		t.Errorf("secrets\n got  %q\n want %q", f.secrets, secrets)
	}
}

func TestReadEmptyStackFile(t *testing.T) {
	for _, data := range []string{"", "config:\n", "encryptionsalt: x\n"} {
		if f, err := readStackFile([]byte(data)); err != nil || f.content["config"] == nil {
			t.Errorf("%q: %v, %v", data, f.content, err)
		}
	}
	if _, err := readStackFile([]byte("config: [")); err == nil {
		t.Error("broken YAML was read")
	}
}

func TestThrowawayProject(t *testing.T) {
	p, err := throwawayProject([]byte("name: x\nmain: cmd/x\nruntime: {name: go, options: {buildTarget: bin/x}}\nbackend: {url: 's3://state'}\nconfig: {a: {type: string}}\n"), "/repo", "/repo/bin/x")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "x", "main": "/repo/cmd/x",
		"runtime": map[string]any{"name": "go", "options": map[string]any{"binary": "/repo/bin/x"}},
		"config":  map[string]any{"a": map[string]any{"type": "string"}},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %v, want %v", p, want)
	}
}
