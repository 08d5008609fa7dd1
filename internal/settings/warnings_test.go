package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	const private = "cluster.publicCidrs: is empty, so the cluster's API is reached from inside the VPC only"
	const waits = "training.nodes: is 2, but cluster.pools.gpu starts with 1, and nothing in this stack scales it"
	ids := object{"organization.mode": "adopt", "organization.accounts": object{"training": object{"id": "222222222222"}}}
	vpc := object{"network.vpcId": "vpc-0123456789abcdef0", "network.privateSubnetIds": []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
		"network.acceleratorSubnetIds": object{"a": "subnet-0123456789abcdef2"}}
	existing := object{"cluster.kubeconfig": kubeconfigText, "cluster.publicCidrs": []any{}, "training.nodes": 2, "cluster.pools": object{"gpu": object{"instanceType": "g5.xlarge"}}}
	zones := func(names ...any) object {
		return object{"region": "us-east-1", "network.zones": names, "network.acceleratorZones": names[:1]}
	}
	for name, c := range map[string]struct {
		set  object
		want []string // beginnings of the warnings
	}{
		"nothing":                     {object{}, nil},
		"private, in a new VPC":       {object{"cluster.publicCidrs": []any{}}, []string{private}},
		"private, in an existing VPC": {and(object{"cluster.publicCidrs": []any{}}, vpc), nil},
		"existing cluster":            {existing, nil},
		"placeholder":                 {object{"cluster.publicCidrs": []any{"8.8.8.0/24", "203.0.113.0/24"}}, []string{"cluster.publicCidrs[1]: 203.0.113.0/24 is a placeholder, reserved for examples, and EKS"}},
		"within a placeholder":        {object{"cluster.publicCidrs": []any{"192.0.2.7/32"}}, []string{"cluster.publicCidrs[0]: 192.0.2.7/32 is a placeholder in 192.0.2.0/24, reserved for examples"}},
		"more nodes than at first":    {object{"training.nodes": 2}, []string{waits}},
		"a pool without nodes":        {pool(object{"instanceType": "g5.xlarge"}), []string{"training.nodes: is 1, but cluster.pools.gpu starts with 0"}},
		"no training":                 {object{"training.nodes": 2, "training.enabled": false}, nil},
		"zone without control plane":  {zones("a", "e"), []string{"network.zones: in most accounts us-east-1e is use1-az3"}},
		"all zones of Virginia":       {zones("a", "b", "c", "d", "e", "f"), []string{"network.zones: in most accounts us-east-1e is use1-az3"}},
		"other zones of Virginia":     {zones("a", "f"), nil},
		"zones of an existing VPC":    {and(zones("a", "e"), vpc), nil},
		"opt-in region":               {and(ids, object{"region": "me-central-1"}), []string{"region: me-central-1 is an opt-in region"}},
		"region of the future":        {and(ids, object{"region": "us-west-3"}), []string{"region: us-west-3 is not in the program's list of regions"}},
		"id in a new organization":    {object{"organization.accounts": object{"training": object{"id": "222222222222"}}}, []string{"organization.accounts.training.id: account 222222222222 is not a member"}},
		"id in an organization":       {ids, nil},
		"Trainium with another":       {and(object{"training.command": []any{"python", "neuron.py"}}, pool(object{"instanceType": "trn1.32xlarge", "nodes": 1})), nil},
		"ARM":                         {and(custom(object{"architecture": "arm64"}), pool(object{"instanceType": "p9.48xlarge", "nodes": 1})), []string{"cluster.pools.gpu.instanceType: p9.48xlarge has ARM processors"}},
		"system type misspelt":        {object{"cluster.systemInstanceType": "m7i.larg"}, []string{"cluster.systemInstanceType: m7i.larg is not an instance type that this program knows. Did you mean m7i.large? If EC2"}},
		"system type of the future":   {object{"cluster.systemInstanceType": "m9x.large"}, []string{"cluster.systemInstanceType: m9x.large is not an instance type that this program knows. Did you mean m5.large? If EC2"}},
		"system type like no other":   {object{"cluster.systemInstanceType": "u-6tb1.112xlarge"}, []string{"cluster.systemInstanceType: u-6tb1.112xlarge is not an instance type that this program knows. "}},
		"small system type":           {object{"cluster.systemInstanceType": "t3.medium"}, nil},
		"bare system type":            {object{"cluster.systemInstanceType": "m7i.metal-24xl"}, nil},
		"ARM system type":             {object{"cluster.systemInstanceType": "r8g.2xlarge"}, nil},
		"system type elsewhere":       {and(existing, object{"cluster.systemInstanceType": "m7i.larg", "training.nodes": 1}), nil},
		"nobody approves":             {object{"ci.reviewers.users": []any{}}, []string{"ci.reviewers: is empty, so whoever may push to example@0/llm-platform@0 deploys, unless somebody has protected its environments dev, dev-preview, dev-drift by hand"}},
		"a branch on GitLab":          {object{"ci.repository": "a/b", "ci.reviewers.users": []any{}, "git.provider": "gitlab"}, []string{"ci.environment: whoever may push to the branch main of a/b deploys: protect it"}},
		"no CI":                       {object{"ci.repository": "", "ci.reviewers.users": []any{}}, nil},
		"DataSync and requester pays": {object{"storage.sourceBucket": "data", "storage.requesterPays": true, "storage.transfers": object{"a": object{}}}, []string{"storage.transfers: AWS does not say"}},
	} {
		set := and(object{"cluster.publicCidrs": []any{"8.8.8.0/24"}, "network.acceleratorZones": []any{"a"}, "ci.reviewers.users": []any{1}}, c.set)
		s, err := Load("dev", with(t, "dev", set), []string{"cluster"}, token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := s.Warnings()
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		for _, warning := range got {
			if strings.Contains(warning, "\n") {
				t.Errorf("%s: more than a line: %q", name, warning)
			}
		}
	}
}

// The stack files that come with the program have what a first real deployment must change.
func TestWarningsOfShippedStacks(t *testing.T) {
	for stack, want := range map[string][]string{"dev": {"cluster.publicCidrs[0]: 203.0.113.0/24 is a placeholder", "ci.reviewers: is empty"}, "prod": {"cluster.publicCidrs: is empty"}} {
		s, err := Load(stack, with(t, stack, nil), nil, token)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Warnings(); !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("%s: %q", stack, got)
		}
	}
}

// A preview warns of the placeholder that an update refuses.
func TestDeployable(t *testing.T) {
	for text, want := range map[string]string{"203.0.113.0/24": "cluster.publicCidrs[0]: must not be a range reserved for examples", "198.41.0.0/24": ""} {
		s, err := Load("dev", with(t, "dev", map[string]any{"cluster.publicCidrs": []any{text}}), nil, token)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Deployable()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
