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
	Endpoint pulumi.StringOutput // regional host name, for example name.s3.us-west-2.amazonaws.com

	ready []pulumi.Resource // depend on these before writing objects
}

// url returns s3://bucket/.
func (b *Bucket) url() pulumi.StringOutput { return pulumi.Sprintf("s3://%s/", b.Name) }

// logBucket creates the bucket that receives the access logs of the others. Access logs can only be delivered to
// a bucket that is encrypted with S3's keys.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
func (b storageBuilder) logBucket() (*Bucket, error) {
	return b.bucket("logs", bucketRules{
		expireDays:     b.cfg.LogDays,
		noncurrentDays: b.cfg.NoncurrentDays,
		encryption:     encryptionByS3(),
		policy:         policy.LogBucket,
	})
}

// dataBucket creates a bucket for data, encrypted as the settings say. key is the ARN of its KMS key.
func (b storageBuilder) dataBucket(purpose string, key pulumi.StringOutput, logs *Bucket) (*Bucket, error) {
	rules := bucketRules{
		logs:           logs,
		noncurrentDays: b.cfg.NoncurrentDays,
		encryption:     encryptionByS3(),
		policy:         policy.PrivateBucket,
	}
	if purpose == "checkpoints" {
		// A run deletes its older checkpoints all the time, each as large as all of its state.
		rules.noncurrentDays = b.cfg.CheckpointNoncurrentDays
	}
	if b.cfg.Encryption == settings.KMS {
		rules.encryption = s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm:   pulumi.String("aws:kms"),
				KmsMasterKeyId: key,
			},
			BucketKeyEnabled: pulumi.Bool(true), // one call to KMS for many objects, not one for each
		}
	}
	return b.bucket(purpose, rules)
}

func encryptionByS3() s3.BucketServerSideEncryptionConfigurationV2RuleArgs {
	return s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
		ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm: pulumi.String("AES256"),
		},
	}
}

// bucketRules is what differs between buckets.
type bucketRules struct {
	logs           *Bucket // receives the access logs; nil: none are written
	expireDays     int     // objects are deleted after so many days; 0: never
	noncurrentDays int     // replaced and deleted versions are deleted after so many days
	encryption     s3.BucketServerSideEncryptionConfigurationV2RuleArgs
	policy         func(bucketARN string, p policy.Perimeter) policy.Document
}

// bucket creates a bucket and its parts, one part after another, since S3 answers 409 to concurrent changes of one
// bucket. Versioning comes before the first object, the policy last. The parts are retained with the bucket, so
// that it stays private.
func (b storageBuilder) bucket(purpose string, rules bucketRules) (*Bucket, error) {
	name := b.name + "-" + purpose
	keep := b.scope.Keep(b.cfg.KeepData)
	created, err := s3.NewBucketV2(b.ctx, name, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(!b.cfg.KeepData),
	}, pulumi.Parent(b.component), keep)
	if err != nil {
		return nil, fmt.Errorf("%s bucket: %w", purpose, err)
	}
	bucket := &Bucket{Name: created.Bucket, ARN: created.Arn, Endpoint: created.BucketRegionalDomainName}
	var previous pulumi.Resource = created
	for _, part := range b.bucketParts(created, purpose, rules) {
		opts := []pulumi.ResourceOption{pulumi.Parent(created), pulumi.DependsOn([]pulumi.Resource{previous}), keep}
		if previous, err = part.create(name+"-"+part.name, opts...); err != nil {
			return nil, fmt.Errorf("%s bucket: %s: %w", purpose, part.name, err)
		}
		bucket.ready = append(bucket.ready, previous)
	}
	return bucket, nil
}

// bucketPart is a part of a bucket and the call that creates it.
type bucketPart struct {
	name   string // last part of its logical name
	create func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error)
}

// bucketParts returns the parts of a bucket in the order in which they are created.
func (b storageBuilder) bucketParts(bucket *s3.BucketV2, purpose string, rules bucketRules) []bucketPart {
	parts := []bucketPart{
		{"ownership", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
			return s3.NewBucketOwnershipControls(b.ctx, name, &s3.BucketOwnershipControlsArgs{
				Bucket: bucket.Bucket,
				Rule:   s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
			}, opts...)
		}},
		{"private", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
			// Leaving out one of the four would disable what AWS enables by default.
			return s3.NewBucketPublicAccessBlock(b.ctx, name, &s3.BucketPublicAccessBlockArgs{
				Bucket:                bucket.Bucket,
				BlockPublicAcls:       pulumi.Bool(true),
				BlockPublicPolicy:     pulumi.Bool(true),
				IgnorePublicAcls:      pulumi.Bool(true),
				RestrictPublicBuckets: pulumi.Bool(true),
			}, opts...)
		}},
		{"versioning", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
			return s3.NewBucketVersioningV2(b.ctx, name, &s3.BucketVersioningV2Args{
				Bucket:                  bucket.Bucket,
				VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
			}, opts...)
		}},
		{"encryption", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
			return s3.NewBucketServerSideEncryptionConfigurationV2(b.ctx, name, &s3.BucketServerSideEncryptionConfigurationV2Args{
				Bucket: bucket.Bucket,
				Rules:  s3.BucketServerSideEncryptionConfigurationV2RuleArray{rules.encryption},
			}, opts...)
		}},
		{"lifecycle", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
			return s3.NewBucketLifecycleConfigurationV2(b.ctx, name, &s3.BucketLifecycleConfigurationV2Args{
				Bucket: bucket.Bucket,
				Rules:  lifecycle(rules.noncurrentDays, rules.expireDays),
			}, opts...)
		}},
	}
	if rules.logs != nil {
		parts = append(parts, bucketPart{"logging", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
			return s3.NewBucketLoggingV2(b.ctx, name, &s3.BucketLoggingV2Args{
				Bucket:       bucket.Bucket,
				TargetBucket: rules.logs.Name,
				TargetPrefix: pulumi.String(purpose + "/"),
			}, append(opts, pulumi.DependsOn(rules.logs.ready))...)
		}})
	}
	return append(parts, bucketPart{"policy", func(name string, opts ...pulumi.ResourceOption) (pulumi.Resource, error) {
		return s3.NewBucketPolicy(b.ctx, name, &s3.BucketPolicyArgs{
			Bucket: bucket.Bucket,
			Policy: pulumi.All(bucket.Arn, b.perimeter).ApplyT(func(args []any) (string, error) {
				return rules.policy(args[0].(string), args[1].(policy.Perimeter)).JSON()
			}).(pulumi.StringOutput),
		}, opts...)
	}})
}

// abandonedDays is after how many days the parts of an unfinished upload are deleted.
const abandonedDays = 7

// lifecycle returns the rules that keep a versioned bucket from growing without end. noncurrentDays is how long a
// replaced or deleted version is kept, expireDays how long an object is kept (0: until it is deleted).
func lifecycle(noncurrentDays, expireDays int) s3.BucketLifecycleConfigurationV2RuleArray {
	everything := s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")}
	rules := s3.BucketLifecycleConfigurationV2RuleArray{
		s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("abandoned-uploads"), Status: pulumi.String("Enabled"), Filter: everything,
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(abandonedDays),
			},
		},
		s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("old-versions"), Status: pulumi.String("Enabled"), Filter: everything,
			NoncurrentVersionExpiration: s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(noncurrentDays),
			},
		},
	}
	if expireDays > 0 {
		rules = append(rules, s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("expiry"), Status: pulumi.String("Enabled"), Filter: everything,
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(expireDays)},
		})
	}
	return rules
}
