package settings

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
)

const root = "../.."

// Every leaf of Settings is declared in Pulumi.yaml with type, description and
// default, and nothing else is.
func TestEveryKeyIsDeclared(t *testing.T) {
	_, declared, err := stackfile.Keys(root)
	if err != nil {
		t.Fatal(err)
	}
	known := leaves("", reflect.TypeOf(Settings{}))
	if len(known) < 20 {
		t.Fatalf("only %d keys found in Settings: this test tests little", len(known))
	}
	for _, key := range known {
		if _, ok := declared[key]; !ok {
			t.Errorf("%s is read, but not declared in Pulumi.yaml", key)
		}
	}
	for key, declaration := range declared {
		if strings.Contains(key, ":") {
			continue // Pulumi's own
		}
		if !slices.Contains(known, key) {
			t.Errorf("%s is declared in Pulumi.yaml, but nothing reads it", key)
		}
		if declaration.Type == "" || declaration.Description == "" || declaration.Default == nil {
			t.Errorf("%s: Pulumi.yaml must give it a type, a description and a default", key)
		}
	}
}

// leaves is the paths of a section's fields; maps and lists are leaves.
func leaves(prefix string, section reflect.Type) []string {
	var paths []string
	for i := range section.NumField() {
		field := section.Field(i)
		name := field.Tag.Get("json")
		switch {
		case name == "-":
		case field.Type.Kind() == reflect.Struct:
			paths = append(paths, leaves(join(prefix, name), field.Type)...)
		default:
			paths = append(paths, join(prefix, name))
		}
	}
	return paths
}

func TestShippedStacksAreGood(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		values, err := stackfile.Values(root, stack)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Load(stack, values)
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

// A stack file must hold only what differs from Pulumi.yaml.
func TestStackFilesHoldOnlyDifferences(t *testing.T) {
	_, declared, err := stackfile.Keys(root)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]any{}
	if err := stackfile.Default(defaults, declared); err != nil {
		t.Fatal(err)
	}
	for _, stack := range []string{"dev", "prod"} {
		own, err := stackfile.Config(root, stack)
		if err != nil {
			t.Fatal(err)
		}
		if len(own) == 0 {
			t.Fatalf("%s: no settings: this test tests nothing", stack)
		}
		repeated(t, stack, own, defaults)
	}
}

func repeated(t *testing.T, path string, own, defaults map[string]any) {
	for name, value := range own {
		at := path + "." + name
		if section, ok := value.(map[string]any); ok {
			if deeper, ok := defaults[name].(map[string]any); ok {
				repeated(t, at, section, deeper)
				continue
			}
		}
		if reflect.DeepEqual(value, defaults[name]) {
			t.Errorf("%s repeats the default %v", at, value)
		}
	}
}

// bad is one configuration with one fault: what to set on top of the dev stack, and
// what the error must say. A nil value removes the key.
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
	return []bad{
		// Missing, unknown, mistyped.
		{"missing key", map[string]any{"region": nil}, []string{"region: has no value"}},
		{"missing nested key", map[string]any{"storage.keepData": nil}, []string{"storage.keepData: has no value"}},
		{"missing section", map[string]any{"storage": nil}, []string{"storage: has no value"}},
		{"unknown key", map[string]any{"regoin": "x"}, []string{"regoin: is unknown", "did you mean region?"}},
		{"unknown nested key", map[string]any{"storage.encrypton": "kms"}, []string{"storage.encrypton: is unknown", "did you mean encryption?"}},
		{"unknown account field", made(map[string]any{"emial": "x"}), []string{"organization.accounts.training.emial: is unknown", "did you mean email?"}},
		{"far unknown key", map[string]any{"zzzzzzzzzzzzzz": "x"}, []string{"zzzzzzzzzzzzzz: is unknown: there is budget, ci, cluster, git, "}},
		{"dotted key without --path", map[string]any{"storage\x00logDays": "3"}, []string{"storage.logDays: is one key with a dot in its name", "--path"}},
		{"section that is text", map[string]any{"storage": "kms"}, []string{`storage: "kms" is not an object`}},
		{"object that is a list", map[string]any{"tags": []any{"a"}}, []string{`tags: ["a"] is not an object`}},
		{"list that is text", map[string]any{"organization.organizationalUnits": "workloads"}, []string{`organization.organizationalUnits: "workloads" is not a list`}},
		{"list element that is no text", map[string]any{"organization.organizationalUnits": []any{true}}, []string{"organization.organizationalUnits[0]: true is not a string"}},
		{"truth that is a word", map[string]any{"protect": "yes"}, []string{`protect: "yes" is neither true nor false`}},
		{"number that is a word", map[string]any{"storage.logDays": "many"}, []string{`storage.logDays: "many" is not a whole number`}},
		{"number with a fraction", map[string]any{"storage.logDays": 1.5}, []string{"storage.logDays: 1.5 is not a whole number"}},
		{"text that is an object", map[string]any{"storage.encryption": map[string]any{"a": 1}}, []string{`storage.encryption: {"a":1} is not a string`}},
		{"text with a space", map[string]any{"storage.sourceBucket": "bucket "}, []string{"storage.sourceBucket: \"bucket \" begins or ends with a space"}},
		{"broken JSON", map[string]any{"tags": "{"}, []string{`tags: "{" is not an object`}},
		{"two JSON values", map[string]any{"tags": "{}{}"}, []string{"tags: \"{}{}\" is not an object"}},
		// Out of range.
		{"no region", map[string]any{"region": ""}, []string{`region: "" is not a region's name`}},
		{"zone for a region", map[string]any{"region": "us-west-2a"}, []string{`region: "us-west-2a" is not a region's name`, "without the letter"}},
		{"too few days", map[string]any{"storage.noncurrentDays": 0}, []string{"storage.noncurrentDays: 0 is not a number of days from 1 to 3650"}},
		{"too many days", map[string]any{"storage.logDays": 4000}, []string{"storage.logDays: 4000 is not a number of days"}},
		{"unknown encryption", map[string]any{"storage.encryption": "KMS"}, []string{`storage.encryption: "KMS" is not one of kms, aes256`, "did you mean kms?"}},
		{"unknown mode", map[string]any{"organization.mode": "crate"}, []string{`organization.mode: "crate" is not one of create, adopt, none`, "did you mean create?"}},
		// Tags.
		{"too many tags", map[string]any{"tags": map[string]any{"a": "", "b": "", "c": "", "d": "", "e": "", "f": "", "g": "", "h": ""}}, []string{"tags: 8 are too many"}},
		{"tag of AWS", map[string]any{"tags": map[string]any{"aws:x": "y"}}, []string{"tags.aws:x: names that begin with aws:"}},
		{"tag of ours", map[string]any{"tags": map[string]any{"environment": "y"}}, []string{"tags.environment: is set by the program itself"}},
		{"long tag", map[string]any{"tags": map[string]any{"a": strings.Repeat("x", 257)}}, []string{"tags.a: a tag has a name"}},
		// Organization.
		{"short management account", map[string]any{"organization.managementAccountId": "123"}, []string{`organization.managementAccountId: "123" is not an account's id`}},
		{"service that is not trusted", map[string]any{"organization.trustedServices": []any{"cloudwatch.amazonaws.com"}}, []string{`"cloudwatch.amazonaws.com" is not a service that an organization can trust`, "did you mean"}},
		{"service twice", map[string]any{"organization.trustedServices": []any{"sso.amazonaws.com", "sso.amazonaws.com"}}, []string{"organization.trustedServices: sso.amazonaws.com is listed twice"}},
		{"no role", map[string]any{"organization.roleName": ""}, []string{"organization.roleName: is empty", "organization.mode to none"}},
		{"role's ARN for its name", map[string]any{"organization.roleName": "arn:aws:iam::123456789012:role/x"}, []string{"organization.roleName:", "is not a role's name"}},
		{"unit twice", map[string]any{"organization.organizationalUnits": []any{"workloads", "Workloads", "infrastructure"}}, []string{`organization.organizationalUnits: "Workloads" is there twice`}},
		{"bad unit", map[string]any{"organization.organizationalUnits": []any{"workloads", "infrastructure", "a/b"}}, []string{`organization.organizationalUnits: "a/b" is not a unit's name`}},
		{"no training account", map[string]any{"organization.accounts": map[string]any{"other": map[string]any{"email": "a@example.com"}}}, []string{`organization.accounts: has no account "training"`}},
		{"bad account name", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{}, "Test_1": map[string]any{"email": "b@example.com"}}}, []string{`organization.accounts.Test_1: "Test_1" is not a name`}},
		{"account in no unit", made(map[string]any{"organizationalUnit": "workload"}), []string{`organization.accounts.training.organizationalUnit: "workload" is neither in organization.organizationalUnits`, "did you mean workloads?"}},
		{"same address twice", map[string]any{"organization.emailTemplate": "aws@example.com"}, []string{"organization.accounts.testing.email:", "is also the address of deployment", "{account}"}},
		{"no address", map[string]any{"organization.emailTemplate": ""}, []string{"organization.emailTemplate: is empty, and account deployment has neither"}},
		{"bad address", account(map[string]any{"email": "nobody"}), []string{`organization.accounts.training.email: "nobody"`, "not an address that AWS takes"}},
		{"address of no domain", account(map[string]any{"email": "me@localhost"}), []string{"organization.accounts.training.email:"}},
		{"unknown placeholder", map[string]any{"organization.emailTemplate": "aws+{env}-{account}@example.com"}, []string{"organization.accounts.training.email:", "{stack} and {account}"}},
		{"long address", account(map[string]any{"email": strings.Repeat("x", 60) + "@example.com"}), []string{"6 to 64 characters"}},
		{"short account id", account(map[string]any{"id": "12345"}), []string{`organization.accounts.training.id: "12345" is not an account's id: 12 digits`}},
		{"id and address", account(map[string]any{"id": "123456789012", "email": "a@example.com"}), []string{"organization.accounts.training.email: goes with an account to be made"}},
		{"id and unit", account(map[string]any{"id": "123456789012", "organizationalUnit": "workloads"}), []string{"organization.accounts.training.organizationalUnit: is where an account to be made goes"}},
		{"same id twice", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{"id": "123456789012"}, "testing": map[string]any{"id": "123456789012"}}}, []string{"organization.accounts.training.id: 123456789012 is also the id of testing"}},
		{"management account for training", map[string]any{"organization.managementAccountId": "123456789012", "organization.accounts": map[string]any{"training": map[string]any{"id": "123456789012"}}}, []string{"organization.accounts.training.id: 123456789012 is the management account"}},
		{"same title twice", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{"name": "x"}, "testing": map[string]any{"name": "x"}}}, []string{`organization.accounts.training.name: "x" is also the title of testing`}},
		{"long title", made(map[string]any{"name": strings.Repeat("x", 51)}), []string{"organization.accounts.training.name:", "50 characters"}},
		{"no organization and no id", map[string]any{"organization.mode": "none"}, []string{"organization.accounts.training.id: is missing: without an organization"}},
		// Storage.
		{"bucket's address", map[string]any{"storage.sourceBucket": "s3://data"}, []string{`storage.sourceBucket: "s3://data" is an address`}},
		{"bucket with dots", map[string]any{"storage.sourceBucket": "my.data"}, []string{`storage.sourceBucket: "my.data" is not a bucket's name`, "no dots"}},
		{"bucket in capitals", map[string]any{"storage.sourceBucket": "Data"}, []string{`storage.sourceBucket: "Data" is not a bucket's name`}},
		{"owner of no bucket", map[string]any{"storage.sourceAccountId": "123456789012"}, []string{"storage.sourceAccountId: says who owns the source bucket"}},
		{"key of no bucket", map[string]any{"storage.sourceKmsKeyArn": "arn:aws:kms:us-west-2:123456789012:key/a"}, []string{"storage.sourceKmsKeyArn: says what encrypts"}},
		{"alias for a key", map[string]any{"storage.sourceBucket": "data", "storage.sourceKmsKeyArn": "alias/data"}, []string{`storage.sourceKmsKeyArn: "alias/data" is not a key's ARN`}},
		{"copy of nothing", copied(map[string]any{}), []string{"storage.copies.a.source: is missing"}},
		{"copy that is text", map[string]any{"storage.copies": map[string]any{"a": "b"}}, []string{`storage.copies.a: "b" is not an object`}},
		{"copy of a prefix", copied(map[string]any{"source": "a/"}), []string{`storage.copies.a.source: "a/" is a prefix`, "storage.transfers"}},
		{"copy of an address", copied(map[string]any{"source": "s3://a/b"}), []string{"storage.copies.a.source:", "is an address"}},
		{"copy of a version", copied(map[string]any{"source": "a?versionId=1"}), []string{"storage.copies.a.source:", "names a version"}},
		{"copy from a leading slash", copied(map[string]any{"source": "/a"}), []string{"storage.copies.a.source:", "leading or a doubled slash"}},
		{"copy to a doubled slash", copied(map[string]any{"source": "a", "destination": "b//a"}), []string{"storage.copies.a.destination:", "leading or a doubled slash"}},
		{"bad copy name", map[string]any{"storage.copies": map[string]any{"A B": map[string]any{"source": "a"}}}, []string{`storage.copies.A B: "A B" is not a name`}},
		{"two copies to one place", map[string]any{"storage.copies": map[string]any{"a": map[string]any{"source": "x"}, "b": map[string]any{"source": "y", "destination": "x"}}}, []string{"storage.copies.b.destination:", "is also where a goes"}},
		{"transfer each minute", moved(map[string]any{"source": "a/", "schedule": "rate(1 minute)"}), []string{`storage.transfers.a.schedule: "rate(1 minute)" is neither`}},
		{"two transfers to one place", map[string]any{"storage.transfers": map[string]any{"a": map[string]any{"source": "x/"}, "b": map[string]any{"source": "y", "destination": "x"}}}, []string{"storage.transfers.b.destination:", "is also where a goes"}},
		// SageMaker.
		{"notebook without subnet", notebook(map[string]any{"sagemaker.notebookSubnetId": ""}), []string{"sagemaker.notebookSubnetId: is missing"}},
		{"notebook without groups", notebook(map[string]any{"sagemaker.notebookSecurityGroupIds": []any{}}), []string{"sagemaker.notebookSecurityGroupIds: is empty"}},
		{"notebook without key", notebook(map[string]any{"storage.encryption": "aes256"}), []string{"sagemaker.notebookInstanceType: the notebook's volume is encrypted"}},
		{"subnet without notebook", notebook(map[string]any{"sagemaker.notebookInstanceType": ""}), []string{"sagemaker.notebookInstanceType: is empty, but"}},
		{"EC2 type for a notebook", notebook(map[string]any{"sagemaker.notebookInstanceType": "t3.medium"}), []string{`"t3.medium" is not a SageMaker instance type`}},
		{"bad subnet", notebook(map[string]any{"sagemaker.notebookSubnetId": "vpc-1"}), []string{`sagemaker.notebookSubnetId: "vpc-1" is not a subnet's id`}},
		{"bad group", notebook(map[string]any{"sagemaker.notebookSecurityGroupIds": []any{"default"}}), []string{`"default" is not a security group's id`}},
		{"tiny volume", map[string]any{"sagemaker.notebookVolumeGB": 1}, []string{"sagemaker.notebookVolumeGB: 1 is not a number of GB"}},
	}
}

func TestBadSettings(t *testing.T) { refuse(t, badCases(), manyFaults) }

// refuse checks that Load refuses each case, for the reasons that the case gives and
// no other: one mistake is one fault, but in the cases that are named in several.
func refuse(t *testing.T, cases []bad, several map[string]bool) {
	t.Helper()
	t.Logf("%d written cases", len(cases))
	if len(cases) < 25 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var secret []string
			if _, given := c.set["cluster.kubeconfig"]; given {
				secret = []string{"cluster"}
			}
			_, err := Load("dev", with(t, "dev", c.set), secret...)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error()+"\n", want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), secretText) {
				t.Errorf("error shows the secret:\n%v", err)
			}
			if !strings.Contains(err.Error(), ": 1 to mend") && !several[c.name] {
				t.Errorf("one mistake should be one fault:\n%v", err)
			}
		})
	}
}

// manyFaults are the cases in which one mistake is wrong in several places.
var manyFaults = map[string]bool{
	"same address twice":        true, // three accounts share it
	"no address":                true, // for each account
	"unknown placeholder":       true, // in each account's address
	"no organization and no id": true, // for each account
}

// One message holds all faults, unknown keys beside mistyped ones beside values out of
// range, at every depth.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Load("Dev", with(t, "dev", map[string]any{
		"region": "nowhere", "regoin": "x", "protect": "maybe",
		"organization.mode": "crate", "organization.mod": "x",
		"organization.accounts": map[string]any{"training": map[string]any{"email": true, "emial": "x", "organizationalUnit": "none"}},
		"storage.encryption":    "rot13", "storage.logDays": "x",
	}))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{
		"(stack)", "region", "regoin", "protect", "organization.mode", "organization.mod",
		"organization.accounts.training.email", "organization.accounts.training.emial", "organization.accounts.training.organizationalUnit",
		"storage.encryption", "storage.logDays",
	} {
		if !strings.Contains(err.Error(), "\n  "+key+": ") {
			t.Errorf("error does not name %s:\n%v", key, err)
		}
	}
}

// Account ids keep all digits, quoted or not.
func TestUnquotedAccountID(t *testing.T) {
	values := with(t, "dev", map[string]any{"organization.accounts": map[string]any{"training": map[string]any{"id": json.Number("999999999999")}}})
	s, err := Load("dev", values)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Organization.Accounts["training"].ID; got != "999999999999" {
		t.Errorf("id is %q", got)
	}
}

// FuzzLoad: no input makes Load panic, and what it accepts is usable.
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
		if s, err := Load("dev", values); err == nil {
			if _, ok := s.Organization.Accounts[TrainingAccount]; !ok || !regionName.MatchString(s.Region) {
				t.Errorf("accepted without a training account or region: %q = %q", key, text)
			}
		} else if !strings.Contains(err.Error(), "to mend") {
			t.Errorf("error does not list faults: %v", err)
		}
	})
}

// with is the values of a stack with some paths set or, with nil, removed.
func with(t testing.TB, stack string, set map[string]any) map[string]string {
	t.Helper()
	tree, err := stackfile.Tree(root, stack)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names(set) {
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
