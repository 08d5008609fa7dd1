package main

import (
	"slices"
	"strings"
	"testing"
)

// A pod that starts finds its rights, its limits, its scripts and the others' names; what
// has started is left as it is.
func TestOrderOfRun(t *testing.T) {
	g := runWith(t, map[string]any{"training.secrets": map[string]any{"HF_TOKEN": "hf-not-a-token"}})
	jobs := 0
	for _, job := range g.of("kubernetes:batch/v1:Job") {
		if !strings.HasPrefix(job.name, "training-job-") {
			continue
		}
		jobs++
		run := strings.TrimPrefix(job.name, "training-job-")
		for _, need := range []string{
			"training-account", "training-quota", "training-secret", "training-scripts-" + run, "training-service-" + run,
			"pool-gpu", "cluster-coredns", "cluster-nvidia-device-plugin",
		} {
			if !job.dependsOn(need) {
				t.Errorf("%s does not wait for %s", job.name, need)
			}
		}
		for _, path := range []string{"spec.template.spec", "spec.podFailurePolicy", "spec.parallelism", "spec.suspend"} {
			if !slices.Contains(job.request.GetIgnoreChanges(), path) {
				t.Errorf("%s: an up changes %s of what has started", job.name, path)
			}
		}
		if slices.Contains(job.request.GetIgnoreChanges(), "spec.template") {
			t.Errorf("%s: ignores the template's labels, for which the provider replaces it with a second update (see started)", job.name)
		}
		if !slices.Contains(g.one(t, "training-scripts-"+run).request.GetIgnoreChanges(), "data") {
			t.Errorf("an up changes the scripts of %s", job.name)
		}
	}
	if jobs != 1 {
		t.Fatalf("%d training Jobs; this test tests nothing", jobs)
	}
}

// What is secret in the settings is secret in the state.
func TestSecretsStaySecret(t *testing.T) {
	for mode, provider := range map[string]string{"github": "git-github", "gitlab": "git-gitlab"} {
		g := runWith(t, map[string]any{"training.secrets": map[string]any{"HF_TOKEN": "hf-not-a-token"}, "git.provider": mode, "git.token": "not a token"})
		if token := g.one(t, provider).inputs["token"]; !token.IsSecret() {
			t.Errorf("%s: the token is %v", mode, token)
		}
		values := g.one(t, "training-secret").inputs["stringData"]
		if !values.IsSecret() && !values.ObjectValue()["HF_TOKEN"].IsSecret() {
			t.Errorf("training's secrets are %v", values)
		}
	}
}

// The namespace may use what the run needs.
func TestQuota(t *testing.T) {
	for want, set := range map[string]map[string]any{
		"16": {"nodes": 2},
	} {
		seen := 0
		for _, object := range trainingObjects(t, "p5.48xlarge", set) {
			if object["kind"] != "ResourceQuota" {
				continue
			}
			seen++
			hard := object["spec"].(map[string]any)["hard"].(map[string]any)
			if len(hard) != 1 || hard["requests.nvidia.com/gpu"] != want {
				t.Errorf("%v: the quota is %v, want %s", set, hard, want)
			}
		}
		if seen != 1 {
			t.Errorf("%v: %d quotas", set, seen)
		}
	}
}
