package platform

import (
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// An existing cluster cannot be exchanged by an edit; the steps that the refusal names move the run to another one.
func TestMoveToAnotherCluster(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	alone(t, s)
	enginetest.Run(t, s, "up")
	objects := func() (all []simcloud.Resource) { return named(cloud, "kubernetes:", "") }
	before := objects()
	if len(before) < 5 {
		t.Fatalf("%d objects in the first cluster", len(before))
	}
	secret(t, s, "cluster.kubeconfig", strings.ReplaceAll(simcloud.Kubeconfig, "https://existing.", "https://other."))
	_, message := enginetest.Fail(t, s, "preview")
	const command = "pulumi destroy --target-dependents --target '**llm:platform:Training**' --target '**::standing'"
	if !strings.Contains(message, "cluster.kubeconfig: ") || !strings.Contains(message, command) {
		t.Fatalf("another kubeconfig: %s", message)
	}
	var args []string
	for _, arg := range strings.Fields(strings.TrimPrefix(command, "pulumi ")) {
		args = append(args, strings.Trim(arg, "'"))
	}
	if _, err := s.CLI(t.Context(), append(args, "--yes")...); err != nil {
		t.Fatal(err)
	}
	if left := objects(); len(left) > 0 {
		t.Errorf("the command leaves %v in the first cluster", left)
	}
	if data := named(cloud, "aws:s3/bucketV2:BucketV2", ""); len(data) < 3 {
		t.Errorf("the command leaves %d buckets", len(data))
	}
	enginetest.Run(t, s, "up")
	if after := objects(); len(after) != len(before) || after[0].Account == before[0].Account {
		t.Errorf("%d objects in %s, want %d in another cluster than %s", len(after), after[0].Account, len(before), before[0].Account)
	}
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
}
