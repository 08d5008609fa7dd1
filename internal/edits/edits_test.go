package edits

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/settings"
)

// Each kind of edit is refused with its key, both values and what to do, or accepted, with or without a note.
func TestReview(t *testing.T) {
	for _, c := range []struct {
		key, old, new string
		refused       string // part of the refusal; empty: accepted
		note          string // part of the note
	}{
		{"region", "us-west-2", "us-east-1", "cannot change from us-west-2 to us-east-1: everything that the stack has is there", ""},
		{"organization.mode", "create", "none", "cannot change from create to none", ""},
		{"organization.managementAccountId", "", "111111111111", "", ""},
		{"organization.managementAccountId", "111111111111", "", "", ""},
		{"organization.managementAccountId", "111111111111", "222222222222", "cannot change from 111111111111 to 222222222222", ""},
		{"organization.accounts.training.id", "", "222222222222", "cannot change from empty to 222222222222", ""},
		{"organization.accounts.training.email", "a@example.com", "b@example.com", "", "stays a@example.com"},
		{"organization.accounts.training.name", "a", "b", "", "stays a"},
		{"storage.encryption", "kms", "aes256", "the KMS key would be deleted", ""},
		{"storage.encryption", "aes256", "kms", "", "existing objects"},
		{"ci.account", "training", "deployment", "set ci.account to training. To move them, remove ci.repository and run `pulumi up`", ""},
		{"git.provider", "github", "gitlab", "Set git.provider to none", ""},
		{"git.provider", "github", "none", "", ""},
		{"git.provider", "none", "gitlab", "", ""},
		{"git.repository", "llm/scripts", "other/scripts", "cannot change from llm/scripts to other/scripts", ""},
		{"git.repository", "a/b/scripts", "a/c/scripts", "cannot change from a/b/scripts to a/c/scripts", ""},
		{"git.repository", "llm/scripts", "llm/others", "", "is deleted with its commits"},
		{"git.branch", "a", "b", "", "the branch a of  is deleted with its commits"},
		{"storage.sourceBucket", "", "company-data", "", "is deleted with all objects in it"},
		{"storage.sourceBucket", "company-data", "", "", ""},
		{"storage.sourceBucket", "company-data", "other-data", "", ""},
		{"sagemaker.notebookVolumeGB", "50", "100", "", ""},
		{"sagemaker.notebookVolumeGB", "100", "50", "SageMaker only enlarges a volume", ""},
		{"git.baseUrl", "", "https://git.example.com/api/v3/", "cannot change from empty to https://git.example.com/api/v3/", ""},
		{"network.cidr", "10.0.0.0/16", "10.1.0.0/16", "a VPC keeps its range", ""},
		{"network.vpcId", "", "vpc-1", "an EKS cluster stays in its VPC", ""},
		{"network.zones", "a, b", "a, b, c", "", ""},
		{"network.zones", "a, b", "a, bc", "can only be appended", ""},
		{"network.zones", "a, b", "b, a", "can only be appended", ""},
		{"network.zones", "a, b, c", "a, b", "can only be appended", ""},
		{"network.flowLogDays", "30", "0", "", "deletes the log group of the VPC flow logs"},
		{"network.flowLogDays", "30", "60", "", ""},
		{"cluster.containerInsights", "true", "false", "", "deletes the log groups of Container Insights"},
		{"cluster.containerInsights", "false", "true", "", ""},
		{"cluster.kubeconfig", "", "abc", "has a cluster of its own", ""},
		{"cluster.kubeconfig", "abc", "", "cannot be removed", ""},
		{"cluster.kubeconfig", "abc", "def", "cannot change to another server", ""},
		{"cluster.version", "1.35", "1.36", "", ""},
		{"cluster.version", "1.36", "1.35", "does not go back", ""},
		{"cluster.version", "1.35", "1.37", "Set 1.36 first", ""},
		{"cluster.pools.gpu.nodes", "1", "2", "--scaling-config desiredSize=2", ""},
		{"tags", "Team=a", "Team=b", "", "running nodes"},
	} {
		notes, err := Edit{Stack: "dev", Cluster: "llm-dev", Old: Facts{c.key: c.old}, New: Facts{c.key: c.new}}.Review()
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s, %s -> %s: %v", c.key, c.old, c.new, err)
		case c.refused != "" && (err == nil || !strings.HasPrefix(err.Error(), "refused edit of stack dev: 1 error; nothing was changed\n  "+c.key+": ") || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s, %s -> %s: error is %v, want %q", c.key, c.old, c.new, err, c.refused)
		}
		if all := strings.Join(notes, "\n"); (all != "") != (c.note != "") || !strings.Contains(all, c.note) {
			t.Errorf("%s, %s -> %s: notes are %q, want %q", c.key, c.old, c.new, all, c.note)
		}
	}
}

// What protect protects does not leave the stack, before an update has lifted the protection. Otherwise, the preview says
// what becomes of it.
func TestProtected(t *testing.T) {
	for _, c := range []struct {
		old, new Facts
		key      string
		kept     string // part of the note with keepData and keepBranch
		lost     string // part of the note without
	}{
		{Facts{"organization.accounts.testing.id": ""}, Facts{}, "organization.accounts.testing.id", "stays open", "stays open"},
		{Facts{"organization.organizationalUnits.research": "llm-dev-research"}, Facts{}, "organization.organizationalUnits.research", "stays in AWS", "stays in AWS"},
		{Facts{"organization.trail": "true"}, Facts{}, "organization.trail", "stays in AWS with its logs", "stays in AWS with its logs"},
		{Facts{"storage.sourceBucket": ""}, Facts{"storage.sourceBucket": "company-data"}, "storage.sourceBucket", "is retained", "is deleted with all objects"},
		{Facts{"git.branch": "a", "git.repository": "b/c"}, Facts{"git.branch": "d", "git.repository": "b/c"}, "git.branch", "branch a of b/c is retained", "branch a of b/c is deleted"},
		{Facts{"git.branch": "a", "git.repository": "b/c"}, Facts{}, "git.branch", "branch a of b/c is retained", "branch a of b/c is deleted"},
		{Facts{"git.branch": "a", "git.repository": "b/c"}, Facts{"git.branch": "a", "git.repository": "b/d"}, "git.repository", "branch a of b/c is retained", "branch a of b/c is deleted"},
	} {
		for want, state := range map[string]Facts{
			c.kept: {"protect": "false", "storage.keepData": "true", "git.keepBranch": "true"},
			c.lost: {"protect": "false", "storage.keepData": "false", "git.keepBranch": "false"},
		} {
			old, desired := maps.Clone(c.old), maps.Clone(c.new)
			maps.Copy(old, state)
			maps.Copy(desired, Facts{"protect": "true"})
			if notes, err := (Edit{Old: old, New: desired}).Review(); err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0], c.key+": ") || !strings.Contains(notes[0], want) {
				t.Errorf("%v: %q, %v, want %q", c.old, notes, err, want)
			}
			old["protect"] = "true"
			if _, err := (Edit{Old: old, New: desired}).Review(); err == nil || !strings.Contains(err.Error(), c.key+": ") || !strings.Contains(err.Error(), "Set protect to false and run `pulumi up`") {
				t.Errorf("%v, protected: %v", c.old, err)
			}
		}
	}
}

// The first update by this version says whom it shuts out, and no later one.
func TestUpgradeSaysWhoIsShutOut(t *testing.T) {
	for name, c := range map[string]struct {
		settings settings.Settings
		want     string
	}{
		"deployed by a role":  {settings.Settings{Organization: settings.Organization{RoleName: "Deploy"}}, "except by organization.roleName"},
		"deployed by anybody": {settings.Settings{}, "pods and nodes use objects from the VPC only. The VPC reaches"},
		"existing VPC":        {settings.Settings{Network: settings.Network{VPCID: "vpc-1"}}, "SageMaker writes below sagemaker/ only"},
	} {
		facts := Standing(c.settings)
		earlier := maps.Clone(facts)
		delete(earlier, accessKey)
		notes, err := Edit{Old: earlier, New: facts}.Review()
		if err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0], "storage.access: ") || !strings.Contains(notes[0], c.want) {
			t.Errorf("%s: %q, %v, want %q", name, notes, err, c.want)
		}
		if notes, err := (Edit{Old: facts, New: facts}).Review(); err != nil || len(notes) > 0 {
			t.Errorf("%s, again: %q, %v", name, notes, err)
		}
	}
}

// All refusals are in one message, and a key that is new is none.
func TestOneMessage(t *testing.T) {
	_, err := Edit{Stack: "prod",
		Old: Facts{"region": "us-west-2", "ci.account": "a", "cluster.version": "1.35", "organization.accounts.a.email": "x"},
		New: Facts{"region": "us-east-1", "ci.account": "b", "cluster.version": "1.36", "added": "x"},
	}.Review()
	if err == nil || !strings.HasPrefix(err.Error(), "refused edit of stack prod: 2 errors; nothing was changed\n  ci.account: ") || !strings.Contains(err.Error(), "\n  region: ") {
		t.Errorf("two refusals and an accepted change: %v", err)
	}
}

// An upgrade and a stack that had no guardrails are told what these deny.
func TestNewGuardrails(t *testing.T) {
	notes, err := Edit{Old: Facts{"region": "us-west-2"}, New: Facts{"region": "us-west-2", "guardrails.allowedServices": ""}}.Review()
	if err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0], "guardrails.allowedServices: from now on") {
		t.Errorf("%q, %v", notes, err)
	}
	both := Facts{"guardrails.allowedServices": ""}
	if notes, err := (Edit{Old: both, New: both}).Review(); err != nil || len(notes) != 0 {
		t.Errorf("nothing has changed: %q, %v", notes, err)
	}
}

// What an update interrupts is said in a fixed order, with the run that goes on. The end of a run is a separate line.
func TestInterruptions(t *testing.T) {
	pools := map[string]settings.Pool{"gpu": {Nodes: 2}, "block": {Nodes: 1, Capacity: settings.CapacityBlock}}
	for name, c := range map[string]struct {
		old, new Facts
		rolls    []Roll
		want     []string // beginnings of lines
	}{
		"nothing":   {Facts{"run": "a", "cluster.pools.gpu": "x"}, Facts{"run": "a", "cluster.pools.gpu": "x", "cluster.pools.new": "y"}, nil, nil},
		"first run": {Facts{}, Facts{"run": "a"}, nil, nil},
		"next run":  {Facts{"run": "a"}, Facts{"run": "b"}, nil, []string{"training: ends run a: "}},
		"last run":  {Facts{"run": "a"}, Facts{}, nil, []string{"training: ends run a: "}},
		"pools": {
			Facts{"run": "a", "run.pool": "gpu", "cluster.pools.gpu": "x", "cluster.pools.block": "x", "cluster.pools.old": "x"},
			Facts{"run": "a", "run.pool": "gpu", "cluster.pools.gpu": "y", "cluster.pools.block": "y"}, nil,
			[]string{
				"cluster.pools.block: replaces the node group: its nodes are terminated, then 1 new ones start",
				"cluster.pools.gpu: replaces the node group: 2 new nodes start, then the old ones are terminated. Interrupts run a, ",
				"cluster.pools.old: deletes the pool",
			},
		},
		"rolls": {
			Facts{"run": "a", "run.pool": "gpu"}, Facts{"run": "b", "run.pool": "gpu"},
			[]Roll{{"system", "x"}, {"gpu", "y"}, {"a", "z"}},
			[]string{"training: ends run a", "cluster.pools.a: replaces the nodes of the pool one after another (z)", "cluster.pools.gpu: replaces the nodes of the pool one after another (y)", "cluster: replaces the system nodes one after another (x)"},
		},
		"unknown past": {Facts{}, Facts{"run": "a", "run.pool": "gpu"}, []Roll{{"gpu", "y"}}, []string{"cluster.pools.gpu: replaces the nodes of the pool one after another (y). Interrupts run a, "}},
		"system nodes": {Facts{"cluster.system": "a"}, Facts{"cluster.system": "b"}, nil, []string{"cluster: replaces the node group of the system nodes"}},
		"notebook":     {Facts{"sagemaker.notebook": "a"}, Facts{"sagemaker.notebook": "b"}, nil, []string{"sagemaker.notebook: replaces"}},
		"no notebook":  {Facts{"sagemaker.notebook": "a"}, Facts{}, nil, []string{"sagemaker.notebook: deletes"}},
	} {
		got := Edit{Old: c.old, New: c.new}.Interruptions(settings.Settings{Cluster: settings.Cluster{Pools: pools}}, c.rolls)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s:\n  %s\nwant\n  %s", name, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

// EKS replaces nodes for another launch template, Kubernetes version or image, and for no other input.
func TestNewRoll(t *testing.T) {
	old := NodeGroup{Template: "1", Version: "1.35", Image: "a"}
	for want, group := range map[string]NodeGroup{
		"":                                       old,
		"new launch template":                    {Template: "2", Version: "1.35", Image: "a"},
		"Kubernetes 1.35 to 1.36":                {Template: "1", Version: "1.36", Image: "a"},
		"node image a to b, new launch template": {Version: "1.35", Image: "b"}, // the version of a changed template is unknown in a preview
	} {
		if roll, rolls := NewRoll("gpu", old, group); rolls != (want != "") || roll.Cause != want {
			t.Errorf("%+v: %q, want %q", group, roll.Cause, want)
		}
	}
	if err := (Roll{"gpu", "x"}).Room("us-west-2", "c", "g", 0); err != nil {
		t.Errorf("without nodes: %v", err)
	}
}

// Every rule is about a fact that some stack has: a pattern that matches none would never apply.
func TestEveryRuleHasAFact(t *testing.T) {
	existing := settings.Settings{
		CI:           settings.CI{Repository: "a/b"},
		Git:          settings.Git{Provider: settings.GitHub},
		SageMaker:    settings.SageMaker{NotebookInstanceType: "ml.t3.medium"},
		Organization: settings.Organization{Mode: settings.Create, Trail: true, Accounts: map[string]settings.Account{"a": {}}, OrganizationalUnits: map[string]settings.Unit{"b": {Name: "c"}}},
		Guardrails:   settings.Guardrails{Enabled: true},
		Cluster:      settings.Cluster{Kubeconfig: "a secret"},
	}
	managed := settings.Settings{Cluster: settings.Cluster{Pools: map[string]settings.Pool{"gpu": {}}}}
	facts := Standing(existing)
	maps.Copy(facts, Standing(managed))
	if len(rules()) < 20 {
		t.Fatalf("%d rules: this test sees nothing", len(rules()))
	}
	for _, r := range rules() {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(facts)), func(key string) bool { return matches(r.key, key) }) {
			t.Errorf("no fact for the rule %s", r.key)
		}
	}
	for key, value := range facts {
		if strings.Contains(value, "secret") {
			t.Errorf("%s is %s", key, value)
		}
	}
}
