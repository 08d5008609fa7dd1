package main

import (
	"encoding/json"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/scope"
)

// untaggedDays is how long an image stays that lost its tag. Those with a tag stay
// for good: a run is only repeatable with the image that it ran.
const untaggedDays = 14

// newImageRepository makes the place of the training images. A tag is never moved, so that it
// names the same image in every run.
func newImageRepository(ctx *pulumi.Context, name string, s scope.Scope, account scope.Account, encryptionKey pulumi.StringInput, keepData bool) (pulumi.StringOutput, error) {
	encryption := ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")}
	if encryptionKey != nil {
		encryption = ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: encryptionKey.ToStringOutput().ToStringPtrOutput()}
	}
	repository, err := ecr.NewRepository(ctx, name, &ecr.RepositoryArgs{
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations:   ecr.RepositoryEncryptionConfigurationArray{encryption},
		ForceDelete:                pulumi.Bool(!keepData),
	}, pulumi.Provider(account.Provider), s.Keep(keepData))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	rules, err := imageRules()
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	_, err = ecr.NewLifecyclePolicy(ctx, name+"-expiry", &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy:     pulumi.String(rules),
	}, pulumi.Parent(repository), s.Keep(keepData))
	return repository.RepositoryUrl, err
}

// imageRules is the lifecycle policy of the images.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func imageRules() (string, error) {
	type selection struct {
		TagStatus   string `json:"tagStatus"`
		CountType   string `json:"countType"`
		CountUnit   string `json:"countUnit"`
		CountNumber int    `json:"countNumber"`
	}
	type action struct {
		Type string `json:"type"`
	}
	type rule struct {
		Priority    int       `json:"rulePriority"`
		Description string    `json:"description"`
		Selection   selection `json:"selection"`
		Action      action    `json:"action"`
	}
	text, err := json.Marshal(map[string][]rule{"rules": {{
		Priority:    1,
		Description: "Images that lost their tag",
		Selection:   selection{"untagged", "sinceImagePushed", "days", untaggedDays},
		Action:      action{"expire"},
	}}})
	return string(text), err
}
