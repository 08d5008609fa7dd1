package settings

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// good returns a valid configuration of guardrails, budgets and CI in an organization.
func good() raw {
	return raw{
		Region: "us-west-2",
		Organization: rawOrganization{
			Mode: Create, RoleName: "OrganizationAccountAccessRole",
			Accounts: map[string]rawAccount{"training": {}, "testing": {}},
		},
		Guardrails: rawGuardrails{Enabled: true},
		Budget: Budget{
			MonthlyUSD: map[string]int{"training": 50}, ActualPercents: []int{80, 100}, ForecastPercents: []int{100},
			Emails: []string{"team@example.com"}, KillSwitch: manual, KillSwitchPercent: 100,
		},
		CI: rawCI{Repository: "owner/name", Account: "training"},
	}
}

// errorsOf returns the errors of the three sections, one a line.
func errorsOf(r raw) []string {
	s, in := r.resolve("dev"), input{stack: "dev", environment: token}
	if _, without := r.Tags["tokenless"]; without {
		in.environment = func(string) string { return "" }
	}
	var lines []string
	for _, err := range slices.Concat(
		r.Guardrails.validate(field.NewPath("guardrails"), s),
		r.Budget.validate(field.NewPath("budget"), s.Organization, in),
		r.CI.validate(field.NewPath("ci"), s, in),
	) {
		lines = append(lines, err.Field+": "+describe(err))
	}
	return lines
}

func TestGoodGuardrailsBudgetAndCI(t *testing.T) {
	for name, change := range map[string]func(*raw){
		"as they are": func(*raw) {},
		"everything": func(s *raw) {
			s.Guardrails = rawGuardrails{Enabled: true, Regions: []string{"eu-west-1"}, ExemptRoles: []string{"AWSControlTowerExecution", "team/Admin", "stacksets-exec-*", "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*", "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Ops_0123456789abcdef"}, InstanceTypes: []string{"g6.xlarge", "p6-b300.48xlarge", "ml.trn1.32xlarge"}}
			s.Budget.KillSwitch = Automatic
			s.Budget.Emails, s.Budget.SNSTopicARN = nil, "arn:aws:sns:us-east-1:123456789012:budgets"
			s.CI = rawCI{
				Repository: "octo-org@123456/octo.repo@456789", Environment: "production", Account: "testing", Reviewers: Reviewers{[]int{1, 2}, []int{3}},
				StateBucketARN: "arn:aws:s3:::state", StateKMSKeyARN: "arn:aws:kms:us-west-2:123456789012:key/abc",
				DeployAssumeRoles: []string{"arn:aws:iam::123456789012:role/path/deploy"}, PreviewAssumeRoles: []string{"arn:aws:iam::123456789012:role/read"},
			}
		},
		"nothing": func(s *raw) {
			s.Guardrails = rawGuardrails{}
			s.Budget = Budget{KillSwitch: manual, KillSwitchPercent: 100}
			s.CI = rawCI{Account: "training"}
		},
		"no organization":                    func(s *raw) { s.Organization.Mode = None },
		"CI's account, unused, is not there": func(s *raw) { s.CI = rawCI{Account: "deployment"} },
	} {
		s := good()
		change(&s)
		if lines := errorsOf(s); len(lines) > 0 {
			t.Errorf("%s: %v", name, lines)
		}
	}
}

// Every bad setting has one error, with its key, the value and what to do.
func TestBadGuardrailsBudgetAndCI(t *testing.T) {
	cases := []struct {
		want   string
		change func(*raw)
	}{
		{`guardrails.regions[0]: must be an AWS region, for example us-west-2, got "eu-west-1a"; omit the letter of an availability zone`, func(s *raw) { s.Guardrails.Regions = []string{"eu-west-1a"} }},
		{`guardrails.regions[1]: repeats "eu-west-1"; list it once`, func(s *raw) { s.Guardrails.Regions = []string{"eu-west-1", "eu-west-1"} }},
		{`guardrails.regions[0]: must not be in China, whose accounts, budgets, service principals or endpoint names differ, got "cn-north-1"; use a region of the partition aws, for example us-west-2`, func(s *raw) { s.Guardrails.Regions = []string{"cn-north-1"} }},
		{`guardrails.exemptRoles[0]: must have at least 4 characters before the first *, for example stacksets-exec-*, got "*"`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"*"} }},
		{`guardrails.exemptRoles[0]: must be the name of a role with its path, not an ARN, for example team/Administrator, got "arn:aws:iam::123456789012:role/Admin"; * stands for any text`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"arn:aws:iam::123456789012:role/Admin"} }},
		{`guardrails.exemptRoles[0]: must have at least 4 characters before the first *, for example stacksets-exec-*, got "abc*Administrator"`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"abc*Administrator"} }},
		{`guardrails.exemptRoles[0]: must have at least 4 characters before the first *, for example stacksets-exec-*, got "*/*"`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"*/*"} }},
		{`guardrails.exemptRoles[0]: must not match the stack's own roles, whose names begin with llm-platform-dev-, got "llm-*"`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"llm-*"} }},
		{`guardrails.exemptRoles[0]: must not match the stack's own roles, whose names begin with llm-platform-dev-, got "llm-platform-dev-ci-*"`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"llm-platform-dev-ci-*"} }},
		{`guardrails.exemptRoles[0]: must be the name of a role with its path, not an ARN, for example team/Administrator, got "Admin?"; * stands for any text`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"Admin?"} }},
		{"guardrails.exemptRoles[0]: OrganizationAccountAccessRole is organization.roleName, which is exempt already; remove it", func(s *raw) { s.Guardrails.ExemptRoles = []string{"OrganizationAccountAccessRole"} }},
		{`guardrails.exemptRoles[0]: must have the path of IAM Identity Center's roles, got "AWSReservedSSO_Admin_0123456789abcdef"; use aws-reserved/sso.amazonaws.com/*AWSReservedSSO_NAME_* with the NAME of the permission set`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"AWSReservedSSO_Admin_0123456789abcdef"} }},
		{`guardrails.exemptRoles[0]: must have the path of IAM Identity Center's roles, got "AWSReservedSSO*"; use aws-reserved/sso.amazonaws.com/*AWSReservedSSO_NAME_* with the NAME of the permission set`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"AWSReservedSSO*"} }},
		{`guardrails.exemptRoles[0]: must have the path of IAM Identity Center's roles, got "team/AWSReservedSSO_Admin_*"; use aws-reserved/sso.amazonaws.com/*AWSReservedSSO_NAME_* with the NAME of the permission set`, func(s *raw) { s.Guardrails.ExemptRoles = []string{"team/AWSReservedSSO_Admin_*"} }},
		{`guardrails.instanceTypes[0]: must be an instance type, not a pattern, for example g6.xlarge or ml.g6.xlarge, got "g6"`, func(s *raw) { s.Guardrails.InstanceTypes = []string{"g6"} }},
		{`guardrails.instanceTypes[0]: must be an instance type, not a pattern, for example g6.xlarge or ml.g6.xlarge, got "p*"`, func(s *raw) { s.Guardrails.InstanceTypes = []string{"p*"} }},
		{"guardrails.instanceTypes[0]: m6i.large has no accelerator, and other types are not limited; remove it", func(s *raw) { s.Guardrails.InstanceTypes = []string{"m6i.large"} }},
		{`guardrails.instanceTypes[0]: must be an instance type, not a pattern, for example g6.xlarge or ml.g6.xlarge, got "ml.*"`, func(s *raw) { s.Guardrails.InstanceTypes = []string{"ml.*"} }},
		{"guardrails.instanceTypes[0]: ml.t3.medium has no accelerator, and other types are not limited; remove it", func(s *raw) { s.Guardrails.InstanceTypes = []string{"ml.t3.medium"} }},
		{"guardrails: service control policy accelerators: statement OnlyListedTypes has 11484 characters, but AWS allows 10240: list fewer values", func(s *raw) {
			for i := range 700 {
				s.Guardrails.InstanceTypes = append(s.Guardrails.InstanceTypes, fmt.Sprintf("p%d.48xlarge", i))
			}
		}},
		{"guardrails: service control policies: 20 are needed, but one target allows 8 besides FullAWSAccess and the kill switch: list fewer values", func(s *raw) {
			for i := range 80 {
				s.Guardrails.ExemptRoles = append(s.Guardrails.ExemptRoles, fmt.Sprintf("ExternalTeams_Administrators_%d", i))
			}
		}},
		{"guardrails.allowedServices[0]: must be the prefix of a service's actions without a pattern, for example dynamodb of dynamodb:PutItem, got \"dynamodb:*\"", func(s *raw) { s.Guardrails.AllowedServices = []string{"dynamodb:*"} }},
		{"guardrails.allowedServices[0]: s3 is allowed in every account already; remove it", func(s *raw) { s.Guardrails.AllowedServices = []string{"s3"} }},
		{`guardrails.allowedServices[1]: repeats "lambda"; list it once`, func(s *raw) { s.Guardrails.AllowedServices = []string{"lambda", "lambda"} }},
		{`budget.killSwitch: must be one of none, manual, automatic, got "yes"`, func(s *raw) { s.Budget.KillSwitch = "yes" }},
		{`budget.killSwitch: must be none without an organization (organization.mode none), got "automatic"`, func(s *raw) { s.Organization.Mode, s.Budget.KillSwitch = None, Automatic }},
		{"budget.killSwitchPercent: must be between 1 and 1000, got 0", func(s *raw) { s.Budget.KillSwitchPercent = 0 }},
		{"budget.monthlyUSD.training: must be between 1 and 1000000000, got 0", func(s *raw) { s.Budget.MonthlyUSD["training"] = 0 }},
		{`budget.monthlyUSD.trainig: must be an account of organization.accounts, got "trainig"; did you mean training?`, func(s *raw) { s.Budget.MonthlyUSD["trainig"] = 5 }},
		{"budget.actualPercents[0]: must be between 1 and 1000, got -5", func(s *raw) { s.Budget.ActualPercents = []int{-5} }},
		{"budget.forecastPercents[1]: repeats 100; list it once", func(s *raw) { s.Budget.ForecastPercents = []int{100, 100} }},
		{"budget.actualPercents: is required; a budget needs a threshold here or in budget.forecastPercents", func(s *raw) { s.Budget.ActualPercents, s.Budget.ForecastPercents = nil, nil }},
		{"budget.actualPercents: must be at most 10 thresholds together with budget.forecastPercents, got 11", func(s *raw) { s.Budget.ActualPercents = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10} }},
		{"budget.emails: is required; a budget needs a subscriber here or in budget.snsTopicArn", func(s *raw) { s.Budget.Emails = nil }},
		{`budget.emails[0]: must be an e-mail address, name@domain, got "Team <team@example.com>"`, func(s *raw) { s.Budget.Emails = []string{"Team <team@example.com>"} }},
		{`budget.emails[1]: repeats "a@example.com"; list it once`, func(s *raw) { s.Budget.Emails = []string{"a@example.com", "a@example.com"} }},
		{"budget.emails: must be at most 10 e-mail addresses, got 11; use a mailing list or budget.snsTopicArn", func(s *raw) {
			s.Budget.Emails = nil
			for i := range 11 {
				s.Budget.Emails = append(s.Budget.Emails, fmt.Sprintf("a%d@example.com", i))
			}
		}},
		{`budget.snsTopicArn: must be the ARN of a standard SNS topic, for example arn:aws:sns:us-east-1:111122223333:budgets, got "budgets"`, func(s *raw) { s.Budget.SNSTopicARN = "budgets" }},
		{"ci.repository: must be owner/name or owner@id/name@id, not a URL or a pattern, got \"https://github.com/owner/name\"; `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids", func(s *raw) { s.CI.Repository = "https://github.com/owner/name" }},
		{"ci.repository: must be owner/name or owner@id/name@id, not a URL or a pattern, got \"owner/*\"; `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids", func(s *raw) { s.CI.Repository = "owner/*" }},
		{"ci.repository: must be owner/name or owner@id/name@id, not a URL or a pattern, got \"owner@12/name\"; `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids", func(s *raw) { s.CI.Repository = "owner@12/name" }},
		{"ci.repository: is required; with organization.mode none, the stack's organization.previewRoleName trusts the CI preview role only. Set it, or name an existing role", func(s *raw) {
			s.CI.Repository, s.Organization.Mode, s.Organization.PreviewRoleName, s.Budget.KillSwitch = "", None, "llm-platform-{stack}-preview", None
		}},
		{"ci.repository: is required; other ci keys have no effect without it: set it, or remove them", func(s *raw) { s.CI.Repository, s.CI.StateBucketARN = "", "arn:aws:s3:::state" }},
		{`ci.environment: must be the name of a GitHub environment, not a pattern: letters, digits, dots, _ and -, got "prod:*"`, func(s *raw) { s.CI.Environment = "prod:*" }},
		{"ci.reviewers: must be 6 users and teams together at most, got 7", func(s *raw) { s.CI.Reviewers = Reviewers{[]int{1, 2, 3, 4, 5}, []int{1, 2}} }},
		{"ci.reviewers.users[1]: must be an id on GitHub, each once, got 1", func(s *raw) { s.CI.Reviewers = Reviewers{[]int{1, 1}, nil} }},
		{"ci.reviewers.teams[0]: must be an id on GitHub, each once, got 0", func(s *raw) { s.CI.Reviewers = Reviewers{nil, []int{0}} }},
		{"ci.reviewers: is for GitHub, and git.provider is gitlab; protect the branch of ci.environment in GitLab instead", func(s *raw) {
			s.CI.Reviewers, s.Git.Provider, s.CI.Repository = Reviewers{[]int{1}, nil}, GitLab, "a/b"
		}},
		{"git.token: is required; ci.reviewers needs a token that may administer ci.repository: set GITHUB_TOKEN in the environment, or remove ci.reviewers", func(s *raw) {
			s.CI.Reviewers, s.Tags = Reviewers{[]int{1}, nil}, map[string]string{"tokenless": ""}
		}},
		{`ci.account: must be an account of organization.accounts, got "deployment"`, func(s *raw) { s.CI.Account = "deployment" }},
		{`ci.stateBucketArn: must be the ARN of a bucket, for example arn:aws:s3:::pulumi-state, got "state"`, func(s *raw) { s.CI.StateBucketARN = "state" }},
		{`ci.stateKmsKeyArn: must be the ARN of a KMS key, for example arn:aws:kms:us-west-2:111122223333:key/…, got "alias/state"; an alias or an id is not enough`, func(s *raw) { s.CI.StateKMSKeyARN = "alias/state" }},
		{`ci.deployAssumeRoles[0]: must be the ARN of a role, for example arn:aws:iam::111122223333:role/reader, got "arn:aws:iam::*:role/deploy"`, func(s *raw) { s.CI.DeployAssumeRoles = []string{"arn:aws:iam::*:role/deploy"} }},
		{`ci.previewAssumeRoles[0]: must be the ARN of a role, for example arn:aws:iam::111122223333:role/reader, got "reader"`, func(s *raw) { s.CI.PreviewAssumeRoles = []string{"reader"} }},
		{`ci.previewAssumeRoles[0]: must not be organization.roleName, since anyone who opens a pull request could deploy, got "arn:aws:iam::123456789012:role/OrganizationAccountAccessRole"; use a read-only role`, func(s *raw) {
			s.CI.PreviewAssumeRoles = []string{"arn:aws:iam::123456789012:role/OrganizationAccountAccessRole"}
		}},
	}
	if len(cases) < 20 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		r := good()
		c.change(&r)
		lines := errorsOf(r)
		if len(lines) != 1 || lines[0] != c.want {
			t.Errorf("want one error, %s\ngot  %s", c.want, strings.Join(lines, "\n     "))
		}
	}
}

// Without ci.account, the CI roles are in the account deployment if the stack has one: nobody else works there.
func TestCIAccount(t *testing.T) {
	for want, accounts := range map[string]map[string]rawAccount{
		"training": {"training": {}, "testing": {}}, "deployment": {"training": {}, "deployment": {}},
	} {
		r := good()
		r.CI.Account, r.Organization.Accounts = "", accounts
		if got := r.resolve("dev").CI.Account; got != want {
			t.Errorf("with %v: %s", accounts, got)
		}
		r.CI.Account = "testing"
		if got := r.resolve("dev").CI.Account; got != "testing" {
			t.Errorf("testing became %s", got)
		}
	}
}

// A subject is exact: it contains no wildcard.
func TestSubjects(t *testing.T) {
	s := good().resolve("dev")
	if got, want := s.CI.DeploySubject(), "repo:owner/name:environment:dev"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.CI.Repository = "owner@1/name@2"
	if got, want := s.CI.PreviewSubjects(), []string{"repo:owner@1/name@2:environment:dev-preview", "repo:owner@1/name@2:environment:dev-drift"}; !slices.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The issuer is that of the Git server, and its subjects are.
func TestIssuers(t *testing.T) {
	for name, c := range map[string]struct {
		git                               rawGit
		repository, branch                string
		issuer, audience, deploy, preview string
	}{
		"github.com": {rawGit{Provider: GitHub}, "o@1/r@2", "", "token.actions.githubusercontent.com", "sts.amazonaws.com",
			"repo:o@1/r@2:environment:dev", "repo:o@1/r@2:environment:dev-preview repo:o@1/r@2:environment:dev-drift"},
		"no Git": {rawGit{Provider: None}, "o/r", "", "token.actions.githubusercontent.com", "sts.amazonaws.com",
			"repo:o/r:environment:dev", "repo:o/r:environment:dev-preview repo:o/r:environment:dev-drift"},
		"GHE.com": {rawGit{Provider: GitHub, BaseURL: "https://api.acme.ghe.com/"}, "o/r", "", "token.actions.acme.ghe.com", "sts.amazonaws.com",
			"repo:o/r:environment:dev", "repo:o/r:environment:dev-preview repo:o/r:environment:dev-drift"},
		"GitHub Enterprise Server": {rawGit{Provider: GitHub, BaseURL: "https://git.example.com/api/v3/"}, "o/r", "live", "git.example.com/_services/token", "sts.amazonaws.com",
			"repo:o/r:environment:live", "repo:o/r:environment:live-preview repo:o/r:environment:live-drift"},
		"gitlab.com": {rawGit{Provider: GitLab}, "g/s/p", "", "gitlab.com", "https://gitlab.com",
			"project_path:g/s/p:ref_type:branch:ref:main", "project_path:g/s/p:ref_type:branch:ref:*"},
		"GitLab of one's own": {rawGit{Provider: GitLab, BaseURL: "https://git.example.com/api/v4/"}, "g/p", "release/live", "git.example.com", "https://git.example.com",
			"project_path:g/p:ref_type:branch:ref:release/live", "project_path:g/p:ref_type:branch:ref:*"},
		"GitLab below a path": {rawGit{Provider: GitLab, BaseURL: "https://Acme.example/tools/GitLab/api/v4/"}, "g/p", "", "acme.example/tools/GitLab", "https://acme.example/tools/GitLab",
			"project_path:g/p:ref_type:branch:ref:main", "project_path:g/p:ref_type:branch:ref:*"},
		"GitLab without the path of its API": {rawGit{Provider: GitLab, BaseURL: "https://git.example.com/"}, "g/p", "", "git.example.com", "https://git.example.com",
			"project_path:g/p:ref_type:branch:ref:main", "project_path:g/p:ref_type:branch:ref:*"},
	} {
		r := good()
		r.Git, r.CI.Repository, r.CI.Environment = c.git, c.repository, c.branch
		if lines := errorsOf(r); len(lines) > 0 {
			t.Errorf("%s: %v", name, lines)
		}
		ci := r.resolve("dev").CI
		got := []string{ci.Issuer, ci.Audience, ci.DeploySubject(), strings.Join(ci.PreviewSubjects(), " ")}
		if want := []string{c.issuer, c.audience, c.deploy, c.preview}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for want, c := range map[string]struct {
		git                rawGit
		repository, branch string
	}{
		`ci.repository: must be owner/name without ids, since git.baseUrl is a GitHub Enterprise Server, which has no immutable subjects, got "o@1/r@2"`:                                                                                    {rawGit{Provider: GitHub, BaseURL: "https://git.example.com/api/v3/"}, "o@1/r@2", ""},
		`ci.repository: must be a project of gitlab.com with its groups, for example my-company/research/platform, since git.provider is gitlab, not a URL or a pattern, got "o@1/r@2"`:                                                     {rawGit{Provider: GitLab}, "o@1/r@2", ""},
		`ci.repository: must be a project of gitlab.com with its groups, for example my-company/research/platform, since git.provider is gitlab, not a URL or a pattern, got "g/*"`:                                                         {rawGit{Provider: GitLab}, "g/*", ""},
		`ci.environment: must be the name of a protected branch, not a pattern, since git.provider is gitlab: letters, digits, dots, _, - and /, got "*"`:                                                                                   {rawGit{Provider: GitLab}, "g/p", "*"},
		`git.baseUrl: must be https://HOST/api/v4/, or https://HOST/PATH/api/v4/ for a server below a path, since the CI roles trust the tokens of this server, got "https://acme.example/gitlab/"; correct it, or remove the ci keys`:      {rawGit{Provider: GitLab, BaseURL: "https://acme.example/gitlab/"}, "g/p", ""},
		`git.baseUrl: must be https://HOST/api/v4/, or https://HOST/PATH/api/v4/ for a server below a path, since the CI roles trust the tokens of this server, got "https://acme.example/api/v4/*/"; correct it, or remove the ci keys`:    {rawGit{Provider: GitLab, BaseURL: "https://acme.example/api/v4/*/"}, "g/p", ""},
		`git.baseUrl: must be https://HOST/api/v4/, or https://HOST/PATH/api/v4/ for a server below a path, since the CI roles trust the tokens of this server, got "https://acme.example/%zz/api/v4/"; correct it, or remove the ci keys`:  {rawGit{Provider: GitLab, BaseURL: "https://acme.example/%zz/api/v4/"}, "g/p", ""},
		`git.baseUrl: must be https://HOST/api/v3/ (GitHub Enterprise Server) or https://HOST/ (GHE.com), since the CI roles trust the tokens of this server, got "https://acme.example/github/api/v3/"; correct it, or remove the ci keys`: {rawGit{Provider: GitHub, BaseURL: "https://acme.example/github/api/v3/"}, "o/r", ""},
		"ci.repository: must be owner/name or owner@id/name@id, not a URL or a pattern, got \"g/s/p\"; `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids":                                                                      {rawGit{Provider: GitHub}, "g/s/p", ""},
	} {
		r := good()
		r.Git, r.CI.Repository, r.CI.Environment = c.git, c.repository, c.branch
		if lines := errorsOf(r); len(lines) != 1 || lines[0] != want {
			t.Errorf("want %s\ngot  %q", want, lines)
		}
	}
}
