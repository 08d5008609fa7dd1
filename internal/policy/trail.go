package policy

// Trail describes the CloudTrail trail of an organization.
type Trail struct {
	ARN          string
	Account      string // 12 digits; the management account, which owns the trail and its bucket
	Organization string // o-…
}

// Bucket returns PrivateBucket with permission for CloudTrail to write the logs of this one trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-create-and-update-an-organizational-trail-by-using-the-aws-cli.html,
// read 2026-11-26
func (t Trail) Bucket(bucketARN string, p Perimeter) Document {
	ofTrail := func(more map[string]Values) Conditions {
		all := map[string]Values{"aws:SourceArn": {t.ARN}}
		for key, values := range more {
			all[key] = values
		}
		return Conditions{"StringEquals": all}
	}
	cloudTrail := service("cloudtrail.amazonaws.com")
	logs := bucketARN + "/AWSLogs/"
	return append(PrivateBucket(bucketARN, p),
		Statement{
			Sid: "CheckBucket", Effect: Allow, Principal: cloudTrail, Action: []string{"s3:GetBucketAcl"}, Resource: []string{bucketARN},
			Condition: ofTrail(nil),
		},
		Statement{
			Sid: "WriteLogs", Effect: Allow, Principal: cloudTrail, Action: []string{"s3:PutObject"},
			Resource:  []string{logs + t.Account + "/*", logs + t.Organization + "/*"},
			Condition: ofTrail(map[string]Values{"s3:x-amz-acl": {"bucket-owner-full-control"}}),
		},
	)
}
