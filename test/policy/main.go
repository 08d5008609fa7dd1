// Command policy prints the policy documents of the program as JSON by name, for example killswitch. A third-party
// evaluator judges them (decisions.test.mjs).
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// Names that decisions.test.mjs uses too.
const (
	partition    = "aws"
	region       = "us-west-2"
	management   = "111111111111"
	training     = "222222222222"
	testing      = "333333333333"
	dataset      = "arn:aws:s3:::dataset"
	checkpoint   = "arn:aws:s3:::checkpoints"
	logBucket    = "arn:aws:s3:::logs"
	state        = "arn:aws:s3:::state"
	key          = "arn:aws:kms:us-west-2:222222222222:key/data"
	images       = "arn:aws:ecr:us-west-2:222222222222:repository/images"
	source       = "arn:aws:s3:::corpora"
	trailBucket  = "arn:aws:s3:::trail"
	organization = "o-example"
	sourceOwner  = "444444444444"
	reader       = "555555555555"
	vpc          = "vpc-platform"
	prefix       = "llm-platform-prod"
	killSwitch   = "arn:aws:organizations::111111111111:policy/o-example/service_control_policy/p-killswitch"
	stateKey     = "arn:aws:kms:us-west-2:222222222222:key/state-prod"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write() error {
	cfg := settings.Settings{
		Stack: "prod", Region: region,
		Organization: settings.Organization{RoleName: "OrganizationAccountAccessRole"},
		Guardrails: settings.Guardrails{ExemptRoles: []string{
			"AWSControlTowerExecution", "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*", "stacksets-exec-*",
		},
			Regions: []string{region}, InstanceTypes: []string{"p5.48xlarge", "g6.xlarge", "m6i.large"}, SageMakerInstanceTypes: []string{"ml.g5.xlarge"},
			AllowedServices: []string{"dynamodb", "sagemaker"},
		},
		CI: settings.CI{
			Repository: "octo@1/llm@2", Environment: "prod",
			DeployAssumeRoles: []string{"arn:aws:iam::" + testing + ":role/ci/Deploy"},
		},
		Budget: settings.Budget{KillSwitch: settings.Automatic, MonthlyUSD: map[string]int{"training": 1}},
	}
	guardrails := cfg.Controls().For(training)
	control, err := guardrails.Policies()
	if err != nil {
		return err
	}
	access := policy.Access{
		ReadBuckets: []string{dataset, source}, WriteBuckets: []string{checkpoint}, WritePrefix: settings.SageMakerPrefix,
		Keys: []string{key}, Owners: []string{training, sourceOwner},
	}
	transfer := access
	transfer.WriteBuckets, transfer.WritePrefix = []string{dataset}, ""
	perimeter := policy.Perimeter{
		Partition: partition, Account: training, Organization: organization, Trusted: []string{training},
		Network: policy.NewNetwork(partition, training, prefix, vpc, cfg.Organization.RoleName, cfg.Guardrails.ExemptRoles),
	}
	released, solo := perimeter, perimeter
	released.Readers = []string{reader}
	// Without an organization and without a role to assume.
	solo.Organization, solo.Trusted = "", []string{training, testing}
	solo.Network = policy.NewNetwork(partition, training, prefix, vpc, "", nil)
	ci := policy.CI{
		Partition: partition, Account: training, Prefix: "llm-platform-prod-", Project: "llm-platform", Stack: "prod", State: state, StateKey: stateKey,
		Roles: []string{policy.RoleARN(partition, training, cfg.Organization.RoleName)},
	}
	previewer := ci
	previewer.Roles = nil
	bounded, onGitHub := ci, policy.OIDC{Issuer: "token.actions.githubusercontent.com", Audience: "sts.amazonaws.com"}
	bounded.Boundary = policy.PolicyARN(partition, training, "Boundary")
	onGitLab := policy.OIDC{Issuer: "gitlab.com", Audience: "https://gitlab.com"}
	gitLab := settings.CI{Server: settings.GitLab, Repository: "octo/research/llm", Environment: "main"}
	all := map[string]policy.Document{
		"killswitch":     guardrails.KillSwitch(),
		"killswitchRole": policy.KillSwitchRole(partition, management, killSwitch, []string{training}),
		"rescue":         policy.Rescue(partition, training),
		"rescueTrust":    policy.PrincipalTrust([]string{policy.RoleARN(partition, training, cfg.Organization.RoleName)}),
		"budgetsTrust":   policy.BudgetsTrust(partition, management),
		"sagemaker":      policy.SageMaker(partition, region, training, access),
		"sagemakerTrust": policy.ServiceTrust("sagemaker.amazonaws.com", training),
		"pod":            policy.Training([]string{dataset}, []string{checkpoint}, settings.RunsPrefix, settings.TrainingServiceAccount, []string{key}),
		"scientist": policy.Scientist{
			Partition: partition, Region: region, Account: training, Buckets: []string{dataset, checkpoint}, Keys: []string{key}, Cluster: "llm-platform-prod",
		}.Document(),
		"scientistTrust": policy.PrincipalTrust([]string{
			"arn:aws:iam::" + training + ":role/research",
			"arn:aws:iam::" + management + ":role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Research_*",
		}),
		"push":           policy.PushImages(images),
		"podTrust":       policy.PodTrust(training, "arn:aws:eks:"+region+":"+training+":cluster/llm-platform-prod", settings.TrainingNamespace, settings.RunServiceAccounts),
		"transfer":       transfer.Document(),
		"datasetBucket":  policy.PrivateBucket(dataset, perimeter),
		"releasedBucket": policy.PrivateBucket(dataset, released),
		"soloBucket":     policy.PrivateBucket(dataset, solo),
		"logBucket":      policy.LogBucket(logBucket, perimeter),
		"trailBucket": policy.Trail{
			ARN: "arn:aws:cloudtrail:" + region + ":" + management + ":trail/" + prefix, Account: management, Organization: organization,
		}.Bucket(trailBucket, policy.Perimeter{Partition: partition, Account: management, Organization: organization, Trusted: []string{management}}),
		"key":            policy.AccountKey(perimeter),
		"soloKey":        policy.AccountKey(solo),
		"logsKey":        policy.LogsKey(perimeter, region),
		"endpoint":       policy.S3Endpoint(partition, region, training, prefix, []string{"corpora"}),
		"ciDeploy":       ci.Deploy(),
		"ciAssume":       ci.Assume(),
		"ciPreview":      previewer.Preview(),
		"ciDeployTrust":  onGitHub.Trust(partition, training, cfg.CI.DeploySubject()),
		"ciPreviewTrust": onGitHub.Trust(partition, training, cfg.CI.PreviewSubjects()...),
		"ciBounded":      bounded.Deploy(),
		"gitLabDeploy":   onGitLab.Trust(partition, training, gitLab.DeploySubject()),
		"gitLabPreview":  onGitLab.Trust(partition, training, gitLab.PreviewSubjects()...),
		"previewRole":    policy.Describe([]string{"arn:aws:s3:::corpora/a.jsonl"}),
		"previewTrust":   policy.PreviewTrust(partition, management, training, ci.Prefix),
	}
	for _, p := range control {
		all["guardrails-"+p.Name] = p.Document
	}
	texts := map[string]json.RawMessage{}
	for name, document := range all {
		text, err := document.JSON()
		if err != nil {
			return err
		}
		texts[name] = json.RawMessage(text)
	}
	return json.NewEncoder(os.Stdout).Encode(texts)
}
