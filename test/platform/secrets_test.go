package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/internal/settings"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// secretPaths returns the settings that are secrets; the entries of a map as *.
func secretPaths(section reflect.Type, prefix string) []string {
	var paths []string
	for i := range section.NumField() {
		field := section.Field(i)
		at := prefix + strings.ToLower(field.Name[:1]) + field.Name[1:] // a key and its field are one word
		switch kind := field.Type; {
		case kind == reflect.TypeFor[settings.SecretText]():
			paths = append(paths, at)
		case kind.Kind() == reflect.Map && kind.Elem() == reflect.TypeFor[settings.SecretText]():
			paths = append(paths, at+".*")
		case kind.Kind() == reflect.Struct:
			paths = append(paths, secretPaths(kind, at+".")...)
		}
	}
	return paths
}

// Recognizable secrets are set at every key that accepts one. After an up, an edit, a refresh and a failure, none is in
// plain text in the state, the outputs, the printed text, the events or the cloud, except in the Kubernetes Secret.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	planted := map[string]string{
		"cluster.kubeconfig": `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: "https://existing.example.com"}}], ` +
			`contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {token: PLANTED-kubeconfig}}]}`,
		"git.token":                  "PLANTED-git",
		"training.secrets.HF_TOKEN":  "PLANTED-hugging-face",
		"training.secrets.WANDB_KEY": `PLANTED "quoted" & <odd>` + "\nPLANTED-second-line",
	}
	var known []string
	for path := range planted {
		if strings.HasPrefix(path, "training.secrets.") {
			path = "training.secrets.*"
		}
		known = append(known, path)
	}
	slices.Sort(known)
	if all, known := secretPaths(reflect.TypeFor[settings.Settings](), ""), slices.Compact(known); !slices.Equal(slices.Sorted(slices.Values(all)), known) {
		t.Fatalf("secrets are configured at %v; this test plants them at %v", all, known)
	}

	var lock sync.Mutex
	refuse := false
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			lock.Lock()
			defer lock.Unlock()
			if refuse && strings.HasPrefix(call.Type, "kubernetes:") {
				return fmt.Errorf("Secret is invalid: refused")
			}
			return nil
		}
	})
	var printed bytes.Buffer
	s.Tee(&printed)
	set(t, s, "network", nil)
	set(t, s, "cluster", map[string]any{"pools": map[string]any{"gpu": map[string]any{"instanceType": "g5.xlarge"}}})
	plant := func() {
		t.Helper()
		for path, value := range planted {
			secret(t, s, path, value)
		}
	}
	plant()
	reported := []any{enginetest.Run(t, s, "preview"), enginetest.Run(t, s, "up")}
	planted["training.secrets.HF_TOKEN"] = "PLANTED-hugging-face-renewed"
	plant()
	refuse = true
	failed, message := enginetest.Fail(t, s, "up")
	lock.Lock()
	refuse = false
	lock.Unlock()
	reported = append(reported, failed, message, enginetest.Run(t, s, "up"), enginetest.Run(t, s, "refresh"))
	set(t, s, "region", "nowhere") // a faulty configuration, with the secrets beside it
	_, message = enginetest.Fail(t, s, "preview")
	reported = append(reported, message)

	look := func(where string, text []byte) {
		t.Helper()
		if len(text) < 100 {
			t.Errorf("%s: only %d bytes: this test tests nothing", where, len(text))
		}
		if at := bytes.Index(text, []byte("PLANTED")); at >= 0 {
			t.Errorf("%s shows a secret: …%s…", where, text[max(0, at-200):min(len(text), at+60)])
		}
	}
	state, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	look("state", state)
	look("what was printed", printed.Bytes())
	events, err := json.Marshal(reported)
	if err != nil {
		t.Fatal(err)
	}
	look("what the engine reported", events)

	arrived, job := map[string]bool{}, false
	for _, r := range cloud.Resources() {
		job = job || r.Type == "kubernetes:batch/v1:Job"
		text, err := json.Marshal([]any{r.Inputs, r.Outputs})
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == "kubernetes:core/v1:Secret" {
			for _, path := range []string{"HF_TOKEN", "WANDB_KEY"} {
				data, _ := r.Inputs["stringData"].(map[string]any)
				arrived[path] = data[path] == planted["training.secrets."+path]
			}
			continue
		}
		if bytes.Contains(text, []byte("PLANTED")) {
			t.Errorf("%s %s has a secret in the clear: %s", r.Type, r.Name, text)
		}
	}
	if !arrived["HF_TOKEN"] || !arrived["WANDB_KEY"] || !job {
		t.Errorf("secrets that arrived: %v; a Job: %v; this test tests nothing", arrived, job)
	}
}

// A secret that is in plain text in the stack file is refused, also beside one that is encrypted.
func TestPlainBesideSecret(t *testing.T) {
	t.Parallel()
	_, s := enginetest.Open(t, "dev")
	secret(t, s, "training.secrets.HF_TOKEN", "PLANTED-encrypted")
	set(t, s, "training.secrets.API_KEY", "PLANTED-plain")
	_, message := enginetest.Fail(t, s, "preview")
	if !strings.Contains(message, "training.secrets.API_KEY: is stored in plain text in the stack file") || strings.Contains(message, "HF_TOKEN") || strings.Contains(message, "PLANTED") {
		t.Errorf("refused with: %s", message)
	}
}
