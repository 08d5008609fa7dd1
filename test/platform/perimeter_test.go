package platform

import (
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

const bucketPolicy = "aws:s3/bucketPolicy:BucketPolicy"

// Whoever deploys the stack of one account from outside its VPC, by the credentials or by a role, writes and copies
// objects into buckets whose policies bind others to the VPC.
func TestDeployedFromOutsideTheVPC(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"", "platform"} {
		cloud, s := enginetest.Open(t, "solo", func(c *simcloud.Cloud) { c.SetCaller("111122223333") }) // the account in the file
		set(t, s, "organization.roleName", role)
		enginetest.Run(t, s, "up")
		policies := named(cloud, bucketPolicy, "storage-dataset-policy")
		if len(policies) != 1 {
			t.Fatalf("%d policies of the dataset: this test tests nothing", len(policies))
		}
		text, _ := policies[0].Inputs["policy"].(string)
		if vpc := cloudOne(t, cloud, "aws:ec2/vpc:Vpc").ID; !strings.Contains(text, `"aws:SourceVpc":"`+vpc+`"`) {
			t.Errorf("role %q: the dataset is not bound to %s: %s", role, vpc, text)
		}
		// The simulator tells: a policy that binds everybody refuses the next copy.
		everybody := strings.NewReplacer("ArnLike", "ArnNotLike", "ArnNotLikeIfExists", "ArnLikeIfExists").Replace(text)
		if everybody == text || !cloud.Edit(bucketPolicy, policies[0].ID, "policy", everybody) {
			t.Fatalf("role %q: the policy exempts nobody: %s", role, text)
		}
		set(t, s, "storage.copies.again", map[string]any{"source": "sample/corpus.txt", "destination": "again.txt"})
		if _, message := enginetest.Fail(t, s, "up"); !strings.Contains(message, "explicit deny in a resource-based policy (DenyOutsideVPC)") {
			t.Errorf("role %q: %s", role, message)
		}
	}
}

func cloudOne(t *testing.T, cloud *simcloud.Cloud, typ string) simcloud.Resource {
	t.Helper()
	found := named(cloud, typ, "")
	if len(found) != 1 {
		t.Fatalf("%d of %s", len(found), typ)
	}
	return found[0]
}
