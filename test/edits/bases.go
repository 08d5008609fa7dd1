package edits

import (
	"maps"
	"slices"
	"strings"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/simcloud"
)

type object = map[string]any

type list = []any

// Base is a standing stack that rows edit.
type Base struct {
	Title   string            // for the user
	Stack   string            // whose Pulumi.<stack>.yaml it begins with
	Set     map[string]any    // settings by path; nil removes one
	Secrets map[string]string // secret settings by path
	Assume  func(*simcloud.Cloud) error
}

// digest is an image that a run can have.
var digest = "registry.example.com/train@sha256:" + strings.Repeat("0", 64)

// existingCluster are settings of a small stack, which trains in an existing cluster of one existing account.
var existingCluster = map[string]any{
	"budget": nil, "ci": nil, "network": nil,
	"organization":         object{"mode": "none", "roleName": "", "accounts": object{"training": object{"id": simcloud.ManagementAccount}}},
	"cluster":              object{"pools": object{"gpu": object{"instanceType": "p5.48xlarge"}, "spare": object{"instanceType": "g5.xlarge"}}},
	"training.environment": object{"LOG_LEVEL": "debug"},
	"training.args":        list{"--steps=100", "--batch=4"},
}

// soloRun are settings of Pulumi.solo.yaml with a run.
var soloRun = map[string]any{"training.enabled": true, "training.image": digest}

// extended returns settings with further ones.
func extended(settings, more map[string]any) map[string]any {
	all := maps.Clone(settings)
	maps.Copy(all, more)
	return all
}

// companyData creates two buckets with the same keys, in another account.
func companyData(c *simcloud.Cloud) error {
	for _, bucket := range []string{"company-data", "other-data"} {
		err := c.Put(simcloud.Resource{Type: "aws:s3/bucketV2:BucketV2", Account: "999999999999", Region: "us-west-2", Inputs: object{"bucket": bucket}})
		if err != nil {
			return err
		}
		for _, key := range []string{"a.jsonl", "b.jsonl", "c.jsonl"} {
			c.PutObject(bucket, key, []byte(bucket+key), 0)
		}
	}
	return nil
}

// Bases returns the standing stacks by name.
func Bases() map[string]Base {
	return map[string]Base{
		"dev": {
			Title: "Pulumi.dev.yaml with every optional part", Stack: "dev",
			Assume: companyData,
			Set: map[string]any{
				"tags":                 object{"Team": "nlp", "Wave": "1"},
				"storage.sourceBucket": "company-data", "storage.sourceAccountId": "999999999999",
				"storage.copies": object{
					"a": object{"source": "a.jsonl"}, "b": object{"source": "b.jsonl", "destination": "text/b.jsonl"},
				},
				"storage.transfers":                  object{"corpus": object{"source": "corpus/", "schedule": "rate(12 hours)"}},
				"sagemaker.notebookInstanceType":     "ml.t3.medium",
				"sagemaker.notebookSubnetId":         "subnet-0123456789abcdef0",
				"sagemaker.notebookSecurityGroupIds": list{"sg-0123456789abcdef0"},
				"guardrails.regions":                 list{"us-east-1"},
				"guardrails.instanceTypes":           list{"g6.xlarge"},
				"guardrails.exemptRoles":             list{"team/Administrator"},
				"guardrails.allowedServices":         list{"dynamodb"},
				"network.zones":                      list{"a", "b", "c"},
				"network.acceleratorZones":           list{"a", "b"},
				"network.interfaceEndpoints":         list{"ecr.api", "sts"},
				"cluster.access":                     object{"team": object{"principal": "arn:aws:iam::222222222222:role/team", "role": "scientist"}},
				"cluster.instanceTypes":              object{"p9.48xlarge": figures(), "p9.24xlarge": figures()},
				"cluster.pools.gpu.labels":           object{"team": "nlp"},
				"cluster.pools.spare":                object{"instanceType": "g5.xlarge", "nodes": 0, "capacity": "spot"},
				"cluster.pools.big":                  object{"instanceType": "p5.48xlarge"},
				"cluster.pools.custom":               object{"instanceType": "p9.48xlarge"},
				"training.command":                   list{"python", "train.py"}, // as is the default; for TestUpgrade, whatever that becomes
				"training.args":                      list{"--steps=100", "--batch=4"},
				"training.environment":               object{"LOG_LEVEL": "debug"},
				"budget.monthlyUSD":                  object{"training": 5000, "testing": 100},
				"organization.accounts":              object{"training": object{"organizationalUnit": "workloads"}, "testing": object{"organizationalUnit": "workloads", "email": "testing@example.com"}, "deployment": object{"organizationalUnit": "infrastructure"}},
				"ci.stateBucketArn":                  "arn:aws:s3:::state",
				"ci.deployAssumeRoles":               list{"arn:aws:iam::222222222222:role/deploy"},
				"budget.snsTopicArn":                 "arn:aws:sns:us-east-1:111111111111:budgets",
				"organization.previewRoleName":       "llm-platform-{stack}-preview",
				"organization.trustedServices":       list{"sso.amazonaws.com", "ram.amazonaws.com"},
			},
			Secrets: map[string]string{"training.secrets.HF_TOKEN": "hf-first", "git.token": "first"},
		},
		"existing cluster": {
			Title: "Pulumi.dev.yaml in an existing cluster and account", Stack: "dev", Set: existingCluster,
			Secrets: map[string]string{"cluster.kubeconfig": simcloud.Kubeconfig, "training.secrets.HF_TOKEN": "hf-first"},
			Assume:  companyData,
		},
		"aes256": {
			Title: "Pulumi.dev.yaml in an existing cluster and account, with storage.encryption aes256", Stack: "dev",
			Set:     extended(existingCluster, map[string]any{"storage.encryption": "aes256"}),
			Secrets: map[string]string{"cluster.kubeconfig": simcloud.Kubeconfig},
		},
		"1.35": {
			Title: "Pulumi.solo.yaml with Kubernetes 1.35 and a run", Stack: "solo",
			Set: extended(soloRun, map[string]any{"cluster.version": "1.35"}),
		},
		"reserved": {
			Title: "Pulumi.solo.yaml with a run on a Capacity Block of one node", Stack: "solo",
			Set: extended(soloRun, map[string]any{
				"cluster.pools": object{"block": object{
					"instanceType": "p5.48xlarge", "nodes": 1, "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0",
				}},
				"training.pool": "block",
			}),
		},
		"existing VPC": {
			Title: "Pulumi.solo.yaml in an existing VPC", Stack: "solo",
			Set: extended(soloRun, map[string]any{
				"network.vpcId": "vpc-0123456789abcdef0", "network.privateSubnetIds": list{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
				"network.acceleratorSubnetIds": object{"a": "subnet-0123456789abcdef2", "b": "subnet-0123456789abcdef3"},
			}),
		},
		"accounts by id": {
			Title: "Pulumi.solo.yaml with two existing accounts", Stack: "solo",
			Set: extended(soloRun, map[string]any{
				"organization.roleName": "platform", "organization.accounts": object{"training": object{"id": "444455556666"}, "testing": object{"id": "555566667777"}},
				"roles.scientists": list{"arn:aws:iam::444455556666:role/research"}, "roles.imagePushers": list{"arn:aws:iam::444455556666:role/builder"},
			}),
		},
		"prod": {
			Title: "Pulumi.prod.yaml, which is protected", Stack: "prod",
		},
	}
}

// figures describes an instance type that no table has.
func figures() object {
	return object{
		"kind": "nvidia", "accelerator": "X100", "count": 8, "vcpu": 192, "memoryGiB": 2048, "networkCards": 1, "efaInterfaces": 1,
		"architecture": "x86_64", "instanceStoreGB": 0, "onDemand": true, "capacityBlock": true, "placementGroup": true,
	}
}

// settings returns the settings of a base, with all defaults.
func (b Base) settings(project string) (object, error) {
	tree, err := stackfile.Tree(project, b.Stack)
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(b.Set)) {
		stackfile.Set(tree, path, b.Set[path])
	}
	_, keys, err := stackfile.Keys(project)
	if err != nil {
		return nil, err
	}
	return tree, stackfile.Default(tree, keys) // of what Set has removed
}

// assume creates what the settings of a base take to exist.
func (b Base) assume(c *simcloud.Cloud, settings map[string]any) error {
	if err := engine.Assume(c, settings); err != nil || b.Assume == nil {
		return err
	}
	return b.Assume(c)
}
