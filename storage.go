package main

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/awsprobe"
	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// Storage is the buckets that training reads and writes, in the training account.
type Storage struct {
	pulumi.ResourceState

	SourceARN   pulumi.StringOutput      // of the bucket that data is copied from
	SourceURL   pulumi.StringOutput      // s3://bucket/
	Dataset     *Bucket                  // copied data, which training reads
	Checkpoints *Bucket                  // what training saves while it runs
	Artifacts   *Bucket                  // finished models
	KeyARN      pulumi.StringOutput      // KMS key of the buckets; empty with storage.encryption aes256
	Keys        pulumi.StringArrayOutput // the same as a list, empty or of one
	CopyKeys    pulumi.StringArrayOutput // Keys and the KMS key of the source bucket
	Owners      pulumi.StringArrayOutput // accounts of the buckets and of the source bucket
	Transfers   pulumi.StringMap         // ARN of each DataSync task by name

	// Ready are the copies, and the settings of the buckets that training reads and writes, among them their policies.
	// Whatever reads data depends on them: otherwise it starts before its data is there and, on destroy, loses it
	// before it has ended. What DataSync transfers is not among them: a task runs on its schedule, or when started.
	Ready []pulumi.Resource
}

// StorageArgs are what newStorage needs.
type StorageArgs struct {
	Settings    settings.Storage
	Account     scope.Account
	VPC         pulumi.StringOutput // id of the VPC that objects are used from; empty: from anywhere
	DeployRole  string              // name of the role that deploys; empty: the credentials are used as they are
	ExemptRoles []string            // names or patterns, with paths, of further roles that use objects from anywhere
}

// newStorage creates the buckets and copies the data in.
func newStorage(ctx *pulumi.Context, name string, s scope.Scope, args StorageArgs) (*Storage, error) {
	store, cfg, account := &Storage{}, args.Settings, args.Account
	if err := ctx.RegisterComponentResource("llm:platform:Storage", name, store, pulumi.Providers(account.Provider)); err != nil {
		return nil, err
	}
	perimeter := pulumi.All(s.Perimeter(account), args.VPC).ApplyT(func(known []any) policy.Perimeter {
		p := known[0].(policy.Perimeter)
		p.Network = policy.NewNetwork(s.Partition, p.Account, s.Prefix, known[1].(string), args.DeployRole, args.ExemptRoles)
		return p
	})
	b := storageBuilder{ctx: ctx, name: name, scope: s, cfg: cfg, account: account, perimeter: perimeter, component: store}
	var err error
	if store.KeyARN, err = b.key(); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	store.Keys, store.CopyKeys = present(store.KeyARN), present(store.KeyARN, pulumi.String(cfg.SourceKMSKeyARN).ToStringOutput())
	logs, err := b.logBucket()
	if err != nil {
		return nil, err
	}
	if store.Dataset, err = b.dataBucket("dataset", store.KeyARN, logs); err != nil {
		return nil, err
	}
	if store.Checkpoints, err = b.dataBucket("checkpoints", store.KeyARN, logs); err != nil {
		return nil, err
	}
	if store.Artifacts, err = b.dataBucket("artifacts", store.KeyARN, logs); err != nil {
		return nil, err
	}
	source, err := b.source(store.KeyARN, logs)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	store.Owners = pulumi.StringArray{account.ID, b.sourceOwner()}.ToStringArrayOutput()
	store.SourceARN, store.SourceURL = source.arn, pulumi.Sprintf("s3://%s/", source.bucket)
	store.Ready = slices.Concat(store.Dataset.ready, store.Checkpoints.ready, store.Artifacts.ready)
	for _, name := range slices.Sorted(maps.Keys(cfg.Copies)) {
		copied, err := b.copyObject(name, source, store.Dataset)
		if err != nil {
			return nil, fmt.Errorf("copy %s: %w", name, err)
		}
		store.Ready = append(store.Ready, copied)
	}
	if store.Transfers, err = b.transfers(store); err != nil {
		return nil, fmt.Errorf("transfers: %w", err)
	}
	return store, ctx.RegisterResourceOutputs(store, pulumi.Map{"bucketName": store.Dataset.Name})
}

// present returns the values that are not empty.
func present(values ...pulumi.StringOutput) pulumi.StringArrayOutput {
	all := pulumi.StringArray{}
	for _, value := range values {
		all = append(all, value)
	}
	return all.ToStringArrayOutput().ApplyT(func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(value string) bool { return value == "" })
	}).(pulumi.StringArrayOutput)
}

type storageBuilder struct {
	ctx       *pulumi.Context
	name      string
	scope     scope.Scope
	cfg       settings.Storage
	account   scope.Account
	perimeter pulumi.Output // policy.Perimeter of the buckets
	component pulumi.Resource
}

// key creates the KMS key of the buckets and returns its ARN, or an empty string with storage.encryption aes256.
// Without its key the data is lost, so the key is retained wherever the data is.
func (b storageBuilder) key() (pulumi.StringOutput, error) {
	if b.cfg.Encryption != settings.KMS {
		return pulumi.String("").ToStringOutput(), nil
	}
	key, err := b.scope.NewKey(b.ctx, b.name+"-key", "Training data, checkpoints and models of "+b.scope.Project+" "+b.scope.Stack, b.account, policy.AccountKey,
		pulumi.Parent(b.component), b.scope.Keep(b.cfg.KeepData))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return key.Arn, nil
}

// copySource is the bucket that copies read.
type copySource struct {
	bucket pulumi.StringOutput // name
	arn    pulumi.StringOutput
	sample *s3.BucketObjectv2 // the sample object; nil if the bucket is not ours
}

//go:embed sample/corpus.txt
var sampleText string

// source returns the existing source bucket, or creates one with a sample object in it.
func (b storageBuilder) source(key pulumi.StringOutput, logs *Bucket) (copySource, error) {
	if existing := b.cfg.SourceBucket; existing != "" {
		return copySource{
			bucket: pulumi.String(existing).ToStringOutput(),
			arn:    pulumi.Sprintf("arn:%s:s3:::%s", b.scope.Partition, existing),
		}, nil
	}
	bucket, err := b.dataBucket("source", key, logs)
	if err != nil {
		return copySource{}, err
	}
	sample, err := s3.NewBucketObjectv2(b.ctx, b.name+"-sample", &s3.BucketObjectv2Args{
		Bucket:      bucket.Name,
		Key:         pulumi.String(settings.SampleKey),
		Content:     pulumi.String(sampleText),
		ContentType: pulumi.String("text/plain; charset=utf-8"),
	}, pulumi.Parent(b.component), pulumi.DependsOn(bucket.ready), b.scope.Keep(b.cfg.KeepData))
	return copySource{bucket: bucket.Name, arn: bucket.ARN, sample: sample}, err
}

// sourceOwner returns the account that must own the source bucket: otherwise whoever creates a bucket of this name, after
// its owner has deleted it, chooses what a model learns.
func (b storageBuilder) sourceOwner() pulumi.StringOutput {
	if owner := b.cfg.SourceAccountID; owner != "" {
		return pulumi.String(owner).ToStringOutput()
	}
	return b.account.ID
}

// maxCopyBytes is the largest object that one CopyObject call copies: 5 GiB.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
const maxCopyBytes = 5 << 30

// copyObject copies one object into the dataset bucket, and again whenever its ETag changes.
func (b storageBuilder) copyObject(name string, source copySource, dataset *Bucket) (*s3.ObjectCopy, error) {
	desired := b.cfg.Copies[name]
	args := &s3.ObjectCopyArgs{
		Bucket:                    dataset.Name,
		Key:                       pulumi.String(desired.Destination),
		Source:                    pulumi.Sprintf("%s/%s", source.bucket, desired.Source),
		ExpectedBucketOwner:       b.account.ID,
		ExpectedSourceBucketOwner: b.sourceOwner(),
		// A changed ETag of the source triggers the copy, and S3 refuses to copy if the source changes between
		// look-up and copy.
		CopyIfMatch: b.etag(name, source),
		// The default tags are added to every object; S3 accepts them only as a replacement.
		TaggingDirective: pulumi.String("REPLACE"),
	}
	if b.cfg.RequesterPays {
		args.RequestPayer = pulumi.String("requester")
	}
	dependencies := dataset.ready
	if source.sample != nil {
		dependencies = append([]pulumi.Resource{source.sample}, dependencies...)
	}
	// The provider deletes a copy with all versions of the key, among them what the copy of another name, or the one with
	// another source, has just written there. So an object goes only with its bucket.
	return s3.NewObjectCopy(b.ctx, b.name+"-copy-"+name, args,
		pulumi.Parent(b.component), pulumi.DependsOn(dependencies), pulumi.RetainOnDelete(true))
}

// etag returns the ETag of the object that a copy reads, or an error if the object is too large to copy or archived.
func (b storageBuilder) etag(name string, source copySource) pulumi.StringOutput {
	desired := b.cfg.Copies[name]
	if source.sample != nil && desired.Source == settings.SampleKey {
		// Before an update the provider knows that new content gets a new version, but not that it gets a new ETag.
		// Depending on the version makes the preview show that the copy follows.
		return pulumi.All(source.sample.Etag, source.sample.VersionId).ApplyT(func(args []any) string { return args[0].(string) }).(pulumi.StringOutput)
	}
	return pulumi.All(source.bucket, b.account.Acting, b.sourceOwner()).ApplyT(func(args []any) (string, error) {
		bucket, session := args[0].(string), awsprobe.Session{Region: b.scope.Region, Role: args[1].(string)}
		object, err := session.Object(b.ctx.Context(), awsprobe.Source{
			Bucket: bucket, Key: desired.Source, Owner: args[2].(string), RequesterPays: b.cfg.RequesterPays,
		})
		if err != nil {
			return "", fmt.Errorf("storage.copies.%s.source: %w", name, err)
		}
		if object.Size > maxCopyBytes {
			return "", fmt.Errorf("storage.copies.%s.source: s3://%s/%s has %.1f GiB, more than the 5 GiB that S3 copies at once; copy it with DataSync: remove it here and set storage.transfers.%s to {source: %s}",
				name, bucket, desired.Source, float64(object.Size)/(1<<30), name, prefixOf(desired.Source))
		}
		if object.Archived != "" {
			return "", fmt.Errorf("storage.copies.%s.source: s3://%s/%s is archived (%s), and S3 does not copy it; restore it first (aws s3api restore-object --bucket %s --key %s --restore-request Days=7), which takes up to two days",
				name, bucket, desired.Source, object.Archived, bucket, desired.Source)
		}
		return object.ETag, nil
	}).(pulumi.StringOutput)
}

// prefixOf returns an object's key up to and with its last slash.
func prefixOf(key string) string {
	return key[:strings.LastIndex(key, "/")+1]
}
