package cluster

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
)

// EKS and the agents of Container Insights create their log groups themselves if they do not exist, without a retention.
// Those that exist keep theirs. So the program creates them first, under the names that are fixed by the writers.
//
// On destroy a group is deleted after its writer, but the last lines arrive later, and EKS creates its group anew. The
// next deployment then fails on it until somebody deletes it: docs/troubleshooting.md has the command. Deleting it here
// would also delete the audit log of a cluster that somebody else had under this name.
//
// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html;
// https://github.com/aws-observability/helm-charts at 71a298ff, values.yaml, and amazon-cloudwatch-agent at ab55b8da,
// plugins/processors/k8sdecorator, read 2026-11-26

// controlPlaneLogGroup returns the name of the log group of an EKS control plane.
func controlPlaneLogGroup(cluster string) string { return "/aws/eks/" + cluster + "/cluster" }

// insightsLogs are the log groups of Container Insights, below /aws/containerinsights/<cluster>/: logs of containers, of
// the node's services and of its system, and the metrics as log events.
func insightsLogs() []string { return []string{"application", "dataplane", "host", "performance"} }

func newInsightsLogGroups(ctx *pulumi.Context, place Place, days int) ([]pulumi.Resource, error) {
	var groups []pulumi.Resource
	for _, log := range insightsLogs() {
		group, err := newLogGroup(ctx, place, "insights-"+log, "/aws/containerinsights/"+eksName(place.Scope)+"/"+log, days)
		if err != nil {
			return nil, fmt.Errorf("log group %s: %w", log, err)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// NewLogKey creates the KMS key of the log groups. It goes with them.
func NewLogKey(ctx *pulumi.Context, place Place) (pulumi.StringOutput, error) {
	key, err := place.NewKey(ctx, place.Name+"-logs-key", "Logs of "+eksName(place.Scope), place.Account,
		func(p policy.Perimeter) policy.Document { return policy.LogsKey(p, place.Region) }, place.child(), place.Keep(false))
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("key of logs: %w", err)
	}
	return key.Arn, nil
}

func newLogGroup(ctx *pulumi.Context, place Place, purpose, name string, days int) (*cloudwatch.LogGroup, error) {
	return cloudwatch.NewLogGroup(ctx, place.Name+"-"+purpose, &cloudwatch.LogGroupArgs{
		Name:            pulumi.String(name),
		RetentionInDays: pulumi.Int(days),
		KmsKeyId:        optional(place.LogKey),
	}, place.child())
}

// optional returns a value, or nothing if it is nil.
func optional(value pulumi.StringInput) pulumi.StringPtrInput {
	if value == nil {
		return nil
	}
	return value.ToStringOutput().ToStringPtrOutput()
}
