package settings

import (
	"fmt"
	"strings"
	"testing"
)

// refusedByAWS returns what AWS or GitHub refuse only at the resource that needs it, in some cases after accounts and a
// cluster were created.
func refusedByAWS() []bad {
	tag := func(name, value string) object { return object{"tags": object{name: value}} }
	template := func(text string) object { return object{"organization.emailTemplate": text} }
	title := func(text string) object {
		return object{"organization.accounts": object{"training": object{"email": "a@example.com", "name": text}}}
	}
	address := func(text string) object {
		return object{"organization.accounts": object{"training": object{"email": text}}}
	}
	public := func(ranges ...any) object { return object{"cluster.publicCidrs": ranges} }
	open := object{"cluster.allowPublicAccessFromAnywhere": true}
	g5 := func(extra object) object { return pool(and(object{"instanceType": "g5.xlarge"}, extra)) }
	moved := func(schedule string) object {
		return object{"storage.transfers": object{"a": object{"source": "a/", "schedule": schedule}}}
	}
	ids := object{"organization.mode": "adopt", "organization.accounts": object{"training": object{"id": "222222222222"}}}
	in := func(region string) object { return and(ids, object{"region": region}) }
	vpc := object{"network.vpcId": "vpc-0123456789abcdef0", "network.privateSubnetIds": []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"}}

	const (
		elsewhere  = ", whose accounts, budgets, service principals or endpoint names differ, got "
		partition  = "; use a region of the partition aws, for example us-west-2"
		key        = "must have a name of 1 to 127 characters that every service accepts: ASCII letters, digits, spaces and + - = . _ : /, got "
		value      = "must be 1 to 256 characters that every service accepts: ASCII letters, digits, spaces and + - = . _ : / @, got "
		noValue    = "is required; a tag without a value is refused by DataSync and dropped by the AWS provider: set it, or remove the tag"
		asAddress  = "must be an e-mail address of 6 to 64 characters, name@domain, got "
		template2  = "; organization.emailTemplate may contain {stack} and {account}"
		asTitle    = "organization.accounts.training.name: must be 1 to 50 printable ASCII characters, which AWS requires, got "
		private    = ", which is private or reserved: EKS refuses it, got "
		publicWay  = "; use the public addresses that requests come from (curl -s https://checkip.amazonaws.com)"
		reserved   = "must not be in a domain that EKS reserves (kubernetes.io, k8s.io, eks.amazonaws.com), got "
		ownDomain  = "; use your own, for example example.com/team"
		schedule   = "storage.transfers.a.schedule: must "
		sixFields  = "have six fields, cron(minute hour day-of-month month day-of-week year), got "
		sixExample = "; for example cron(0 3 * * ? *) is every day at 3:00 UTC"
		oneMinute  = "have one number for the minute, got "
		hourly     = "; DataSync starts a task at most once an hour"
		expression = "be rate(1 hour), rate(N hours), rate(N days) or cron(minute hour day-of-month month day-of-week year), got "
	)
	return []bad{
		// Partitions, opt-in regions, zones, instance types.
		{"China", in("cn-north-1"), []string{"region: must not be in China" + elsewhere + `"cn-north-1"` + partition}},
		{"GovCloud", in("us-gov-west-1"), []string{"region: must not be in GovCloud" + elsewhere + `"us-gov-west-1"` + partition}},
		{"isolated in Europe", in("eu-isoe-west-1"), []string{"region: must not be in an isolated partition" + elsewhere + `"eu-isoe-west-1"` + partition}},
		{"sovereign", in("eusc-de-east-1"), []string{"region: must not be in the European Sovereign Cloud" + elsewhere + `"eusc-de-east-1"` + partition}},
		{"role in China", and(ids, object{"cluster.access": object{"ops": object{"principal": "arn:aws-cn:iam::123456789012:role/x", "role": "ci"}}}), []string{`cluster.access.ops.principal: must be the ARN of a role or user, for example arn:aws:iam::111122223333:role/research, got "arn:aws-cn:iam::123456789012:role/x"`}},
		{"new accounts in an opt-in region", object{"region": "me-central-1"}, []string{`region: must be a region that is enabled by default, since new accounts (deployment, testing, training) cannot use an opt-in region, got "me-central-1"; create the accounts beforehand, enable the region in each (aws account enable-region --account-id ID --region-name me-central-1), and set their ids in organization.accounts`}},
		{"default zones of Tokyo", and(in("ap-northeast-1")), []string{`network.zones[1]: must be an availability zone of ap-northeast-1, which has a, c, d, got "b"`}},
		{"zone that Canada lacks", and(in("ca-central-1"), object{"network.zones": []any{"a", "ca-central-1c"}}), []string{`network.zones[1]: must be an availability zone of ca-central-1, which has a, b, d, got "ca-central-1c"`}},
		{"subnet in a zone that is not there", and(in("ap-northeast-1"), vpc, object{"network.acceleratorSubnetIds": object{"b": "subnet-0123456789abcdef2"}}), []string{`network.acceleratorSubnetIds.b: must be an availability zone of ap-northeast-1, which has a, c, d, got "b"`}},
		{"H100 in Paris", and(in("eu-west-3"), pool(object{"instanceType": "p5.48xlarge"})), []string{`cluster.pools.gpu.instanceType: must be offered in eu-west-3, got "p5.48xlarge"; it was in ap-northeast-1, ap-northeast-2, ap-south-1, ap-southeast-2, ap-southeast-3, ca-central-1, eu-north-1, eu-west-2, sa-east-1, us-east-1, us-east-2, us-west-1, us-west-2 on 2026-10-27. If it is now, describe it in cluster.instanceTypes`}},
		{"default system type in Spain", and(in("eu-south-2"), pool(object{"instanceType": "g6.xlarge"})), []string{`cluster.systemInstanceType: must be offered in eu-south-2, got "m6i.large"; use for example m7i.large`}},
		{"processors in Spain", and(in("eu-south-2"), object{"cluster.systemInstanceType": "m7i.large"}, pool(object{"instanceType": "r6i.xlarge"})), []string{`cluster.pools.gpu.instanceType: must be offered in eu-south-2, got "r6i.xlarge"; use for example m7i.large`}},
		// E-mail addresses and names of accounts.
		{"dollar before a placeholder", and(template("aws+${stack}-${account}@acme.example"), object{"organization.accounts": object{"training": object{}}}), []string{"organization.accounts.training.email: " + asAddress + `"aws+$dev-$training@acme.example"` + template2}},
		{"braces twice", address("aws+{{stack}}@acme.example"), []string{"organization.accounts.training.email: " + asAddress + `"aws+{{stack}}@acme.example"` + template2}},
		{"umlaut in an address", address("müller@acme.example"), []string{"organization.accounts.training.email: " + asAddress + `"müller@acme.example"` + template2}},
		{"name before an address", address("Ann <ann@acme.example>"), []string{"organization.accounts.training.email: " + asAddress + `"Ann <ann@acme.example>"` + template2}},
		{"dot before an address", address(".ann@acme.example"), []string{"organization.accounts.training.email: " + asAddress + `".ann@acme.example"` + template2}},
		{"percent in an address", address("ann%ops@acme.example"), []string{"organization.accounts.training.email: " + asAddress + `"ann%ops@acme.example"` + template2}},
		{"domain with a hyphen", address("ann@-acme.example"), []string{"organization.accounts.training.email: " + asAddress + `"ann@-acme.example"` + template2}},
		{"title with an accent", title("Données <LLM>"), []string{asTitle + `"Données <LLM>"`}},
		{"title with a dash", title("LLM – training"), []string{asTitle + `"LLM – training"`}},
		// Public ranges.
		{"private range", public("10.0.0.0/8"), []string{"cluster.publicCidrs[0]: must not overlap 10.0.0.0/8" + private + `"10.0.0.0/8"` + publicWay}},
		{"part of a private range", public("192.168.1.0/24"), []string{"cluster.publicCidrs[0]: must not overlap 192.168.0.0/16" + private + `"192.168.1.0/24"` + publicWay}},
		{"range of a carrier", public("100.64.0.0/16"), []string{"cluster.publicCidrs[0]: must not overlap 100.64.0.0/10" + private + `"100.64.0.0/16"` + publicWay}},
		{"half of the world", public("128.0.0.0/1"), []string{"cluster.publicCidrs[0]: must not overlap 169.254.0.0/16" + private + `"128.0.0.0/1"` + publicWay}},
		{"most of the world in parts", public("1.0.0.0/8", "2.0.0.0/7", "4.0.0.0/6", "12.0.0.0/6", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/3", "96.0.0.0/6", "128.0.0.0/3", "8.0.0.0/7"), []string{"cluster.publicCidrs: must not add up to more than half of the internet, got 10; list your own ranges, or set [0.0.0.0/0] and cluster.allowPublicAccessFromAnywhere: true"}},
		{"confirmed, but in parts", and(open, public("1.0.0.0/8")), []string{"cluster.allowPublicAccessFromAnywhere: requires 0.0.0.0/0 in cluster.publicCidrs; add it, or remove this"}},
		{"41 ranges", public(hosts(41)...), []string{"cluster.publicCidrs: must be at most 40 ranges, got 41; join neighbors"}},
		// Tags.
		{"ampersand in a tag", tag("Team", "R&D"), []string{"tags.Team: " + value + `"R&D"`}},
		{"comma in a tag", tag("Owner", "Smith, John"), []string{"tags.Owner: " + value + `"Smith, John"`}},
		{"umlaut in a tag", tag("Owner", "Müller"), []string{"tags.Owner: " + value + `"Müller"`}},
		{"empty tag", tag("Purpose", ""), []string{"tags.Purpose: " + noValue}},
		{"at in a key", tag("a@b", "x"), []string{"tags.a@b: " + key + `"a@b"`}},
		{"key that ends with a space", tag("a ", "x"), []string{"tags.a : " + key + `"a "`}},
		{"key for EC2", tag(strings.Repeat("k", 128), "x"), []string{"tags." + strings.Repeat("k", 128) + ": " + key + `"` + strings.Repeat("k", 99) + "…"}},
		{"keys that differ by case", object{"tags": object{"Note": "x", "note": "y"}}, []string{`tags.note: must differ from Note in more than upper and lower case, got "note"`}},
		{"value of AWS", tag("a", "aws:x"), []string{`tags.a: must not start with aws:, which is reserved, got "aws:x"`}},
		// Labels and taints.
		{"role label", g5(object{"labels": object{"node-role.kubernetes.io/gpu": "true"}}), []string{`cluster.pools.gpu.labels["node-role.kubernetes.io/gpu"]: ` + reserved + `"node-role.kubernetes.io/gpu"` + ownDomain}},
		{"label of EKS", g5(object{"labels": object{"eks.amazonaws.com/x": "true"}}), []string{`cluster.pools.gpu.labels["eks.amazonaws.com/x"]: ` + reserved + `"eks.amazonaws.com/x"` + ownDomain}},
		{"label without value", g5(object{"labels": object{"team": ""}}), []string{`cluster.pools.gpu.labels.team: is required; EKS refuses a label without a value: set one, for example "true"`}},
		{"long label", g5(object{"labels": object{"a-very-long-domain.of-some-company.example.com/and-a-name-of-20-x": "a"}}), []string{`cluster.pools.gpu.labels["a-very-long-domain.of-some-company.example.com/and-a-name-of-20-x"]: must be at most 63 characters, the domain included, which EKS requires, got "a-very-long-domain.of-some-company.example.com/and-a-name-of-20-x"`}},
		{"taint of Kubernetes", g5(object{"taint": "kubernetes.io/gpu=true"}), []string{"cluster.pools.gpu.taint: " + reserved + `"kubernetes.io/gpu"` + ownDomain}},
		// Schedules.
		{"five fields", moved("cron(0 3 * * *)"), []string{schedule + sixFields + `"cron(0 3 * * *)"` + sixExample}},
		{"five fields of AWS's example", moved("cron(0 8 * * 3#1)"), []string{schedule + sixFields + `"cron(0 8 * * 3#1)"` + sixExample}},
		{"each five minutes", moved("cron(*/5 * * * ? *)"), []string{schedule + oneMinute + `"cron(*/5 * * * ? *)"` + hourly}},
		{"two minutes", moved("cron(0,30 * * * ? *)"), []string{schedule + oneMinute + `"cron(0,30 * * * ? *)"` + hourly}},
		{"hour in the plural", moved("rate(1 hours)"), []string{schedule + `be singular for 1 and plural for more, for example rate(1 hour) or rate(2 hours), got "rate(1 hours)"`}},
		{"hours in the singular", moved("rate(12 hour)"), []string{schedule + `be singular for 1 and plural for more, for example rate(1 hour) or rate(2 hours), got "rate(12 hour)"`}},
		{"words for a time", moved("cron(at noon)"), []string{schedule + sixFields + `"cron(at noon)"` + sixExample}},
		{"both days", moved("cron(0 3 * * * *)"), []string{schedule + `have ? for either the day of month or the day of week, and only one of them, got "cron(0 3 * * * *)"`}},
		{"no day", moved("cron(0 3 ? * ? *)"), []string{schedule + `have ? for either the day of month or the day of week, and only one of them, got "cron(0 3 ? * ? *)"`}},
		{"25 o'clock", moved("cron(0 25 * * ? *)"), []string{schedule + `have a valid hour, which "25" is not, got "cron(0 25 * * ? *)"`}},
		{"minute with a sign", moved("cron(+0 3 * * ? *)"), []string{schedule + oneMinute + `"cron(+0 3 * * ? *)"` + hourly}},
		{"hour with a sign", moved("cron(0 +3 * * ? *)"), []string{schedule + `have a valid hour, which "+3" is not, got "cron(0 +3 * * ? *)"`}},
		{"step with a sign", moved("cron(0 */+2 * * ? *)"), []string{schedule + `have a valid hour, which "*/+2" is not, got "cron(0 */+2 * * ? *)"`}},
		{"step of zero", moved("cron(0 */0 * * ? *)"), []string{schedule + `have a valid hour, which "*/0" is not, got "cron(0 */0 * * ? *)"`}},
		{"hours backward", moved("cron(0 18-8 * * ? *)"), []string{schedule + `have a valid hour, which "18-8" is not, got "cron(0 18-8 * * ? *)"`}},
		{"days backward", moved("cron(0 3 ? * FRI-MON *)"), []string{schedule + `have a valid day of week, which "FRI-MON" is not, got "cron(0 3 ? * FRI-MON *)"`}},
		{"months backward", moved("cron(0 3 1 4-JAN ? *)"), []string{schedule + `have a valid month, which "4-JAN" is not, got "cron(0 3 1 4-JAN ? *)"`}},
		{"31 days before the last", moved("cron(0 3 L-31 * ? *)"), []string{schedule + `have a valid day of month, which "L-31" is not, got "cron(0 3 L-31 * ? *)"`}},
		{"?th month", moved("cron(0 3 1 ? ? *)"), []string{schedule + `have a valid month, which "?" is not, got "cron(0 3 1 ? ? *)"`}},
		{"local time", moved("cron(0 3 * * ? *) CET"), []string{schedule + expression + `"cron(0 3 * * ? *) CET"` + hourly}},
		// The rest.
		{"requester pays for no bucket", object{"storage.requesterPays": true}, []string{"storage.requesterPays: requires storage.sourceBucket; set it, or remove this"}},
		// What misled.
		{"account left empty", object{"organization.accounts": object{"training": null{}}}, []string{"organization.accounts.training: is required; it has no value in the stack file: write one ({} for an object without fields), or remove the key"}},
		{"nodes without end", pool(object{"instanceType": "g5.xlarge", "nodes": "99999999999999999999"}), []string{`cluster.pools.gpu.nodes: must be a number of fewer digits, got "99999999999999999999"`}},
		{"version without quotes", object{"cluster.version": "1.3"}, []string{`cluster.version: must be one of 1.35, 1.36, got "1.3"; quote it, so that YAML keeps a zero at its end`}},
		{"registry endpoint", object{"network.interfaceEndpoints": []any{"ecr"}}, []string{`network.interfaceEndpoints[0]: must be one of …, got "ecr"; did you mean ecr.api?`}},
	}
}

// null is JSON's null: with a nil value, a case removes the key.
type null struct{}

func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// hosts returns single public addresses.
func hosts(n int) []any {
	var all []any
	for i := range n {
		all = append(all, fmt.Sprintf("8.8.8.%d/32", 2*i))
	}
	return all
}

func TestRefusedByAWS(t *testing.T) { refuse(t, refusedByAWS()) }

// What AWS, EKS, DataSync and GitHub accept is not refused.
func TestAccepted(t *testing.T) {
	ids := object{"organization.mode": "adopt", "organization.accounts": object{"training": object{"id": "222222222222"}}}
	moved := func(schedule string) object {
		return object{"storage.transfers": object{"a": object{"schedule": schedule}}}
	}
	for name, set := range map[string]object{
		"tags":                       {"tags": object{"Cost Center": "a.b/c_d:e=f+g-h@i", "Wave": "0815"}},
		"address":                    {"organization.emailTemplate": "aws+{stack}-{account}_x@sub.acme.example"},
		"title":                      {"organization.accounts": object{"training": object{"email": "a@example.com", "name": "R&D: <LLM> 'training'"}}},
		"own domain":                 pool(object{"instanceType": "g5.xlarge", "labels": object{"example.com/team": "a", "nvidia.com/x": "b"}, "taint": "example.com/gpu="}),
		"placeholder range":          {"cluster.publicCidrs": []any{"203.0.113.0/24"}},
		"40 ranges":                  {"cluster.publicCidrs": hosts(40)},
		"reserved type":              pool(object{"instanceType": "trn2.48xlarge", "capacity": "reservation", "reservationId": "cr-0123456789abcdef0"}),
		"described type":             and(custom(nil), pool(object{"instanceType": "p9.48xlarge"})),
		"Tokyo":                      and(ids, object{"region": "ap-northeast-1", "network.zones": []any{"a", "c"}}),
		"Tokyo, an existing VPC":     and(ids, object{"region": "ap-northeast-1", "network.vpcId": "vpc-0123456789abcdef0", "network.privateSubnetIds": []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"}, "network.acceleratorSubnetIds": object{"a": "subnet-0123456789abcdef2"}}),
		"opt-in region":              and(ids, object{"region": "me-central-1", "cluster.pools": object{"gpu": object{"instanceType": "g5.xlarge"}}}),
		"unknown region":             and(ids, object{"region": "eu-west-9", "cluster.pools": object{"gpu": object{"instanceType": "p5.48xlarge"}}}),
		"every hour":                 moved("rate(1 hour)"),
		"every two days":             moved("rate(2 days)"),
		"nightly":                    moved("cron(0 3 * * ? *)"),
		"last weekday of a quarter":  moved("cron(15 22 LW MAR,JUN,SEP,DEC ? 2026-2030)"),
		"first Monday":               moved("cron(0 8-18/2 ? * MON#1 *)"),
		"30 days before the last":    moved("cron(05 3 L-30 1-JUN ? *)"),
		"one hour as a range":        moved("cron(0 3-3 ? * 2-FRI *)"),
		"weekdays":                   moved("cron(0 */4 ? * MON-FRI *)"),
		"branch with plus and at":    {"git.branch": "release+1/alice@fix"},
		"managed user's repository":  {"git.repository": "octocat_acme/llm"},
		"GitLab with CI on it":       {"git.provider": "gitlab", "git.baseUrl": "https://git.example.com/api/v4/", "git.repository": "a/b/scripts", "ci.repository": "a/b/platform"},
		"requester pays":             {"storage.sourceBucket": "company-data", "storage.requesterPays": true},
		"open to all, and confirmed": {"cluster.publicCidrs": []any{"0.0.0.0/0"}, "cluster.allowPublicAccessFromAnywhere": true},
	} {
		set = and(object{"training.enabled": false}, set)
		if _, err := Load("dev", with(t, "dev", set), nil, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Labels of an existing cluster select its nodes, and its region and zones are its owner's affair.
	existing := and(ids, object{"region": "ap-northeast-1", "cluster.kubeconfig": kubeconfigText, "cluster.publicCidrs": []any{}},
		pool(object{"instanceType": "p6-b200.48xlarge", "labels": object{"node.kubernetes.io/instance-type": "p6-b200.48xlarge", "empty": ""}}))
	if _, err := Load("dev", with(t, "dev", existing), []string{"cluster"}, token); err != nil {
		t.Errorf("existing cluster: %v", err)
	}
}

// The name of a stack is part of many others.
func TestStackNames(t *testing.T) {
	for name, good := range map[string]bool{
		"dev": true, "a": true, "x-1": true, "a2345678901234567890": true,
		"a23456789012345678901": false, "Dev": false, "1dev": false, "dev-": false, "a--b": false, "a_b": false, "a.b": false,
	} {
		_, err := Load(name, with(t, "dev", nil), nil, token)
		if refused := err != nil && strings.Contains(err.Error(), "(stack): must have a name of 1 to 20 lower-case letters, digits and single hyphens"); refused == good || good && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
