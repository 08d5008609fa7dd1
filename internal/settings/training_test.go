package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// secretText is a value that must not be shown anywhere.
const secretText = "hf_0123456789secret"

func TestBadTrainingSettings(t *testing.T) {
	git := func(extra map[string]any) map[string]any {
		all := map[string]any{"git.provider": "github", "git.repository": "llm/scripts"}
		for key, value := range extra {
			all[key] = value
		}
		return all
	}
	training := func(key string, value any) map[string]any { return map[string]any{"training." + key: value} }
	cases := []bad{
		// What runs.
		{"unknown truth", training("enabled", "job"), []string{`training.enabled: must be true or false, got "job"`}},
		{"no image", training("image", ""), []string{"training.image: is required; deploy once with training.enabled false, which creates the repository (output imageRepositoryUrl), push the image there, and name it by digest"}},
		{"no tag", training("image", "pytorch/pytorch"), []string{`training.image: must have a tag or a digest, since no tag means latest, got "pytorch/pytorch"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"port is no tag", training("image", "registry:5000/pytorch"), []string{`training.image: must have a tag or a digest, since no tag means latest, got "registry:5000/pytorch"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"latest", training("image", "pytorch/pytorch:latest"), []string{`training.image: must not have a tag that moves, got "pytorch/pytorch:latest"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"latest of a kind", training("image", "pytorch/pytorch:2-latest"), []string{`training.image: must not have a tag that moves, got "pytorch/pytorch:2-latest"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"branch as tag", training("image", "example.com/a/b:main"), []string{`training.image: must not have a tag that moves, got "example.com/a/b:main"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"short digest", training("image", "pytorch/pytorch@sha256:0123"), []string{`training.image: must be an image reference (invalid reference format), got "pytorch/pytorch@sha256:0123"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"address of an image", training("image", "https://pytorch/pytorch:2.8.0"), []string{`training.image: must be an image reference (invalid reference format), got "https://pytorch/pytorch:2.8.0"; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version`}},
		{"no command", training("command", []any{}), []string{"training.command: is required; for example [python, train.py]"}},
		{"empty command", training("command", []any{""}), []string{"training.command[0]: is required; name the program to start"}},
		{"command as text", training("command", "torchrun train.py"), []string{`training.command: must be a list, for example [one, two], got "torchrun train.py"`}},
		{"no node", training("nodes", 0), []string{"training.nodes: must be between 1 and 9999, got 0"}},
		{"too many nodes", training("nodes", 10000), []string{"training.nodes: must be between 1 and 9999, got 10000"}},
		{"half a node", training("nodes", json.Number("1.5")), []string{"training.nodes: must be a whole number, got 1.5"}},
		{"long name", training("name", strings.Repeat("a", 31)), []string{`training.name: must be 1 to 30 lower-case letters, digits and hyphens, a letter first, got "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`}},
		{"name with a capital", training("name", "Llama"), []string{`training.name: must be 1 to 30 lower-case letters, digits and hyphens, a letter first, got "Llama"`}},
		{"no run", training("runNumber", 0), []string{"training.runNumber: must be between 1 and 1000000, got 0"}},
		{"endless retries", training("retries", 1000), []string{"training.retries: must be between 0 and 100, got 1000"}},
		{"no grace", training("graceSeconds", 0), []string{"training.graceSeconds: must be between 30 and 3600, got 0"}},
		{"negative deadline", training("deadlineHours", -1), []string{"training.deadlineHours: must be between 0 and 8760, got -1"}},
		{"bucket as prefix", training("datasetPrefix", "s3://bucket/a"), []string{`training.datasetPrefix: must be a key within the bucket, not a URL, got "s3://bucket/a"`}},
		{"checkpoint as run", training("resumeFrom", "s3://bucket/runs/train-0123456789/"), []string{`training.resumeFrom: must be the name of a run, for example train-0123456789, got "s3://bucket/runs/train-0123456789/"; see the output runName of its deployment`}},
		{"bad pool", training("pool", ""), []string{`training.pool: must be a pool of cluster.pools, got ""`}},
		{"no such pool", training("pool", "gpus"), []string{`training.pool: must be a pool of cluster.pools, got "gpus"; did you mean gpu?`}},
		{"Trainium with CUDA's script", pool(object{"instanceType": "trn1.32xlarge"}), []string{"training.command: train.py has no code for AWS Trainium, the accelerator of cluster.pools.gpu: name a script of yours, and an image with PyTorch for Neuron, got \"python train.py\""}},
		{"more nodes than the pool", training("nodes", 3), []string{"training.nodes: must be at most 2, maxNodes of cluster.pools.gpu, got 3"}},
		// Its environment.
		{"bad variable", training("environment", map[string]any{"A-B": "x"}), []string{`training.environment.A-B: must have a name of letters, digits and underscores, got "A-B"`}},
		{"torchrun's variable", training("environment", map[string]any{"PET_NNODES": "2"}), []string{"training.environment.PET_NNODES: is set by the platform; choose another name"}},
		{"platform's variable", training("environment", map[string]any{"CHECKPOINT_URI": "s3://x"}), []string{"training.environment.CHECKPOINT_URI: is set by the platform; choose another name"}},
		{"token in the open", training("environment", map[string]any{"HF_TOKEN": secretText}), []string{"training.environment.HF_TOKEN: looks like a secret, which the Job would show; run `pulumi config set --secret --path training.secrets.HF_TOKEN` instead"}},
		{"key in the open", training("environment", map[string]any{"WANDB_API_KEY": secretText}), []string{"training.environment.WANDB_API_KEY: looks like a secret, which the Job would show; run `pulumi config set --secret --path training.secrets.WANDB_API_KEY` instead"}},
		{"token under another name", training("environment", map[string]any{"HUB": "hf_" + strings.Repeat("a1", 17)}), []string{"training.environment.HUB: contains a token of Hugging Face, which the stack file and the Job would show; " + useSecrets}},
		{"token as argument", training("args", []any{"--hub=hf_" + strings.Repeat("a1", 17)}), []string{"training.args[0]: contains a token of Hugging Face, which the stack file and the Job would show; " + useSecrets}},
		{"secret as argument", training("args", []any{"--steps=5", "--wandb-api-key", "0123", "--password=abc"}), []string{
			"training.args[1]: --wandb-api-key has a value that looks like a secret, which the stack file and the Job would show; " + useSecrets,
			"training.args[3]: --password has a value that looks like a secret, which the stack file and the Job would show; " + useSecrets,
		}},
		{"token in a command", training("command", []any{"sh", "-c", "git clone https://x:abc@github.com/a/b"}), []string{"training.command[2]: contains a URL with a password, which the stack file and the Job would show; " + useSecrets}},
		{"secret in plain text", training("secrets", map[string]any{"HF_TOKEN": secretText}), []string{"training.secrets.HF_TOKEN: is stored in plain text in the stack file; run `pulumi config set --secret --path training.secrets.HF_TOKEN`, and rotate the old value"}},
		{"empty secret", training("secrets", map[string]any{"HF_TOKEN": ""}), []string{"training.secrets.HF_TOKEN: is required; run `pulumi config set --secret --path training.secrets.HF_TOKEN`, or remove it"}},
		{"secret as text", training("secrets", secretText), []string{"training.secrets: must be an object, for example {name: value}, got [secret]"}},
		{"secret as list", training("secrets", map[string]any{"HF_TOKEN": []any{secretText}}), []string{"training.secrets.HF_TOKEN: must be a string, got [secret]"}},
		{"section as text", map[string]any{"training": secretText}, []string{"training: must be an object, for example {name: value}, got [secret]"}},
		// The branch.
		{"unknown host", git(map[string]any{"git.provider": "bitbucket"}), []string{`git.provider: must be one of github, gitlab, none, got "bitbucket"`}},
		{"no owner", git(map[string]any{"git.repository": "scripts"}), []string{`git.repository: must be owner/name, for example my-company/training-scripts, got "scripts"; omit the host and .git`}},
		{"no repository", git(map[string]any{"git.repository": ""}), []string{"git.repository: is required; name an existing repository as owner/name, or set git.provider to none"}},
		{"URL of a repository", git(map[string]any{"git.repository": "https://github.com/llm/scripts"}), []string{`git.repository: must be owner/name, for example my-company/training-scripts, got "https://github.com/llm/scripts"; omit the host and .git`}},
		{"repository with .git", git(map[string]any{"git.repository": "llm/scripts.git"}), []string{`git.repository: must be owner/name, for example my-company/training-scripts, got "llm/scripts.git"; omit the host and .git`}},
		{"group on GitHub", git(map[string]any{"git.repository": "a/b/scripts"}), []string{`git.repository: must be owner/name, for example my-company/training-scripts, got "a/b/scripts"; omit the host and .git`}},
		{"default branch", git(map[string]any{"git.branch": "master"}), []string{`git.branch: must not be the default branch, got "master"; use another, for example training/{stack}`}},
		{"source as branch", git(map[string]any{"git.branch": "trunk", "git.source": "trunk"}), []string{`git.branch: must differ from git.source, got "trunk"; the scripts need a branch of their own, for example training/{stack}`}},
		{"reference as branch", git(map[string]any{"git.branch": "refs/heads/a"}), []string{`git.branch: must be the name of a branch without refs/heads/, for example training/dev, got "refs/heads/a"`}},
		{"bad branch", git(map[string]any{"git.branch": "a..b"}), []string{`git.branch: must be a branch name of letters, digits, single dots and slashes, and - _ + @, got "a..b"`}},
		{"short commit", git(map[string]any{"git.source": "abc1234"}), []string{`git.source: must be a branch, or a commit with all of its 40 digits, got "abc1234"`}},
		{"page as API", git(map[string]any{"git.baseUrl": "https://git.example.com/api/v4"}), []string{`git.baseUrl: must be the URL of an API with a slash at the end, for example https://git.example.com/api/v4/, got "https://git.example.com/api/v4"`}},
		{"token in plain text", git(map[string]any{"git.token": secretText}), []string{"git.token: is stored in plain text in the stack file; run `pulumi config set --secret --path git.token`, and rotate the old value"}},
		{"token for nothing", map[string]any{"git.provider": "none", "git.token": secretText}, []string{"git.token: is stored in plain text in the stack file; run `pulumi config set --secret --path git.token`, and rotate the old value", "git.token: is not used with git.provider none; remove it, or set git.provider"}},
	}
	refuse(t, cases)
}

func TestGoodImages(t *testing.T) {
	for _, image := range []string{
		"pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime",
		"pytorch/pytorch@sha256:" + strings.Repeat("0a", 32),
		"registry.example.com:5000/team/train:v3@sha256:" + strings.Repeat("0a", 32),
		"111122223333.dkr.ecr.us-west-2.amazonaws.com/llm-dev-training:2026-11-22",
	} {
		if _, err := Load("dev", with(t, "dev", map[string]any{"training.image": image}), nil, token); err != nil {
			t.Errorf("%s: %v", image, err)
		}
	}
}

// Every form of token is recognised in the middle of a text, and nothing else that a run is told.
func TestTokens(t *testing.T) {
	recognised := map[string]bool{}
	for _, text := range []string{
		"hf_" + strings.Repeat("aB", 17), "ghp_" + strings.Repeat("aB", 18), "github_pat_" + strings.Repeat("aB_", 20), "glpat-" + strings.Repeat("aB", 10),
		"AKIA" + strings.Repeat("A1", 8), "xoxb-123456789012-abc", "sk-proj-" + strings.Repeat("aB", 20), "pul-" + strings.Repeat("0a", 20),
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "-----BEGIN OPENSSH PRIVATE KEY-----", "https://user:password@example.com/",
	} {
		found := noToken(nil, "before "+text+" after")
		if len(found) != 1 || strings.Contains(found.ToAggregate().Error(), text) {
			t.Errorf("%s: %v", text, found)
			continue
		}
		recognised[found[0].Detail] = true
	}
	if len(recognised) != len(tokens) {
		t.Errorf("%d kinds of tokens are tried, of %d", len(recognised), len(tokens))
	}
	harmless := []string{
		"--model=s3://bucket/hf_tokenizers_of_the_research_department", "--eos-token=</s>", "--max-token", "4096", "--tokenizer=tokenizer", "--task-name=risk-aware-training-of-the-whole-model-2026",
		"--hub-token=$(HF_TOKEN)", "--use-auth-token", "--use-auth-token=true", "--api-key", "$(API_KEY)", "https://$(USER):$(TOKEN)@example.com/", "sha256:" + strings.Repeat("0a", 32), "arn:aws:iam::111122223333:role/a",
	}
	if errs := noTokens(nil, harmless); len(errs) > 0 {
		t.Errorf("refused: %v", errs)
	}
}

// Of two secrets, the one that is in plain text in the stack file is refused. What the file does not have, or another file has, is
// what the engine says of the whole key.
func TestPlainBesideSecret(t *testing.T) {
	values := with(t, "dev", map[string]any{"git.token": secretText, "training.secrets": map[string]any{"HF_TOKEN": secretText, "API.KEY": secretText}})
	const secure = "{secure: AAAB}"
	for name, c := range map[string]struct {
		file  string
		plain []string
	}{
		"both secret":      {"config: {llm-platform:training: {secrets: {HF_TOKEN: " + secure + ", API.KEY: " + secure + "}}}", nil},
		"one plain":        {"config: {llm-platform:training: {secrets: {HF_TOKEN: " + secretText + ", API.KEY: " + secure + "}}}", []string{"training.secrets.HF_TOKEN"}},
		"other plain":      {"config: {llm-platform:training: {secrets: {HF_TOKEN: " + secure + ", API.KEY: " + secretText + "}}}", []string{`training.secrets["API.KEY"]`}},
		"one from ESC":     {"config: {llm-platform:training: {secrets: {API.KEY: " + secretText + "}}}", []string{`training.secrets["API.KEY"]`}},
		"as JSON":          {`config: {llm-platform:training: '{"secrets": {"HF_TOKEN": "` + secretText + `"}}'}`, []string{"training.secrets.HF_TOKEN"}},
		"section secret":   {"config: {llm-platform:training: " + secure + "}", nil},
		"another file":     {"config: {llm-platform:storage: {keepData: false}}", nil},
		"another project":  {"config: {other:training: {secrets: {HF_TOKEN: " + secretText + "}}}", nil},
		"no configuration": {"", nil},
		"no YAML":          {"config: [", nil},
	} {
		_, err := Load("dev", values, SecretKeys("llm-platform", []string{"git", "training"}, values, []byte(c.file)), token)
		for _, key := range []string{"training.secrets.HF_TOKEN", `training.secrets["API.KEY"]`, "git.token"} {
			refused := err != nil && strings.Contains(err.Error(), "\n  "+key+": is stored in plain text")
			if refused != slices.Contains(c.plain, key) {
				t.Errorf("%s: %s: refused %t: %v", name, key, refused, err)
			}
		}
	}
}

// A secret is accepted where the engine reports one, and shown nowhere.
func TestSecretsAreHidden(t *testing.T) {
	values := with(t, "dev", map[string]any{"git.token": secretText, "training.secrets": map[string]any{"HF_TOKEN": secretText}})
	s, err := Load("dev", values, []string{"git", "training"}, token)
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

// A token comes from the configuration or from the environment.
func TestToken(t *testing.T) {
	for provider, variable := range map[string]string{GitHub: "GITHUB_TOKEN", GitLab: "GITLAB_TOKEN"} {
		set := map[string]any{"git.provider": provider, "ci.repository": ""}
		load := func(variable string, secret ...string) error {
			_, err := Load("dev", with(t, "dev", set), secret, func(name string) string { return map[string]string{variable: "x"}[name] })
			return err
		}
		for _, other := range []string{"", "GIT_TOKEN"} {
			if err := load(other); err == nil || !strings.Contains(err.Error(), "\n  git.token: is required; ") || !strings.Contains(err.Error(), "set "+variable+" in the environment") {
				t.Errorf("%s without a token: %v", provider, err)
			}
		}
		if err := load(variable); err != nil {
			t.Errorf("%s with a token in the environment: %v", provider, err)
		}
		set["git.token"] = "x"
		if err := load("", "git"); err != nil {
			t.Errorf("%s with a token: %v", provider, err)
		}
	}
	if _, err := Load("dev", with(t, "dev", map[string]any{"git.provider": None}), nil, func(string) string { return "" }); err != nil {
		t.Error(err)
	}
}

// The key that a branch starts from is one: a branch or a whole commit.
func TestGitSource(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for source, want := range map[string]Git{"main": {SourceBranch: "main"}, commit: {SourceCommit: commit}, "release/1": {SourceBranch: "release/1"}} {
		s, err := Load("dev", with(t, "dev", map[string]any{"git.source": source, "git.provider": GitLab, "git.repository": "a/b/scripts", "ci.repository": ""}), nil, token)
		if err != nil {
			t.Error(err)
		} else if s.Git.SourceBranch != want.SourceBranch || s.Git.SourceCommit != want.SourceCommit || s.Git.Owner != "a/b" || s.Git.Repository != "scripts" || s.Git.Branch != "training/dev" {
			t.Errorf("%s: %+v", source, s.Git)
		}
	}
}
