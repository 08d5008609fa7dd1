package main

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// ImageRepository is the ECR repository of the training images, in the training account.
type ImageRepository struct {
	pulumi.ResourceState

	ARN pulumi.StringOutput
	URL pulumi.StringOutput // where images are pushed to, without a tag
}

type ImageRepositoryArgs struct {
	Settings settings.Storage
	Account  scope.Account
	Storage  *Storage
}

// newImageRepository creates the repository. Tags are immutable, so that a tag names the same image in every run.
// Its images are encrypted and retained like the data in the buckets.
func newImageRepository(ctx *pulumi.Context, name string, s scope.Scope, args ImageRepositoryArgs) (*ImageRepository, error) {
	cfg := args.Settings
	component := &ImageRepository{}
	if err := ctx.RegisterComponentResource("llm:platform:ImageRepository", name, component, pulumi.Providers(args.Account.Provider)); err != nil {
		return nil, err
	}
	encryption := ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")}
	if cfg.Encryption == settings.KMS {
		encryption = ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: args.Storage.KeyARN}
	}
	keep := s.Keep(cfg.KeepData)
	repository, err := ecr.NewRepository(ctx, name+"-repository", &ecr.RepositoryArgs{
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations:   ecr.RepositoryEncryptionConfigurationArray{encryption},
		ForceDelete:                pulumi.Bool(!cfg.KeepData),
	}, pulumi.Parent(component), keep,
		// A change would replace the repository, and the images of every run with it.
		pulumi.IgnoreChanges([]string{"encryptionConfigurations"}))
	if err != nil {
		return nil, err
	}
	rules, err := imageExpiry()
	if err != nil {
		return nil, fmt.Errorf("lifecycle policy: %w", err)
	}
	_, err = ecr.NewLifecyclePolicy(ctx, name+"-expiry", &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy:     pulumi.String(rules),
	}, pulumi.Parent(repository), keep)
	if err != nil {
		return nil, fmt.Errorf("lifecycle policy: %w", err)
	}
	component.ARN, component.URL = repository.Arn, repository.RepositoryUrl
	return component, ctx.RegisterResourceOutputs(component, pulumi.Map{"url": component.URL})
}

// untaggedDays is how long an image without a tag is kept. Tagged images do not expire: a run can only be
// repeated with the image that it ran.
const untaggedDays = 14

// imageExpiry returns the repository's lifecycle policy.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func imageExpiry() (string, error) {
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
		Description: "Images without a tag",
		Selection:   selection{"untagged", "sinceImagePushed", "days", untaggedDays},
		Action:      action{"expire"},
	}}})
	return string(text), err
}
