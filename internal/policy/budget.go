package policy

import "fmt"

// BudgetsTrust returns the trust policy of a role that AWS Budgets may assume, for the budgets of one account only.
// https://docs.aws.amazon.com/cost-management/latest/userguide/cross-service-confused-deputy-prevention.html
func BudgetsTrust(partition, account string) Document {
	return Document{{
		Effect: Allow, Principal: service("budgets.amazonaws.com"), Action: []string{"sts:AssumeRole"},
		Condition: Conditions{
			"StringEquals": {"aws:SourceAccount": {account}},
			"ArnLike":      {"aws:SourceArn": {fmt.Sprintf("arn:%s:budgets::%s:budget/*", partition, account)}},
		},
	}}
}

// KillSwitchRole returns the permissions of AWS Budgets: to attach one policy to some accounts of the organization and
// detach it. It cannot change a guardrail.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
func KillSwitchRole(partition, management, policyARN string, accounts []string) Document {
	on := Values{policyARN}
	for _, id := range accounts {
		on = append(on, fmt.Sprintf("arn:%s:organizations::%s:account/*/%s", partition, management, id))
	}
	return Document{{
		Sid: "AttachKillSwitch", Effect: Allow,
		Action:   []string{"organizations:AttachPolicy", "organizations:DetachPolicy"},
		Resource: on,
	}}
}

// RescueRole returns the name of the role that shrinks pools and endpoints while the kill switch is attached. prefix is
// that of the stack's names, with a hyphen at the end.
func RescueRole(prefix string) string { return prefix + "rescue" }

// Rescue returns the permissions of that role in an account. AWS has no condition that lets it shrink only.
func Rescue(partition, account string) Document {
	on := func(service, resource string) string {
		return fmt.Sprintf("arn:%s:%s:*:%s:%s", partition, service, account, resource)
	}
	return Document{
		{
			Sid: "Find", Effect: Allow, Resource: []string{"*"},
			Action: []string{
				"autoscaling:DescribeAutoScalingGroups", "eks:DescribeNodegroup", "eks:DescribeUpdate", "eks:ListClusters", "eks:ListNodegroups",
				"sagemaker:DescribeEndpoint", "sagemaker:DescribeInferenceComponent", "sagemaker:ListEndpoints", "sagemaker:ListInferenceComponents",
			},
		},
		{
			Sid: "Resize", Effect: Allow, Action: resizes,
			Resource: []string{
				on("autoscaling", "autoScalingGroup:*"), on("eks", "nodegroup/*"), on("sagemaker", "endpoint/*"), on("sagemaker", "inference-component/*"),
			},
		},
	}
}
