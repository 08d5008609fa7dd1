package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sagemaker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// SageMaker is what data scientists use of SageMaker in the training account.
type SageMaker struct {
	pulumi.ResourceState

	RoleARN     pulumi.StringOutput // execution role of jobs and notebooks
	NotebookURL pulumi.StringOutput // https://…; empty without a notebook
}

type SageMakerArgs struct {
	Settings settings.SageMaker
	Account  scope.Account
	Storage  *Storage
}

// newSageMaker creates the execution role, and the notebook if the stack asks for one.
func newSageMaker(ctx *pulumi.Context, name string, s scope.Scope, args SageMakerArgs) (*SageMaker, error) {
	cfg, account, store := args.Settings, args.Account, args.Storage
	component := &SageMaker{NotebookURL: pulumi.String("").ToStringOutput()}
	if err := ctx.RegisterComponentResource("llm:platform:SageMaker", name, component, pulumi.Providers(account.Provider)); err != nil {
		return nil, err
	}
	role, err := s.NewRole(ctx, name+"-role", scope.RoleArgs{
		Description: "Execution role of SageMaker jobs and notebooks",
		Account:     account.ID,
		Trust: scope.Document(account.ID, func(id string) policy.Document {
			return policy.ServiceTrust("sagemaker.amazonaws.com", id)
		}),
		Permissions: pulumi.All(
			account.ID, store.SourceARN, store.Dataset.ARN, store.Checkpoints.ARN, store.Artifacts.ARN, store.CopyKeys, store.Owners,
		).ApplyT(func(args []any) (string, error) {
			return policy.SageMaker(s.Partition, s.Region, args[0].(string), policy.Access{
				ReadBuckets:  []string{args[1].(string), args[2].(string)},
				WriteBuckets: []string{args[3].(string), args[4].(string)},
				// A training pod runs what is hidden in a checkpoint that it loads.
				WritePrefix: settings.SageMakerPrefix,
				Keys:        args[5].([]string),
				Owners:      args[6].([]string),
			}).JSON()
		}).(pulumi.StringOutput),
		Parent: component,
	})
	if err != nil {
		return nil, err
	}
	component.RoleARN = role.Arn
	if cfg.NotebookInstanceType != "" {
		component.NotebookURL, err = newNotebook(ctx, name+"-notebook", args, role, component)
		if err != nil {
			return nil, fmt.Errorf("notebook: %w", err)
		}
	}
	return component, ctx.RegisterResourceOutputs(component, pulumi.Map{"roleArn": role.Arn})
}

// newNotebook creates a notebook instance on an encrypted volume, without internet access. AWS chooses its
// platform and retires old ones.
func newNotebook(ctx *pulumi.Context, name string, args SageMakerArgs, role scope.Role, parent pulumi.Resource) (pulumi.StringOutput, error) {
	cfg := args.Settings
	notebook, err := sagemaker.NewNotebookInstance(ctx, name, &sagemaker.NotebookInstanceArgs{
		InstanceType:         pulumi.String(cfg.NotebookInstanceType),
		RoleArn:              role.Arn,
		SubnetId:             pulumi.String(cfg.NotebookSubnetID),
		SecurityGroups:       pulumi.ToStringArray(cfg.NotebookSecurityGroupIDs),
		DirectInternetAccess: pulumi.String("Disabled"),
		RootAccess:           pulumi.String("Disabled"),
		VolumeSize:           pulumi.Int(cfg.NotebookVolumeGB),
		KmsKeyId:             args.Storage.KeyARN,
		InstanceMetadataServiceConfiguration: sagemaker.NotebookInstanceInstanceMetadataServiceConfigurationArgs{
			MinimumInstanceMetadataServiceVersion: pulumi.String("2"),
		},
	}, pulumi.Parent(parent), pulumi.DependsOn(role.Ready))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return pulumi.Sprintf("https://%s", notebook.Url), nil
}
