package policy

// shares are the actions that give principals outside the account access to data, or publish it.
var shares = Values{
	"backup:PutBackupVaultAccessPolicy", "backup:PutBackupVaultSharingPolicy",
	"cloudfront:AssociateAlias", "cloudfront:Copy*", "cloudfront:Create*", "cloudfront:Put*", "cloudfront:Update*",
	"ec2:CreateInstanceExportTask", "ec2:CreateStoreImageTask", "ec2:CreateVpcBlockPublicAccessExclusion", "ec2:DisableImageBlockPublicAccess",
	"ec2:DisableSnapshotBlockPublicAccess", "ec2:EnableSnapshotBlockPublicAccess", "ec2:ExportImage", "ec2:ModifyFpgaImageAttribute",
	"ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "ec2:ModifyVpcBlockPublicAccess*", "ec2:ModifyVpcEndpointServicePermissions",
	"ec2:PutResourcePolicy",
	"ecr-public:CompleteLayerUpload", "ecr-public:Create*", "ecr-public:InitiateLayerUpload", "ecr-public:Put*", "ecr-public:Set*", "ecr-public:UploadLayerPart",
	"ecr:CreateRepositoryCreationTemplate", "ecr:PutRegistryPolicy", "ecr:PutReplicationConfiguration", "ecr:SetRepositoryPolicy",
	"ecr:UpdateRepositoryCreationTemplate",
	"elasticfilesystem:CreateReplicationConfiguration", "elasticfilesystem:PutFileSystemPolicy",
	"fsx:ManageBackupPrincipalAssociations", "fsx:PutResourcePolicy",
	"globalaccelerator:Add*", "globalaccelerator:Allow*", "globalaccelerator:Create*", "globalaccelerator:Update*",
	"kms:PutKeyPolicy", "kms:ReplicateKey",
	"lambda:AddLayerVersionPermission", "lambda:CreateFunctionUrlConfig", "lambda:PutResourcePolicy", "lambda:UpdateFunctionUrlConfig",
	"logs:PutDeliveryDestination*", "logs:PutDestinationPolicy", "logs:PutResourcePolicy", "logs:PutSubscriptionFilter",
	"ram:Associate*", "ram:Create*", "ram:Enable*", "ram:Promote*", "ram:Replace*", "ram:Set*", "ram:Update*",
	"rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute",
	"s3:AssociateAccessGrantsIdentityCenter", "s3:CreateAccessGrant*", "s3:PutAccessGrantsInstanceResourcePolicy",
	"s3:PutAccessPoint*", "s3:PutAccountPublicAccessBlock", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
	"s3:PutBucketPublicAccessBlock", "s3:PutMultiRegionAccessPointPolicy", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutReplicationConfiguration",
	"s3:UpdateAccessGrantsLocation", "s3-object-lambda:PutObjectAcl", "s3-object-lambda:PutObjectVersionAcl", "s3express:PutAccessPointPolicy", "s3express:PutBucketPolicy", "s3files:PutFileSystemPolicy", "s3tables:PutTableBucketPolicy", "s3tables:PutTableBucketReplication",
	"s3tables:PutTablePolicy", "s3tables:PutTableReplication",
	"s3vectors:PutVectorBucketPolicy",
	"sagemaker:CreateLineageGroupPolicy", "sagemaker:CreateSharedModel", "sagemaker:PutLineageGroupPolicy", "sagemaker:PutModelPackageGroupPolicy", "sagemaker:PutResourcePolicy", "sagemaker:UpdateSharedModel",
	"secretsmanager:PutResourcePolicy", "ssm:ModifyDocumentPermission", "ssm:PutResourcePolicy",
}

// data keeps stored data private and encrypted.
func (g Guardrails) data() Document {
	d := Document{
		// The same action sets and removes the block of public access; new buckets have it by default.
		{Sid: "NothingShared", Effect: Deny, Action: shares, Resource: []string{"*"}, Condition: g.others(nil)},
		{
			// A root session of the management account may replace a policy that locks everybody out.
			Sid: "BucketPoliciesStay", Effect: Deny, Action: []string{"s3:DeleteBucketPolicy", "s3:PutBucketPolicy"}, Resource: []string{"*"},
			Condition: Conditions{"ArnNotLike": {"aws:PrincipalArn": append(g.exempt(), "arn:*:iam::*:root")}},
		},
		{
			Sid: "NothingPublic", Effect: Deny, Action: []string{"s3:CreateBucket", "s3:PutObject"}, Resource: []string{"*"},
			Condition: g.others(Conditions{
				"StringEquals": {"s3:x-amz-acl": {"authenticated-read", "public-read", "public-read-write"}},
			}),
		},
		{
			// A key that an AWS service uses for a resource, such as a volume, is granted to it by the caller.
			Sid: "GrantsForServices", Effect: Deny, Action: []string{"kms:CreateGrant"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"BoolIfExists": {"kms:GrantIsForAWSResource": {"false"}}}),
		},
		{
			Sid: "OnlyServicesInvoke", Effect: Deny, Action: []string{"lambda:AddPermission"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"StringNotLikeIfExists": {"lambda:Principal": {"*.amazonaws.com"}}}),
		},
		{
			// Without a value, EKS creates a cluster with a public endpoint.
			Sid: "NewClustersPrivate", Effect: Deny, Action: []string{"eks:CreateCluster"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"BoolIfExists": {"eks:endpointPublicAccess": {"true"}}}),
		},
		{
			Sid: "ClustersStayPrivate", Effect: Deny, Action: []string{"eks:UpdateClusterConfig"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"Bool": {"eks:endpointPublicAccess": {"true"}}}),
		},
		{
			Sid: "EncryptionStays", Effect: Deny, Resource: []string{"*"},
			Action: []string{
				"ebs:StartSnapshot", "ec2:DisableEbsEncryptionByDefault", "kms:DeleteImportedKeyMaterial", "kms:DisableKey", "kms:DisableKeyRotation",
				"kms:ScheduleKeyDeletion", "s3:PutEncryptionConfiguration", "s3:UpdateObjectEncryption",
			},
			Condition: g.others(nil),
		},
		{
			Sid: "EncryptedVolumes", Effect: Deny, Resource: []string{"arn:*:ec2:*:*:volume/*"},
			Action:    []string{"ec2:CreateFleet", "ec2:CreateVolume", "ec2:RunInstances"},
			Condition: g.others(Conditions{"Bool": {"ec2:Encrypted": {"false"}}}),
		},
	}
	// The headers of an access control list. A statement denies where all of its conditions match, so each needs its own.
	for _, grant := range []struct{ sid, header string }{
		{"NoGrantFullControl", "full-control"}, {"NoGrantRead", "read"}, {"NoGrantReadACP", "read-acp"}, {"NoGrantWrite", "write"}, {"NoGrantWriteACP", "write-acp"},
	} {
		d = append(d, Statement{
			Sid: grant.sid, Effect: Deny, Action: []string{"s3:CreateBucket", "s3:PutObject"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"Null": {"s3:x-amz-grant-" + grant.header: {"false"}}}),
		})
	}
	return d
}
