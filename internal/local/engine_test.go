package local_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llm-platform/internal/local"
	"llm-platform/internal/local/localtest"
	"llm-platform/internal/simcloud"
)

// unknown is how the engine's events spell a value that a preview cannot know.
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

const program = "testdata/program"

// expect compares what changed with what should, in any order.
func expect(t *testing.T, r local.Result, want ...string) {
	t.Helper()
	var got []string
	for _, c := range r.Changed() {
		got = append(got, fmt.Sprint(c.Op, " ", c.Name()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n  got  %q\n  want %q", got, want)
	}
}

func find(t *testing.T, r local.Result, typ, name string) local.Change {
	t.Helper()
	for _, c := range r.Changes {
		if c.Type == typ && c.Name() == name {
			return c
		}
	}
	t.Fatalf("no step on %s %s", typ, name)
	return local.Change{}
}

func TestLife(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	if len(w.Notes) != 1 || !strings.Contains(w.Notes[0], "simulated:token") {
		t.Errorf("notes: %q", w.Notes)
	}

	preview := localtest.Run(t, w, "preview")
	for _, c := range preview.Changed() {
		if c.Op != "create" {
			t.Errorf("first preview: %v", c)
		}
	}
	// The account's provider is not configured before the account exists: nothing of its resources is known.
	// The management account's is.
	if bucket := find(t, preview, "aws:s3/bucketV2:BucketV2", "dataset"); bucket.New.ID != "" || len(bucket.New.Outputs) != 0 {
		t.Errorf("dataset: id %q, outputs %v", bucket.New.ID, bucket.New.Outputs)
	}
	if org := find(t, preview, "aws:organizations/organization:Organization", "org"); org.New.ID != "" || org.New.Outputs["arn"] != unknown || org.New.Outputs["featureSet"] != "ALL" {
		t.Errorf("organization: id %q, outputs %v", org.New.ID, org.New.Outputs)
	}
	if got := cloud.Resources(); len(got) != 0 {
		t.Errorf("a preview made %d resources", len(got))
	}

	up := localtest.Run(t, w, "up")
	if len(up.Changed()) != len(preview.Changed()) {
		t.Errorf("%d changes, %d previewed", len(up.Changed()), len(preview.Changed()))
	}
	made := len(cloud.Resources())
	if made < 30 {
		t.Errorf("only %d resources exist", made)
	}
	bucket := up.Outputs["bucket"].(string)
	if !strings.HasPrefix(bucket, "dataset-") || up.Outputs["bucketArn"] != "arn:aws:s3:::"+bucket {
		t.Errorf("outputs: %v", up.Outputs)
	}

	again := localtest.Run(t, w, "up")
	expect(t, again)
	if len(again.Changes) < made {
		t.Errorf("an up without changes told of %d steps", len(again.Changes))
	}
	expect(t, localtest.Run(t, w, "refresh"))
	expect(t, localtest.Run(t, w, "preview"))

	localtest.Run(t, w, "destroy")
	if left := cloud.Resources(); len(left) != 0 {
		t.Errorf("left after destroy: %v", left)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	localtest.Run(t, w, "up")
	account := map[string]string{}
	for _, r := range cloud.Resources() {
		if r.Type == "aws:organizations/account:Account" {
			account[r.Name] = r.ID
			if r.Account != simcloud.ManagementAccount || len(r.ID) != 12 || r.Inputs["parentId"] == "" {
				t.Errorf("account %s: %+v", r.Name, r)
			}
		}
	}
	seen := 0
	for _, r := range cloud.Resources() {
		owner := map[string]string{"source": "training", "dataset": "training", "testing": "testing", "vpc": "training", "trainer": "training"}[r.Name]
		if owner == "" || r.Type == "aws:organizations/account:Account" {
			continue
		}
		seen++
		if r.Account != account[owner] {
			t.Errorf("%s %s is in account %s, not %s", r.Type, r.Name, r.Account, account[owner])
		}
		if tags, ok := r.Outputs["tagsAll"].(map[string]any); ok && tags["Account"] != owner {
			t.Errorf("%s %s: tagsAll %v", r.Type, r.Name, tags)
		}
		if arn, _ := r.Outputs["arn"].(string); r.Name == "vpc" && arn != "arn:aws:ec2:us-west-2:"+account[owner]+":vpc/"+r.ID {
			t.Errorf("vpc: %s", arn)
		}
		if arn, _ := r.Outputs["arn"].(string); r.Type == "aws:iam/role:Role" && arn != "arn:aws:iam::"+account[owner]+":role/"+r.ID {
			t.Errorf("role: %s", arn)
		}
	}
	if seen < 5 || len(account) != 2 {
		t.Fatalf("%d resources, %d accounts; this test tests nothing", seen, len(account))
	}
}

func TestEdits(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	localtest.Run(t, w, "up")
	edit := func(key string, value any, want ...string) local.Result {
		t.Helper()
		if err := w.Set("simulated:"+key, value); err != nil {
			t.Fatal(err)
		}
		result := localtest.Run(t, w, "up")
		expect(t, result, want...)
		return result
	}
	if err := w.Set("simulated:content", "two"); err != nil {
		t.Fatal(err)
	}
	expect(t, localtest.Run(t, w, "preview"), "update sample", "update copy")
	// The copy follows the source's etag.
	edit("content", "two", "update sample", "update copy")
	if r := edit("instanceType", "p5.48xlarge", "update gpu"); r.Outputs["templateVersion"] != 2.0 {
		t.Errorf("launch template version %v", r.Outputs["templateVersion"])
	}
	edit("extra", true, "create alerts")
	edit("extra", false, "delete alerts")
	// A Job's name is its own and its template cannot change: the old one goes first.
	r := edit("image", "registry/train:2", "delete-replaced train", "replace train", "create-replacement train")
	if first := r.Changed()[0]; first.Op != "delete-replaced" || first.Type != "kubernetes:batch/v1:Job" {
		t.Errorf("first step: %v", first)
	}
	// A named role replaces an auto-named one, and takes its policy and access entry with it.
	edit("explicitName", "trainer",
		"create-replacement trainer", "replace trainer", "delete-replaced trainer",
		"create-replacement trainer", "replace trainer", "delete-replaced trainer",
		"create-replacement cluster-admin", "replace cluster-admin", "delete-replaced cluster-admin",
		"create-replacement cluster-admin-admin", "replace cluster-admin-admin", "delete-replaced cluster-admin-admin")
	edit("branch", "training-2", "update branch")
	expect(t, localtest.Run(t, w, "refresh"))
	expect(t, localtest.Run(t, w, "up"))
	for _, r := range cloud.Resources() {
		if r.Type == "aws:iam/role:Role" && r.Name == "trainer" && r.ID != "trainer" {
			t.Errorf("role %s", r.ID)
		}
	}
}

// A cluster added to accounts that exist: its provider is configured, so a preview knows what the component asks
// for, and not what AWS would answer.
func TestCluster(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	if err := w.Set("simulated:cluster", false); err != nil {
		t.Fatal(err)
	}
	localtest.Run(t, w, "up")
	if err := w.Set("simulated:cluster", nil); err != nil {
		t.Fatal(err)
	}
	preview := localtest.Run(t, w, "preview")
	cluster := find(t, preview, "aws:eks/cluster:Cluster", "cluster-eksCluster").New
	network, _ := cluster.Inputs["vpcConfig"].(map[string]any)
	if subnets, _ := network["subnetIds"].([]any); len(subnets) != 2 || !strings.HasPrefix(fmt.Sprint(subnets[0]), "subnet-") {
		t.Errorf("subnets %v", network["subnetIds"])
	}
	if name := fmt.Sprint(cluster.Outputs["name"]); cluster.ID != "" || cluster.Outputs["endpoint"] != unknown || !strings.HasPrefix(name, "cluster-eksCluster-") {
		t.Errorf("id %q, endpoint %v, name %s", cluster.ID, cluster.Outputs["endpoint"], name)
	}
	up := localtest.Run(t, w, "up")
	if len(up.Changed()) != len(preview.Changed()) {
		t.Errorf("%d changes, %d previewed", len(up.Changed()), len(preview.Changed()))
	}
	var account string
	kinds := map[string]int{}
	for _, r := range cloud.Resources() {
		kinds[r.Type]++
		if r.Type == "aws:eks/cluster:Cluster" {
			account = r.Account
			if subnet := r.Outputs["vpcConfig"].(map[string]any); subnet["vpcId"] == "" || !strings.HasPrefix(fmt.Sprint(subnet["clusterSecurityGroupId"]), "sg-") {
				t.Errorf("vpcConfig %v", subnet)
			}
		}
	}
	for typ, want := range map[string]int{
		"aws:ec2/securityGroup:SecurityGroup": 2, "aws:ec2/securityGroupRule:SecurityGroupRule": 6, "aws:eks/accessEntry:AccessEntry": 2,
		"aws:eks/accessPolicyAssociation:AccessPolicyAssociation": 1, "aws:iam/rolePolicyAttachment:RolePolicyAttachment": 4, "kubernetes:batch/v1:Job": 1,
	} {
		if kinds[typ] != want {
			t.Errorf("%d of %s, want %d", kinds[typ], typ, want)
		}
	}
	for _, r := range cloud.Resources() {
		if strings.HasPrefix(r.Name, "cluster-") && r.Account != account {
			t.Errorf("%s is in account %s, the cluster in %s", r.Name, r.Account, account)
		}
		if r.Type == "kubernetes:batch/v1:Job" && (r.ID != "training/train" || !strings.HasPrefix(r.Account, "https://")) {
			t.Errorf("job %s on %s", r.ID, r.Account)
		}
	}
	expect(t, localtest.Run(t, w, "preview"))
}

func TestDeniedCreate(t *testing.T) {
	t.Parallel()
	var refused, lost atomic.Int32
	cloud, w := localtest.Open(t, program, "test", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if call.Op == "create" && call.Name == "dataset" && !call.Done && refused.Add(1) == 1 {
				return errors.New("AccessDenied: not authorized to perform: s3:CreateBucket")
			}
			if call.Op == "create" && call.Name == "gpu" && call.Done && lost.Add(1) == 1 {
				return errors.New("connection reset by peer")
			}
			return nil
		}
	})
	result, message := localtest.Fail(t, w, "up")
	for _, want := range []string{`creating aws BucketV2 "dataset" in account `, ", us-west-2: AccessDenied: not authorized to perform: s3:CreateBucket"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q does not say %q", message, want)
		}
	}
	if !find(t, result, "aws:s3/bucketV2:BucketV2", "dataset").Failed {
		t.Error("the step on dataset did not fail")
	}
	localtest.Run(t, w, "up")
	expect(t, localtest.Run(t, w, "up"))
	count := map[string]int{}
	for _, r := range cloud.Resources() {
		count[r.Name+" "+r.Type]++
	}
	if count["dataset aws:s3/bucketV2:BucketV2"] != 1 {
		t.Errorf("%d datasets", count["dataset aws:s3/bucketV2:BucketV2"])
	}
	// Its answer was lost, so the engine made another, under another auto-name.
	if lost.Load() > 0 && count["gpu aws:ec2/launchTemplate:LaunchTemplate"] != 2 {
		t.Errorf("%d launch templates", count["gpu aws:ec2/launchTemplate:LaunchTemplate"])
	}
}

func TestRoleNotYetAssumable(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test", func(c *simcloud.Cloud) { c.DenyRoles(1) })
	_, message := localtest.Fail(t, w, "up")
	if !strings.Contains(message, "cannot assume IAM role (arn:aws:iam::") {
		t.Errorf("message %q", message)
	}
	cloud.DenyRoles(0) // the run may have ended before the other account's provider was tried
	localtest.Run(t, w, "up")
}

func TestVanished(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	bucket := localtest.Run(t, w, "up").Outputs["bucket"].(string)
	if !cloud.Remove("aws:s3/bucketV2:BucketV2", bucket) {
		t.Fatal("no bucket to remove")
	}
	expect(t, localtest.Run(t, w, "refresh"), "delete dataset")
	r := localtest.Run(t, w, "up")
	if c := find(t, r, "aws:s3/bucketV2:BucketV2", "dataset"); c.Op != "create" {
		t.Errorf("%v", c)
	}
}

func TestExisting(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	if err := w.Set("simulated:existing", "theirs"); err != nil {
		t.Fatal(err)
	}
	if _, message := localtest.Fail(t, w, "preview"); !strings.Contains(message, "'theirs' does not exist") {
		t.Errorf("message %q", message)
	}
	if _, err := cloud.Put(simcloud.Resource{
		Type: "aws:s3/bucketV2:BucketV2", Account: simcloud.ManagementAccount, Region: "us-west-2", Inputs: map[string]any{"bucket": "theirs"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, message := localtest.Fail(t, w, "preview"); !strings.Contains(message, "reading S3 Bucket (theirs) Object (data): couldn't find resource") {
		t.Errorf("message %q", message)
	}
	cloud.PutObject("theirs", "data", []byte("x"), 6<<30)
	r := localtest.Run(t, w, "up")
	if r.Outputs["existingArn"] != "arn:aws:s3:::theirs" || r.Outputs["existingSize"] != float64(6<<30) {
		t.Errorf("outputs %v", r.Outputs)
	}
	localtest.Run(t, w, "destroy")
	if left := cloud.Resources(); len(left) != 1 || left[0].ID != "theirs" {
		t.Errorf("left: %v", left)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	cloud, w := localtest.Open(t, program, "test")
	localtest.Run(t, w, "up")
	arrived := false
	for _, r := range cloud.Resources() {
		if data, ok := r.Inputs["stringData"].(map[string]any); ok {
			arrived = data["token"] == "placeholder"
		}
	}
	if !arrived {
		t.Error("the configured secret did not reach the Kubernetes Secret")
	}
	state, err := w.State()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"placeholder", "planted-token"} {
		if strings.Contains(string(state), secret) {
			t.Errorf("the state holds %q in clear", secret)
		}
	}
	if !strings.Contains(string(state), "ciphertext") {
		t.Error("the state holds no secret; this test tests nothing")
	}
}

func TestKilled(t *testing.T) {
	t.Parallel()
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	cloud, w := localtest.Open(t, program, "test", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if call.Name == "vpc" && !call.Done {
				// Not while another create is under way: a name that is given once would be taken by what the
				// killed engine never recorded, which no second up mends.
				for before := 0; before == 0 || before != len(c.Resources()); time.Sleep(time.Second) {
					before = len(c.Resources())
				}
				kill()
			}
			return nil
		}
	})
	if _, err := w.Run(ctx, "up"); err == nil {
		t.Fatal("up succeeded though it was killed")
	}
	if len(cloud.Resources()) == 0 {
		t.Fatal("killed before anything was made; this test tests nothing")
	}
	stack := w.Stack()
	if err := stack.Cancel(context.Background()); err != nil { // the lock
		t.Fatal(err)
	}
	localtest.Run(t, w, "up")
	expect(t, localtest.Run(t, w, "preview"))
}

func TestUnknownStack(t *testing.T) {
	_, err := local.Open(context.Background(), local.Options{Project: program, Stack: "staging"})
	if want := `stack "staging": no Pulumi.staging.yaml; there is: test`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
