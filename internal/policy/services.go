package policy

import "slices"

// everywhere are the services that accounts other than the training account may use. What is not listed may start
// accelerators, or spend money, in ways that no condition of a policy sees; guardrails.allowedServices adds to them.
var everywhere = []string{
	// Accounts, people and bills; global lists most of these for the region guardrail.
	"iam", "sts", "organizations", "account", "sso", "identitystore", "signin", // sign in, and see where
	"budgets", "ce", "cur", "billing", "consolidatedbilling", "freetier", "invoicing", "payments", "pricing", "tax", // see what it costs
	"support", "supportplans", "trustedadvisor", "health", "servicequotas", "artifact", // ask AWS, and read what it reports
	"tag", "resource-groups", "resource-explorer-2", // find what exists

	// Evidence: these record and report, and start nothing.
	"access-analyzer", "cloudtrail", "config", "detective", "guardduty", "inspector2", "macie2", "securityhub",
	"cloudwatch", "logs", "events", "sns", "sqs", "oam", // logs, metrics and alarms. Rules start their targets as a role that guardrails bind
	"backup", // restores instances as a role that guardrails bind

	// Data and keys, such as the state of Pulumi.
	"s3", "kms", "secretsmanager", "ssm", "ssmmessages", "ec2messages", "acm",
	"ecr", // images

	// Ordinary instances: a policy sees the type of those that RunInstances and StartInstances launch, and the other ways are denied.
	"ec2", "ec2-instance-connect", "ebs", "elasticloadbalancing",

	"cloudformation", // acts as the caller, or as a role that guardrails bind
	"cloudshell",     // AWS's own shell, without accelerators
	"route53",        // names
}

// Everywhere returns the services that every account may use.
func Everywhere() []string { return slices.Clone(everywhere) }

func (g Guardrails) services() Values {
	all := Values{}
	for _, service := range slices.Concat(everywhere, g.Services) {
		all = append(all, service+":*")
	}
	return sorted(all)
}
