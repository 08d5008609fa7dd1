package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/scope"
)

// blockPublicAccess keeps buckets, snapshots and images of an account that the stack has created from becoming public,
// and encrypts its volumes, except for those of other regions. The owner of an existing account has decided that already.
// What is deleted here would be switched off, so it is retained.
func (b orgBuilder) blockPublicAccess(account scope.Account) error {
	name := b.name + "-" + account.Name
	opts := pulumi.Composite(pulumi.Parent(b.component), pulumi.Provider(account.Provider), pulumi.RetainOnDelete(true))
	_, err := s3.NewAccountPublicAccessBlock(b.ctx, name+"-buckets", &s3.AccountPublicAccessBlockArgs{
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, opts)
	if err != nil {
		return fmt.Errorf("public access block of account %s: %w", account.Name, err)
	}
	if _, err = ebs.NewEncryptionByDefault(b.ctx, name+"-volumes", &ebs.EncryptionByDefaultArgs{Enabled: pulumi.Bool(true)}, opts); err != nil {
		return fmt.Errorf("encryption of volumes of account %s: %w", account.Name, err)
	}
	_, err = ebs.NewSnapshotBlockPublicAccess(b.ctx, name+"-snapshots", &ebs.SnapshotBlockPublicAccessArgs{State: pulumi.String("block-all-sharing")}, opts)
	if err != nil {
		return fmt.Errorf("public access block of snapshots of account %s: %w", account.Name, err)
	}
	_, err = ec2.NewImageBlockPublicAccess(b.ctx, name+"-images", &ec2.ImageBlockPublicAccessArgs{State: pulumi.String("block-new-sharing")}, opts)
	if err != nil {
		return fmt.Errorf("public access block of images of account %s: %w", account.Name, err)
	}
	return nil
}
