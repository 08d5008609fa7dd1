package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sagemaker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// SageMaker is what data scientists use of SageMaker in the training account.
type SageMaker struct {
	pulumi.ResourceState

	RoleARN     pulumi.StringOutput // execution role for jobs and notebooks
	NotebookURL pulumi.StringOutput // https://…; empty without a notebook
}

// newSageMaker makes the execution role, and the notebook if the stack wants one.
func newSageMaker(ctx *pulumi.Context, name string, cfg settings.Settings, account *Account, store *Storage, opts ...pulumi.ResourceOption) (*SageMaker, error) {
	studio := &SageMaker{NotebookURL: pulumi.String("").ToStringOutput()}
	if err := ctx.RegisterComponentResource("llm:platform:SageMaker", name, studio, opts...); err != nil {
		return nil, err
	}
	trust := account.ID.ApplyT(func(id string) (string, error) {
		return policy.ServiceTrust("sagemaker.amazonaws.com", id).JSON()
	}).(pulumi.StringOutput)
	role, err := iam.NewRole(ctx, name+"-role", &iam.RoleArgs{
		Description:      pulumi.String("What SageMaker jobs and notebooks act as"),
		AssumeRolePolicy: trust,
	}, pulumi.Parent(studio))
	if err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	studio.RoleARN = role.Arn

	document := pulumi.All(
		account.ID, store.SourceARN, store.Dataset.ARN, store.Checkpoints.ARN, store.Artifacts.ARN,
		store.dataKeys(cfg.Storage.SourceKMSKeyARN),
	).ApplyT(func(args []any) (string, error) {
		return policy.SageMaker(catalog.Partition(cfg.Region), cfg.Region, args[0].(string), policy.Access{
			ReadBuckets:  []string{args[1].(string), args[2].(string)},
			WriteBuckets: []string{args[3].(string), args[4].(string)},
			Keys:         args[5].([]string),
		}).JSON()
	}).(pulumi.StringOutput)
	permissions, err := iam.NewRolePolicy(ctx, name+"-policy", &iam.RolePolicyArgs{
		Role:   role.Name,
		Policy: document,
	}, pulumi.Parent(studio))
	if err != nil {
		return nil, fmt.Errorf("permissions: %w", err)
	}
	if cfg.SageMaker.NotebookInstanceType != "" {
		if studio.NotebookURL, err = newNotebook(ctx, name+"-notebook", cfg.SageMaker, role, store, pulumi.Parent(studio), pulumi.DependsOn([]pulumi.Resource{permissions})); err != nil {
			return nil, fmt.Errorf("notebook: %w", err)
		}
	}
	return studio, ctx.RegisterResourceOutputs(studio, pulumi.Map{"roleArn": role.Arn})
}

// newNotebook makes a notebook instance that reaches nothing but its subnet, on an
// encrypted volume. Its platform is left to AWS, which retires old ones.
func newNotebook(ctx *pulumi.Context, name string, cfg settings.SageMaker, role *iam.Role, store *Storage, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	notebook, err := sagemaker.NewNotebookInstance(ctx, name, &sagemaker.NotebookInstanceArgs{
		InstanceType:         pulumi.String(cfg.NotebookInstanceType),
		RoleArn:              role.Arn,
		SubnetId:             pulumi.String(cfg.NotebookSubnetID),
		SecurityGroups:       pulumi.ToStringArray(cfg.NotebookSecurityGroupIDs),
		DirectInternetAccess: pulumi.String("Disabled"),
		RootAccess:           pulumi.String("Disabled"),
		VolumeSize:           pulumi.Int(cfg.NotebookVolumeGB),
		KmsKeyId:             store.KeyARN,
		InstanceMetadataServiceConfiguration: sagemaker.NotebookInstanceInstanceMetadataServiceConfigurationArgs{
			MinimumInstanceMetadataServiceVersion: pulumi.String("2"),
		},
	}, opts...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return pulumi.Sprintf("https://%s", notebook.Url), nil
}
