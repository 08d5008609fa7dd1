package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// Bucket is a private, versioned, encrypted bucket.
type Bucket struct {
	Name     pulumi.StringOutput
	ARN      pulumi.StringOutput
	Endpoint pulumi.StringOutput // regional host name, as name.s3.us-west-2.amazonaws.com

	ready []pulumi.Resource // depend on these before writing objects
}

// url is s3://bucket/.
func (b *Bucket) url() pulumi.StringOutput { return pulumi.Sprintf("s3://%s/", b.Name) }

// bucketRules is what sets one bucket apart from the others.
type bucketRules struct {
	logs       bool // takes the access logs of the others
	expireDays int  // delete objects that are so old; 0 keeps them
}

// bucket makes a bucket with all that every bucket has. The parts are made one after
// another, since S3 answers 409 to changes of one bucket that cross; versioning comes
// before the first object, the policy last.
func (b *storageBuilder) bucket(purpose string, rules bucketRules) (*Bucket, error) {
	name := b.name + "-" + purpose
	keep := kept(b.cfg, b.cfg.Storage.KeepData)
	made, err := s3.NewBucketV2(b.ctx, name, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(!b.cfg.Storage.KeepData),
	}, pulumi.Parent(b.store), keep)
	if err != nil {
		return nil, fmt.Errorf("%s bucket: %w", purpose, err)
	}
	bucket := &Bucket{Name: made.Bucket, ARN: made.Arn, Endpoint: made.BucketRegionalDomainName}

	// What makes a bucket private outlives the program with it.
	var last pulumi.Resource = made
	next := func() pulumi.ResourceOption {
		return pulumi.Composite(pulumi.Parent(made), pulumi.DependsOn([]pulumi.Resource{last}), keep)
	}
	// then notes the part just made, or wraps what went wrong with it.
	then := func(part string, resource pulumi.Resource, err error) error {
		if err != nil {
			return fmt.Errorf("%s bucket: %s: %w", purpose, part, err)
		}
		last = resource
		bucket.ready = append(bucket.ready, resource)
		return nil
	}

	ownership, err := s3.NewBucketOwnershipControls(b.ctx, name+"-ownership", &s3.BucketOwnershipControlsArgs{
		Bucket: made.Bucket,
		Rule:   s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, next())
	if err := then("ownership", ownership, err); err != nil {
		return nil, err
	}
	// Left out, each of the four would switch off what AWS has on by default.
	private, err := s3.NewBucketPublicAccessBlock(b.ctx, name+"-private", &s3.BucketPublicAccessBlockArgs{
		Bucket:                made.Bucket,
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, next())
	if err := then("public access block", private, err); err != nil {
		return nil, err
	}
	versioning, err := s3.NewBucketVersioningV2(b.ctx, name+"-versioning", &s3.BucketVersioningV2Args{
		Bucket:                  made.Bucket,
		VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, next())
	if err := then("versioning", versioning, err); err != nil {
		return nil, err
	}
	encryption, err := s3.NewBucketServerSideEncryptionConfigurationV2(b.ctx, name+"-encryption", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: made.Bucket,
		Rules:  s3.BucketServerSideEncryptionConfigurationV2RuleArray{b.encryption(rules)},
	}, next())
	if err := then("encryption", encryption, err); err != nil {
		return nil, err
	}
	lifecycle, err := s3.NewBucketLifecycleConfigurationV2(b.ctx, name+"-lifecycle", &s3.BucketLifecycleConfigurationV2Args{
		Bucket: made.Bucket,
		Rules:  b.lifecycle(rules),
	}, next())
	if err := then("lifecycle", lifecycle, err); err != nil {
		return nil, err
	}
	if !rules.logs {
		logging, err := s3.NewBucketLoggingV2(b.ctx, name+"-logging", &s3.BucketLoggingV2Args{
			Bucket:       made.Bucket,
			TargetBucket: b.logs.Name,
			TargetPrefix: pulumi.String(purpose + "/"),
		}, next(), pulumi.DependsOn(b.logs.ready))
		if err := then("logging", logging, err); err != nil {
			return nil, err
		}
	}
	document := pulumi.All(made.Arn, b.account.ID).ApplyT(func(args []any) (string, error) {
		arn, account := args[0].(string), args[1].(string)
		if rules.logs {
			return policy.LogBucket(arn, account).JSON()
		}
		return policy.PrivateBucket(arn).JSON()
	}).(pulumi.StringOutput)
	statements, err := s3.NewBucketPolicy(b.ctx, name+"-policy", &s3.BucketPolicyArgs{
		Bucket: made.Bucket,
		Policy: document,
	}, next())
	if err := then("policy", statements, err); err != nil {
		return nil, err
	}
	return bucket, nil
}

// encryption is how a bucket encrypts what comes without a choice of its own. Access
// logs can only be delivered to S3's keys.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
func (b *storageBuilder) encryption(rules bucketRules) s3.BucketServerSideEncryptionConfigurationV2RuleArgs {
	if rules.logs || b.cfg.Storage.Encryption == settings.AES256 {
		return s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("AES256"),
			},
		}
	}
	return s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
		ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm:   pulumi.String("aws:kms"),
			KmsMasterKeyId: b.store.KeyARN,
		},
		BucketKeyEnabled: pulumi.Bool(true), // one call to KMS for many objects, not one for each
	}
}

// abandonedDays is when the parts of an upload that was never finished are deleted.
const abandonedDays = 7

// lifecycle keeps a versioned bucket from growing for ever.
func (b *storageBuilder) lifecycle(rules bucketRules) s3.BucketLifecycleConfigurationV2RuleArray {
	everything := s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")}
	all := s3.BucketLifecycleConfigurationV2RuleArray{
		s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("abandoned-uploads"), Status: pulumi.String("Enabled"), Filter: everything,
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(abandonedDays),
			},
		},
		s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("old-versions"), Status: pulumi.String("Enabled"), Filter: everything,
			NoncurrentVersionExpiration: s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(b.cfg.Storage.NoncurrentDays),
			},
		},
	}
	if rules.expireDays > 0 {
		all = append(all, s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("expiry"), Status: pulumi.String("Enabled"), Filter: everything,
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(rules.expireDays)},
		})
	}
	return all
}
