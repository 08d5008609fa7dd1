package simcloud

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

const root = "../.."

// The table has the types that the program's source or the EKS component can register, and no others: a type that is not
// used is deleted here, and a new one is added on purpose.
func TestTable(t *testing.T) {
	registered, source := registeredTypes(t)
	for _, child := range []string{"ec2/securityGroup:SecurityGroup", "ec2/securityGroupRule:SecurityGroupRule", "eks/accessEntry:AccessEntry", "eks/cluster:Cluster"} {
		registered["aws:"+child] = true
	}
	all := kinds()
	if len(all) < 50 || len(registered) < 50 {
		t.Fatalf("%d types in the table, %d registered: this test tests nothing", len(all), len(registered))
	}
	for typ := range registered {
		if _, known := all[typ]; !known {
			t.Errorf("the program registers %s, which the table lacks", typ)
		}
	}
	for typ := range all {
		// Objects may be registered by their kind's name.
		byName := strings.HasPrefix(typ, "kubernetes:") && strings.Contains(source, `"`+typ[strings.LastIndex(typ, ":")+1:]+`"`)
		if !registered[typ] && !byName {
			t.Errorf("the table has %s, which the program does not register", typ)
		}
	}
}

var (
	sdkImport   = regexp.MustCompile(`(?m)^\s*(\w+ )?"github\.com/pulumi/pulumi-(aws|kubernetes|github|gitlab)/sdk/v\d+/go/\w+/?(\S*)"$`)
	constructor = regexp.MustCompile(`\b(\w+)\.New(\w+)\(`)
)

// registeredTypes returns the type tokens of the SDK constructors that the program calls, and the whole source.
func registeredTypes(t *testing.T) (map[string]bool, string) {
	t.Helper()
	types, source := map[string]bool{}, strings.Builder{}
	files, _ := filepath.Glob(root + "/*.go")
	internal, _ := filepath.Glob(root + "/internal/*/*.go")
	for _, file := range append(files, internal...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
		modules := map[string]string{} // a package's name in the file -> what its tokens begin with
		for _, parts := range sdkImport.FindAllStringSubmatch(string(text), -1) {
			name, sdk, module := strings.TrimSpace(parts[1]), parts[2], parts[3]
			if sdk != "aws" && sdk != "kubernetes" {
				module = "index"
				name = cmp.Or(name, sdk)
			}
			modules[cmp.Or(name, module)] = sdk + ":" + strings.Replace(module, "rbac/", "rbac.authorization.k8s.io/", 1)
		}
		for _, parts := range constructor.FindAllStringSubmatch(string(text), -1) {
			module, typ := modules[parts[1]], parts[2]
			switch {
			case module == "" || typ == "Provider":
			case strings.HasPrefix(module, "kubernetes:"):
				types[module+":"+typ] = true
			default:
				types[module+"/"+strings.ToLower(typ[:1])+typ[1:]+":"+typ] = true
			}
		}
	}
	return types, source.String()
}

func props(m map[string]any) resource.PropertyMap { return resource.NewPropertyMapFromMap(m) }

func encoded(t *testing.T, m map[string]any) *structpb.Struct {
	t.Helper()
	s, err := encode(props(m))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// connect returns a provider of an empty cloud and a connection to it from the management account.
func connect() (*provider, context.Context) {
	ctx := context.WithValue(context.Background(), connectionKey{}, &connection{})
	setInstance(ctx, instance{account: ManagementAccount, region: "us-west-2", partition: "aws"})
	return &provider{cloud: New()}, ctx
}

func TestUnlisted(t *testing.T) {
	p, ctx := connect()
	if _, err := p.Check(ctx, &pulumirpc.CheckRequest{Type: "aws:sqs/queue:Queue"}); err == nil || !strings.Contains(err.Error(), "does not know the resource type aws:sqs/queue:Queue: add it") {
		t.Errorf("unlisted type: %v", err)
	}
	if _, err := p.Invoke(ctx, &pulumirpc.InvokeRequest{Tok: "aws:sqs/getQueue:getQueue"}); err == nil || !strings.Contains(err.Error(), "aws:sqs/getQueue:getQueue: the simulator does not know") {
		t.Errorf("unlisted function: %v", err)
	}
}

// Every refusal is tried with a resource that the vendor accepts beside it.
func TestRefusals(t *testing.T) {
	const (
		ou, repository = "aws:organizations/organizationalUnit:OrganizationalUnit", "aws:ecr/repository:Repository"
		other          = "222222222222"
	)
	at := func(typ, account, region string, inputs map[string]any) Resource {
		return Resource{Type: typ, Account: account, Region: region, Inputs: inputs}
	}
	here := func(typ string, inputs map[string]any) Resource {
		return at(typ, ManagementAccount, "us-west-2", inputs)
	}
	named := map[string]any{"name": "a"}
	sized := func(least, desired, most int) Resource {
		return here(groupType, map[string]any{"clusterName": "a", "nodeGroupName": "b", "scalingConfig": map[string]any{"minSize": least, "desiredSize": desired, "maxSize": most}})
	}
	run := func(image string, annotations map[string]any) Resource {
		return at(jobType, "https://cluster", "", map[string]any{
			"metadata": map[string]any{"name": "run", "annotations": annotations},
			"spec":     map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"image": image}}}}},
		})
	}
	const image = ManagementAccount + ".dkr.ecr.us-west-2.amazonaws.com/a:1"
	for name, c := range map[string]struct {
		first, second Resource
		pushed        string
		want          string // part of the error; empty: accepted
	}{
		"OU name under one parent":    {here(ou, map[string]any{"parentId": "r", "name": "a"}), here(ou, map[string]any{"parentId": "r", "name": "a"}), "", "DuplicateOrganizationalUnitException"},
		"OU name under two parents":   {here(ou, map[string]any{"parentId": "r", "name": "a"}), here(ou, map[string]any{"parentId": "s", "name": "a"}), "", ""},
		"account e-mail":              {here(accountType, map[string]any{"name": "a", "email": "x@example.com"}), here(accountType, map[string]any{"name": "b", "email": "x@example.com"}), "", "EMAIL_ALREADY_EXISTS"},
		"account name":                {here(accountType, map[string]any{"name": "a", "email": "x@example.com"}), here(accountType, map[string]any{"name": "a", "email": "y@example.com"}), "", ""},
		"second organization":         {here(organizationType, nil), here(organizationType, nil), "", "AlreadyInOrganizationException"},
		"role in two regions":         {here(roleType, named), at(roleType, ManagementAccount, "eu-west-1", named), "", "EntityAlreadyExists"},
		"role in two accounts":        {here(roleType, named), at(roleType, other, "us-west-2", named), "", ""},
		"repository":                  {here(repository, named), here(repository, named), "", "RepositoryAlreadyExistsException"},
		"repository in two regions":   {here(repository, named), at(repository, ManagementAccount, "eu-west-1", named), "", ""},
		"bucket in one account":       {here(bucketType, map[string]any{"bucket": "a"}), at(bucketType, ManagementAccount, "eu-west-1", map[string]any{"bucket": "a"}), "", "BucketAlreadyOwnedByYou"},
		"bucket in two accounts":      {here(bucketType, map[string]any{"bucket": "a"}), at(bucketType, other, "us-west-2", map[string]any{"bucket": "a"}), "", "BucketAlreadyExists"},
		"part of a bucket overwrites": {here("aws:s3/bucketPolicy:BucketPolicy", map[string]any{"bucket": "a"}), here("aws:s3/bucketPolicy:BucketPolicy", map[string]any{"bucket": "a"}), "", ""},
		"object":                      {run("busybox", nil), run("busybox", nil), "", "AlreadyExists"},
		"minimum above desired":       {here(roleType, named), sized(3, 2, 4), "", "InvalidParameterException: Minimum capacity 3 can't be greater than desired size 2"},
		"desired above maximum":       {here(roleType, named), sized(0, 5, 4), "", "InvalidParameterException: desired capacity 5 can't be greater than max size 4"},
		"sizes in order":              {here(roleType, named), sized(0, 0, 1), "", ""},
		"log group":                   {here("aws:cloudwatch/logGroup:LogGroup", named), here("aws:cloudwatch/logGroup:LogGroup", named), "", "ResourceAlreadyExistsException"},
		"image never pushed":          {here(roleType, named), run(image, nil), "", "ImagePullBackOff: " + image + ": not found"},
		"image pushed":                {here(roleType, named), run(image, nil), image, ""},
		"image, without waiting":      {here(roleType, named), run(image, map[string]any{"pulumi.com/skipAwait": "true"}), "", ""},
		"image of another registry":   {here(roleType, named), run("111122223333.dkr.ecr.us-west-2.amazonaws.com/a:1", nil), "", ""},
	} {
		cloud := New()
		cloud.PutImage(c.pushed)
		if err := cloud.Put(c.first); err != nil {
			t.Errorf("%s: first: %v", name, err)
		}
		if err := cloud.Put(c.second); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// An update is refused for the same reasons as a create, but not because the resource itself exists.
func TestUpdateIsRefused(t *testing.T) {
	p, ctx := connect()
	inputs := func(least int) map[string]any {
		return map[string]any{"clusterName": "a", "nodeGroupName": "b", "scalingConfig": map[string]any{"minSize": least, "desiredSize": 2, "maxSize": 4}}
	}
	if err := p.cloud.Put(Resource{Type: groupType, Account: ManagementAccount, Region: "us-west-2", Inputs: inputs(0)}); err != nil {
		t.Fatal(err)
	}
	for least, want := range map[int]string{1: "", 3: "Minimum capacity 3 can't be greater than desired size 2"} {
		_, err := p.Update(ctx, &pulumirpc.UpdateRequest{Id: "a:b", Urn: "urn:pulumi:dev::p::" + groupType + "::b", Type: groupType, Olds: encoded(t, inputs(0)), News: encoded(t, inputs(least))})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("minimum %d: %v, want %q", least, err, want)
		}
	}
}

func TestLongNames(t *testing.T) {
	p, ctx := connect()
	for typ, longest := range map[string]int{
		roleType: 64, bucketType: 63, groupType: 63, accountType: 50, "aws:eks/cluster:Cluster": 100, "aws:ecr/repository:Repository": 256,
	} {
		for _, more := range []int{0, 1} {
			inputs := encoded(t, map[string]any{kinds()[typ].name: strings.Repeat("a", longest+more)})
			response, err := p.Check(ctx, &pulumirpc.CheckRequest{Type: typ, Name: "n", News: inputs})
			if err != nil || len(response.GetFailures()) != more {
				t.Errorf("%s with %d characters: %v, %v", typ, longest+more, response.GetFailures(), err)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	p, ctx := connect()
	secret := func(v any) any { return resource.MakeSecret(resource.NewPropertyValue(v)) }
	const vpc, policy = "aws:ec2/vpc:Vpc", "aws:s3/bucketPolicy:BucketPolicy"
	type object = map[string]any
	for name, c := range map[string]struct {
		typ       string
		old, news object
		ignore    []string
		want      string // "path kind", sorted
		first     bool   // delete first
	}{
		"same":          {typ: vpc, old: object{"cidrBlock": "a", "tags": object{}}, news: object{"cidrBlock": "a", "tags": object{}}},
		"secret":        {typ: vpc, old: object{"cidrBlock": "a"}, news: object{"cidrBlock": secret("a")}},
		"replace":       {typ: vpc, old: object{"cidrBlock": "a"}, news: object{"cidrBlock": "b"}, want: "cidrBlock UPDATE_REPLACE"},
		"unknown":       {typ: "aws:ec2/subnet:Subnet", old: object{"vpcId": "a"}, news: object{"vpcId": unknown}, want: "vpcId UPDATE_REPLACE"},
		"ignored below": {typ: policy, old: object{"a": []any{object{"b": 1}}}, news: object{"a": []any{object{"b": 2}}}, ignore: []string{"a[*].b"}},
		"nested": {typ: groupType, old: object{"launchTemplate": object{"id": "1", "version": "1"}}, news: object{"launchTemplate": object{"id": "2", "version": "2"}},
			want: "launchTemplate.id UPDATE_REPLACE launchTemplate.version UPDATE"},
		"added block":   {typ: groupType, news: object{"launchTemplate": object{"id": "2"}}, want: "launchTemplate ADD_REPLACE"},
		"added element": {typ: policy, old: object{"a": []any{"1"}}, news: object{"a": []any{"1", "2"}}, want: "a[1] ADD"},
		"named role":    {typ: roleType, old: object{"name": "r", "path": "/"}, news: object{"name": "r", "path": "/x/", "__defaults": []any{}}, want: "path UPDATE_REPLACE", first: true},
		"auto-named":    {typ: roleType, old: object{"name": "r", "path": "/"}, news: object{"name": "r", "path": "/x/", "__defaults": []any{"name"}}, want: "path UPDATE_REPLACE"},
		"job": {typ: jobType, old: object{"metadata": object{"name": "j"}, "spec": object{"template": object{"x": 1}, "backoffLimit": 1}},
			news: object{"metadata": object{"name": "j"}, "spec": object{"template": object{"x": 2}, "backoffLimit": 2}},
			want: "spec.backoffLimit UPDATE spec.template.x UPDATE_REPLACE", first: true},
		"renamed object": {typ: jobType, old: object{"metadata": object{"name": "a"}}, news: object{"metadata": object{"name": "b"}}, want: "metadata.name UPDATE_REPLACE"},
	} {
		d, err := p.Diff(ctx, &pulumirpc.DiffRequest{Type: c.typ, OldInputs: encoded(t, c.old), News: encoded(t, c.news), IgnoreChanges: c.ignore})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, path := range d.GetDiffs() {
			got = append(got, path+" "+d.GetDetailedDiff()[path].GetKind().String())
		}
		if strings.Join(got, " ") != c.want || d.GetDeleteBeforeReplace() != c.first || (d.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME) != (c.want != "") {
			t.Errorf("%s: got %v, delete first %v, %v; want %q, %v", name, got, d.GetDeleteBeforeReplace(), d.GetChanges(), c.want, c.first)
		}
	}
}

func TestConfigure(t *testing.T) {
	const other = "arn:aws:iam::222222222222:role/r"
	for name, c := range map[string]struct {
		args    map[string]any
		account string
		err     string
	}{
		"role":          {map[string]any{"region": "us-west-2", "assumeRole": map[string]any{"roleArn": other}, "allowedAccountIds": []any{"222222222222"}}, "222222222222", ""},
		"not allowed":   {map[string]any{"region": "us-west-2", "allowedAccountIds": []any{"222222222222"}}, "", "AWS account ID not allowed: " + ManagementAccount},
		"not role ARNs": {map[string]any{"region": "us-west-2", "assumeRole": map[string]any{"roleArn": "r"}}, "", `"r" is not a role ARN`},
	} {
		in, err := New().configureAWS(props(c.args))
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || err == nil && in.account != c.account {
			t.Errorf("%s: account %s, %v", name, in.account, err)
		}
	}
}

// AWS refuses long service control policies, and too many of them on one target.
func TestControlPolicyQuotas(t *testing.T) {
	c := New()
	control := func(length int) error {
		return c.Put(Resource{Type: controlType, Account: ManagementAccount, Inputs: values{"name": fmt.Sprint("p", length), "content": strings.Repeat("x", length)}})
	}
	if err := control(10240); err != nil {
		t.Error(err)
	}
	if err := control(10241); err == nil || !strings.Contains(err.Error(), "ConstraintViolationException") {
		t.Errorf("a long policy: %v", err)
	}
	for n := range 10 { // and FullAWSAccess
		err := c.Put(Resource{Type: attachmentType, Account: ManagementAccount, Inputs: values{"targetId": "ou-1", "policyId": fmt.Sprint("p-", n)}})
		if refused := err != nil; refused != (n == 9) {
			t.Errorf("attachment %d: %v", n, err)
		}
	}
}
