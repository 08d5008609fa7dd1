package main

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudtrail"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

type TrailArgs struct {
	Organization *Organization
	Settings     settings.Organization
	Storage      settings.Storage // how long replaced versions of logs are kept
}

// newTrail creates a trail of all accounts and regions of an organization that the stack creates. Its bucket and its logs
// are retained; nothing deletes the logs. An adopted organization has another owner, who may have a trail: only the
// preview mentions it.
func newTrail(ctx *pulumi.Context, name string, s scope.Scope, args TrailArgs) error {
	switch mode := args.Settings.Mode; {
	case !args.Settings.Trail || mode == settings.None:
		return nil
	case mode == settings.Adopt:
		return ctx.Log.Info("organization.trail: no trail is created, since the organization is adopted. If it has none, create one in the management "+
			"account: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html. false silences this message", nil)
	}
	org := args.Organization
	management := org.Management
	account := scope.Account{Name: "management", ID: management.ID, Org: org.ID, Trusted: pulumi.StringArray{management.ID}}
	trail := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("llm:platform:Trail", name, trail, pulumi.Providers(management.Provider)); err != nil {
		return err
	}
	// The bucket's policy names the trail, which CloudTrail creates only if it may write to the bucket: its name is fixed.
	trailName := s.Prefix
	b := storageBuilder{
		ctx: ctx, name: name, scope: s, cfg: settings.Storage{KeepData: true}, account: account, perimeter: s.Perimeter(account), component: trail,
	}
	bucket, err := b.bucket("logs", bucketRules{
		noncurrentDays: args.Storage.NoncurrentDays,
		encryption:     encryptionByS3(),
		policy: func(bucketARN string, p policy.Perimeter) policy.Document {
			return policy.Trail{
				ARN:     fmt.Sprintf("arn:%s:cloudtrail:%s:%s:trail/%s", s.Partition, s.Region, p.Account, trailName),
				Account: p.Account, Organization: p.Organization,
			}.Bucket(bucketARN, p)
		},
	})
	if err != nil {
		return err
	}
	_, err = cloudtrail.NewTrail(ctx, name+"-organization", &cloudtrail.TrailArgs{
		Name:                       pulumi.String(trailName),
		S3BucketName:               bucket.Name,
		IsOrganizationTrail:        pulumi.Bool(true),
		IsMultiRegionTrail:         pulumi.Bool(true),
		IncludeGlobalServiceEvents: pulumi.Bool(true),
		EnableLogFileValidation:    pulumi.Bool(true),
	}, pulumi.Parent(trail), pulumi.DependsOn(slices.Concat(bucket.ready, management.Ready)))
	if err != nil {
		return err
	}
	return ctx.RegisterResourceOutputs(trail, pulumi.Map{})
}
