package platform

import (
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
)

// What the shipped stacks leave out can be created, is stable and can be deleted: a notebook, transfers, interface endpoints,
// access entries, Trainium nodes.
func TestOptionalParts(t *testing.T) {
	t.Parallel()
	cloud, w := enginetest.Open(t, "dev")
	for path, value := range map[string]any{
		"sagemaker": map[string]any{
			"notebookInstanceType": "ml.t3.medium", "notebookSubnetId": "subnet-0123456789abcdef0", "notebookSecurityGroupIds": []any{"sg-0123456789abcdef0"},
		},
		"storage.transfers":          map[string]any{"corpus": map[string]any{"source": "corpus/", "schedule": "rate(12 hours)"}},
		"network.interfaceEndpoints": []any{"ecr.api"},
		"cluster.access": map[string]any{
			"team": map[string]any{"principal": "arn:aws:iam::222222222222:role/team", "role": "scientist"},
			"ops":  map[string]any{"principal": "arn:aws:iam::222222222222:role/ops", "role": "administrator"},
		},
		"cluster.pools.trainium": map[string]any{"instanceType": "trn1.2xlarge"},
	} {
		set(t, w, path, value)
	}
	enginetest.Run(t, w, "up")
	for _, typ := range []string{
		"aws:sagemaker/notebookInstance:NotebookInstance", "aws:datasync/task:Task", "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
		"kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
	} {
		if len(named(cloud, typ, "")) == 0 {
			t.Errorf("up created no %s", typ)
		}
	}
	enginetest.Expect(t, "a second up", enginetest.Run(t, w, "up"))
	enginetest.Expect(t, "refresh", enginetest.Run(t, w, "refresh"))
	enginetest.Run(t, w, "destroy")
	for _, r := range cloud.Resources() {
		if !retained(r) {
			t.Errorf("destroy left %s %s", strings.TrimPrefix(r.Type, "aws:"), r.Name)
		}
	}
}
