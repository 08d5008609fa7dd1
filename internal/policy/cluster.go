package policy

import "strings"

// InstanceTrust returns the trust policy of a role that EC2 instances use by their instance profile.
func InstanceTrust() Document {
	return Document{{Effect: Allow, Principal: service("ec2.amazonaws.com"), Action: []string{"sts:AssumeRole"}}}
}

// PodTrust allows the pods of one service account to assume a role by EKS Pod Identity, in one cluster. EKS tags each
// session with namespace and service account, so that an association created for other pods by mistake gets nothing.
// serviceAccount may be a pattern, in which * stands for any text and ? for one character.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func PodTrust(account, clusterARN, namespace, serviceAccount string) Document {
	conditions := Conditions{
		"StringEquals": {
			"aws:SourceAccount":                   {account},
			"aws:RequestTag/kubernetes-namespace": {namespace},
		},
		"ArnEquals": {"aws:SourceArn": {clusterARN}},
	}
	const tag = "aws:RequestTag/kubernetes-service-account"
	if strings.ContainsAny(serviceAccount, "*?") {
		conditions["StringLike"] = map[string]Values{tag: {serviceAccount}}
	} else {
		conditions["StringEquals"][tag] = Values{serviceAccount}
	}
	return Document{{
		Effect: Allow, Principal: service("pods.eks.amazonaws.com"),
		Action:    []string{"sts:AssumeRole", "sts:TagSession"},
		Condition: conditions,
	}}
}

// Training returns the permissions of the pods of all runs: read some buckets, and write to others, which they may also read,
// below prefix and the name of their service account, which is that of their run. EKS sets this tag of the session; nobody who
// calls S3 can choose it.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html, read 2026-11-26
//
// The runs of earlier releases shared one service account. Their pods have sessions with its name, and still save a checkpoint
// while the first update replaces them. New sessions of that name are refused by the trust policy.
func Training(read, write []string, prefix, earlierAccount string, keys []string) Document {
	access := Access{ReadBuckets: append(append([]string{}, read...), write...), Keys: keys}
	below := func(name string) []string {
		resources := make([]string, len(write))
		for i, bucket := range write {
			resources[i] = bucket + "/" + prefix + name
		}
		return resources
	}
	const account = "aws:PrincipalTag/kubernetes-service-account"
	return append(access.Document(),
		Statement{Sid: "WriteOwnRun", Effect: Allow, Action: objectWrites, Resource: below("${" + account + "}/*")},
		Statement{
			Sid: "WriteEarlierRuns", Effect: Allow, Action: objectWrites, Resource: below("*"),
			Condition: Conditions{"StringEquals": {account: {earlierAccount}}},
		},
	)
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
