//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/job"
	"llm-platform/test/lab"
)

const (
	image      = "registry.example.com/train@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	otherImage = "registry.example.com/train@sha256:1111111111111111111111111111111111111111111111111111111111111111"

	// EKS's quota, which is the largest size of every node group.
	// https://docs.aws.amazon.com/general/latest/gr/eks.html
	largest = 450

	publicRange = "198.41.0.0/24" // of a user; EKS refuses the example in the shipped stacks
)

var addons = []string{"amazon-cloudwatch-observability", "coredns", "eks-node-monitoring-agent", "eks-pod-identity-agent", "kube-proxy", "metrics-server", "vpc-cni"}

// corpora is a bucket that exists before the stacks that copy from it, and after them.
const corpora = "company-corpora"

// variants returns the three shipped stacks, and three more for the modes that these do not use. In addition to the
// shipped files they set what a user must fill in: repository, image and account.
func variants(t *testing.T) []variant {
	git := map[string]any{"git.repository": lab.Repository, "training.image": image, "organization.managementAccountId": caller(t)}
	system := pool{instanceType: "m6i.large", ami: "AL2023_x86_64_STANDARD", capacity: "ON_DEMAND", desired: 2, largest: largest}
	g5 := pool{instanceType: "g5.xlarge", ami: "AL2023_x86_64_NVIDIA", capacity: "ON_DEMAND", desired: 1, largest: largest, taint: "nvidia.com/gpu=true"}
	p5 := pool{instanceType: "p5.48xlarge", ami: "AL2023_x86_64_NVIDIA", capacity: "ON_DEMAND", desired: 2, largest: largest, taint: "nvidia.com/gpu=true", interfaces: 32, efa: 32}
	three := system
	three.desired = 3

	return []variant{
		{
			name: "dev", stack: "dev", set: with(git, map[string]any{"cluster.publicCidrs": []any{publicRange}}), beside: "prod",
			read: func(r *reader) {
				r.equal("buckets", r.buckets("llm-platform-dev-"), 5)
				r.equal("the sample's copy is the sample", r.object(r.output("destinationDataUrl")+"sample/corpus.txt") == sample(r.t), true)
				r.equal("guardrails' targets", fmt.Sprint(r.guardrails("llm-platform-dev-")),
					"map[budgets-killswitch:0 guardrails-accelerators:2 guardrails-baseline:2 guardrails-data:2 guardrails-regions:2 guardrails-services:2]")
				r.equal("OU of training", r.ouOf("training"), "llm-dev-workloads")
				r.equal("OU of deployment", r.ouOf("deployment"), "llm-dev-infrastructure")
				r.network(5)
				r.cluster([]string{publicRange}, addons)
				r.pools(map[string]pool{"system": system, "gpu": g5})
				r.job(1, image)
				r.branch("training/dev")
			},
			edits: []edit{
				{name: "account added", set: map[string]any{"organization.accounts": map[string]any{
					"training": map[string]any{"organizationalUnit": "workloads"}, "testing": map[string]any{"organizationalUnit": "workloads"},
					"deployment": map[string]any{"organizationalUnit": "infrastructure"}, "research": map[string]any{"organizationalUnit": "workloads"},
				}}, want: []string{
					"create aws:organizations/account:Account org-account-research",
					"create aws:resourcegroups/group:Group org-group-research",
					"create pulumi:providers:aws org-provider-research",
					"create aws:ebs/encryptionByDefault:EncryptionByDefault org-research-volumes",
					"create aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess org-research-snapshots",
					"create aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess org-research-images",
					"create aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock org-research-buckets",
					"update aws:iam/rolePolicy:RolePolicy ci-deploy-policy",
					"update pulumi:index:Stash standing",
				}},
				{name: "pool's largest size", set: map[string]any{"cluster.pools.gpu.maxNodes": 4}, want: []string{running}}, // which has the cost
				{name: "not to be moved", set: map[string]any{
					"git.repository": "others/training-scripts", "git.baseUrl": "https://git.example.com/api/v3/", "ci.account": "training",
					"organization.mode": "adopt", "network.cidr": "10.32.0.0/16",
					"ci.repository": "example/llm-platform", // an Enterprise Server's has no ids
				}, refused: []string{
					"refused edit of stack dev: 5 errors; nothing was changed", "git.repository: ", "git.baseUrl: ", "ci.account: ", "organization.mode: ", "network.cidr: ",
				}, undo: map[string]any{
					"git.repository": lab.Repository, "git.baseUrl": nil, "ci.account": nil, "organization.mode": "create", "network.cidr": nil,
					"ci.repository": "example@0/llm-platform@0",
				}},
				{name: "copy added", set: map[string]any{"storage.copies": map[string]any{
					"sample": map[string]any{"source": "sample/corpus.txt"},
					"again":  map[string]any{"source": "sample/corpus.txt", "destination": "again/corpus.txt"},
				}}, want: []string{"create aws:s3/objectCopy:ObjectCopy storage-copy-again"}},
				{name: "image changed", set: map[string]any{"training.image": otherImage}, want: anotherRun(true)},
				{name: "guardrail edited", set: map[string]any{"guardrails.instanceTypes": []any{"g6.xlarge"}}, want: []string{"update aws:organizations/policy:Policy guardrails-accelerators"}},
				{name: "branch renamed", set: map[string]any{"git.branch": "training/dev-2"}, want: anotherBranch(t, "training/dev", "training/dev-2")},
				{name: "branch deleted by hand", before: func(r *reader) { r.deleteBranch("training/dev-2") }, refresh: true, want: newBranch(t, "training/dev-2")},
			},
			after: func(r *reader) {
				r.equal("OU of research", r.ouOf("research"), "llm-dev-workloads")
				r.pools(map[string]pool{"system": system, "gpu": g5})
				r.equal("the second copy is the sample", r.object(r.output("destinationDataUrl")+"again/corpus.txt") == sample(r.t), true)
				r.job(1, otherImage)
				r.branch("training/dev-2")
				if _, exists := r.github("git/ref/heads/training/dev"); exists {
					r.t.Error("the old branch still exists")
				}
			},
			end: func(r *reader) {
				r.equal("left in the training account", r.left(), []string{})
				r.equal("bucket of the organization's trail, which is retained", r.trails(), 1)
				r.equal("OU of training, which is retained", r.ouOf("training"), "llm-dev-workloads")
				r.equal("guardrails", len(r.guardrails("llm-platform-dev-")), 0)
				r.equal("namespace training is deleted", r.kubectl("namespace", "training") == nil, true)
				if _, exists := r.github("git/ref/heads/training/dev-2"); exists {
					r.t.Error("the branch still exists, but git.keepBranch is false")
				}
			},
		},
		{
			name: "prod", stack: "prod", set: git,
			read: func(r *reader) {
				r.equal("buckets", r.buckets("llm-platform-prod-"), 5)
				r.equal("guardrails' targets", fmt.Sprint(r.guardrails("llm-platform-prod-")),
					"map[budgets-killswitch:0 guardrails-accelerators:2 guardrails-baseline:2 guardrails-data:2 guardrails-regions:2 guardrails-services:2]")
				r.equal("OU of training", r.ouOf("training"), "llm-prod-workloads")
				r.network(7)
				r.cluster(nil, addons)
				r.pools(map[string]pool{"system": three, "gpu": p5})
				r.job(2, image)
				r.branch("training/prod")
			},
			edits: []edit{
				{name: "pool added", set: map[string]any{"cluster.pools.small": map[string]any{"instanceType": "g6.12xlarge", "capacity": "spot"}}, want: []string{
					"create aws:ec2/launchTemplate:LaunchTemplate pool-small-template",
					"create aws:ec2/placementGroup:PlacementGroup pool-small-placement",
					"create aws:eks/nodeGroup:NodeGroup pool-small",
					"update pulumi:index:Stash standing", "update pulumi:index:Stash running",
					"update aws:organizations/policy:Policy guardrails-accelerators",
				}},
				{name: "image changed", set: map[string]any{"training.image": otherImage}, want: anotherRun(true)},
				{name: "guardrail edited", set: map[string]any{"guardrails.regions": []any{"eu-west-1"}}, want: []string{"update aws:organizations/policy:Policy guardrails-regions"}},
			},
			after: func(r *reader) { r.job(2, otherImage) },
			keep:  map[string]any{"protect": false},
			end: func(r *reader) {
				for _, what := range r.left() {
					if !strings.HasPrefix(what, "bucket llm-platform-prod-storage-") {
						r.t.Errorf("left in the training account: %s", what)
					}
				}
				r.equal("buckets retained", r.buckets("llm-platform-prod-"), 5)
				r.equal("OU of training, which is retained", r.ouOf("training"), "llm-prod-workloads")
				r.equal("guardrails", len(r.guardrails("llm-platform-prod-")), 0)
				if _, exists := r.github("git/ref/heads/training/prod"); !exists {
					r.t.Error("the branch is deleted, but git.keepBranch is true")
				}
			},
		},
		{
			// As after a destroy: existing accounts by id, an existing branch and an existing cluster.
			name: "adopted", stack: "dev", set: with(git, existingCluster(), map[string]any{
				"organization.mode": "adopt", "git.branch": "ours", "git.adopt": true,
			}),
			secrets: kubeconfigSecret(t),
			prepare: func(t *testing.T) map[string]any {
				createBranch(t, "ours")
				return map[string]any{"organization.accounts": accountsByID(t), "organization.organizationalUnits": ousByID(t)}
			},
			read: func(r *reader) {
				r.equal("no VPC", r.output("vpcId"), "")
				r.equal("OU of training", r.ouOf("training"), "llm-dev-workloads")
				r.job(1, image)
				r.running()
				r.branch("ours")
			},
			edits: []edit{
				{name: "image changed", set: map[string]any{"training.image": otherImage}, want: anotherRun(false)},
				{name: "variable added", set: map[string]any{"training.environment": map[string]any{"WANDB_MODE": "offline"}}, want: anotherRun(false)},
			},
			end: func(r *reader) {
				r.equal("left in the training account", r.left(), []string{})
				if _, exists := r.github("git/ref/heads/ours"); !exists {
					r.t.Error("the adopted branch is deleted")
				}
			},
		},
		{
			// The first stack that a newcomer deploys, with an image: one account, a cluster, a run on processors.
			name: "solo", stack: "solo", set: map[string]any{
				"organization.accounts.training.id": caller(t), "cluster.publicCidrs": []any{publicRange},
				"training.enabled": true, "training.image": image, "cluster.version": "1.35",
			},
			read: func(r *reader) {
				r.equal("buckets", r.buckets("llm-platform-solo-"), 5)
				r.equal("the sample's copy is the sample", r.object(r.output("destinationDataUrl")+"sample/corpus.txt") == sample(r.t), true)
				r.network(5)
				r.cluster([]string{publicRange}, slices.DeleteFunc(slices.Clone(addons), func(addon string) bool { return addon == "amazon-cloudwatch-observability" }))
				one := system
				one.desired = 1
				r.pools(map[string]pool{"system": one, "cpu": {
					instanceType: "m7i.large", ami: "AL2023_x86_64_STANDARD", capacity: "ON_DEMAND", desired: 1, largest: largest, taint: "llm-platform/pool=cpu",
				}})
				r.job(1, image)
			},
			edits: []edit{
				{name: "retention changed", set: map[string]any{"storage.logDays": 60}, want: []string{"update aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 storage-logs-lifecycle"}},
				{name: "pool's labels, scaled", before: func(r *reader) { r.scale("cpu", 4) },
					set:   map[string]any{"cluster.pools.cpu.labels": map[string]any{"team": "research"}},
					want:  []string{"update aws:eks/nodeGroup:NodeGroup pool-cpu"},
					check: func(r *reader) { r.nodes("cpu", 4) }},
				{name: "pool's largest size", set: map[string]any{"cluster.pools.cpu.maxNodes": 8}, want: []string{running}, check: func(r *reader) { r.nodes("cpu", 4) }},
				{name: "pool's disk, after a refresh", refresh: true, set: map[string]any{"cluster.pools.cpu.volumeGB": 150},
					want:  []string{"update aws:ec2/launchTemplate:LaunchTemplate pool-cpu-template", "update aws:eks/nodeGroup:NodeGroup pool-cpu", running},
					says:  []string{"cluster.pools.cpu: replaces the nodes of the pool one after another"},
					check: func(r *reader) { r.nodes("cpu", 4) }},
				{name: "version", set: map[string]any{"cluster.version": "1.36"}, want: []string{
					"update aws:eks/addon:Addon cluster-coredns", "update aws:eks/addon:Addon cluster-eks-node-monitoring-agent",
					"update aws:eks/addon:Addon cluster-kube-proxy", "update aws:eks/addon:Addon cluster-metrics-server",
					"update aws:eks/cluster:Cluster cluster-eks-eksCluster", "update eks:index:Cluster cluster-eks",
					"update aws:eks/nodeGroup:NodeGroup pool-cpu", "update aws:eks/nodeGroup:NodeGroup pool-system", standing,
				}, says: []string{"cluster.pools.cpu: replaces the nodes of the pool one after another (Kubernetes 1.35 to 1.36", "cluster: replaces the system nodes"},
					check: func(r *reader) { r.nodes("cpu", 4) }},
				{name: "tags", set: map[string]any{"tags": map[string]any{"Team": "research"}}, updates: true,
					says: []string{"running nodes"}, unsaid: []string{"replaces"}, check: func(r *reader) {
						r.nodes("cpu", 4)
						r.template("cpu", "2") // of the disk: the tags have made no other
					}},
				{name: "system nodes raised", set: map[string]any{"cluster.systemNodes": 2}, want: []string{"update aws:eks/nodeGroup:NodeGroup pool-system", running},
					check: func(r *reader) { r.nodes("system", 2) }},
				{name: "system nodes lowered", set: map[string]any{"cluster.systemNodes": 1}, want: []string{"update aws:eks/nodeGroup:NodeGroup pool-system", running},
					check: func(r *reader) { r.nodes("system", 1) }},
				{name: "accelerators moved", set: map[string]any{"network.acceleratorZones": []any{"b"}}, want: append(slices.Concat(
					replacement("aws:ec2/subnet:Subnet network-gpu-1"), replacement("aws:eks/nodeGroup:NodeGroup pool-cpu"),
					replacement("aws:ec2/routeTableAssociation:RouteTableAssociation network-gpu-1-routes"),
				), running),
					says: []string{"cluster.pools.cpu: replaces the node group"}, check: func(r *reader) { r.zone("cpu", "b") }},
				{name: "zone added", set: map[string]any{"network.zones": []any{"a", "b", "c"}}, want: append(
					replacement("aws:eks/nodeGroup:NodeGroup pool-system"), // its subnets cannot change
					"create aws:ec2/subnet:Subnet network-private-c", "create aws:ec2/subnet:Subnet network-public-c",
					"create aws:ec2/routeTable:RouteTable network-routes-c", "create aws:ec2/route:Route network-routes-c-internet",
					"create aws:ec2/routeTableAssociation:RouteTableAssociation network-private-c-routes",
					"create aws:ec2/routeTableAssociation:RouteTableAssociation network-public-c-routes",
					"update aws:ec2/vpcEndpoint:VpcEndpoint network-s3", standing, running,
					"update eks:index:Cluster cluster-eks", // which passes them on; the control plane ignores them
				), check: func(r *reader) { r.controlPlane("a", "b") }},
				{name: "not to be moved", set: map[string]any{
					"region": "us-east-1", "network.cidr": "10.32.0.0/16", "network.zones": []any{"b", "a", "c"}, "cluster.version": "1.35",
					"storage.encryption": "aes256", "cluster.pools.cpu.nodes": 2, "organization.accounts.training.id": "111122223333",
				}, refused: []string{
					"refused edit of stack solo: 7 errors; nothing was changed", "region: ", "network.cidr: ", "network.zones: ", "cluster.version: ",
					"storage.encryption: ", "cluster.pools.cpu.nodes: ", "organization.accounts.training.id: ",
				}, undo: map[string]any{
					"region": nil, "network.cidr": nil, "network.zones": []any{"a", "b", "c"}, "cluster.version": "1.36",
					"storage.encryption": nil, "cluster.pools.cpu.nodes": 1, "organization.accounts.training.id": caller(t),
				}},
				{name: "image changed", set: map[string]any{"training.image": otherImage}, want: anotherRun(true)},
			},
			after: func(r *reader) {
				r.job(1, otherImage)
				r.checkpoints()
			},
			end: func(r *reader) { r.equal("left in the account", r.left(), []string{}) },
		},
		{
			name: "many copies", stack: "dev", set: with(git, existingCluster(), map[string]any{
				"organization": map[string]any{"mode": "none", "roleName": "", "accounts": map[string]any{"training": map[string]any{"id": caller(t)}}},
				"guardrails":   nil, "training.enabled": false, "git.provider": "none",
				"storage.sourceBucket": corpora, "storage.copies": copies(60), "storage.encryption": "aes256",
			}),
			secrets: kubeconfigSecret(t),
			prepare: func(t *testing.T) map[string]any {
				createSource(t, corpora, 61)
				return nil
			},
			read: func(r *reader) {
				r.equal("buckets", r.buckets("llm-platform-dev-"), 4)
				for n := range 60 {
					r.equal(fmt.Sprint("copy ", n), r.object(r.output("destinationDataUrl")+key(n)), content(n))
				}
			},
			edits: []edit{
				{name: "copy added", set: map[string]any{"storage.copies": copies(61)}, want: []string{"create aws:s3/objectCopy:ObjectCopy storage-copy-c60"}},
				{name: "copy removed", set: map[string]any{"storage.copies": copies(60)}, want: []string{"delete aws:s3/objectCopy:ObjectCopy storage-copy-c60"},
					check: func(r *reader) { r.copied(60, 60) }},
				{name: "copies changed", set: map[string]any{"storage.copies": changedCopies()}, want: slices.Concat(
					replacement("aws:s3/objectCopy:ObjectCopy storage-copy-c0"), replacement("aws:s3/objectCopy:ObjectCopy storage-copy-c1"),
					replacement("aws:s3/objectCopy:ObjectCopy storage-copy-c3"), replacement("aws:s3/objectCopy:ObjectCopy storage-copy-c4"),
					[]string{"create aws:s3/objectCopy:ObjectCopy storage-copy-again", "delete aws:s3/objectCopy:ObjectCopy storage-copy-c2"},
				), check: func(r *reader) {
					r.copied(1, 0)
					r.copied(0, 1)
					r.copied(2, 2)
					r.copied(3, 60)
					r.copied(4, 4)
					r.equal("the moved copy", r.object(r.output("destinationDataUrl")+"moved/4"), content(4))
				}},
				{name: "encrypted with a key", set: map[string]any{"storage.encryption": "kms"}, want: []string{
					"create aws:kms/key:Key storage-key",
					"update aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2 storage-artifacts-encryption",
					"update aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2 storage-checkpoints-encryption",
					"update aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2 storage-dataset-encryption",
					"update aws:iam/rolePolicy:RolePolicy sagemaker-role-policy", standing,
				}, says: []string{"storage.encryption"},
					check: func(r *reader) {
						r.equal("buckets", r.buckets("llm-platform-dev-"), 4)
						for n := 5; n < 60; n++ {
							r.copied(n, n)
						}
					}},
				{name: "not to be moved", set: map[string]any{"storage.encryption": "aes256"},
					secrets: map[string]string{"llm-platform:cluster.kubeconfig": strings.ReplaceAll(kubeconfigOf(t), "https://127.0.0.1", "https://127.0.0.2")},
					refused: []string{"refused edit of stack dev: 2 errors; nothing was changed", "storage.encryption: ", "cluster.kubeconfig: "},
					undo:    map[string]any{"storage.encryption": "kms"}, undoSecrets: kubeconfigSecret(t)},
			},
			end: func(r *reader) {
				r.equal("left in the account", r.left(), []string{"bucket " + corpora})
				r.equal("the source", r.object("s3://"+corpora+"/"+key(7)), content(7))
			},
		},
		{
			// There is no emulator of GitLab's API: its provider is the simulator's, and all others are real.
			name: "gitlab", stack: "dev", set: with(existingCluster(), map[string]any{
				"organization": map[string]any{"mode": "none", "roleName": "", "accounts": map[string]any{"training": map[string]any{"id": caller(t)}}},
				"guardrails":   nil, "training.image": image,
				"git.provider": "gitlab", "git.repository": "company/research/training-scripts", "ci.repository": "company/research/platform",
			}),
			secrets: kubeconfigSecret(t),
			extra:   simulatedGitLab(t),
			read: func(r *reader) {
				r.job(1, image)
				r.running()
				r.equal("branch", r.output("branchName"), "training/dev")
			},
			edits: []edit{{name: "image changed", set: map[string]any{"training.image": otherImage}, want: anotherRun(false)}},
			end:   func(r *reader) { r.equal("left in the account", r.left(), []string{"bucket " + corpora}) },
		},
	}
}

// anotherRun returns the changes after an edit of what defines the run.
//
// In a cluster of the stack each run has a service account with an identity of its own.
func anotherRun(managed bool) []string {
	all := []string{"update pulumi:index:Stash running"}
	if managed {
		for _, what := range []string{"aws:eks/podIdentityAssociation:PodIdentityAssociation training-identity-train-*", "kubernetes:core/v1:ServiceAccount training-account-train-*"} {
			all = append(all, "create "+what, "delete "+what)
		}
	}
	for _, what := range []string{"kubernetes:batch/v1:Job training-job-train-*", "kubernetes:core/v1:ConfigMap training-scripts-train-*", "kubernetes:core/v1:Service training-service-train-*"} {
		all = append(all, "create "+what, "delete "+what)
	}
	return all
}

// anotherBranch returns the changes after an edit of git.branch: another branch with its files, and the new commit in the
// label of the Job.
func anotherBranch(t *testing.T, before, after string) []string {
	all := []string{
		"update kubernetes:batch/v1:Job training-job-train-*", "create " + branchType + after, "delete " + branchType + before,
		"update pulumi:index:Stash standing",
	}
	for _, path := range branchFiles(t) {
		all = append(all, "create-replacement "+fileType+path, "replace "+fileType+path, "delete-replaced "+fileType+path)
	}
	return all
}

// newBranch returns the changes of a branch that is created again, from whose commit the run goes on.
func newBranch(t *testing.T, name string) []string {
	all := []string{"update kubernetes:batch/v1:Job training-job-train-*", "create " + branchType + name}
	for _, path := range branchFiles(t) {
		all = append(all, "create "+fileType+path)
	}
	return all
}

const branchType, fileType = "github:index/branch:Branch git-branch-", "github:index/repositoryFile:RepositoryFile git-file-"

// branchFiles returns the paths of what the program commits to a branch.
func branchFiles(t *testing.T) []string {
	scripts, err := job.ReadScripts(os.DirFS(root + "/scripts"))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{job.SumsFile}
	for _, script := range scripts {
		paths = append(paths, script.Path)
	}
	return paths
}
