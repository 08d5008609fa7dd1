package main

import (
	"slices"
	"strings"
	"testing"
)

// theJob returns the only training Job, and the name of its run.
func theJob(t *testing.T, g *graph) (job registered, runName string) {
	t.Helper()
	jobs := g.of("kubernetes:batch/v1:Job")
	if len(jobs) != 1 {
		t.Fatalf("%d Jobs, want 1", len(jobs))
	}
	runName, ok := strings.CutPrefix(jobs[0].name, "training-job-")
	if !ok || text(jobs[0].inputs, "metadata.name") != runName {
		t.Fatalf("%s registers the Job %q", jobs[0].name, text(jobs[0].inputs, "metadata.name"))
	}
	return jobs[0], runName
}

// When a pod starts, its permissions, quota, secrets, scripts and peers' names exist, and what it needs of the cluster.
// On destroy, the namespace with its pods is deleted before all of them.
func TestOrderOfRun(t *testing.T) {
	g := runWith(t, map[string]any{"training.secrets": map[string]any{"HF_TOKEN": "hf-not-a-token"}})
	job, runName := theJob(t, g)
	needs := []string{"pool-gpu", "cluster-coredns", "cluster-nvidia-device-plugin", "cluster-vpc-cni", "training-role-policy"}
	for _, need := range needs {
		if !g.one(t, "training-namespace").dependsOn(need) {
			t.Errorf("the namespace does not depend on %s: on destroy, pods would lose it while they save a checkpoint", need)
		}
	}
	shared := []string{"training-traffic", "training-services", "training-quota", "training-secret"}
	needs = slices.Concat(needs, shared, []string{
		"training-account-" + runName, "training-identity-" + runName, "training-scripts-" + runName, "training-service-" + runName,
	})
	for _, need := range needs {
		if !job.dependsOn(need) {
			t.Errorf("%s does not depend on %s", job.name, need)
		}
	}
	for _, object := range shared {
		if !g.one(t, object).dependsOn("training-namespace") {
			t.Errorf("%s does not depend on the namespace", object)
		}
	}
}

// Whatever a run reads is there before it starts: copies of its data, and the settings of its buckets. In an existing
// cluster too, where nodes do not take minutes to start: there a run would find no data, and fail for good.
func TestRunWaitsForItsData(t *testing.T) {
	existing := map[string]any{
		"cluster.kubeconfig": "{kind: Config, current-context: a, clusters: [{name: a}], contexts: [{name: a}]}",
		"cluster.pools.gpu":  map[string]any{"instanceType": "p5.48xlarge"}, "cluster.publicCidrs": []any{},
	}
	for mode, set := range map[string]map[string]any{"managed": {}, "existing cluster": existing} {
		set["storage.encryption"] = "kms"
		g := runWith(t, set)
		job, _ := theJob(t, g)
		var needs []string
		for _, copied := range g.of("aws:s3/objectCopy:ObjectCopy") {
			needs = append(needs, copied.name)
			if !copied.dependsOn("storage-sample") {
				t.Errorf("%s: %s does not wait for the sample", mode, copied.name)
			}
		}
		if len(needs) == 0 {
			t.Fatalf("%s: no copy: this test tests little", mode)
		}
		for _, bucket := range []string{"dataset", "checkpoints", "artifacts"} {
			for _, part := range []string{"private", "versioning", "encryption", "policy"} {
				needs = append(needs, "storage-"+bucket+"-"+part)
			}
			if !g.one(t, "storage-"+bucket+"-encryption").dependsOn("storage-key") {
				t.Errorf("%s: the %s bucket does not wait for its key", mode, bucket)
			}
		}
		if mode == "managed" {
			needs = append(needs, "training-role-policy")
		}
		for _, need := range needs {
			if !job.dependsOn(need) {
				t.Errorf("%s: the Job does not wait for %s", mode, need)
			}
			if !g.one(t, "training-namespace").dependsOn(need) {
				t.Errorf("%s: the namespace does not wait for %s: on destroy, pods lose it while they save a checkpoint", mode, need)
			}
		}
	}
}

// An update leaves a run that has started as it is.
func TestStartedRunIsFrozen(t *testing.T) {
	g := runWith(t, nil)
	job, runName := theJob(t, g)
	for _, path := range []string{"spec.template.spec", "spec.podFailurePolicy", "spec.parallelism", "spec.suspend"} {
		if !slices.Contains(job.request.GetIgnoreChanges(), path) {
			t.Errorf("%s: an update changes %s", job.name, path)
		}
	}
	if slices.Contains(job.request.GetIgnoreChanges(), "spec.template") {
		t.Errorf("%s ignores the template's labels, for which the provider replaces it at the second update (see startedFields)", job.name)
	}
	if !slices.Contains(g.one(t, "training-scripts-"+runName).request.GetIgnoreChanges(), "data") {
		t.Errorf("an update changes the scripts of %s", job.name)
	}
	for _, object := range []registered{job, g.one(t, "training-service-"+runName)} {
		if got := text(object.inputs, `metadata.annotations["pulumi.com/skipAwait"]`); got != "true" {
			t.Errorf("%s: the update waits for it", object.name)
		}
	}
}

// A preview shows the whole spec of the Job: nothing in it depends on another resource. What does is in the run's
// ConfigMap, and the commit's label.
func TestJobIsKnownInPreview(t *testing.T) {
	g := runWith(t, map[string]any{"training.datasetPrefix": "wiki/", "training.resumeFrom": "train-0123456789"})
	job, runName := theJob(t, g)
	dependencies := job.request.GetPropertyDependencies()
	if urns := dependencies["spec"].GetUrns(); len(urns) > 0 {
		t.Errorf("the Job's spec depends on %v", urns)
	}
	if len(dependencies["metadata"].GetUrns()) == 0 {
		t.Error("the Job's labels depend on nothing: the test does not see dependencies")
	}
	scripts := g.one(t, "training-scripts-"+runName).inputs
	for key, want := range map[string]string{
		"DATASET_URI":     "s3://storage-dataset/wiki/",
		"CHECKPOINT_URI":  "s3://storage-checkpoints/runs/" + runName + "/",
		"ARTIFACT_URI":    "s3://storage-artifacts/runs/" + runName + "/",
		"RESUME_FROM_URI": "s3://storage-checkpoints/runs/train-0123456789/",
	} {
		if got := text(scripts, "data."+key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if !strings.Contains(text(scripts, `data["train.py"]`), "DATASET_URI") {
		t.Error("train.py is not the shipped one")
	}
}

// The pods of a cluster that the stack creates have a role that only they can assume, by a service account of their run; those
// of an existing cluster have what its owner grants to one service account, and no network policy that he does not know.
func TestTrainingRole(t *testing.T) {
	g := runWith(t, nil)
	trust := statements(t, g.one(t, "training-role"), "assumeRolePolicy")
	if len(trust) != 1 {
		t.Fatalf("%d statements of trust", len(trust))
	}
	for _, statement := range trust {
		conditions := statement.Condition
		if got := conditions["ArnEquals"]["aws:SourceArn"]; !strings.HasSuffix(strings.Join(got, " "), ":cluster/llm-platform-dev") {
			t.Errorf("trust names the cluster %q", got)
		}
		if got := conditions["StringEquals"]["aws:RequestTag/kubernetes-namespace"]; !slices.Equal(got, []string{"training"}) {
			t.Errorf("trust names the namespaces %q", got)
		}
	}
	job, runName := theJob(t, g)
	identity := g.one(t, "training-identity-"+runName).inputs
	if text(identity, "roleArn") != "arn:aws:test:::training-role" || text(identity, "serviceAccount") != runName || text(identity, "namespace") != "training" {
		t.Errorf("the association is %v", identity)
	}
	if account := text(job.inputs, "spec.template.spec.serviceAccountName"); account != runName || text(g.one(t, "training-account-"+runName).inputs, "metadata.name") != account {
		t.Errorf("the pods have the service account %q", account)
	}
	g = runWith(t, map[string]any{
		"cluster.kubeconfig": "{kind: Config, current-context: a, clusters: [{name: a}], contexts: [{name: a}]}",
		"cluster.pools.gpu":  map[string]any{"instanceType": "p5.48xlarge"}, "cluster.publicCidrs": []any{},
	})
	for _, kind := range []string{"aws:eks/podIdentityAssociation:PodIdentityAssociation", "kubernetes:networking.k8s.io/v1:NetworkPolicy"} {
		if found := g.of(kind); len(found) > 0 {
			t.Errorf("a cluster that the stack does not create gets %s", found[0].name)
		}
	}
	g.one(t, "training-services")
	job, _ = theJob(t, g)
	if account := text(job.inputs, "spec.template.spec.serviceAccountName"); account != "training" || !job.dependsOn("training-account") {
		t.Errorf("the pods have the service account %q", account)
	}
	if _, exists := g.resources["training-role"]; exists {
		t.Error("a role is created for a cluster that the stack does not create")
	}
}

// What is secret in the settings is secret in the state.
func TestSecretsStaySecret(t *testing.T) {
	for git, provider := range map[string]string{"github": "git-github", "gitlab": "git-gitlab"} {
		g := runWith(t, map[string]any{"training.secrets": map[string]any{"HF_TOKEN": "hf-not-a-token"}, "git.provider": git, "git.token": "not a token", "ci.repository": ""})
		if token := g.one(t, provider).inputs["token"]; !token.IsSecret() {
			t.Errorf("%s: the token is %v", git, token)
		}
		secret := g.one(t, "training-secret")
		values := secret.inputs["stringData"]
		if !values.IsSecret() || values.SecretValue().Element.Mappable().(map[string]any)["HF_TOKEN"] != "hf-not-a-token" {
			t.Errorf("the training's secrets are %v", values)
		}
		if outputs := secret.request.GetAdditionalSecretOutputs(); !slices.Contains(outputs, "data") || !slices.Contains(outputs, "stringData") {
			t.Errorf("the Secret's secret outputs are %v", outputs)
		}
	}
}
