package platform

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// An edit of what identifies a run replaces the run's objects and nothing else, and gives it another name; no other edit
// touches a run that has started.
func TestLifeOfTraining(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	alone(t, s)
	jobOf := func(when string) simcloud.Resource {
		t.Helper()
		jobs := named(cloud, "kubernetes:batch/v1:Job", "training-job-")
		if len(jobs) != 1 {
			t.Fatalf("%s: %d training Jobs", when, len(jobs))
		}
		return jobs[0]
	}
	up := enginetest.Run(t, s, "up")
	first, _ := up.Outputs["runName"].(string)
	if job := jobOf("up"); job.ID != "training/"+first {
		t.Errorf("run %s is the Job %s", first, job.ID)
	}
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
	enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))

	// edit previews and applies an edit of what identifies the run, and returns the run's new name.
	edit := func(what, before string, besides ...string) string {
		t.Helper()
		shown := enginetest.Run(t, s, "preview")
		up := enginetest.Run(t, s, "up")
		after, _ := up.Outputs["runName"].(string)
		if after == before {
			t.Fatalf("%s: the run is still %s", what, before)
		}
		want := append(runObjects("create", after), besides...)
		want = append(want, "update pulumi:index:Stash running")
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
	set(t, s, "training.args", []any{"--steps=50"})
	second := edit("another argument", first)
	set(t, s, "training.resumeFrom", first)
	third := edit("resuming an earlier run", second)
	job := jobOf("resume")
	checkpoints := up.Outputs["checkpointUrl"].(string) + "runs/" + first + "/"
	if got := variable(cloud, job, "RESUME_FROM_URI"); got != checkpoints {
		t.Errorf("resumes from %q, want %q", got, checkpoints)
	}

	// Any other edit leaves the run alone.
	set(t, s, "training.deadlineHours", 48)
	enginetest.Expect(t, "a deadline", enginetest.Run(t, s, "up"), "update kubernetes:batch/v1:Job training-job-"+third)
	set(t, s, "cluster.pools.gpu.labels", map[string]any{"team": "research"})
	enginetest.Expect(t, "a node label", enginetest.Run(t, s, "up"))

	// The name of a secret identifies a run, its value does not: a rotated secret starts no run.
	secret(t, s, "training.secrets.HF_TOKEN", "hf-first")
	fourth := edit("a secret", third, "create kubernetes:core/v1:Secret training-secret")
	secret(t, s, "training.secrets.HF_TOKEN", "hf-second")
	rotated := enginetest.Run(t, s, "up").Changes()
	if len(rotated) == 0 {
		t.Error("a rotated secret changes nothing")
	}
	for _, change := range rotated {
		if !strings.HasSuffix(change, " kubernetes:core/v1:Secret training-secret") {
			t.Errorf("a rotated secret: %s", change)
		}
	}
	if got := variable(cloud, jobOf("rotated secret"), "HF_TOKEN"); got != "" {
		t.Errorf("HF_TOKEN is %q in the Job", got)
	}

	// Ending the run deletes nothing else. With the first settings, the run has its first name again.
	set(t, s, "training.enabled", false)
	ended := enginetest.Run(t, s, "up")
	enginetest.Expect(t, "no training", ended, append(runObjects("delete", fourth), "update kubernetes:core/v1:ResourceQuota training-quota", "update pulumi:index:Stash running")...)
	for _, output := range []string{"runName", "runCheckpointUrl", "runArtifactUrl"} {
		if ended.Outputs[output] != "" {
			t.Errorf("output %s is %v while nothing runs", output, ended.Outputs[output])
		}
	}
	shipped, err := stackfile.Config("../..", "dev")
	if err != nil {
		t.Fatal(err)
	}
	set(t, s, "training", shipped["training"])
	again := edit("the first run", "", "update kubernetes:core/v1:ResourceQuota training-quota", "delete kubernetes:core/v1:Secret training-secret")
	if again != first {
		t.Errorf("the run is %s, and was %s with the same settings", again, first)
	}
	enginetest.Run(t, s, "destroy")
	if left := named(cloud, "kubernetes:", ""); len(left) > 0 {
		t.Errorf("destroy left %v in the cluster", left)
	}
}

// runObjects returns the changes of the objects of a run, with an operation.
func runObjects(op, run string) []string {
	return []string{
		fmt.Sprintf("%s kubernetes:core/v1:ConfigMap training-scripts-%s", op, run),
		fmt.Sprintf("%s kubernetes:core/v1:Service training-service-%s", op, run),
		fmt.Sprintf("%s kubernetes:batch/v1:Job training-job-%s", op, run),
	}
}

// named returns the resources whose types and logical names have these prefixes.
func named(cloud *simcloud.Cloud, types, names string) []simcloud.Resource {
	return slices.DeleteFunc(cloud.Resources(), func(r simcloud.Resource) bool {
		return !strings.HasPrefix(r.Type, types) || !strings.HasPrefix(r.Name, names)
	})
}

// variable returns the value of a variable of the Job's first container, its own or that of a ConfigMap that it names; ""
// if it has none.
func variable(cloud *simcloud.Cloud, job simcloud.Resource, name string) string {
	containers, _ := stackfile.Get(job.Inputs, "spec.template.spec.containers").([]any)
	container, _ := containers[0].(map[string]any)
	variables, _ := container["env"].([]any)
	sources, _ := container["envFrom"].([]any)
	for _, entry := range append(variables, sources...) {
		entry := entry.(map[string]any)
		if value, ok := entry["value"].(string); ok && entry["name"] == name {
			return value
		}
		config, key := stackfile.Get(entry, "configMapRef.name"), name
		if entry["name"] == name {
			config, key = stackfile.Get(entry, "valueFrom.configMapKeyRef.name"), fmt.Sprint(stackfile.Get(entry, "valueFrom.configMapKeyRef.key"))
		}
		for _, r := range named(cloud, "kubernetes:core/v1:ConfigMap", "") {
			data, _ := r.Inputs["data"].(map[string]any)
			if value, ok := data[key].(string); ok && stackfile.Get(r.Inputs, "metadata.name") == config {
				return value
			}
		}
	}
	return ""
}

// alone removes from the dev stack what branch and Job do not need, so that a test can try many edits: the organization,
// the network and the stack's own cluster.
func alone(t *testing.T, s *engine.Stack) {
	t.Helper()
	for _, path := range []string{"budget", "ci", "network"} {
		set(t, s, path, nil)
	}
	set(t, s, "organization", map[string]any{
		"mode": "none", "roleName": "", "accounts": map[string]any{"training": map[string]any{"id": simcloud.ManagementAccount}},
	})
	set(t, s, "cluster", map[string]any{"pools": map[string]any{"gpu": map[string]any{"instanceType": "p5.48xlarge"}}})
	secret(t, s, "cluster.kubeconfig", simcloud.Kubeconfig)
}

// In a cluster of the stack, a run comes with a service account of its own and its identity; one role serves all runs and stays
// as it is. The pods of the run before lose both after their Job.
func TestRunHasItsAccount(t *testing.T) {
	t.Parallel()
	var lock sync.Mutex
	var deleted []string
	cloud, s := enginetest.Open(t, "solo", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			lock.Lock()
			defer lock.Unlock()
			if call.Op == "delete" {
				deleted = append(deleted, call.Name)
			}
			return nil
		}
	})
	set(t, s, "organization.accounts.training.id", simcloud.ManagementAccount)
	set(t, s, "training.enabled", true)
	set(t, s, "training.image", "registry.example.com/train:1")
	first, _ := enginetest.Run(t, s, "up").Outputs["runName"].(string)
	set(t, s, "training.args", []any{"--steps=50"})
	up := enginetest.Run(t, s, "up")
	second, _ := up.Outputs["runName"].(string)
	want := []string{"update pulumi:index:Stash running"}
	for op, run := range map[string]string{"create": second, "delete": first} {
		want = append(want, runObjects(op, run)...)
		want = append(want, op+" kubernetes:core/v1:ServiceAccount training-account-"+run, op+" aws:eks/podIdentityAssociation:PodIdentityAssociation training-identity-"+run)
	}
	enginetest.Expect(t, "another run", up, want...)
	if len(deleted) == 0 || deleted[0] != "training-job-"+first {
		t.Errorf("deleted in this order: %v", deleted)
	}
	accounts := named(cloud, "kubernetes:core/v1:ServiceAccount", "training-account-")
	if len(accounts) != 1 || accounts[0].ID != "training/"+second {
		t.Errorf("service accounts: %v", accounts)
	}
}
