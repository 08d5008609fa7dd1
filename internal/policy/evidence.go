package policy

import "strings"

// logs keeps what records who did what, and what reports it: trails, recorders, detectors, log groups, flow logs, the logs
// of the cluster, and the bucket with the access logs.
func (g Guardrails) logs() Document {
	bucket := "arn:*:s3:::" + named(g.Prefix, "storage-logs")
	return Document{
		{
			Sid: "LogsStay", Effect: Deny, Resource: []string{"*"},
			Action: []string{
				"access-analyzer:CreateArchiveRule", "access-analyzer:Delete*", "access-analyzer:Update*",
				"cloudtrail:Delete*", "cloudtrail:Deregister*", "cloudtrail:PutEventConfiguration", "cloudtrail:PutEventSelectors",
				"cloudtrail:PutInsightSelectors", "cloudtrail:PutResourcePolicy", "cloudtrail:StopEventDataStoreIngestion", "cloudtrail:StopImport",
				"cloudtrail:StopLogging", "cloudtrail:UpdateChannel", "cloudtrail:UpdateEventDataStore", "cloudtrail:UpdateServiceLinkedChannel", "cloudtrail:UpdateTrail",
				"config:Delete*", "config:DisassociateResourceTypes", "config:PutConfigurationRecorder", "config:PutDeliveryChannel",
				"config:PutRetentionConfiguration", "config:PutServiceLinkedConfigurationRecorder", "config:StopConfigurationRecorder",
				"detective:Delete*", "detective:Disable*", "detective:Disassociate*", "detective:Update*",
				"ec2:DeleteFlowLogs",
				"guardduty:ArchiveFindings", "guardduty:CreateFilter", "guardduty:CreateIPSet", "guardduty:CreateTrustedEntitySet", "guardduty:Delete*",
				"guardduty:Disable*", "guardduty:Disassociate*", "guardduty:StopMonitoringMembers", "guardduty:Update*",
				"inspector2:BatchUpdate*", "inspector2:CreateFilter", "inspector2:Delete*", "inspector2:Disable*", "inspector2:Disassociate*", "inspector2:Update*",
				"logs:AssociateKmsKey", "logs:DeleteAccountPolicy", "logs:DeleteDataProtectionPolicy", "logs:DeleteDel*", "logs:DeleteDestination",
				"logs:DeleteLog*", "logs:DeleteMetricFilter", "logs:DeleteResourcePolicy", "logs:DeleteSubscriptionFilter", "logs:DisassociateKmsKey", "logs:PutAccountPolicy", "logs:PutDataProtectionPolicy",
				"logs:PutLogGroupDeletionProtection", "logs:PutRetentionPolicy", "logs:PutStorageTierPolicy", "logs:PutTransformer",
				"logs:UpdateDeliveryConfiguration", "logs:UpdateLogDelivery",
				"macie2:BatchUpdate*", "macie2:CreateFindingsFilter", "macie2:Delete*", "macie2:Disable*", "macie2:Disassociate*", "macie2:Put*", "macie2:Update*",
				"route53resolver:DeleteResolverQueryLogConfig", "route53resolver:DisassociateResolverQueryLogConfig",
				"securityhub:BatchDisableStandards", "securityhub:BatchUpdate*", "securityhub:CreateAutomationRule*", "securityhub:Delete*",
				"securityhub:Disable*", "securityhub:Disassociate*", "securityhub:StartConfigurationPolicyDisassociation",
				"securityhub:Update*",
			},
			Condition: g.others(nil),
		},
		{
			Sid: "AccessLogsStay", Effect: Deny, Resource: []string{"arn:*:s3:::" + g.Prefix + "*"},
			Action:    []string{"s3:PutBucketLogging", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"},
			Condition: g.others(nil),
		},
		{
			Sid: "DeliveredLogsStay", Effect: Deny, Resource: []string{bucket, bucket + "/*"},
			Action: []string{
				"s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject", "s3:PutObjectLegalHold",
				"s3:PutObjectRetention",
			},
			Condition: g.others(nil),
		},
		{
			Sid: "ClusterStays", Effect: Deny, Resource: []string{"arn:*:eks:*:*:cluster/" + strings.TrimSuffix(g.Prefix, "-")},
			Action:    []string{"eks:UpdateClusterConfig"}, // its logs, and whether its endpoint is public
			Condition: g.others(nil),
		},
	}
}
