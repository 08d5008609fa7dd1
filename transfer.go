package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/datasync"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
)

// transfers makes a DataSync task for each prefix to copy, and returns their ARNs by
// name. DataSync has no size limit, but costs by the gigabyte and runs by itself: on
// its schedule, or when a task is started (README.md has the command).
func (b *storageBuilder) transfers() (pulumi.StringMap, error) {
	tasks := pulumi.StringMap{}
	if len(b.cfg.Storage.Transfers) == 0 {
		return tasks, nil
	}
	role, permissions, err := b.transferRole()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Storage.Transfers)) {
		task, err := b.transfer(name, role, permissions)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tasks[name] = task.Arn
	}
	return tasks, nil
}

func (b *storageBuilder) transferRole() (*iam.Role, *iam.RolePolicy, error) {
	trust := b.account.ID.ApplyT(func(id string) (string, error) {
		return policy.ServiceTrust("datasync.amazonaws.com", id).JSON()
	}).(pulumi.StringOutput)
	role, err := iam.NewRole(b.ctx, b.name+"-transfer", &iam.RoleArgs{
		Description:      pulumi.String("What DataSync acts as to copy training data"),
		AssumeRolePolicy: trust,
	}, pulumi.Parent(b.store))
	if err != nil {
		return nil, nil, fmt.Errorf("role: %w", err)
	}
	document := pulumi.All(b.store.SourceARN, b.store.Dataset.ARN, b.store.dataKeys(b.cfg.Storage.SourceKMSKeyARN)).ApplyT(func(args []any) (string, error) {
		return policy.Document(policy.Access{
			ReadBuckets:  []string{args[0].(string)},
			WriteBuckets: []string{args[1].(string)},
			Keys:         args[2].([]string),
		}.Statements()).JSON()
	}).(pulumi.StringOutput)
	permissions, err := iam.NewRolePolicy(b.ctx, b.name+"-transfer-policy", &iam.RolePolicyArgs{
		Role:   role.Name,
		Policy: document,
	}, pulumi.Parent(b.store))
	if err != nil {
		return nil, nil, fmt.Errorf("permissions: %w", err)
	}
	return role, permissions, nil
}

func (b *storageBuilder) transfer(key string, role *iam.Role, permissions *iam.RolePolicy) (*datasync.Task, error) {
	wanted, name := b.cfg.Storage.Transfers[key], b.name+"-transfer-"+key
	location := func(end string, bucket pulumi.StringOutput, prefix string) (*datasync.S3Location, error) {
		made, err := datasync.NewS3Location(b.ctx, name+"-"+end, &datasync.S3LocationArgs{
			S3BucketArn:  bucket,
			Subdirectory: pulumi.String("/" + strings.TrimPrefix(prefix, "/")),
			S3Config:     datasync.S3LocationS3ConfigArgs{BucketAccessRoleArn: role.Arn},
		}, pulumi.Parent(b.store), pulumi.DependsOn(append([]pulumi.Resource{permissions}, b.store.Dataset.ready...)))
		if err != nil {
			return nil, fmt.Errorf("%s location: %w", end, err)
		}
		return made, nil
	}
	from, err := location("from", b.store.SourceARN, wanted.Source)
	if err != nil {
		return nil, err
	}
	to, err := location("to", b.store.Dataset.ARN, wanted.Destination)
	if err != nil {
		return nil, err
	}
	args := &datasync.TaskArgs{
		Name:                   pulumi.Sprintf("%s-%s-%s", b.ctx.Project(), b.cfg.Stack, key),
		SourceLocationArn:      from.Arn,
		DestinationLocationArn: to.Arn,
		Options: datasync.TaskOptionsArgs{
			PreserveDeletedFiles: pulumi.String("PRESERVE"), // gone at the source is not lost here
			VerifyMode:           pulumi.String("ONLY_FILES_TRANSFERRED"),
			ObjectTags:           pulumi.String("NONE"), // another account's tags need rights of their own
			Atime:                pulumi.String("BEST_EFFORT"),
			Gid:                  pulumi.String("NONE"), // objects have no owners or modes
			Uid:                  pulumi.String("NONE"),
			PosixPermissions:     pulumi.String("NONE"),
		},
	}
	if wanted.Schedule != "" {
		args.Schedule = datasync.TaskScheduleArgs{ScheduleExpression: pulumi.String(wanted.Schedule)}
	}
	task, err := datasync.NewTask(b.ctx, name, args, pulumi.Parent(b.store))
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	return task, nil
}
