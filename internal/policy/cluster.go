package policy

// InstanceTrust returns the trust policy of a role that EC2 instances use by their instance profile.
func InstanceTrust() Document {
	return Document{{Effect: Allow, Principal: service("ec2.amazonaws.com"), Action: []string{"sts:AssumeRole"}}}
}

// PodTrust allows the pods of one service account to assume a role by EKS Pod Identity, in one cluster. EKS tags each
// session with namespace and service account, so that an association created for other pods by mistake gets nothing.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func PodTrust(account, clusterARN, namespace, serviceAccount string) Document {
	return Document{{
		Effect: Allow, Principal: service("pods.eks.amazonaws.com"),
		Action: []string{"sts:AssumeRole", "sts:TagSession"},
		Condition: Conditions{
			"StringEquals": {
				"aws:SourceAccount":                         {account},
				"aws:RequestTag/kubernetes-namespace":       {namespace},
				"aws:RequestTag/kubernetes-service-account": {serviceAccount},
			},
			"ArnEquals": {"aws:SourceArn": {clusterARN}},
		},
	}}
}

// Training returns the permissions of a training pod: read some buckets, and write below one prefix of others, which
// it may also read.
//
// The prefix is that of all runs of the stack, not of one run, because the pods of an old run still save a checkpoint
// on SIGTERM while the new run replaces it.
func Training(read, write []string, prefix string, keys []string) Document {
	access := Access{ReadBuckets: append(append([]string{}, read...), write...), Keys: keys}
	resources := make([]string, len(write))
	for i, bucket := range write {
		resources[i] = bucket + "/" + prefix + "*"
	}
	return append(access.Document(), Statement{
		Sid: "WriteRuns", Effect: Allow,
		Action:   objectWrites,
		Resource: resources,
	})
}

// FlowLogs returns the permissions to write VPC flow logs to one log group.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
func FlowLogs(logGroupARN string) Document {
	return Document{{
		Sid: "WriteFlowLogs", Effect: Allow,
		Action:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
		Resource: []string{logGroupARN, logGroupARN + ":*"},
	}}
}
