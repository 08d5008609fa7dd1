package settings

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// good is settings of the three concerns that check, in an organization.
func good() Settings {
	return Settings{
		Stack: "dev", Region: "us-west-2",
		Organization: Organization{
			Mode: Create, RoleName: "OrganizationAccountAccessRole",
			Accounts: map[string]Account{"training": {}, "testing": {}},
		},
		Guardrails: Guardrails{Enabled: true},
		Budget: Budget{
			MonthlyUSD: map[string]int{"training": 50}, ActualPercents: []int{80, 100}, ForecastPercents: []int{100},
			Emails: []string{"team@example.com"}, KillSwitch: Manual, KillSwitchPercent: 100,
		},
		CI: CI{Repository: "owner/name", Account: "training"},
	}
}

func faultsOf(s *Settings) []fault {
	f := &faults{}
	s.Guardrails.check(f, s)
	s.Budget.check(f, s.Organization)
	s.CI.check(f, s.Stack, s.Organization)
	return f.list
}

func TestGoodGuardrailsBudgetAndCI(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"as they are": func(*Settings) {},
		"everything": func(s *Settings) {
			s.Guardrails = Guardrails{Enabled: true, Regions: []string{"eu-west-1"}, ExemptRoles: []string{"AWSControlTowerExecution", "team/Admin"}, InstanceTypes: []string{"g6.xlarge", "p6-b300.48xlarge"}, SageMakerInstanceTypes: []string{"ml.trn1.32xlarge"}}
			s.Budget.KillSwitch = Automatic
			s.Budget.Emails, s.Budget.SNSTopicARN = nil, "arn:aws:sns:us-east-1:123456789012:budgets"
			s.CI = CI{
				Repository: "octo-org@123456/octo.repo@456789", Environment: "production", Account: "testing",
				StateBucketARN: "arn:aws:s3:::state", StateKMSKeyARN: "arn:aws:kms:us-west-2:123456789012:key/abc",
				DeployAssumeRoles: []string{"arn:aws:iam::123456789012:role/path/deploy"}, PreviewAssumeRoles: []string{"arn:aws:iam::123456789012:role/read"},
			}
		},
		"nothing": func(s *Settings) {
			s.Guardrails = Guardrails{}
			s.Budget = Budget{KillSwitch: Manual, KillSwitchPercent: 100}
			s.CI = CI{Account: "training"}
		},
		"no organization":                    func(s *Settings) { s.Organization.Mode = None },
		"CI's account, unused, is not there": func(s *Settings) { s.CI = CI{Account: "deployment"} },
	} {
		s := good()
		change(&s)
		if list := faultsOf(&s); len(list) > 0 {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// Each bad setting has one fault, at its key, that names the value or the way out.
func TestBadGuardrailsBudgetAndCI(t *testing.T) {
	cases := []struct {
		key, says string
		change    func(*Settings)
	}{
		{"guardrails.regions", `"eu-west-1a" is not a region`, func(s *Settings) { s.Guardrails.Regions = []string{"eu-west-1a"} }},
		{"guardrails.regions", "eu-west-1 is listed twice", func(s *Settings) { s.Guardrails.Regions = []string{"eu-west-1", "eu-west-1"} }},
		{"guardrails.regions", "another partition", func(s *Settings) { s.Guardrails.Regions = []string{"cn-north-1"} }},
		{"guardrails.exemptRoles", "no pattern", func(s *Settings) { s.Guardrails.ExemptRoles = []string{"*"} }},
		{"guardrails.exemptRoles", "no ARN", func(s *Settings) { s.Guardrails.ExemptRoles = []string{"arn:aws:iam::123456789012:role/Admin"} }},
		{"guardrails.exemptRoles", "is exempt already", func(s *Settings) { s.Guardrails.ExemptRoles = []string{"OrganizationAccountAccessRole"} }},
		{"guardrails.instanceTypes", "guardrails.sagemakerInstanceTypes", func(s *Settings) { s.Guardrails.InstanceTypes = []string{"ml.g6.xlarge"} }},
		{"guardrails.instanceTypes", `"g6" is not an EC2 instance type`, func(s *Settings) { s.Guardrails.InstanceTypes = []string{"g6"} }},
		{"guardrails.instanceTypes", "no patterns", func(s *Settings) { s.Guardrails.InstanceTypes = []string{"p*"} }},
		{"guardrails.instanceTypes", "m6i.large has no accelerator", func(s *Settings) { s.Guardrails.InstanceTypes = []string{"m6i.large"} }},
		{"guardrails.sagemakerInstanceTypes", `"g6.xlarge" is not a SageMaker`, func(s *Settings) { s.Guardrails.SageMakerInstanceTypes = []string{"g6.xlarge"} }},
		{"guardrails.sagemakerInstanceTypes", "no patterns", func(s *Settings) { s.Guardrails.SageMakerInstanceTypes = []string{"ml.*"} }},
		{"guardrails.sagemakerInstanceTypes", "ml.t3.medium has no accelerator", func(s *Settings) { s.Guardrails.SageMakerInstanceTypes = []string{"ml.t3.medium"} }},
		{"guardrails", "alone has", func(s *Settings) {
			for i := range 400 {
				s.Guardrails.InstanceTypes = append(s.Guardrails.InstanceTypes, fmt.Sprintf("p%d.48xlarge", i))
			}
		}},
		{"guardrails", "4 are needed", func(s *Settings) {
			for i := range 100 {
				s.Guardrails.InstanceTypes = append(s.Guardrails.InstanceTypes, fmt.Sprintf("p%d.48xlarge", i))
			}
		}},
		{"budget.killSwitch", `"yes" is not one of none, manual, automatic`, func(s *Settings) { s.Budget.KillSwitch = "yes" }},
		{"budget.killSwitch", "set it to none", func(s *Settings) { s.Organization.Mode, s.Budget.KillSwitch = None, Automatic }},
		{"budget.killSwitchPercent", "0 is not a number of percent", func(s *Settings) { s.Budget.KillSwitchPercent = 0 }},
		{"budget.monthlyUSD.training", "0 is not a number of USD", func(s *Settings) { s.Budget.MonthlyUSD["training"] = 0 }},
		{"budget.monthlyUSD.trainig", "did you mean training?", func(s *Settings) { s.Budget.MonthlyUSD["trainig"] = 5 }},
		{"budget.actualPercents", "-5 is not", func(s *Settings) { s.Budget.ActualPercents = []int{-5} }},
		{"budget.forecastPercents", "100 is listed twice", func(s *Settings) { s.Budget.ForecastPercents = []int{100, 100} }},
		{"budget.actualPercents", "is empty, and so is budget.forecastPercents", func(s *Settings) { s.Budget.ActualPercents, s.Budget.ForecastPercents = nil, nil }},
		{"budget.actualPercents", "there are 11 thresholds", func(s *Settings) { s.Budget.ActualPercents = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10} }},
		{"budget.emails", "is empty, and so is budget.snsTopicArn", func(s *Settings) { s.Budget.Emails = nil }},
		{"budget.emails", `"Team <team@example.com>" is not an e-mail address`, func(s *Settings) { s.Budget.Emails = []string{"Team <team@example.com>"} }},
		{"budget.emails", "is listed twice", func(s *Settings) { s.Budget.Emails = []string{"a@example.com", "a@example.com"} }},
		{"budget.emails", "11 are too many", func(s *Settings) {
			s.Budget.Emails = nil
			for i := range 11 {
				s.Budget.Emails = append(s.Budget.Emails, fmt.Sprintf("a%d@example.com", i))
			}
		}},
		{"budget.snsTopicArn", `"budgets" is not the ARN`, func(s *Settings) { s.Budget.SNSTopicARN = "budgets" }},
		{"ci.repository", "no URL", func(s *Settings) { s.CI.Repository = "https://github.com/owner/name" }},
		{"ci.repository", "no pattern", func(s *Settings) { s.CI.Repository = "owner/*" }},
		{"ci.repository", "owner@id/name@id", func(s *Settings) { s.CI.Repository = "owner@12/name" }},
		{"ci.repository", "is empty, but other ci keys", func(s *Settings) { s.CI.Repository, s.CI.StateBucketARN = "", "arn:aws:s3:::state" }},
		{"ci.environment", "no pattern", func(s *Settings) { s.CI.Environment = "prod:*" }},
		{"ci.account", `no account "deployment"`, func(s *Settings) { s.CI.Account = "deployment" }},
		{"ci.stateBucketArn", `"state" is not a bucket's ARN`, func(s *Settings) { s.CI.StateBucketARN = "state" }},
		{"ci.stateKmsKeyArn", `"alias/state" is not a key's ARN`, func(s *Settings) { s.CI.StateKMSKeyARN = "alias/state" }},
		{"ci.deployAssumeRoles", `is not a role's ARN`, func(s *Settings) { s.CI.DeployAssumeRoles = []string{"arn:aws:iam::*:role/deploy"} }},
		{"ci.previewAssumeRoles", `is not a role's ARN`, func(s *Settings) { s.CI.PreviewAssumeRoles = []string{"reader"} }},
		{"ci.previewAssumeRoles", "is the role that deploys", func(s *Settings) {
			s.CI.PreviewAssumeRoles = []string{"arn:aws:iam::123456789012:role/OrganizationAccountAccessRole"}
		}},
	}
	if len(cases) < 20 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		s := good()
		c.change(&s)
		list := faultsOf(&s)
		if len(list) != 1 || list[0].key != c.key || !strings.Contains(list[0].text, c.says) {
			t.Errorf("want one fault at %s that says %q, got %v", c.key, c.says, list)
		}
	}
}

// The pools' types may be started in EC2 and SageMaker; those without accelerators need
// no permission.
func TestControlPoliciesListPools(t *testing.T) {
	s := good()
	s.Guardrails.InstanceTypes, s.Guardrails.SageMakerInstanceTypes = []string{"g6.xlarge"}, []string{"ml.g5.xlarge"}
	g := s.ControlPolicies([]string{"p5.48xlarge", "m6i.large"})
	if want := []string{"p5.48xlarge", "g6.xlarge"}; !slices.Equal(g.InstanceTypes, want) {
		t.Errorf("EC2 %v, want %v", g.InstanceTypes, want)
	}
	if want := []string{"ml.g5.xlarge", "ml.p5.48xlarge", "ml.g6.xlarge"}; !slices.Equal(g.SageMakerTypes, want) {
		t.Errorf("SageMaker %v, want %v", g.SageMakerTypes, want)
	}
	if !slices.Equal(g.Regions, []string{"us-west-2"}) || g.DeployRole != "OrganizationAccountAccessRole" {
		t.Errorf("regions %v, role %s", g.Regions, g.DeployRole)
	}
}

// A subject is exact: nothing in it stands for anything else.
func TestSubjects(t *testing.T) {
	s := good()
	faultsOf(&s) // fills in the environment
	if got, want := s.CI.DeploySubject(), "repo:owner/name:environment:dev"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.CI.Repository = "owner@1/name@2"
	if got, want := s.CI.PreviewSubject(), "repo:owner@1/name@2:pull_request"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
