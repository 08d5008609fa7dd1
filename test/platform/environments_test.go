package platform

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

const environmentType = "github:index/repositoryEnvironment:RepositoryEnvironment"

// With ci.reviewers, a stack creates its GitHub environments: those in which somebody's code runs with a role wait for a
// reviewer or accept the default branch only. They are retained, since GitHub deletes an environment with its secrets.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) { c.SetDefaultBranch("octo/llm", "trunk") })
	set(t, s, "ci.repository", "octo@1/llm@2")
	enginetest.Run(t, s, "up")
	set(t, s, "ci.reviewers", map[string]any{"users": []any{11}, "teams": []any{22}})
	enginetest.Expect(t, "an up with reviewers", enginetest.Run(t, s, "up"),
		"create pulumi:providers:github ci-environments",
		"create "+environmentType+" ci-environment-dev", "create "+environmentType+" ci-environment-dev-preview", "create "+environmentType+" ci-environment-dev-drift",
		"create github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy ci-branch-dev",
		"create github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy ci-branch-dev-drift")
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
	rules := func() (found []string) {
		for _, r := range cloud.Resources() {
			if r.Type == environmentType {
				policy, _ := r.Inputs["deploymentBranchPolicy"].(map[string]any)
				found = append(found, fmt.Sprint(r.Account, " ", r.ID, " reviewers ", r.Inputs["reviewers"], " not themselves ", r.Inputs["preventSelfReview"], " branches ", policy["customBranchPolicies"]))
			} else if strings.HasPrefix(r.Type, "github:index/repositoryEnvironmentDeploymentPolicy:") {
				found = append(found, r.ID)
			}
		}
		slices.Sort(found)
		return found
	}
	both := "[map[teams:[22] users:[11]]]"
	want := []string{"llm:dev-drift:trunk", "llm:dev:trunk",
		"octo llm:dev reviewers " + both + " not themselves true branches true",
		"octo llm:dev-drift reviewers <nil> not themselves <nil> branches true",
		"octo llm:dev-preview reviewers " + both + " not themselves true branches <nil>"}
	if got := rules(); !slices.Equal(got, want) {
		t.Errorf("environments:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	set(t, s, "ci.reviewers", map[string]any{"users": []any{11}})
	enginetest.Expect(t, "fewer reviewers", enginetest.Run(t, s, "up"), "update "+environmentType+" ci-environment-dev", "update "+environmentType+" ci-environment-dev-preview")
	if got := rules(); !strings.Contains(got[2], "[map[teams:[] users:[11]]] not themselves false") {
		t.Errorf("one reviewer could not approve what he started: %s", got[2])
	}
	set(t, s, "ci.reviewers", nil)
	enginetest.Run(t, s, "up")
	if got := rules(); len(got) != len(want) {
		t.Errorf("without reviewers, only these are left: %s", got)
	}
}

// An environment that exists is not overwritten: the preview refuses it.
func TestEnvironmentExists(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		err := c.Put(simcloud.Resource{Type: environmentType, Account: "octo", Inputs: map[string]any{"repository": "llm", "environment": "dev", "waitTimer": 30}})
		if err != nil {
			t.Fatal(err)
		}
	})
	set(t, s, "ci.repository", "octo/llm")
	set(t, s, "ci.reviewers", map[string]any{"users": []any{11, 12}})
	for _, verb := range []string{"preview", "up"} {
		if _, message := enginetest.Fail(t, s, verb); !strings.Contains(message, "environment dev exists in octo/llm and was not created by this stack") {
			t.Errorf("%s: %s", verb, message)
		}
	}
	for _, r := range cloud.Resources() {
		if r.Type == environmentType && r.ID == "llm:dev" && fmt.Sprint(r.Inputs["waitTimer"]) != "30" {
			t.Errorf("overwritten: %v", r.Inputs)
		}
	}
}
