package settings

import (
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// servicePrincipal matches the form of a service principal, for example sso.amazonaws.com.
var servicePrincipal = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+(amazonaws|amazon)\.com$`)

// untrustable lists principals that widespread examples name, though AWS refuses them. CloudWatch's is
// observabilityadmin.amazonaws.com.
var untrustable = []string{"cloudwatch.amazonaws.com"}

// trustedService returns an error for a service principal that AWS is known to refuse, or that cannot be one. One that
// is merely not in the list is allowed with a warning (Organization.Warnings): AWS adds services every few weeks and
// publishes no complete list, and after a refusal the next update continues.
func trustedService(p *field.Path, service string) field.ErrorList {
	if servicePrincipal.MatchString(service) && !slices.Contains(untrustable, service) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, service,
		"must be the principal of a service that supports trusted access, for example sso.amazonaws.com "+
			"(https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services_list.html)"+suggest(service, trustable()))}
}

// trustWarnings returns a warning for every service that is not known to support trusted access.
func (o Organization) trustWarnings() []string {
	var warnings []string
	for _, service := range o.TrustedServices {
		if o.Mode == Create && !slices.Contains(trustable(), service) {
			warnings = append(warnings, fmt.Sprintf("organization.trustedServices: %s is not a service that this program knows to support trusted access.%s "+
				"If AWS refuses it, pulumi up fails after the organization has been created: correct it and run pulumi up again",
				service, suggestion(service, trustable())))
		}
	}
	return warnings
}

// trustable returns the service principals that are known to support trusted access. They are from the pages of the
// services in https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services_list.html and from the
// overview in https://github.com/ministryofjustice/aws-root-account, read 2026-11-26.
func trustable() []string {
	return []string{
		"access-analyzer.amazonaws.com",
		"account.amazonaws.com",
		"agreement-marketplace.amazonaws.com",
		"auditmanager.amazonaws.com",
		"aws-artifact-account-sync.amazonaws.com",
		"backup.amazonaws.com",
		"billing-cost-management.bcm.amazonaws.com",
		"chatbot.amazonaws.com",
		"cloudtrail.amazonaws.com",
		"compute-optimizer.amazonaws.com",
		"config-multiaccountsetup.amazonaws.com",
		"config.amazonaws.com",
		"controltower.amazonaws.com",
		"cost-optimization-hub.bcm.amazonaws.com",
		"dashboard.eks.amazonaws.com",
		"detective.amazonaws.com",
		"devops-guru.amazonaws.com",
		"ds.amazonaws.com",
		"ec2.amazonaws.com",
		"ec2.capacitymanager.amazonaws.com",
		"fms.amazonaws.com",
		"guardduty.amazonaws.com",
		"health.amazonaws.com",
		"iam.amazonaws.com",
		"inspector2.amazonaws.com",
		"ipam.amazonaws.com",
		"license-management.marketplace.amazonaws.com",
		"license-manager-linux-subscriptions.amazonaws.com",
		"license-manager.amazonaws.com",
		"license-manager.member-account.amazonaws.com",
		"macie.amazonaws.com",
		"malware-protection.guardduty.amazonaws.com",
		"member.org.stacksets.cloudformation.amazonaws.com",
		"mgn.amazonaws.com",
		"networkmanager.amazonaws.com",
		"notifications.amazon.com",
		"observabilityadmin.amazonaws.com",
		"private-marketplace.marketplace.amazonaws.com",
		"procurement-insights.marketplace.amazonaws.com",
		"q.amazonaws.com",
		"ram.amazonaws.com",
		"reachabilityanalyzer.networkinsights.amazonaws.com",
		"reporting.trustedadvisor.amazonaws.com",
		"resource-explorer-2.amazonaws.com",
		"security-ir.amazonaws.com",
		"securityhub.amazonaws.com",
		"securitylake.amazonaws.com",
		"servicecatalog.amazonaws.com",
		"servicequotas.amazonaws.com",
		"ssm.amazonaws.com",
		"sso.amazonaws.com",
		"storage-lens.s3.amazonaws.com",
		"tagpolicies.tag.amazonaws.com",
		"wellarchitected.amazonaws.com",
	}
}
