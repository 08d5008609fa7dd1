package settings

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// secretText is a value that must not show anywhere.
const secretText = "hf_0123456789secret"

func TestBadTrainingSettings(t *testing.T) {
	git := func(extra map[string]any) map[string]any {
		all := map[string]any{"git.provider": "github", "git.owner": "llm", "git.repository": "scripts"}
		for key, value := range extra {
			all[key] = value
		}
		return all
	}
	training := func(key string, value any) map[string]any { return map[string]any{"training." + key: value} }
	cases := []bad{
		// What runs.
		{"unknown truth", training("enabled", "job"), []string{`training.enabled: "job" is neither true nor false`}},
		{"no image", training("image", ""), []string{"training.image: is missing: an up with training.enabled false", "imageRepositoryUrl"}},
		{"no image for the smoke", map[string]any{"training.enabled": false, "training.image": "", "training.smoke": true}, []string{"training.image: is missing"}},
		{"no tag", training("image", "pytorch/pytorch"), []string{"has neither tag nor digest, which means latest"}},
		{"port is no tag", training("image", "registry:5000/pytorch"), []string{"has neither tag nor digest"}},
		{"latest", training("image", "pytorch/pytorch:latest"), []string{"has a tag that moves"}},
		{"latest of a kind", training("image", "pytorch/pytorch:2-latest"), []string{"has a tag that moves"}},
		{"branch as tag", training("image", "example.com/a/b:main"), []string{"has a tag that moves"}},
		{"short digest", training("image", "pytorch/pytorch@sha256:0123"), []string{"has no whole digest"}},
		{"address of an image", training("image", "https://pytorch/pytorch:2.8.0"), []string{"is not an image"}},
		{"no command", training("command", []any{}), []string{"training.command: is empty"}},
		{"empty command", training("command", []any{""}), []string{"training.command[0]: is empty"}},
		{"command as text", training("command", "torchrun train.py"), []string{`training.command: "torchrun train.py" is not a list`}},
		{"no node", training("nodes", 0), []string{"training.nodes: 0 is not a number of nodes from 1"}},
		{"too many nodes", training("nodes", 10000), []string{"training.nodes: 10000 is not a number of nodes"}},
		{"half a node", training("nodes", json.Number("1.5")), []string{"training.nodes: 1.5 is not a whole number"}},
		{"long name", training("name", strings.Repeat("a", 31)), []string{"is not a name: 1 to 30 lower-case letters"}},
		{"name with a capital", training("name", "Llama"), []string{`training.name: "Llama" is not a name`}},
		{"no run", training("runNumber", 0), []string{"training.runNumber: 0 is not a number of runs"}},
		{"endless retries", training("retries", 1000), []string{"training.retries: 1000 is not a number of retries from 0 to 100"}},
		{"no grace", training("graceSeconds", 0), []string{"training.graceSeconds: 0 is not a number of seconds from 30"}},
		{"negative deadline", training("deadlineHours", -1), []string{"training.deadlineHours: -1 is not"}},
		{"negative quota", training("maxAccelerators", -1), []string{"training.maxAccelerators: -1 is not"}},
		{"bucket as prefix", training("datasetPrefix", "s3://bucket/a"), []string{"training.datasetPrefix:", "give the key within the bucket"}},
		{"checkpoint as run", training("resumeFrom", "s3://bucket/runs/train-0123456789/"), []string{"training.resumeFrom:", "the output runName"}},
		{"bad queue", training("queue", "My Queue"), []string{`training.queue: "My Queue" is not the name of a LocalQueue`}},
		{"bad pool", training("pool", ""), []string{`training.pool: "" is not the name of a pool`}},
		{"no such pool", training("pool", "gpus"), []string{`training.pool: cluster.pools has no "gpus", did you mean gpu?`}},
		{"more nodes than the pool", training("nodes", 3), []string{"training.nodes: 3 are more than cluster.pools.gpu has at most"}},
		{"more than the quota", map[string]any{"training.nodes": 2, "training.maxAccelerators": 1}, []string{"training.maxAccelerators: 1 are fewer than the 2 of 2 nodes with 1 each"}},
		// Its environment.
		{"bad variable", training("environment", map[string]any{"A-B": "x"}), []string{`training.environment.A-B: "A-B" is not the name of a variable`}},
		{"torchrun's variable", training("environment", map[string]any{"PET_NNODES": "2"}), []string{"training.environment.PET_NNODES: is set by the platform itself"}},
		{"platform's variable", training("environment", map[string]any{"CHECKPOINT_URI": "s3://x"}), []string{"training.environment.CHECKPOINT_URI: is set by the platform itself"}},
		{"token in the open", training("environment", map[string]any{"HF_TOKEN": secretText}), []string{"training.environment.HF_TOKEN: looks like a secret"}},
		{"key in the open", training("environment", map[string]any{"WANDB_API_KEY": secretText}), []string{"training.environment.WANDB_API_KEY: looks like a secret"}},
		{"secret in plain text", training("secrets", map[string]any{"HF_TOKEN": secretText}), []string{"training.secrets.HF_TOKEN: stands in plain text", "pulumi config set --secret --path training.secrets.HF_TOKEN"}},
		{"empty secret", training("secrets", map[string]any{"HF_TOKEN": ""}), []string{"training.secrets.HF_TOKEN: is empty"}},
		{"secret as text", training("secrets", secretText), []string{"training.secrets: the value (not shown, as it may be secret) is not an object"}},
		{"secret as list", training("secrets", map[string]any{"HF_TOKEN": []any{secretText}}), []string{"training.secrets.HF_TOKEN: the value (not shown, as it may be secret) is not a string"}},
		{"section as text", map[string]any{"training": secretText}, []string{"training: the value (not shown, as it may be secret) is not an object"}},
		// The branch.
		{"unknown host", git(map[string]any{"git.provider": "bitbucket"}), []string{`git.provider: "bitbucket" is not one of github, gitlab, none`}},
		{"no owner", git(map[string]any{"git.owner": ""}), []string{"git.owner: is missing"}},
		{"no repository", git(map[string]any{"git.repository": ""}), []string{"git.repository: is missing"}},
		{"owner in the repository", git(map[string]any{"git.repository": "llm/scripts"}), []string{`git.repository: "llm/scripts" has a slash`}},
		{"address of a repository", git(map[string]any{"git.repository": "scripts.git"}), []string{"is not a repository's name"}},
		{"group on GitHub", git(map[string]any{"git.owner": "a/b"}), []string{`git.owner: "a/b" is not the name of a user or organization`}},
		{"default branch", git(map[string]any{"git.branch": "master"}), []string{"git.branch:", "looks like, the default branch"}},
		{"source as branch", git(map[string]any{"git.branch": "trunk", "git.sourceBranch": "trunk"}), []string{"git.branch:", "is also git.sourceBranch"}},
		{"reference as branch", git(map[string]any{"git.branch": "refs/heads/a"}), []string{"is a whole reference"}},
		{"bad branch", git(map[string]any{"git.branch": "a..b"}), []string{`git.branch: "a..b" is not a branch's name`}},
		{"short commit", git(map[string]any{"git.sourceCommit": "abc123"}), []string{"is not a whole commit hash"}},
		{"page as API", git(map[string]any{"git.baseUrl": "https://git.example.com/api/v4"}), []string{"git.baseUrl:", "a slash at the end"}},
		{"token in plain text", git(map[string]any{"git.token": secretText}), []string{"git.token: stands in plain text"}},
		{"token for nothing", map[string]any{"git.provider": "none", "git.token": secretText}, []string{"git.token: "}},
	}
	refuse(t, cases, map[string]bool{"token for nothing": true})
}

func TestGoodImages(t *testing.T) {
	for _, image := range []string{
		"pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime",
		"pytorch/pytorch@sha256:" + strings.Repeat("0a", 32),
		"registry.example.com:5000/team/train:v3@sha256:" + strings.Repeat("0a", 32),
		"111122223333.dkr.ecr.us-west-2.amazonaws.com/llm-dev-training:2026-11-22",
	} {
		if _, err := Load("dev", with(t, "dev", map[string]any{"training.image": image})); err != nil {
			t.Errorf("%s: %v", image, err)
		}
	}
}

// A secret is taken where the engine says that there is one, and shows nowhere.
func TestSecretsAreHidden(t *testing.T) {
	values := with(t, "dev", map[string]any{"git.token": secretText, "training.secrets": map[string]any{"HF_TOKEN": secretText}})
	s, err := Load("dev", values, "git", "training")
	if err != nil {
		t.Fatal(err)
	}
	if s.Git.Token.Reveal() != secretText || s.Training.Secrets["HF_TOKEN"].Reveal() != secretText {
		t.Fatal("the secrets were not read; this test tests nothing")
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, s.Git.Token) + fmt.Sprintf(verb, s.Training.Secrets)
	}
	for _, form := range []string{secretText, fmt.Sprintf("%x", secretText)} {
		if strings.Contains(shown, form) {
			t.Errorf("the secret shows as %s", form)
		}
	}
	if !strings.Contains(shown, hidden) {
		t.Errorf("%s is nowhere", hidden)
	}
}

func TestToken(t *testing.T) {
	none := func(string) string { return "" }
	for _, mode := range []string{GitHub, GitLab} {
		git := Git{Provider: mode, Owner: "llm", Repository: "scripts"}
		err := git.CheckToken(none)
		if err == nil || !strings.Contains(err.Error(), git.TokenVariable()) || !strings.Contains(err.Error(), "git.token: is missing") {
			t.Errorf("%s without a token: %v", mode, err)
		}
		if err := git.CheckToken(func(name string) string { return map[string]string{git.TokenVariable(): "x"}[name] }); err != nil {
			t.Errorf("%s with a token in the environment: %v", mode, err)
		}
		git.Token = "x"
		if err := git.CheckToken(none); err != nil {
			t.Errorf("%s with a token: %v", mode, err)
		}
	}
	if err := (Git{Provider: NoGit}).CheckToken(none); err != nil {
		t.Error(err)
	}
}
