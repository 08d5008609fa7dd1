//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"llm-platform/test/simcloud"
)

// with merges settings; later ones override earlier ones.
func with(all ...map[string]any) map[string]any {
	merged := map[string]any{}
	for _, settings := range all {
		maps.Copy(merged, settings)
	}
	return merged
}

// existingCluster returns the settings of an existing cluster, without its kubeconfig. Its nodes have NVIDIA's label.
func existingCluster() map[string]any {
	return map[string]any{"network": nil, "cluster": map[string]any{"pools": map[string]any{"gpu": map[string]any{
		"instanceType": "g5.xlarge", "labels": map[string]any{"nvidia.com/gpu.present": "true"},
	}}}}
}

func kubeconfigSecret(t *testing.T) map[string]string {
	return map[string]string{"llm-platform:cluster.kubeconfig": kubeconfigOf(t)}
}

func kubeconfigOf(t *testing.T) string {
	return string(must(os.ReadFile(os.Getenv("KUBECONFIG"))))
}

func sample(t *testing.T) string {
	return string(must(os.ReadFile(root + "/sample/corpus.txt")))
}

func caller(t *testing.T) string {
	cfg := must(managementConfig(t.Context()))
	return *must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})).Account
}

func key(n int) string     { return fmt.Sprintf("text/part-%03d.jsonl", n) }
func content(n int) string { return fmt.Sprintf("{\"part\": %d}\n", n) }

func copies(n int) map[string]any {
	all := map[string]any{}
	for i := range n {
		all[fmt.Sprint("c", i)] = map[string]any{"source": key(i)}
	}
	return all
}

// changedCopies returns 60 copies of which two have changed places, one has another name, one another source and one another
// destination.
func changedCopies() map[string]any {
	all := copies(60)
	all["c0"], all["c1"] = map[string]any{"source": key(0), "destination": key(1)}, map[string]any{"source": key(1), "destination": key(0)}
	delete(all, "c2")
	all["again"] = map[string]any{"source": key(2)}
	all["c3"] = map[string]any{"source": key(60), "destination": key(3)}
	all["c4"] = map[string]any{"source": key(4), "destination": "moved/4"}
	return all
}

// replacement returns the changes of a resource, "type name", that is replaced.
func replacement(what string) []string {
	return []string{"create-replacement " + what, "replace " + what, "delete-replaced " + what}
}

// createSource creates a bucket with n objects, which belongs to no stack.
func createSource(t *testing.T, name string, n int) {
	client := bucketClient(must(managementConfig(t.Context())))
	must(client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}))
	for i := range n {
		must(client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: aws.String(key(i)), Body: strings.NewReader(content(i))}))
	}
}

// simulatedGitLab starts the simulator and returns the environment in which the engine uses its GitLab provider.
func simulatedGitLab(t *testing.T) map[string]string {
	cloud := simcloud.New()
	stop, err := cloud.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for _, provider := range strings.Split(cloud.Env()["PULUMI_DEBUG_PROVIDERS"], ",") {
		if strings.HasPrefix(provider, "gitlab:") {
			return map[string]string{"PULUMI_DEBUG_PROVIDERS": provider, "GITLAB_TOKEN": "simulated"}
		}
	}
	t.Fatal("the simulator has no GitLab provider")
	return nil
}

// ousByID returns the OUs that the destroy of the first variant retained.
func ousByID(t *testing.T) []any {
	client := organizations.NewFromConfig(must(managementConfig(t.Context())))
	root := must(client.ListRoots(t.Context(), &organizations.ListRootsInput{})).Roots[0].Id
	var all []any
	for _, ou := range must(client.ListOrganizationalUnitsForParent(t.Context(), &organizations.ListOrganizationalUnitsForParentInput{ParentId: root})).OrganizationalUnits {
		if strings.HasPrefix(*ou.Name, "llm-dev-") {
			all = append(all, *ou.Id)
		}
	}
	if len(all) != 2 {
		t.Fatalf("of the first variant's OUs there are %v", all)
	}
	return all
}

// accountsByID returns the settings of the accounts that the destroy of the first variant retained.
func accountsByID(t *testing.T) map[string]any {
	client := organizations.NewFromConfig(must(managementConfig(t.Context())))
	all := map[string]any{}
	for _, account := range must(client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})).Accounts {
		for _, name := range []string{"training", "testing", "deployment"} {
			if *account.Name == "llm-dev-"+name {
				all[name] = map[string]any{"id": *account.Id}
			}
		}
	}
	if len(all) != 3 {
		t.Fatalf("found only %v of the first variant's accounts", all)
	}
	return all
}
