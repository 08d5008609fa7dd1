package policy

// PrivateBucket returns what every bucket denies to everyone: requests without TLS or with a TLS older than 1.2, and
// uploads encrypted with a key that only the caller has (SSE-C), which nobody else could read; and what it denies to
// whoever is outside the perimeter.
func PrivateBucket(bucketARN string, p Perimeter) Document {
	everything := []string{bucketARN, bucketARN + "/*"}
	d := Document{
		{
			Sid: "DenyWithoutTLS", Effect: Deny, Principal: everyone(),
			Action: []string{"s3:*"}, Resource: everything,
			Condition: Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
		},
		{
			Sid: "DenyOldTLS", Effect: Deny, Principal: everyone(),
			Action: []string{"s3:*"}, Resource: everything,
			Condition: Conditions{"NumericLessThan": {"s3:TlsVersion": {"1.2"}}},
		},
		{
			Sid: "DenyCallerHeldKeys", Effect: Deny, Principal: everyone(),
			Action: []string{"s3:PutObject"}, Resource: []string{bucketARN + "/*"},
			Condition: Conditions{"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": {"false"}}},
		},
		p.denyOutsiders("s3:*", everything...),
	}
	if p.Network.VPC != "" {
		d = append(d, p.denyOutsideVPC(bucketARN))
	}
	return d
}

// LogBucket returns PrivateBucket with permission for S3's log delivery to write, for the buckets of one account.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
func LogBucket(bucketARN string, p Perimeter) Document {
	p.Network = Network{} // the logs are no training data
	return append(PrivateBucket(bucketARN, p), Statement{
		Sid: "AllowLogDelivery", Effect: Allow, Principal: service("logging.s3.amazonaws.com"),
		Action: []string{"s3:PutObject"}, Resource: []string{bucketARN + "/*"},
		Condition: Conditions{"StringEquals": {"aws:SourceAccount": {p.Account}}},
	})
}

// ServiceTrust returns the trust policy of a role that one AWS service may assume, on behalf of one account only:
// otherwise a resource of another account could make the service use the role (the confused deputy problem).
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func ServiceTrust(principal, account string) Document {
	return Document{{
		Effect: Allow, Principal: service(principal), Action: []string{"sts:AssumeRole"},
		Condition: Conditions{"StringEquals": {"aws:SourceAccount": {account}}},
	}}
}

// Access describes what a role may do with objects: read some buckets, and read and write others.
type Access struct {
	ReadBuckets  []string // bucket ARNs
	WriteBuckets []string // bucket ARNs; implies reading
	WritePrefix  string   // of what may be written; empty: everything
	Keys         []string // ARNs of the KMS keys that encrypt them; empty with S3's keys
	Owners       []string // ids of the accounts that must own the buckets; empty: any
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
	var owned Conditions
	if len(a.Owners) > 0 {
		owned = Conditions{"StringEquals": {"aws:ResourceAccount": sorted(a.Owners)}}
	}
	statements := Document{{
		Sid: "ListBuckets", Effect: Allow,
		Action:   []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		Resource: buckets, Condition: owned,
	}, {
		Sid: "ReadObjects", Effect: Allow,
		Action:   []string{"s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"},
		Resource: objects(buckets, ""), Condition: owned,
	}}
	if len(a.WriteBuckets) > 0 {
		statements = append(statements, Statement{
			Sid: "WriteObjects", Effect: Allow,
			Action:   objectWrites,
			Resource: objects(a.WriteBuckets, a.WritePrefix), Condition: owned,
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

// objects returns the ARNs of the objects below a prefix.
func objects(buckets []string, prefix string) []string {
	arns := make([]string, len(buckets))
	for i, bucket := range buckets {
		arns[i] = bucket + "/" + prefix + "*"
	}
	return arns
}
