package review

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llm-platform/internal/settings"
	"llm-platform/internal/stackfile"
)

var update = flag.Bool("update", false, "write testdata")

// load returns the settings of a shipped stack with some paths set or, with nil, removed.
func load(t *testing.T, stack string, set map[string]any) settings.Settings {
	t.Helper()
	values, err := stackfile.Values("../..", stack, set)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(stack, values, []string{"cluster"}, func(string) string { return "token" })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBlock(t *testing.T) {
	for _, stack := range []string{"dev", "prod", "solo"} {
		got, path := Block(load(t, stack, nil))+"\n", filepath.Join("testdata", stack+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s", stack, err, got)
		}
	}
}

type change = map[string]any

// The block has the words, and lacks those after a minus.
func TestBlockSays(t *testing.T) {
	pool := func(extra change) change {
		p := change{"instanceType": "p5.48xlarge", "nodes": 1, "maxNodes": 2}
		for k, v := range extra {
			p[k] = v
		}
		return change{"cluster.pools": change{"gpu": p}, "training.enabled": false}
	}
	for name, c := range map[string]struct {
		set  change
		says []string
	}{
		"a region with prices":     {change{"region": "us-east-1"}, []string{"Cost in us-east-1, without", "1.006 USD/h", "-unknown"}},
		"a region without":         {nil, []string{"Cost in us-west-2: unknown; at the prices of us-east-1"}},
		"spot":                     {pool(change{"capacity": "spot"}), []string{"unknown: spot prices vary", "total of what is known", "L-C4BD4855: 192 vCPUs, 384 with", "-L-417A185B"}},
		"a capacity block":         {pool(change{"capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0"}), []string{"unknown: paid with the capacity block", "-L-417A185B"}},
		"a reservation":            {pool(change{"capacity": "reservation", "reservationId": "cr-0123456789abcdef0"}), []string{"1 x p5.48xlarge in pool gpu, at most 2", "55.040 USD/h", "L-417A185B: 192 vCPUs, 384 with"}},
		"no more than at first":    {pool(change{"maxNodes": 1}), []string{"-maxNodes"}},
		"a notebook":               {change{"sagemaker.notebookInstanceType": "ml.t3.medium", "sagemaker.notebookSubnetId": "subnet-0123456789abcdef0", "sagemaker.notebookSecurityGroupIds": []any{"sg-0123456789abcdef0"}}, []string{"notebook, ml.t3.medium", "unknown: no price of SageMaker"}},
		"nothing may be destroyed": {change{"protect": true, "storage.keepData": true, "git.keepBranch": true}, []string{"-allow deletion"}},
		"no branch":                {change{"git.provider": "none", "git.repository": ""}, []string{"keepData is false", "-git.keepBranch"}},
		"an adopted branch":        {change{"git.adopt": true}, []string{"keepData is false", "-git.keepBranch"}},
	} {
		got := Block(load(t, "dev", c.set))
		for _, text := range c.says {
			if absent, no := strings.CutPrefix(text, "-"); no && strings.Contains(got, absent) || !no && !strings.Contains(got, text) {
				t.Errorf("%s: %q in\n%s", name, text, got)
			}
		}
	}
}

const kubeconfigText = `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: "https://k.example.com"}}], ` +
	`users: [{name: a, user: {token: t}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`

// Of an existing cluster nothing is billed here, and if nothing may be destroyed there is nothing to say.
func TestQuiet(t *testing.T) {
	s := load(t, "dev", change{
		"cluster.kubeconfig": kubeconfigText, "cluster.publicCidrs": []any{}, "training.enabled": false,
		"cluster.pools": change{"gpu": change{"instanceType": "g5.xlarge"}},
		"protect":       true, "storage.keepData": true, "git.keepBranch": true,
	})
	if got := Block(s); got != "" {
		t.Errorf("%q", got)
	}
}
