package platform

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// A run that has started is never touched; an edit of what it is replaces the run's own
// objects and nothing else; its name is that of what it is.
func TestLifeOfTraining(t *testing.T) {
	cloud, w := enginetest.Open(t, "dev")
	alone(t, w)
	jobOf := func(when string) simcloud.Resource {
		t.Helper()
		jobs := named(cloud, "kubernetes:batch/v1:Job", "training-job-")
		if len(jobs) != 1 {
			t.Fatalf("%s: %d training Jobs", when, len(jobs))
		}
		return jobs[0]
	}
	up := enginetest.Run(t, w, "up")
	first, _ := up.Outputs["runName"].(string)
	if job := jobOf("up"); job.ID != "training/"+first {
		t.Errorf("run %s is the Job %s", first, job.ID)
	}
	enginetest.Expect(t, "a second up", enginetest.Run(t, w, "up"))
	enginetest.Expect(t, "refresh", enginetest.Run(t, w, "refresh"))

	// edit runs an up after an edit of what the run is, and returns its name.
	edit := func(what, before string, besides ...string) string {
		t.Helper()
		shown := enginetest.Run(t, w, "preview")
		up := enginetest.Run(t, w, "up")
		after, _ := up.Outputs["runName"].(string)
		if after == before {
			t.Fatalf("%s: the run is still %s", what, before)
		}
		want := append(runObjects("create", after), besides...)
		if before != "" {
			want = append(want, runObjects("delete", before)...)
		}
		enginetest.Expect(t, "preview of "+what, shown, want...)
		enginetest.Expect(t, what, up, want...)
		for of, bucket := range map[string]string{"runCheckpointUrl": "checkpointUrl", "runArtifactUrl": "artifactUrl"} {
			if got, want := up.Outputs[of], fmt.Sprintf("%sruns/%s/", up.Outputs[bucket], after); got != want {
				t.Errorf("%s: output %s is %s, want %s", what, of, got, want)
			}
		}
		return after
	}
	set(t, w, "training.args", []any{"--steps=50"})
	second := edit("another argument", first)
	set(t, w, "training.resumeFrom", first)
	third := edit("resuming an earlier run", second)
	job := jobOf("resume")
	checkpoints := up.Outputs["checkpointUrl"].(string) + "runs/" + first + "/"
	scripts := named(cloud, "kubernetes:core/v1:ConfigMap", "training-scripts-"+third)
	if len(scripts) != 1 || scripts[0].Inputs["data"].(map[string]any)["RESUME_FROM_URI"] != checkpoints {
		t.Errorf("%d ConfigMaps, which do not resume from %q", len(scripts), checkpoints)
	}
	if _, suspended := job.Inputs["spec"].(map[string]any)["suspend"]; suspended {
		t.Error("suspend is set, which is for Kueue to say")
	}

	// What is no part of it leaves it running.
	set(t, w, "training.deadlineHours", 48)
	enginetest.Expect(t, "a deadline", enginetest.Run(t, w, "up"), "update kubernetes:batch/v1:Job training-job-"+third)
	set(t, w, "cluster.pools.gpu.labels", map[string]any{"team": "research"})
	enginetest.Expect(t, "what the platform learns of its nodes", enginetest.Run(t, w, "up"))

	// A secret is named in the run, and its value is not: a renewed one starts nothing.
	secret(t, w, "training.secrets.HF_TOKEN", "hf-first")
	fourth := edit("a secret", third, "create kubernetes:core/v1:Secret training-secret")
	secret(t, w, "training.secrets.HF_TOKEN", "hf-second")
	for _, change := range enginetest.Run(t, w, "up").Changes() {
		if !strings.HasSuffix(change, " kubernetes:core/v1:Secret training-secret") {
			t.Errorf("a renewed secret: %s", change)
		}
	}
	if got := variable(jobOf("renewed secret"), "HF_TOKEN"); got != "" {
		t.Errorf("HF_TOKEN is %q in the Job", got)
	}

	// Nothing runs, and all else stands ready; then the first run is the first run again.
	set(t, w, "training.enabled", false)
	ended := enginetest.Run(t, w, "up")
	enginetest.Expect(t, "no training", ended, append(runObjects("delete", fourth), "update kubernetes:core/v1:ResourceQuota training-quota")...)
	for _, output := range []string{"runName", "runCheckpointUrl", "runArtifactUrl"} {
		if ended.Outputs[output] != "" {
			t.Errorf("output %s is %v while nothing runs", output, ended.Outputs[output])
		}
	}
	shipped, err := stackfile.Config("../..", "dev")
	if err != nil {
		t.Fatal(err)
	}
	set(t, w, "training", shipped["training"])
	again := edit("the first run", "", "update kubernetes:core/v1:ResourceQuota training-quota", "delete kubernetes:core/v1:Secret training-secret")
	if again != first {
		t.Errorf("the run is %s, and was %s with the same settings", again, first)
	}
	enginetest.Run(t, w, "destroy")
	if left := named(cloud, "kubernetes:", ""); len(left) > 0 {
		t.Errorf("destroy left %v in the cluster", left)
	}
}

// runObjects is what a run consists of, each with what is done to it.
func runObjects(op, run string) []string {
	return []string{
		fmt.Sprintf("%s kubernetes:core/v1:ConfigMap training-scripts-%s", op, run),
		fmt.Sprintf("%s kubernetes:core/v1:Service training-service-%s", op, run),
		fmt.Sprintf("%s kubernetes:batch/v1:Job training-job-%s", op, run),
	}
}

// named is what exists of types and logical names that begin so.
func named(cloud *simcloud.Cloud, types, names string) []simcloud.Resource {
	return slices.DeleteFunc(cloud.Resources(), func(r simcloud.Resource) bool {
		return !strings.HasPrefix(r.Type, types) || !strings.HasPrefix(r.Name, names)
	})
}

// variable is the value that a Job's first container is given for a variable, or "".
func variable(job simcloud.Resource, name string) string {
	template := job.Inputs["spec"].(map[string]any)["template"].(map[string]any)
	container := template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	for _, each := range container["env"].([]any) {
		if v := each.(map[string]any); v["name"] == name {
			value, _ := v["value"].(string)
			return value
		}
	}
	return ""
}

// alone takes from the dev stack what branch and Job can do without, so that a test may
// try many edits: organization, network and a cluster of its own.
func alone(t *testing.T, w *engine.Stack) {
	t.Helper()
	for _, path := range []string{"budget", "ci", "network"} {
		set(t, w, path, nil)
	}
	set(t, w, "organization", map[string]any{
		"mode": "none", "roleName": "", "accounts": map[string]any{"training": map[string]any{"id": simcloud.ManagementAccount}},
	})
	set(t, w, "cluster", map[string]any{"pools": map[string]any{"gpu": map[string]any{"instanceType": "p5.48xlarge"}}})
	secret(t, w, "cluster.kubeconfig", kubeconfig)
}
