package policy

import "fmt"

// AccountKey returns the key policy with which the account's IAM policies decide, as in AWS's default, which keeps the
// key from becoming unmanageable. Three things differ from it: principals that the perimeter does not trust are denied,
// only AWS services create grants, and new actions of KMS have to be added here.
//
// A grant lets its grantee use the key, whatever the policies say, so that it could lead out of the account. AWS's example
// of a data perimeter forbids all others too (data_perimeter_governance_scp.json; see Perimeter).
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html,
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource
func AccountKey(p Perimeter) Document {
	account := &Principals{AWS: []string{"arn:" + p.Partition + ":iam::" + p.Account + ":root"}}
	return Document{
		{
			Sid: "AccountDecides", Effect: Allow, Principal: account,
			Action: []string{
				"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:Decrypt", "kms:DeleteAlias", "kms:DescribeKey", "kms:Disable*", "kms:Enable*",
				"kms:Encrypt", "kms:GenerateDataKey*", "kms:Get*", "kms:List*", "kms:PutKeyPolicy", "kms:ReEncrypt*", "kms:RetireGrant",
				"kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update*",
			},
			Resource: []string{"*"},
		},
		{
			Sid: "ServicesCreateGrants", Effect: Allow, Principal: account, Action: []string{"kms:CreateGrant"}, Resource: []string{"*"},
			Condition: Conditions{"Bool": {"kms:GrantIsForAWSResource": {"true"}}},
		},
		p.denyOutsiders("kms:*", "*"),
	}
}

// LogsKey returns AccountKey with permission for CloudWatch Logs to encrypt the log groups of the account in one region.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html, read 2026-11-26
func LogsKey(p Perimeter, region string) Document {
	return append(AccountKey(p), Statement{
		Sid: "EncryptLogs", Effect: Allow, Principal: service("logs." + region + ".amazonaws.com"),
		Action:   []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
		Resource: []string{"*"},
		Condition: Conditions{"ArnLike": {
			"kms:EncryptionContext:aws:logs:arn": {fmt.Sprintf("arn:%s:logs:%s:%s:log-group:*", p.Partition, region, p.Account)},
		}},
	})
}
