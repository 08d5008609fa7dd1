package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/job"
	"llm-platform/internal/kubeobject"
	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// Roles are the roles for everyday work, for which nobody should need an administrator's.
type Roles struct {
	pulumi.ResourceState

	ScientistARN pulumi.StringOutput // reads data, checkpoints, models and logs; has access to the training namespace. Empty without roles.scientists
	PushARN      pulumi.StringOutput // pushes training images; empty without roles.imagePushers
}

// RolesArgs are what newRoles needs. All are required.
type RolesArgs struct {
	Settings settings.Roles
	Account  scope.Account // of all roles
	Storage  *Storage
	Images   *ImageRepository
	Cluster  *Cluster
	Training *Training

	ScientistAccess bool // the settings give others the access to the cluster that the role for scientists has
}

// newRoles creates a role for each list of principals that is not empty.
func newRoles(ctx *pulumi.Context, name string, s scope.Scope, args RolesArgs) (*Roles, error) {
	empty := pulumi.String("").ToStringOutput()
	roles := &Roles{ScientistARN: empty, PushARN: empty}
	cfg := args.Settings
	if len(cfg.Scientists) == 0 && len(cfg.ImagePushers) == 0 && !args.ScientistAccess {
		return roles, nil
	}
	providers := pulumi.Providers(args.Account.Provider, args.Cluster.Provider)
	if err := ctx.RegisterComponentResource("llm:platform:Roles", name, roles, providers); err != nil {
		return nil, err
	}
	b := rolesBuilder{ctx: ctx, name: name, scope: s, args: args, component: roles}
	if len(cfg.Scientists) > 0 {
		arn, err := b.role("scientist", "Reads data, checkpoints, models and logs of trainings", cfg.Scientists, b.scientist())
		if err != nil {
			return nil, err
		}
		roles.ScientistARN = arn
		if err := b.accessEntry(arn); err != nil {
			return nil, fmt.Errorf("access entry of scientists: %w", err)
		}
	}
	if len(cfg.Scientists) > 0 || args.ScientistAccess {
		if err := b.namespaceRole(); err != nil {
			return nil, fmt.Errorf("access of scientists to the namespace: %w", err)
		}
	}
	if len(cfg.ImagePushers) > 0 {
		arn, err := b.role("push", "Pushes training images", cfg.ImagePushers, args.Images.ARN.ApplyT(func(repository string) (string, error) {
			return policy.PushImages(repository).JSON()
		}).(pulumi.StringOutput))
		if err != nil {
			return nil, err
		}
		roles.PushARN = arn
	}
	return roles, ctx.RegisterResourceOutputs(roles, pulumi.Map{"scientistArn": roles.ScientistARN, "pushArn": roles.PushARN})
}

type rolesBuilder struct {
	ctx       *pulumi.Context
	name      string
	scope     scope.Scope
	args      RolesArgs
	component pulumi.Resource
}

func (b rolesBuilder) role(purpose, description string, principals []string, permissions pulumi.StringOutput) (pulumi.StringOutput, error) {
	trust, err := policy.PrincipalTrust(principals).JSON()
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	created, err := b.scope.NewRole(b.ctx, b.name+"-"+purpose, scope.RoleArgs{
		Description: description,
		Account:     b.args.Account.ID,
		Trust:       pulumi.String(trust),
		Permissions: permissions,
		Parent:      b.component,
	})
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("%s %w", purpose, err)
	}
	return created.Arn, nil
}

// scientist returns the permissions of the scientists' role, as JSON.
func (b rolesBuilder) scientist() pulumi.StringOutput {
	store := b.args.Storage
	return pulumi.All(
		b.args.Account.ID, store.Dataset.ARN, store.Checkpoints.ARN, store.Artifacts.ARN, store.Keys, b.args.Cluster.Name,
	).ApplyT(func(known []any) (string, error) {
		return policy.Scientist{
			Partition: b.scope.Partition,
			Region:    b.scope.Region,
			Account:   known[0].(string),
			Buckets:   []string{known[1].(string), known[2].(string), known[3].(string)},
			Keys:      known[4].([]string),
			Cluster:   known[5].(string),
		}.Document().JSON()
	}).(pulumi.StringOutput)
}

// accessEntry lets the role into the cluster. In an existing one, its owner decides.
func (b rolesBuilder) accessEntry(role pulumi.StringOutput) error {
	if !b.args.Cluster.Managed {
		return nil
	}
	_, err := eks.NewAccessEntry(b.ctx, b.name+"-scientist-access", &eks.AccessEntryArgs{
		ClusterName:      b.args.Cluster.Name,
		PrincipalArn:     role,
		Type:             pulumi.String("STANDARD"),
		KubernetesGroups: pulumi.ToStringArray([]string{settings.ScientistGroup}),
	}, pulumi.Parent(b.component))
	return err
}

// namespaceRole says what the group of scientists may do in the training namespace.
func (b rolesBuilder) namespaceRole() error {
	if !b.args.Cluster.Managed {
		return nil
	}
	name := b.name + "-scientist"
	inNamespace := pulumi.Composite(pulumi.Parent(b.component), pulumi.DependsOn([]pulumi.Resource{b.args.Training.Namespace}))
	allowed, err := kubeobject.New(b.ctx, name+"-namespace-role", job.ScientistRole(), nil, inNamespace)
	if err != nil {
		return err
	}
	_, err = kubeobject.New(b.ctx, name+"-namespace-binding", job.ScientistBinding(), nil, inNamespace, pulumi.DependsOn([]pulumi.Resource{allowed}))
	return err
}
