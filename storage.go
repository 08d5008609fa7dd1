package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
	"llm-platform/internal/probe"
	"llm-platform/internal/settings"
)

// Storage is the buckets that training reads and writes, in the training account.
type Storage struct {
	pulumi.ResourceState

	SourceARN   pulumi.StringOutput // of the bucket that data is copied from, ours or a given one
	SourceURL   pulumi.StringOutput // s3://bucket/
	Dataset     *Bucket             // what data is copied to and training reads
	Checkpoints *Bucket             // what training saves as it runs
	Artifacts   *Bucket             // finished models
	KeyARN      pulumi.StringOutput // of the KMS key that encrypts them; empty with AES256
	Transfers   pulumi.StringMap    // ARN of each DataSync task by name
}

// dataKeys is the KMS keys that one needs to read the source and use the buckets.
func (s *Storage) dataKeys(sourceKey string) pulumi.StringArrayOutput {
	return s.KeyARN.ApplyT(func(own string) []string {
		var keys []string
		for _, key := range []string{own, sourceKey} {
			if key != "" {
				keys = append(keys, key)
			}
		}
		return keys
	}).(pulumi.StringArrayOutput)
}

// newStorage makes the buckets and copies the data in.
func newStorage(ctx *pulumi.Context, name string, cfg settings.Settings, account *Account, opts ...pulumi.ResourceOption) (*Storage, error) {
	store := &Storage{}
	if err := ctx.RegisterComponentResource("llm:platform:Storage", name, store, opts...); err != nil {
		return nil, err
	}
	b := &storageBuilder{ctx: ctx, name: name, cfg: cfg, account: account, store: store}
	if err := b.key(); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	var err error
	if b.logs, err = b.bucket("logs", bucketRules{logs: true, expireDays: cfg.Storage.LogDays}); err != nil {
		return nil, err
	}
	if store.Dataset, err = b.bucket("dataset", bucketRules{}); err != nil {
		return nil, err
	}
	if store.Checkpoints, err = b.bucket("checkpoints", bucketRules{}); err != nil {
		return nil, err
	}
	if store.Artifacts, err = b.bucket("artifacts", bucketRules{}); err != nil {
		return nil, err
	}
	source, err := b.source()
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	for _, copied := range slices.Sorted(maps.Keys(cfg.Storage.Copies)) {
		if err := b.copy(copied, source); err != nil {
			return nil, fmt.Errorf("copy %s: %w", copied, err)
		}
	}
	if store.Transfers, err = b.transfers(); err != nil {
		return nil, fmt.Errorf("transfers: %w", err)
	}
	return store, ctx.RegisterResourceOutputs(store, pulumi.Map{"bucketName": store.Dataset.Name})
}

// storageBuilder is what the steps of newStorage share.
type storageBuilder struct {
	ctx     *pulumi.Context
	name    string
	cfg     settings.Settings
	account *Account
	store   *Storage
	logs    *Bucket // where the other buckets' access logs go
}

func (b *storageBuilder) key() error {
	b.store.KeyARN = pulumi.String("").ToStringOutput()
	if b.cfg.Storage.Encryption != settings.KMS {
		return nil
	}
	document := b.account.ID.ApplyT(func(id string) (string, error) {
		return policy.AccountKey(catalog.Partition(b.cfg.Region), id).JSON()
	}).(pulumi.StringOutput)
	// Without its key the data is lost, so the key is kept wherever the data is.
	key, err := kms.NewKey(b.ctx, b.name+"-key", &kms.KeyArgs{
		Description:          pulumi.Sprintf("Training data, checkpoints and models of %s %s", b.ctx.Project(), b.cfg.Stack),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(30), // the longest there is to change one's mind
		Policy:               document,
	}, pulumi.Parent(b.store), kept(b.cfg, b.cfg.Storage.KeepData))
	if err != nil {
		return err
	}
	b.store.KeyARN = key.Arn
	return nil
}

// copySource is the bucket that copies read.
type copySource struct {
	bucket pulumi.StringOutput
	sample *s3.BucketObjectv2 // the object that we put there, if the bucket is ours
}

// source is the given source bucket, or one of our own with a sample object in it.
func (b *storageBuilder) source() (copySource, error) {
	if given := b.cfg.Storage.SourceBucket; given != "" {
		b.store.SourceARN = pulumi.Sprintf("arn:%s:s3:::%s", catalog.Partition(b.cfg.Region), given)
		b.store.SourceURL = pulumi.Sprintf("s3://%s/", given)
		return copySource{bucket: pulumi.String(given).ToStringOutput()}, nil
	}
	bucket, err := b.bucket("source", bucketRules{})
	if err != nil {
		return copySource{}, err
	}
	b.store.SourceARN, b.store.SourceURL = bucket.ARN, bucket.url()

	content, err := os.ReadFile(settings.SampleKey)
	if err != nil {
		return copySource{}, fmt.Errorf("sample object: %w", err)
	}
	sample, err := s3.NewBucketObjectv2(b.ctx, b.name+"-sample", &s3.BucketObjectv2Args{
		Bucket:      bucket.Name,
		Key:         pulumi.String(settings.SampleKey),
		Content:     pulumi.String(string(content)),
		ContentType: pulumi.String("text/plain; charset=utf-8"),
	}, pulumi.Parent(b.store), pulumi.DependsOn(bucket.ready), kept(b.cfg, b.cfg.Storage.KeepData))
	return copySource{bucket: bucket.Name, sample: sample}, err
}

// maxCopyBytes is how large an object one CopyObject call takes: 5 GiB.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
const maxCopyBytes = 5 << 30

// copy copies one object into the dataset bucket, and again whenever its ETag changes.
func (b *storageBuilder) copy(name string, source copySource) error {
	wanted := b.cfg.Storage.Copies[name]
	args := &s3.ObjectCopyArgs{
		Bucket:              b.store.Dataset.Name,
		Key:                 pulumi.String(wanted.Destination),
		Source:              pulumi.Sprintf("%s/%s", source.bucket, wanted.Source),
		ExpectedBucketOwner: b.account.ID,
		// The source's ETag both triggers the copy when it changes and makes S3 refuse
		// it if the source changes between look-up and copy.
		CopyIfMatch: b.etag(name, source),
		// Our default tags go with every object; S3 takes them only as a replacement.
		TaggingDirective: pulumi.String("REPLACE"),
	}
	switch owner := b.cfg.Storage.SourceAccountID; {
	case owner != "":
		args.ExpectedSourceBucketOwner = pulumi.String(owner)
	case source.sample != nil:
		args.ExpectedSourceBucketOwner = b.account.ID
	}
	dependencies := b.store.Dataset.ready
	if source.sample != nil {
		dependencies = append([]pulumi.Resource{source.sample}, dependencies...)
	}
	// Deleting a copy would delete all versions of the object, whatever the bucket's
	// versioning promises.
	_, err := s3.NewObjectCopy(b.ctx, b.name+"-copy-"+name, args,
		pulumi.Parent(b.store), pulumi.DependsOn(dependencies), pulumi.RetainOnDelete(b.cfg.Storage.KeepData))
	return err
}

// etag is the ETag of what a copy reads, checked to be small enough to copy.
func (b *storageBuilder) etag(name string, source copySource) pulumi.StringOutput {
	wanted := b.cfg.Storage.Copies[name]
	if source.sample != nil && wanted.Source == settings.SampleKey {
		// The provider knows before an update that new content gets a new version, but
		// not that it gets a new ETag: by the version, the preview shows that the copy
		// follows.
		return pulumi.All(source.sample.Etag, source.sample.VersionId).ApplyT(func(args []any) string { return args[0].(string) }).(pulumi.StringOutput)
	}
	return pulumi.All(source.bucket, b.account.Role).ApplyT(func(args []any) (string, error) {
		bucket, session := args[0].(string), probe.Session{Region: b.cfg.Region, Role: args[1].(string)}
		object, err := session.Object(b.ctx.Context(), bucket, wanted.Source, b.cfg.Storage.SourceAccountID)
		if err != nil {
			return "", fmt.Errorf("storage.copies.%s.source: %w", name, err)
		}
		if object.Size > maxCopyBytes {
			return "", fmt.Errorf("storage.copies.%s.source: s3://%s/%s has %.1f GiB, more than the 5 GiB that S3 copies at once; copy it with DataSync: remove it here and set storage.transfers.%s to {source: %s}",
				name, bucket, wanted.Source, float64(object.Size)/(1<<30), name, prefixOf(wanted.Source))
		}
		return object.ETag, nil
	}).(pulumi.StringOutput)
}

// prefixOf is the folder that an object's key lies in.
func prefixOf(key string) string {
	return key[:strings.LastIndex(key, "/")+1]
}
