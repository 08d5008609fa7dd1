package platform

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// After a destroy, EKS has created its log group anew. The next up says which command deletes it, and then continues.
func TestDestroyThenUp(t *testing.T) {
	cloud, s := enginetest.Open(t, "dev")
	withoutOrganization(t, s)
	enginetest.Run(t, s, "up")
	enginetest.Run(t, s, "destroy")
	const group = "/aws/eks/llm-platform-dev/cluster"
	left := cloud.Resources()
	if len(left) != 1 || left[0].ID != group || left[0].URN != "" {
		t.Fatalf("destroy left %v, want the log group that EKS creates anew", left)
	}
	if _, message := enginetest.Fail(t, s, "up"); !strings.Contains(message, "aws logs delete-log-group --log-group-name") {
		t.Errorf("up: %s", message)
	}
	if !cloud.Remove("aws:cloudwatch/logGroup:LogGroup", group) {
		t.Fatalf("%s is gone", group)
	}
	enginetest.Run(t, s, "up")
	enginetest.Expect(t, "a preview afterwards", enginetest.Run(t, s, "preview"))
}

// A run starts after everything that it reads. In an existing cluster nothing else delays it: no nodes have to start.
func TestRunStartsAfterItsData(t *testing.T) {
	var lock sync.Mutex
	var created []string
	_, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			data := strings.HasSuffix(call.Type, ":ObjectCopy") || strings.HasPrefix(call.Name, "storage-dataset") || strings.HasPrefix(call.Name, "storage-checkpoints")
			if call.Op == "create" && call.Done && (data || strings.HasSuffix(call.Type, ":Job")) {
				lock.Lock()
				defer lock.Unlock()
				created = append(created, call.Name)
			}
			return nil
		}
	})
	alone(t, s)
	enginetest.Run(t, s, "up")
	if last := created[len(created)-1]; len(created) < 10 || !strings.HasPrefix(last, "training-job-") {
		t.Errorf("created in this order: %v; want the Job last", created)
	}
}

// A stack older than the program's own log groups of Container Insights keeps their logs: docs/troubleshooting.md says
// how to import a group.
func TestImportLogGroup(t *testing.T) {
	cloud, s := enginetest.Open(t, "dev")
	withoutOrganization(t, s)
	set(t, s, "cluster.containerInsights", false)
	enginetest.Run(t, s, "up")
	const group = "/aws/containerinsights/llm-platform-dev/application"
	if err := cloud.Put(simcloud.Resource{
		Type: "aws:cloudwatch/logGroup:LogGroup", Account: simcloud.ManagementAccount, Region: "us-west-2", Inputs: map[string]any{"name": group},
	}); err != nil {
		t.Fatal(err)
	}
	urns, err := s.CLI(t.Context(), "stack", "--show-urns")
	if err != nil {
		t.Fatal(err)
	}
	urn := func(ending string) string {
		found := regexp.MustCompile(`(?m)urn:\S*` + regexp.QuoteMeta(ending) + `$`).FindString(urns)
		if found == "" {
			t.Fatalf("no URN ends with %s in:\n%s", ending, urns)
		}
		return found
	}
	if _, err := s.CLI(t.Context(), "import", "--parent", "cluster="+urn("llm:platform:Cluster::cluster"),
		"--provider", "training="+urn("pulumi:providers:aws::org-provider-training"), "--protect=false", "--generate-code=false", "--yes",
		"aws:cloudwatch/logGroup:LogGroup", "cluster-insights-application", group); err != nil {
		t.Fatal(err)
	}
	set(t, s, "cluster.containerInsights", true)
	changes := enginetest.Run(t, s, "up").Changes()
	if !slices.Contains(changes, "update aws:cloudwatch/logGroup:LogGroup cluster-insights-application") ||
		!slices.Contains(changes, "create aws:cloudwatch/logGroup:LogGroup cluster-insights-host") {
		t.Errorf("the update %v", changes)
	}
}

// withoutOrganization moves the dev stack to one existing account.
func withoutOrganization(t *testing.T, s *engine.Stack) {
	t.Helper()
	for _, path := range []string{"budget", "ci"} {
		set(t, s, path, nil)
	}
	set(t, s, "organization", map[string]any{
		"mode": "none", "roleName": "", "accounts": map[string]any{"training": map[string]any{"id": simcloud.ManagementAccount}},
	})
}
