package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/datasync"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
)

// transfers creates a DataSync task for each prefix to copy and returns their ARNs by name. DataSync has no size
// limit, costs by the gigabyte, and runs on its schedule or when a task is started (README.md has the command).
func (b storageBuilder) transfers(store *Storage) (pulumi.StringMap, error) {
	tasks := pulumi.StringMap{}
	if len(b.cfg.Transfers) == 0 {
		return tasks, nil
	}
	role, err := b.scope.NewRole(b.ctx, b.name+"-transfer", scope.RoleArgs{
		Description: "DataSync uses this role to copy training data",
		Account:     b.account.ID,
		Trust: scope.Document(b.account.ID, func(id string) policy.Document {
			return policy.ServiceTrust("datasync.amazonaws.com", id)
		}),
		Permissions: pulumi.All(store.SourceARN, store.Dataset.ARN, store.CopyKeys, store.Owners).ApplyT(func(args []any) (string, error) {
			return policy.Access{
				ReadBuckets:  []string{args[0].(string)},
				WriteBuckets: []string{args[1].(string)},
				Keys:         args[2].([]string),
				Owners:       args[3].([]string),
			}.Document().JSON()
		}).(pulumi.StringOutput),
		Parent: b.component,
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Transfers)) {
		task, err := b.transfer(name, role, store)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tasks[name] = task.Arn
	}
	return tasks, nil
}

func (b storageBuilder) transfer(key string, role scope.Role, store *Storage) (*datasync.Task, error) {
	desired, name := b.cfg.Transfers[key], b.name+"-transfer-"+key
	location := func(end string, bucket pulumi.StringOutput, prefix string) (*datasync.S3Location, error) {
		created, err := datasync.NewS3Location(b.ctx, name+"-"+end, &datasync.S3LocationArgs{
			S3BucketArn:  bucket,
			Subdirectory: pulumi.String("/" + strings.TrimPrefix(prefix, "/")),
			S3Config:     datasync.S3LocationS3ConfigArgs{BucketAccessRoleArn: role.Arn},
		}, pulumi.Parent(b.component), pulumi.DependsOn(slices.Concat(role.Ready, store.Dataset.ready)))
		if err != nil {
			return nil, fmt.Errorf("%s location: %w", end, err)
		}
		return created, nil
	}
	from, err := location("from", store.SourceARN, desired.Source)
	if err != nil {
		return nil, err
	}
	to, err := location("to", store.Dataset.ARN, desired.Destination)
	if err != nil {
		return nil, err
	}
	args := &datasync.TaskArgs{
		Name:                   pulumi.String(b.scope.Prefix + "-" + key),
		SourceLocationArn:      from.Arn,
		DestinationLocationArn: to.Arn,
		Options: datasync.TaskOptionsArgs{
			PreserveDeletedFiles: pulumi.String("PRESERVE"), // an object deleted at the source stays in the dataset
			VerifyMode:           pulumi.String("ONLY_FILES_TRANSFERRED"),
			ObjectTags:           pulumi.String("NONE"), // reading another account's tags needs permissions of its own
			Atime:                pulumi.String("BEST_EFFORT"),
			Gid:                  pulumi.String("NONE"), // objects have no owners or modes
			Uid:                  pulumi.String("NONE"),
			PosixPermissions:     pulumi.String("NONE"),
		},
	}
	if desired.Schedule != "" {
		args.Schedule = datasync.TaskScheduleArgs{ScheduleExpression: pulumi.String(desired.Schedule)}
	}
	task, err := datasync.NewTask(b.ctx, name, args, pulumi.Parent(b.component))
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	return task, nil
}
