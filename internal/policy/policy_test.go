package policy

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Documents are written as AWS writes them back, so that reading one is no change.
func TestJSON(t *testing.T) {
	got, err := Document{{
		Sid: "A", Effect: Deny, Principal: everyone(), Action: []string{"s3:*"}, Resource: []string{"a", "b"},
		Condition: Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
	}}.JSON()
	want := `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":["a","b"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
	if err != nil || got != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

// No document allows everyone or everything, but for the statements that are named here with the reason.
func TestNothingIsOpen(t *testing.T) {
	const account, bucket = "123456789012", "arn:aws:s3:::b"
	access := Access{ReadBuckets: []string{"arn:aws:s3:::r"}, WriteBuckets: []string{"arn:aws:s3:::w"}, Keys: []string{"arn:aws:kms:::key/k"}}
	ci := CI{Partition: "aws", Account: account, Prefix: "llm-dev-", Project: "llm", Stack: "dev", State: bucket, StateKey: "arn:aws:kms:::key/s", Roles: []string{"arn:aws:iam::1:role/r"}}
	inside := Perimeter{Partition: "aws", Account: account, Organization: "o-a", Trusted: []string{account}}
	guardrails := NewGuardrails("Deploy", nil, []string{"us-west-2"}, []string{"p5.48xlarge"}, nil).For(account)
	documents := map[string]Document{ // by the function that returns it
		"Access.Document":       access.Document(),
		"AccountKey":            AccountKey(inside),
		"BudgetsTrust":          BudgetsTrust("aws", account),
		"CI.Assume":             ci.Assume(),
		"CI.Deploy":             ci.Deploy(),
		"CI.Preview":            ci.Preview(),
		"Describe":              Describe([]string{bucket + "/a"}),
		"FlowLogs":              FlowLogs("arn:aws:logs:us-west-2:" + account + ":log-group:flow"),
		"Guardrails.KillSwitch": guardrails.KillSwitch(),
		"InstanceTrust":         InstanceTrust(),
		"KillSwitchRole":        KillSwitchRole("aws", account, "arn:aws:organizations::1:policy/p", []string{account}),
		"LogBucket":             LogBucket(bucket, inside),
		"LogsKey":               LogsKey(inside, "us-west-2"),
		"OIDC.Trust":            OIDC{"gitlab.com", "https://gitlab.com"}.Trust("aws", account, "project_path:g/p:ref_type:branch:ref:*"),
		"PreviewTrust":          PreviewTrust("aws", account, account, ci.Prefix),
		"PrincipalTrust":        PrincipalTrust([]string{"arn:aws:iam::1:role/r"}),
		"PushImages":            PushImages("arn:aws:ecr:us-west-2:1:repository/r"),
		"Scientist.Document":    Scientist{"aws", "us-west-2", account, []string{bucket}, []string{"arn:aws:kms:::key/k"}, "c"}.Document(),
		"PodTrust":              PodTrust(account, "arn:aws:eks:us-west-2:"+account+":cluster/c", "training", "training"),
		"PrivateBucket":         PrivateBucket(bucket, inside),
		"S3Endpoint":            S3Endpoint("aws", "us-west-2", account, "llm-dev", []string{"corpora"}),
		"Rescue":                Rescue("aws", account),
		"SageMaker":             SageMaker("aws", "us-west-2", account, access),
		"ServiceTrust":          ServiceTrust("sagemaker.amazonaws.com", account),
		"Trail.Bucket":          Trail{"arn:aws:cloudtrail:us-west-2:" + account + ":trail/t", account, "o-a"}.Bucket(bucket, inside),
		"Training":              Training([]string{bucket}, []string{"arn:aws:s3:::w"}, "runs/", "training", nil),
	}
	if declared := documentFunctions(t); !slices.Equal(declared, slices.Sorted(maps.Keys(documents))) {
		t.Errorf("the package has %v; this test covers %v", declared, slices.Sorted(maps.Keys(documents)))
	}
	open := map[string]string{ // statements that are wide on purpose
		"AccountKey AccountDecides":       "as AWS's default key policy: the account's IAM policies decide",
		"AccountKey ServicesCreateGrants": "likewise",
		"LogsKey AccountDecides":          "likewise",
		"LogsKey ServicesCreateGrants":    "likewise",
		"LogsKey EncryptLogs":             "bounded by the encryption context, the log groups of the account",
		"S3Endpoint BucketsOfStack":       "an endpoint's policy grants nothing; bounded by the account of the buckets",
		"S3Endpoint FurtherBuckets":       "an endpoint's policy grants nothing",
		"Trail.Bucket CheckBucket":        "bounded by the ARN of the trail",
		"Trail.Bucket WriteLogs":          "bounded by the ARN of the trail",
		"CI.Deploy UseServices":           "an administrator of the account in all but IAM",
		"CI.Preview SeeResources":         "reads descriptions only",
		"Describe SeeResources":           "reads descriptions only",
		"PreviewTrust ManagementAccount":  "whoever the management account allows; the role is read-only",
		"PreviewTrust PullRequests":       "bounded by the name of the CI preview role",
		"PrincipalTrust Assume":           "bounded by the ARNs of the setting",
		"PushImages SignInToRegistry":     "the action has no resource-level permissions",
		"Scientist.Document ReadQueries":  "the actions have no resource-level permissions",
		"InstanceTrust ":                  "EC2 sends no source account: an instance profile belongs to the account anyway",
		"SageMaker SignInToRegistry":      "the action has no resource-level permissions",
		"SageMaker WriteMetrics":          "the action has no resource-level permissions; bounded by the namespace",
		"CI.Deploy ManageOwnRoles":        "bounded by the resource: the roles of the stack",
		"Rescue Find":                     "reads descriptions only",
	}
	for name, document := range documents {
		if len(document) == 0 {
			t.Errorf("%s is empty", name)
		}
		for _, s := range document {
			problem := openness(s)
			if _, known := open[name+" "+s.Sid]; known {
				if problem == "" {
					t.Errorf("%s: %s is listed as wide, but is not", name, s.Sid)
				}
				continue
			}
			if problem != "" {
				t.Errorf("%s: statement %q %s", name, s.Sid, problem)
			}
		}
	}
}

// openness returns what is too wide about an allowing statement, or an empty string.
func openness(s Statement) string {
	if s.Effect != Allow {
		return ""
	}
	if len(s.NotAction)+len(s.NotResource) > 0 {
		return "allows by exception"
	}
	if p := s.Principal; p != nil {
		if len(p.AWS) > 0 {
			return fmt.Sprintf("allows %v", p.AWS)
		}
		equals := s.Condition["StringEquals"]
		if len(p.Service) > 0 && len(equals["aws:SourceAccount"]) == 0 {
			return "lets a service act for any account"
		}
		for _, provider := range p.Federated {
			_, issuer, _ := strings.Cut(provider, "oidc-provider/")
			subjects := append(slices.Clone(equals[issuer+":sub"]), s.Condition["StringLike"][issuer+":sub"]...)
			if len(subjects) == 0 || len(equals[issuer+":aud"]) == 0 || strings.HasPrefix(subjects[0], "*") {
				return "lets any workflow in"
			}
		}
	}
	for _, action := range s.Action {
		if strings.Contains(action, "*") {
			return "allows " + action
		}
	}
	if slices.Contains(s.Resource, "*") {
		return fmt.Sprintf("allows %v on everything", s.Action)
	}
	return ""
}

// documentFunctions returns the package's exported functions and methods that return a Document, sorted.
func documentFunctions(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || !function.Name.IsExported() || function.Type.Results == nil || len(function.Type.Results.List) != 1 {
				continue
			}
			if result, ok := function.Type.Results.List[0].Type.(*ast.Ident); !ok || result.Name != "Document" {
				continue
			}
			name := function.Name.Name
			if function.Recv != nil {
				name = function.Recv.List[0].Type.(*ast.Ident).Name + "." + name
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Writing is allowed where it is asked for, and nowhere else.
func TestAccess(t *testing.T) {
	text, err := json.Marshal(Access{ReadBuckets: []string{"arn:aws:s3:::r"}, WriteBuckets: []string{"arn:aws:s3:::w"}}.Document())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"s3:PutObjectTagging"],"Resource":"arn:aws:s3:::w/*"`, `"Resource":["arn:aws:s3:::r","arn:aws:s3:::w"]`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("access lacks %s:\n%s", part, text)
		}
	}
	if strings.Contains(string(text), "kms:") {
		t.Error("KMS is allowed without a key")
	}
}
