package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/stackfile"
)

const root = "../.."

// token is an environment with a Git token.
func token(name string) string {
	return map[string]string{"GITHUB_TOKEN": "token", "GITLAB_TOKEN": "token"}[name]
}

// Validation and resolution change nothing of what was written.
func TestValidationChangesNothing(t *testing.T) {
	for _, c := range slices.Concat(badCases(), badClusters(), refusedByAWS()) {
		values := with(t, "dev", c.set)
		written, unread := decode(values)
		same, _ := decode(values)
		s := written.resolve("dev")
		complete := same.resolve("dev")
		written.validate(s, input{stack: "dev", environment: token, unread: unread})
		if !reflect.DeepEqual(written, same) || !reflect.DeepEqual(s, complete) {
			t.Errorf("%s: validation changed the settings", c.name)
		}
	}
}

func TestShippedStacksAreGood(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		values, err := stackfile.Values(root, stack, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Load(stack, values, nil, token)
		if err != nil {
			t.Errorf("%s: %v", stack, err)
		}
		if got := s.Organization.Accounts[TrainingAccount].Email; got != "aws+"+stack+"-training@example.com" {
			t.Errorf("%s: training account's address is %q", stack, got)
		}
		if got := s.Storage.Copies["sample"].Destination; got != SampleKey {
			t.Errorf("%s: the sample goes to %q", stack, got)
		}
	}
}

// bad is a configuration with a mistake: what to set on top of the dev stack, and the expected errors. A nil value
// removes the key.
type bad struct {
	name string
	set  map[string]any
	want []string
}

func badCases() []bad {
	account := func(entry map[string]any) map[string]any {
		return map[string]any{"organization.accounts": map[string]any{"training": entry}}
	}
	made := func(extra map[string]any) map[string]any {
		entry := map[string]any{"email": "a@example.com"}
		for k, v := range extra {
			entry[k] = v
		}
		return account(entry)
	}
	copied := func(entry map[string]any) map[string]any {
		return map[string]any{"storage.copies": map[string]any{"a": entry}}
	}
	moved := func(entry map[string]any) map[string]any {
		return map[string]any{"storage.transfers": map[string]any{"a": entry}}
	}
	notebook := func(extra map[string]any) map[string]any {
		all := map[string]any{
			"sagemaker.notebookInstanceType":     "ml.t3.medium",
			"sagemaker.notebookSubnetId":         "subnet-0123456789abcdef0",
			"sagemaker.notebookSecurityGroupIds": []any{"sg-0123456789abcdef0"},
		}
		for k, v := range extra {
			all[k] = v
		}
		return all
	}
	const quote = "; quote it in the stack file, where YAML rewrites a number or a date that is not quoted (007 becomes 7), or use `pulumi config set --path --type string "
	return []bad{
		// Missing, unknown, mistyped.
		{"missing key", map[string]any{"region": nil}, []string{"region: is required; set it, or remove it from the stack file to get the default of Pulumi.yaml"}},
		// Keys of namespaces that nobody reads.
		{"Pulumi's region", map[string]any{"aws:region": "eu-central-1"}, []string{"aws:region: is ignored, since the program configures its providers itself; remove it, and use the key region instead"}},
		{"Pulumi's profile", map[string]any{"aws:profile": "work"}, []string{"aws:profile: is ignored, since the program configures its providers itself; remove it, and use the variable AWS_PROFILE of the environment instead"}},
		{"Pulumi's fence", map[string]any{"aws:allowedAccountIds": []any{"999999999999"}}, []string{"aws:allowedAccountIds: is ignored, since the program configures its providers itself; remove it, and use organization.managementAccountId instead"}},
		{"Pulumi's other keys of AWS", map[string]any{"aws:maxRetries": "3"}, []string{"aws:maxRetries: is ignored, since the program configures its providers itself; remove it, and use AWS's variables of the environment instead"}},
		{"other providers", map[string]any{"github:owner": "a", "gitlab:token": "b", "kubernetes:kubeconfig": "c", "eks:x": "d"}, []string{
			"eks:x: is ignored, since the program configures its providers itself; remove it, and use the keys cluster.* instead",
			"github:owner: is ignored, since the program configures its providers itself; remove it, and use git.repository instead",
			"gitlab:token: is ignored, since the program configures its providers itself; remove it, and use git.token instead",
			"kubernetes:kubeconfig: is ignored, since the program configures its providers itself; remove it, and use cluster.kubeconfig instead",
		}},
		{"mistyped namespace", map[string]any{"llm_platform:region": "us-east-1"}, []string{"llm_platform:region: is ignored, since llm_platform is not the project's namespace; remove it, and run `pulumi config set --path region`"}},
		{"somebody else's namespace", map[string]any{"other:thing": "1"}, []string{"other:thing: is ignored, since the program does not read the namespace other; remove it"}},
		{"missing nested key", map[string]any{"storage.keepData": nil}, []string{"storage.keepData: is required; set it, or remove it from the stack file to get the default of Pulumi.yaml"}},
		{"missing section", map[string]any{"storage": nil}, []string{"storage: is required; set it, or remove it from the stack file to get the default of Pulumi.yaml"}},
		{"unknown key", map[string]any{"regoin": "x"}, []string{"regoin: unknown key; did you mean region?"}},
		{"unknown nested key", map[string]any{"storage.encrypton": "kms"}, []string{"storage.encrypton: unknown key; did you mean encryption?"}},
		{"unknown account field", made(map[string]any{"emial": "x"}), []string{"organization.accounts.training.emial: unknown key; did you mean email?"}},
		{"far unknown key", map[string]any{"zzzzzzzzzzzzzz": "x"}, []string{"zzzzzzzzzzzzzz: unknown key; must be one of budget, ci, cluster, git, guardrails, network, organization, protect, region, roles, sagemaker, storage, tags, training"}},
		{"dotted key without --path", map[string]any{"storage\x00logDays": "3"}, []string{"storage.logDays: is one key with a dot in its name; use `pulumi config set --path`, or nest it in the stack file"}},
		{"section that is text", map[string]any{"storage": "kms"}, []string{`storage: must be an object, for example {name: value}, got "kms"`}},
		{"object that is a list", map[string]any{"tags": []any{"a"}}, []string{`tags: must be an object, for example {name: value}, got ["a"]`}},
		{"list that is text", map[string]any{"organization.organizationalUnits": "workloads"}, []string{`organization.organizationalUnits: must be a list, for example [one, two], got "workloads"`}},
		{"list element that is no text", map[string]any{"organization.organizationalUnits": []any{true}}, []string{"organization.organizationalUnits[0]: must be a string, got true" + quote + "organization.organizationalUnits[0]`"}},
		{"numbers, booleans and dates in strings", map[string]any{
			"training.environment": map[string]any{"A": 7, "B": 1.1, "C": json.Number("12345678901234567000"), "D": false, "E": "2026-01-01 00:00:00 +0000 UTC"},
			"training.args":        []any{4, "--at", "2001-12-14 21:59:43.1 -0500 -0500"},
			"tags":                 map[string]any{"Wave": 815}, "cluster.version": 1.3, "training.datasetPrefix": 493,
			"storage.copies": map[string]any{"a": map[string]any{"source": 1e-4}}, "training.secrets": map[string]any{"PIN": 1234},
		}, []string{
			"cluster.version: must be a string, got 1.3" + quote + "cluster.version`",
			"storage.copies.a.source: must be a string, got 0.0001" + quote + "storage.copies.a.source`",
			"tags.Wave: must be a string, got 815" + quote + "tags.Wave`",
			"training.args[0]: must be a string, got 4" + quote + "training.args[0]`",
			`training.args[2]: must be a string, got "2001-12-14 21:59:43.1 -0500 -0500"` + quote + "training.args[2]`",
			"training.datasetPrefix: must be a string, got 493" + quote + "training.datasetPrefix`",
			"training.environment.A: must be a string, got 7" + quote + "training.environment.A`",
			"training.environment.B: must be a string, got 1.1" + quote + "training.environment.B`",
			"training.environment.C: must be a string, got 12345678901234567000" + quote + "training.environment.C`",
			"training.environment.D: must be a string, got false" + quote + "training.environment.D`",
			`training.environment.E: must be a string, got "2026-01-01 00:00:00 +0000 UTC"` + quote + "training.environment.E`",
			"training.secrets.PIN: must be a string, got [secret]" + quote + "training.secrets.PIN`",
		}},
		{"truth that is a word", map[string]any{"protect": "yes"}, []string{`protect: must be true or false, got "yes"`}},
		{"number that is a word", map[string]any{"storage.logDays": "many"}, []string{`storage.logDays: must be a whole number, got "many"`}},
		{"number with a fraction", map[string]any{"storage.logDays": 1.5}, []string{"storage.logDays: must be a whole number, got 1.5"}},
		{"account id of a dropped zero", made(map[string]any{"id": json.Number("12345678901")}), []string{"organization.accounts.training.id: must be a string, got 12345678901" + quote + "organization.accounts.training.id`"}},
		{"text that is an object", map[string]any{"storage.encryption": map[string]any{"a": 1}}, []string{`storage.encryption: must be a string, got {"a":1}`}},
		{"text with a space", map[string]any{"storage.sourceBucket": "bucket "}, []string{`storage.sourceBucket: must not begin or end with a space, got "bucket "`}},
		{"broken JSON", map[string]any{"tags": "{"}, []string{`tags: must be an object, for example {name: value}, got "{"`}},
		{"two JSON values", map[string]any{"tags": "{}{}"}, []string{`tags: must be an object, for example {name: value}, got "{}{}"`}},
		// Out of range.
		{"no region", map[string]any{"region": ""}, []string{`region: must be an AWS region, for example us-west-2, got ""; omit the letter of an availability zone`}},
		{"zone for a region", map[string]any{"region": "us-west-2a"}, []string{`region: must be an AWS region, for example us-west-2, got "us-west-2a"; omit the letter of an availability zone`}},
		{"too few days for checkpoints", map[string]any{"storage.checkpointNoncurrentDays": 0}, []string{"storage.checkpointNoncurrentDays: must be between 1 and 3650, got 0"}},
		{"too few days", map[string]any{"storage.noncurrentDays": 0}, []string{"storage.noncurrentDays: must be between 1 and 3650, got 0"}},
		{"too many days", map[string]any{"storage.logDays": 4000}, []string{"storage.logDays: must be between 1 and 3650, got 4000"}},
		{"unknown encryption", map[string]any{"storage.encryption": "KMS"}, []string{`storage.encryption: must be one of kms, aes256, got "KMS"; did you mean kms?`}},
		{"isolated region", map[string]any{"region": "us-iso-east-1"}, []string{`region: must not be in an isolated partition, whose accounts, budgets, service principals or endpoint names differ, got "us-iso-east-1"; use a region of the partition aws, for example us-west-2`}},
		{"unknown mode", map[string]any{"organization.mode": "crate"}, []string{`organization.mode: must be one of create, adopt, none, got "crate"; did you mean create?`}},
		// Tags.
		{"too many tags", map[string]any{"tags": map[string]any{"a": "x", "b": "x", "c": "x", "d": "x", "e": "x", "f": "x", "g": "x", "h": "x"}}, []string{"tags: must be at most 7 tags, got 8; an S3 object may have 10, including Environment, ManagedBy, Project"}},
		{"tag of AWS", map[string]any{"tags": map[string]any{"aws:x": "y"}}, []string{"tags.aws:x: names that start with aws: are reserved; choose another name"}},
		{"tag of ours", map[string]any{"tags": map[string]any{"environment": "y"}}, []string{"tags.environment: is set by the platform; choose another name"}},
		{"long tag", map[string]any{"tags": map[string]any{"a": strings.Repeat("x", 257)}}, []string{`tags.a: must be 1 to 256 characters that every service accepts: ASCII letters, digits, spaces and + - = . _ : / @, got "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`}},
		// Organization.
		{"short management account", map[string]any{"organization.managementAccountId": "123"}, []string{`organization.managementAccountId: must be an AWS account id of 12 digits, got "123"; quote it, so that YAML keeps a leading zero`}},
		{"service that is not trusted", map[string]any{"organization.trustedServices": []any{"cloudwatch.amazonaws.com"}}, []string{`organization.trustedServices[0]: must be the principal of a service that supports trusted access, for example sso.amazonaws.com (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services_list.html), got "cloudwatch.amazonaws.com"; did you mean cloudtrail.amazonaws.com?`}},
		{"service twice", map[string]any{"organization.trustedServices": []any{"sso.amazonaws.com", "sso.amazonaws.com"}}, []string{`organization.trustedServices[1]: repeats "sso.amazonaws.com"; list it once`}},
		{"no role", map[string]any{"organization.roleName": ""}, []string{"organization.roleName: is required; the program assumes it in every account. To use the credentials as they are, set organization.mode to none"}},
		{"role's ARN for its name", map[string]any{"organization.roleName": "arn:aws:iam::123456789012:role/x"}, []string{`organization.roleName: must be a role name of 1 to 64 letters, digits and +=,.@_-, got "arn:aws:iam::123456789012:role/x"`}},
		{"unit twice", map[string]any{"organization.organizationalUnits": []any{"workloads", "Workloads", "infrastructure"}}, []string{`organization.organizationalUnits[1]: repeats "Workloads"; list it once`}},
		{"bad unit", map[string]any{"organization.organizationalUnits": []any{"workloads", "infrastructure", "a/b"}}, []string{`organization.organizationalUnits[2]: must be an OU name of up to 100 letters, digits, spaces, _ and -, a letter first, or the id of an existing OU (ou-…), got "a/b"`}},
		{"bad OU id", map[string]any{"organization.organizationalUnits": []any{"workloads", "infrastructure", "ou-1"}}, []string{`organization.organizationalUnits[2]: must be an OU name, or the id of an existing OU, for example ou-ab12-34cd56ef, got "ou-1"`}},
		{"no management account", map[string]any{"organization.managementAccountId": ""}, []string{"organization.managementAccountId: is required; organization.mode create turns the account of the credentials into a management account for good. `aws sts get-caller-identity` prints its id"}},
		{"service that cannot be one", map[string]any{"organization.trustedServices": []any{"sso"}}, []string{`organization.trustedServices[0]: must be the principal of a service that supports trusted access, for example sso.amazonaws.com (https://…), got "sso"…`}},
		{"role of administrators for previews", map[string]any{"organization.previewRoleName": "OrganizationAccountAccessRole"}, []string{`organization.previewRoleName: must differ from organization.roleName, which can change everything, got "OrganizationAccountAccessRole"; use a read-only role`}},
		{"ARN of a preview role", map[string]any{"organization.previewRoleName": "arn:aws:iam::123456789012:role/x"}, []string{`organization.previewRoleName: must be a role name of 1 to 64 letters, digits and +=,.@_-, got "arn:aws:iam::123456789012:role/x"`}},
		{"boundary of one account", map[string]any{"organization.permissionsBoundary": "arn:aws:iam::123456789012:policy/Boundary"}, []string{`organization.permissionsBoundary: must be the name of a managed policy that exists in every account, with its path, for example team/Boundary, or the ARN of an AWS managed policy, got "arn:aws:iam::123456789012:policy/Boundary"`}},
		{"no training account", map[string]any{"organization.accounts": map[string]any{"other": map[string]any{"email": "a@example.com"}}}, []string{"organization.accounts.training: is required; this account holds the data and the cluster"}},
		{"bad account name", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{}, "Test_1": map[string]any{"email": "b@example.com"}}}, []string{`organization.accounts.Test_1: must have a name of 1 to 20 lower-case letters, digits and hyphens, a letter first, got "Test_1"`}},
		{"account in no unit", made(map[string]any{"organizationalUnit": "workload"}), []string{`organization.accounts.training.organizationalUnit: must be in organization.organizationalUnits or the id of an OU (ou-…), got "workload"; did you mean workloads?`}},
		{"same address twice", map[string]any{"organization.emailTemplate": "aws@example.com"}, []string{`organization.accounts.testing.email: must differ from the e-mail address of deployment, got "aws@example.com"; put {account} into organization.emailTemplate`, `organization.accounts.training.email: must differ from the e-mail address of deployment, got "aws@example.com"; put {account} into organization.emailTemplate`, `organization.accounts.training.email: must differ from the e-mail address of testing, got "aws@example.com"; put {account} into organization.emailTemplate`}},
		{"no address", map[string]any{"organization.emailTemplate": ""}, []string{"organization.emailTemplate: is required; account deployment has neither email nor id. Set it, for example to aws+{stack}-{account}@example.com", "organization.emailTemplate: is required; account testing has neither email nor id. Set it, for example to aws+{stack}-{account}@example.com", "organization.emailTemplate: is required; account training has neither email nor id. Set it, for example to aws+{stack}-{account}@example.com"}},
		{"bad address", account(map[string]any{"email": "nobody"}), []string{`organization.accounts.training.email: must be an e-mail address of 6 to 64 characters, name@domain, got "nobody"; organization.emailTemplate may contain {stack} and {account}`}},
		{"address of no domain", account(map[string]any{"email": "me@localhost"}), []string{`organization.accounts.training.email: must be an e-mail address of 6 to 64 characters, name@domain, got "me@localhost"; organization.emailTemplate may contain {stack} and {account}`}},
		{"unknown placeholder", map[string]any{"organization.emailTemplate": "aws+{env}-{account}@example.com"}, []string{`organization.accounts.deployment.email: must be an e-mail address of 6 to 64 characters, name@domain, got "aws+{env}-deployment@example.com"; organization.emailTemplate may contain {stack} and {account}`, `organization.accounts.testing.email: must be an e-mail address of 6 to 64 characters, name@domain, got "aws+{env}-testing@example.com"; organization.emailTemplate may contain {stack} and {account}`, `organization.accounts.training.email: must be an e-mail address of 6 to 64 characters, name@domain, got "aws+{env}-training@example.com"; organization.emailTemplate may contain {stack} and {account}`}},
		{"long address", account(map[string]any{"email": strings.Repeat("x", 60) + "@example.com"}), []string{`organization.accounts.training.email: must be an e-mail address of 6 to 64 characters, name@domain, got "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@example.com"; organization.emailTemplate may contain {stack} and {account}`}},
		{"short account id", account(map[string]any{"id": "12345"}), []string{`organization.accounts.training.id: must be an AWS account id of 12 digits, got "12345"; quote it, so that YAML keeps a leading zero`}},
		{"id and address", account(map[string]any{"id": "123456789012", "email": "a@example.com"}), []string{"organization.accounts.training.email: cannot be combined with id, which refers to an existing account; remove one of them"}},
		{"id and unit", account(map[string]any{"id": "123456789012", "organizationalUnit": "workloads"}), []string{"organization.accounts.training.organizationalUnit: cannot be combined with id, which refers to an existing account that stays where it is; remove one of them"}},
		{"same id twice", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{"id": "123456789012"}, "testing": map[string]any{"id": "123456789012"}}}, []string{`organization.accounts.training.id: must differ from the id of testing, got "123456789012"`}},
		{"management account for training", map[string]any{"organization.managementAccountId": "123456789012", "organization.accounts": map[string]any{"training": map[string]any{"id": "123456789012"}}}, []string{`organization.accounts.training.id: must not be the management account, which guardrails do not apply to, got "123456789012"; use a member account`}},
		{"same title twice", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{"name": "x"}, "testing": map[string]any{"name": "x"}}}, []string{`organization.accounts.training.name: must differ from the name of testing, got "x"`}},
		{"long title", made(map[string]any{"name": strings.Repeat("x", 51)}), []string{`organization.accounts.training.name: must be 1 to 50 printable ASCII characters, which AWS requires, got "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"`}},
		{"no organization and no id", map[string]any{"organization.mode": "none"}, []string{"organization.accounts.deployment.id: is required; organization.mode none uses existing accounts only", "organization.accounts.testing.id: is required; organization.mode none uses existing accounts only", "organization.accounts.training.id: is required; organization.mode none uses existing accounts only"}},
		// Storage.
		{"bucket's address", map[string]any{"storage.sourceBucket": "s3://data"}, []string{`storage.sourceBucket: must be a bucket name, not a URL or an ARN: 3 to 63 lower-case letters, digits and hyphens, got "s3://data"; dots break TLS and some S3 clients`}},
		{"bucket with dots", map[string]any{"storage.sourceBucket": "my.data"}, []string{`storage.sourceBucket: must be a bucket name, not a URL or an ARN: 3 to 63 lower-case letters, digits and hyphens, got "my.data"; dots break TLS and some S3 clients`}},
		{"bucket in capitals", map[string]any{"storage.sourceBucket": "Data"}, []string{`storage.sourceBucket: must be a bucket name, not a URL or an ARN: 3 to 63 lower-case letters, digits and hyphens, got "Data"; dots break TLS and some S3 clients`}},
		{"owner of no bucket", map[string]any{"storage.sourceAccountId": "123456789012"}, []string{"storage.sourceAccountId: requires storage.sourceBucket; set it, or remove this"}},
		{"key of no bucket", map[string]any{"storage.sourceKmsKeyArn": "arn:aws:kms:us-west-2:123456789012:key/a"}, []string{"storage.sourceKmsKeyArn: requires storage.sourceBucket; set it, or remove this"}},
		{"alias for a key", map[string]any{"storage.sourceBucket": "data", "storage.sourceKmsKeyArn": "alias/data"}, []string{`storage.sourceKmsKeyArn: must be the ARN of a KMS key, for example arn:aws:kms:us-west-2:111122223333:key/…, got "alias/data"; an alias or an id is not enough`}},
		{"copy of nothing", copied(map[string]any{}), []string{"storage.copies.a.source: is required"}},
		{"copy that is text", map[string]any{"storage.copies": map[string]any{"a": "b"}}, []string{`storage.copies.a: must be an object, for example {name: value}, got "b"`}},
		{"copy of a prefix", copied(map[string]any{"source": "a/"}), []string{`storage.copies.a.source: must be the key of an object, got "a/"; for a prefix, use storage.transfers`}},
		{"copy of an address", copied(map[string]any{"source": "s3://a/b"}), []string{`storage.copies.a.source: must be a key within the bucket, not a URL, got "s3://a/b"`}},
		{"copy of a version", copied(map[string]any{"source": "a?versionId=1"}), []string{`storage.copies.a.source: must not name a version, got "a?versionId=1"; the newest version is copied`}},
		{"copy from a leading slash", copied(map[string]any{"source": "/a"}), []string{`storage.copies.a.source: must not have a leading or a doubled slash, got "/a"`}},
		{"copy to a doubled slash", copied(map[string]any{"source": "a", "destination": "b//a"}), []string{`storage.copies.a.destination: must not have a leading or a doubled slash, got "b//a"`}},
		{"bad copy name", map[string]any{"storage.copies": map[string]any{"A B": map[string]any{"source": "a"}}}, []string{`storage.copies.A B: must have a name of 1 to 40 lower-case letters, digits and hyphens, got "A B"`}},
		{"two copies to one place", map[string]any{"storage.copies": map[string]any{"a": map[string]any{"source": "x"}, "b": map[string]any{"source": "y", "destination": "x"}}}, []string{`storage.copies.b.destination: must differ from the destination of a, got "x"`}},
		{"transfer each minute", moved(map[string]any{"source": "a/", "schedule": "rate(1 minute)"}), []string{`storage.transfers.a.schedule: must be rate(1 hour), rate(N hours), rate(N days) or cron(minute hour day-of-month month day-of-week year), got "rate(1 minute)"; DataSync starts a task at most once an hour`}},
		{"two transfers to one place", map[string]any{"storage.transfers": map[string]any{"a": map[string]any{"source": "x/"}, "b": map[string]any{"source": "y", "destination": "x"}}}, []string{`storage.transfers.b.destination: must differ from the destination of a, got "x"`}},
		// SageMaker.
		{"notebook without subnet", notebook(map[string]any{"sagemaker.notebookSubnetId": ""}), []string{"sagemaker.notebookSubnetId: is required; name an existing private subnet of the training account. The first pulumi up creates those of the stack's own VPC (output vpcId): add the notebook after it"}},
		{"notebook without groups", notebook(map[string]any{"sagemaker.notebookSecurityGroupIds": []any{}}), []string{"sagemaker.notebookSecurityGroupIds: is required; list one to five security groups"}},
		{"notebook without key", notebook(map[string]any{"storage.encryption": "aes256"}), []string{"sagemaker.notebookInstanceType: cannot be combined with storage.encryption aes256: the notebook's volume is encrypted with the KMS key of the data; set storage.encryption to kms"}},
		{"subnet without notebook", notebook(map[string]any{"sagemaker.notebookInstanceType": ""}), []string{"sagemaker.notebookInstanceType: is required; set it, for example to ml.t3.medium, or remove the notebook's subnet and security groups"}},
		{"EC2 type for a notebook", notebook(map[string]any{"sagemaker.notebookInstanceType": "t3.medium"}), []string{`sagemaker.notebookInstanceType: must be a SageMaker instance type, for example ml.t3.medium, got "t3.medium"`}},
		{"bad subnet", notebook(map[string]any{"sagemaker.notebookSubnetId": "vpc-1"}), []string{`sagemaker.notebookSubnetId: must be a subnet id (subnet-…), got "vpc-1"`}},
		{"bad group", notebook(map[string]any{"sagemaker.notebookSecurityGroupIds": []any{"default"}}), []string{`sagemaker.notebookSecurityGroupIds[0]: must be a security group id (sg-…), got "default"`}},
		{"tiny volume", map[string]any{"sagemaker.notebookVolumeGB": 1}, []string{"sagemaker.notebookVolumeGB: must be between 5 and 16384, got 1"}},
	}
}

func TestBadSettings(t *testing.T) { refuse(t, badCases()) }

// refuse checks that Load refuses each case with the errors of the case and no others: one mistake is one error, unless
// it is wrong in several places. In an expected error, … stands for any text.
func refuse(t *testing.T, cases []bad) {
	t.Helper()
	t.Logf("%d cases", len(cases))
	if len(cases) < 25 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var secret []string
			if _, existing := c.set["cluster.kubeconfig"]; existing {
				secret = []string{"cluster"}
			}
			_, err := Load("dev", with(t, "dev", c.set), secret, token)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), secretText) {
				t.Errorf("error shows the secret:\n%v", err)
			}
			header, rest, _ := strings.Cut(err.Error(), "\n  ")
			if want := fmt.Sprintf("invalid configuration for stack dev: %d error", len(c.want)); !strings.HasPrefix(header, want) || !strings.HasSuffix(header, "; nothing was created") {
				t.Errorf("header is %q", header)
			}
			lines := strings.Split(rest, "\n  ")
			same := slices.EqualFunc(lines, c.want, func(line, want string) bool {
				pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
				return regexp.MustCompile("^" + pattern + "$").MatchString(line)
			})
			if !same {
				t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(lines, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

// One message contains all errors: unknown keys, mistyped values and values out of range, at every depth, and a missing
// token.
func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Load("Dev", with(t, "dev", map[string]any{
		"region": "nowhere", "regoin": "x", "protect": "maybe",
		"organization.mode": "crate", "organization.mod": "x",
		"organization.accounts": map[string]any{"training": map[string]any{"email": true, "emial": "x", "organizationalUnit": "none"}},
		"storage.encryption":    "rot13", "storage.logDays": "x",
	}), nil, func(string) string { return "" })
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{
		"(stack)", "region", "regoin", "protect", "organization.mode", "organization.mod",
		"organization.accounts.training.email", "organization.accounts.training.emial", "organization.accounts.training.organizationalUnit",
		"storage.encryption", "storage.logDays", "git.token",
	} {
		if !strings.Contains(err.Error(), "\n  "+key+": ") {
			t.Errorf("error does not name %s:\n%v", key, err)
		}
	}
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"p5.24xlarge":  "p5.4xlarge",
		"p5n.48xlarge": "p5en.48xlarge",
		"P4d.24xlarge": "p4d.24xlarge",
		"g6e.48xlarg":  "g6e.48xlarge",
		"trn2.48xlarg": "trn2.48xlarge",
		"p6-b300.48xl": "p6-b300.48xlarge",
		"c7g.medium":   "",
	} {
		got := suggest(name, accelerator.Known())
		if want != "" && got != "; did you mean "+want+"?" || want == "" && got != "" {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
}

// Account ids keep all digits, quoted or not.
func TestUnquotedAccountID(t *testing.T) {
	values := with(t, "dev", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{"id": json.Number("999999999999")}}})
	s, err := Load("dev", values, nil, token)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Organization.Accounts["training"].ID; got != "999999999999" {
		t.Errorf("id is %q", got)
	}
}

// No input makes Load panic, and what it accepts is usable.
func FuzzLoad(f *testing.F) {
	for _, c := range badCases() {
		for _, value := range c.set {
			text, err := json.Marshal(value)
			if err != nil {
				f.Fatal(err)
			}
			f.Add("storage", string(text))
			f.Add("organization", string(text))
		}
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		values := with(t, "dev", nil)
		values[key] = text
		if s, err := Load("dev", values, nil, token); err == nil {
			if _, ok := s.Organization.Accounts[TrainingAccount]; !ok || !regionName.MatchString(s.Region) {
				t.Errorf("accepted without a training account or region: %q = %q", key, text)
			}
		} else if !strings.Contains(err.Error(), "; nothing was created\n") {
			t.Errorf("error does not list faults: %v", err)
		}
	})
}

// shipped holds the stack files with the defaults of Pulumi.yaml, as JSON: reading YAML takes most of a test's time.
var shipped = sync.OnceValues(func() (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, stack := range []string{"dev", "prod"} {
		tree, err := stackfile.Tree(root, stack)
		if err != nil {
			return nil, err
		}
		if texts[stack], err = json.Marshal(tree); err != nil {
			return nil, err
		}
	}
	return texts, nil
})

// treeOf returns a copy of a stack's configuration.
func treeOf(t testing.TB, stack string) map[string]any {
	t.Helper()
	texts, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(texts[stack]))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// with returns the values of a stack with some paths set or, with nil, removed.
func with(t testing.TB, stack string, set map[string]any) map[string]string {
	t.Helper()
	tree := treeOf(t, stack)
	for _, path := range sortedKeys(set) {
		if dotted := strings.ReplaceAll(path, "\x00", "."); dotted != path {
			tree[dotted] = set[path] // one key with a dot in its name
			continue
		}
		stackfile.Set(tree, path, set[path])
	}
	values, err := stackfile.Text(tree)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
