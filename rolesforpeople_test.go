package main

import (
	"slices"
	"strings"
	"testing"
)

const researcher = "arn:aws:iam::222222222222:role/research"

// The roles for everyday work exist only where somebody may assume them, in the training account. That of scientists has an
// access entry whose group may see the training namespace and execute in its pods, and nothing else.
func TestRolesForPeople(t *testing.T) {
	for _, stack := range shipped(t) {
		for _, name := range runShipped(t, stack).names() {
			if strings.HasPrefix(name, "roles") {
				t.Errorf("%s: %s exists without anybody who may use it", stack, name)
			}
		}
	}
	g, err := run(t, "prod", map[string]any{"roles.scientists": []any{researcher}, "roles.imagePushers": []any{researcher}}, organization("SERVICE_CONTROL_POLICY", "111111111111"))
	if err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []string{"scientist", "push"} {
		role := g.one(t, "roles-"+purpose)
		if role.provider() != "org-provider-training" {
			t.Errorf("%s has the provider %s", role.name, role.provider())
		}
		trust := statements(t, role, "assumeRolePolicy")["Assume"]
		if got := trust.Condition["ArnLike"]["aws:PrincipalArn"]; !slices.Equal(got, []string{researcher}) {
			t.Errorf("%s trusts %v", role.name, got)
		}
	}
	push := statements(t, g.one(t, "roles-push-policy"), "policy")["PushAndPull"]
	if repository := push.Resource; len(repository) != 1 || !strings.Contains(repository[0], "image-repository") {
		t.Errorf("the push role pushes to %v", repository)
	}
	reads := statements(t, g.one(t, "roles-scientist-policy"), "policy")
	if buckets := reads["ReadObjects"].Resource; len(buckets) != 3 {
		t.Errorf("scientists read %v, not dataset, checkpoints and artifacts", buckets)
	}
	entry := g.one(t, "roles-scientist-access")
	if got := list(entry.inputs, "kubernetesGroups"); len(got) != 1 || got[0].StringValue() != "llm-platform:scientists" {
		t.Errorf("the access entry has the groups %v", got)
	}
	binding := g.one(t, "roles-scientist-namespace-binding")
	if group := text(binding.inputs, "subjects[0].name"); group != "llm-platform:scientists" || text(binding.inputs, "metadata.namespace") != "training" {
		t.Errorf("the binding is of %q in %q", group, text(binding.inputs, "metadata.namespace"))
	}
	if !binding.dependsOn("training-namespace") {
		t.Error("the binding does not wait for its namespace")
	}
	rules := list(g.one(t, "roles-scientist-namespace-role").inputs, "rules")
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	for _, rule := range rules {
		for _, r := range list(rule.ObjectValue(), "resources") {
			for _, verb := range list(rule.ObjectValue(), "verbs") {
				if reading := slices.Contains([]string{"get", "list", "watch"}, verb.StringValue()); strings.Contains(r.StringValue(), "secret") || strings.Contains(r.StringValue(), "*") || !reading && r.StringValue() != "pods/exec" {
					t.Errorf("scientists may %s %s", verb.StringValue(), r.StringValue())
				}
			}
		}
	}
}

// An access entry of role scientist gives what the role for scientists has, and AWS's policies to nobody but administrators.
func TestAccessEntriesOfScientists(t *testing.T) {
	const administrator = "arn:aws:iam::222222222222:role/administrator"
	g := runWith(t, map[string]any{"cluster.access": map[string]any{
		"research": map[string]any{"principal": researcher, "role": "scientist"}, "operations": map[string]any{"principal": administrator, "role": "administrator"},
	}})
	for principal, groups := range map[string]int{researcher: 1, administrator: 0} {
		name := "cluster-access-" + strings.SplitN(principal, "::", 2)[1]
		if got := list(g.one(t, name).inputs, "kubernetesGroups"); len(got) != groups || groups > 0 && got[0].StringValue() != "llm-platform:scientists" {
			t.Errorf("%s has the groups %v", name, got)
		}
		if _, exists := g.resources[name+"-policy"]; exists != (groups == 0) {
			t.Errorf("%s: a policy of AWS is associated: %t", name, exists)
		}
	}
	g.one(t, "roles-scientist-namespace-role")
	g.one(t, "roles-scientist-namespace-binding")
	if _, exists := g.resources["roles-scientist"]; exists {
		t.Error("a role of IAM exists without anybody who may use it")
	}
}

// In an existing cluster its owner decides who has access; the roles exist all the same.
func TestRolesInExistingCluster(t *testing.T) {
	g := runWith(t, map[string]any{
		"cluster.kubeconfig":  `{"kind":"Config","current-context":"a","clusters":[{"name":"a"}],"contexts":[{"name":"a"}]}`,
		"cluster.publicCidrs": []any{}, "cluster.pools": map[string]any{"gpu": map[string]any{"instanceType": "g5.xlarge"}}, "roles.scientists": []any{researcher},
	})
	permissions := statements(t, g.one(t, "roles-scientist-policy"), "policy")
	if _, cluster := permissions["DescribeCluster"]; cluster || len(permissions["ReadObjects"].Resource) != 3 {
		t.Errorf("scientists may %v", permissions)
	}
	for _, r := range g.resources {
		if r.parent() == "roles" && !strings.HasPrefix(r.kind, "aws:iam/") {
			t.Errorf("%s %s is created in a cluster of another owner", r.kind, r.name)
		}
	}
}
