package policy

// PrivateBucket is what every bucket refuses, whoever asks: requests without TLS,
// with a TLS older than 1.2, and uploads under a key that only the caller has
// (SSE-C), which nobody else could read again.
func PrivateBucket(bucketARN string) Document {
	everything := []string{bucketARN, bucketARN + "/*"}
	return Document{
		{
			Sid: "DenyWithoutTLS", Effect: Deny, Principal: Everyone(),
			Action: []string{"s3:*"}, Resource: everything,
			Condition: Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
		},
		{
			Sid: "DenyOldTLS", Effect: Deny, Principal: Everyone(),
			Action: []string{"s3:*"}, Resource: everything,
			Condition: Conditions{"NumericLessThan": {"s3:TlsVersion": {"1.2"}}},
		},
		{
			Sid: "DenyCallerHeldKeys", Effect: Deny, Principal: Everyone(),
			Action: []string{"s3:PutObject"}, Resource: []string{bucketARN + "/*"},
			Condition: Conditions{"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": {"false"}}},
		},
	}
}

// LogBucket is PrivateBucket that S3's log delivery may write to, for the buckets
// of one account.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
func LogBucket(bucketARN, account string) Document {
	return append(PrivateBucket(bucketARN), Statement{
		Sid: "AllowLogDelivery", Effect: Allow, Principal: Service("logging.s3.amazonaws.com"),
		Action: []string{"s3:PutObject"}, Resource: []string{bucketARN + "/*"},
		Condition: Conditions{"StringEquals": {"aws:SourceAccount": {account}}},
	})
}

// AccountKey is the key policy that leaves the say to the account's own IAM
// policies, which is AWS's default and keeps the key from becoming unmanageable.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
func AccountKey(partition, account string) Document {
	return Document{{
		Sid: "AccountDecides", Effect: Allow,
		Principal: &Principals{AWS: []string{"arn:" + partition + ":iam::" + account + ":root"}},
		Action:    []string{"kms:*"}, Resource: []string{"*"},
	}}
}

// ServiceTrust lets one AWS service assume a role, on behalf of one account only:
// without the account a stranger's resource could have the service act as our role
// (the confused deputy).
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func ServiceTrust(service, account string) Document {
	return Document{{
		Effect: Allow, Principal: Service(service), Action: []string{"sts:AssumeRole"},
		Condition: Conditions{"StringEquals": {"aws:SourceAccount": {account}}},
	}}
}

// Access is what a role may do with objects: read under some ARNs, read and write
// under others.
type Access struct {
	ReadBuckets  []string // bucket ARNs
	WriteBuckets []string // bucket ARNs; implies reading
	Keys         []string // KMS key ARNs that encrypt them; none with AES256
}

// objectWrites are the S3 actions that write objects, in one request or in parts.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var objectWrites = Values{
	"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging",
}

// Document returns the access as an IAM policy.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func (a Access) Document() Document {
	buckets := append(append([]string{}, a.ReadBuckets...), a.WriteBuckets...)
	statements := Document{{
		Sid: "ListBuckets", Effect: Allow,
		Action:   []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		Resource: buckets,
	}, {
		Sid: "ReadObjects", Effect: Allow,
		Action:   []string{"s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"},
		Resource: objects(buckets),
	}}
	if len(a.WriteBuckets) > 0 {
		statements = append(statements, Statement{
			Sid: "WriteObjects", Effect: Allow,
			Action:   objectWrites,
			Resource: objects(a.WriteBuckets),
		})
	}
	if len(a.Keys) > 0 {
		statements = append(statements, Statement{
			Sid: "UseKeys", Effect: Allow,
			Action:   []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
			Resource: a.Keys,
		})
	}
	return statements
}

func objects(buckets []string) []string {
	arns := make([]string, len(buckets))
	for i, bucket := range buckets {
		arns[i] = bucket + "/*"
	}
	return arns
}
