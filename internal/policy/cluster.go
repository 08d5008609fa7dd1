package policy

import "fmt"

// InstanceTrust lets EC2 instances act as a role, by their instance profile.
func InstanceTrust() Document {
	return Document{{Effect: Allow, Principal: Service("ec2.amazonaws.com"), Action: []string{"sts:AssumeRole"}}}
}

// PodTrust allows the pods of one service account to assume a role by EKS Pod Identity, in one cluster. EKS tags each
// session with namespace and service account, so that an association created for other pods by mistake gets nothing.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func PodTrust(partition, region, account, cluster, namespace, serviceAccount string) Document {
	return Document{{
		Effect: Allow, Principal: Service("pods.eks.amazonaws.com"),
		Action: []string{"sts:AssumeRole", "sts:TagSession"},
		Condition: Conditions{
			"StringEquals": {
				"aws:SourceAccount":                         {account},
				"aws:RequestTag/kubernetes-namespace":       {namespace},
				"aws:RequestTag/kubernetes-service-account": {serviceAccount},
			},
			"ArnEquals": {"aws:SourceArn": {fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", partition, region, account, cluster)}},
		},
	}}
}

// Training is what a training pod may do: read under some buckets, and write under
// one prefix of others, which it also reads.
//
// The prefix is that of all runs of the stack and not of one run, because the pods of
// an old run still save on SIGTERM while the new one replaces it.
func Training(read, write []string, prefix string, keys []string) Document {
	access := Access{ReadBuckets: append(append([]string{}, read...), write...), Keys: keys}
	resources := make([]string, len(write))
	for i, bucket := range write {
		resources[i] = bucket + "/" + prefix + "*"
	}
	return append(Document(access.Statements()), Statement{
		Sid: "WriteRuns", Effect: Allow,
		Action: []string{
			"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts",
			"s3:PutObject", "s3:PutObjectTagging",
		},
		Resource: resources,
	})
}

// FlowLogs lets VPC flow logs be written to one log group.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
func FlowLogs(logGroupARN string) Document {
	return Document{{
		Sid: "WriteFlowLogs", Effect: Allow,
		Action:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
		Resource: []string{logGroupARN, logGroupARN + ":*"},
	}}
}
