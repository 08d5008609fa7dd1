package simcloud

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Every template of the catalogue comes to something: an id, an ARN of six parts, no brace left over.
func TestCatalogue(t *testing.T) {
	types := catalogue()
	if len(types) < 90 {
		t.Fatalf("only %d types", len(types))
	}
	in := instance{account: "222222222222", region: "eu-west-1", partition: "aws"}
	for typ, k := range types {
		inputs := resource.PropertyMap{}
		for _, property := range strings.Fields("accountId addonName actionType awsServiceName branch bucket budgetName clusterName defaultNetworkAclId " +
			"defaultRouteTableId domainId fargateProfileName file filePath groupArn key keyId logGroupName name nodeGroupName policyArn policyId principalArn " +
			"project quotaCode repository resourceArn resourceId role routeTableId rule s3BucketArn secretId serviceCode serviceName servicePrincipal " +
			"subdirectory targetId targetKeyId topicArn url userProfileName") {
			inputs[resource.PropertyKey(property)] = resource.NewProperty("x-" + property)
		}
		inputs["topicArn"] = resource.NewProperty("arn:aws:sns:eu-west-1:222222222222:x")
		inputs["secretId"] = resource.NewProperty("arn:aws:secretsmanager:eu-west-1:222222222222:secret:x")
		if k.arn == "" { // an input of some types
			inputs["arn"] = resource.NewProperty("arn:aws:x:eu-west-1:222222222222:x")
		}
		c := New()
		r := &record{typ: typ, account: in.account, region: in.region, inputs: inputs, salt: "salt"}
		c.fill(r, in, nil, false)
		if r.id == "" || strings.ContainsAny(r.id, "{}") {
			t.Errorf("%s: id %q", typ, r.id)
		}
		if arn := text(r.outputs["arn"]); k.arn != "" && (strings.Count(arn, ":") < 5 || strings.ContainsAny(arn, "{}") || strings.HasSuffix(arn, ":")) {
			t.Errorf("%s: arn %q", typ, arn)
		}
		for key, v := range r.outputs {
			if s := text(v); strings.Contains(s, "{") && !strings.Contains(s, "${") {
				t.Errorf("%s: %s is %q", typ, key, s)
			}
		}
		// What a preview does not know is what the inputs do not say.
		preview := &record{typ: typ, inputs: resource.PropertyMap{"bucket": resource.NewProperty("b")}}
		c.fill(preview, in, nil, true)
		if preview.id != "" {
			t.Errorf("%s: a preview knows the id %q", typ, preview.id)
		}
		if k.arn != "" && !preview.outputs["arn"].IsComputed() {
			t.Errorf("%s: a preview knows the ARN", typ)
		}
	}
}

func TestUnlistedTypeIsServed(t *testing.T) {
	c := New()
	r := &record{typ: "aws:sqs/queue:Queue", account: "222222222222", region: "eu-west-1", inputs: resource.PropertyMap{"fifo": resource.NewProperty(true)}}
	c.fill(r, instance{account: "222222222222", region: "eu-west-1", partition: "aws"}, nil, false)
	if arn := text(r.outputs["arn"]); !strings.HasPrefix(arn, "arn:aws:sqs:eu-west-1:222222222222:queue/") || r.id == "" {
		t.Errorf("id %q, arn %q", r.id, arn)
	}
}

func props(m map[string]any) resource.PropertyMap { return resource.NewPropertyMapFromMap(m) }

func call(t *testing.T) (*provider, context.Context) {
	t.Helper()
	conn := &connection{instance: instance{account: ManagementAccount, region: "us-west-2", partition: "aws"}}
	return &provider{cloud: New()}, context.WithValue(context.Background(), connectionKey{}, conn)
}

func TestDiff(t *testing.T) {
	p, ctx := call(t)
	secret := func(v any) any { return resource.MakeSecret(resource.NewPropertyValue(v)) }
	for name, c := range map[string]struct {
		typ       string
		old, news map[string]any
		ignore    []string
		want      string // "path kind", sorted
		first     bool   // delete first
	}{
		"same":          {typ: "aws:ec2/vpc:Vpc", old: map[string]any{"cidrBlock": "a", "tags": map[string]any{}}, news: map[string]any{"cidrBlock": "a", "tags": map[string]any{}}},
		"secret":        {typ: "aws:ec2/vpc:Vpc", old: map[string]any{"cidrBlock": "a"}, news: map[string]any{"cidrBlock": secret("a")}},
		"secret inside": {typ: "aws:x/y:Y", old: map[string]any{"a": map[string]any{"b": secret("1")}}, news: map[string]any{"a": map[string]any{"b": secret("2")}}, want: "a.b UPDATE"},
		"replace":       {typ: "aws:ec2/vpc:Vpc", old: map[string]any{"cidrBlock": "a"}, news: map[string]any{"cidrBlock": "b"}, want: "cidrBlock UPDATE_REPLACE"},
		"unknown":       {typ: "aws:ec2/subnet:Subnet", old: map[string]any{"vpcId": "a"}, news: map[string]any{"vpcId": resource.MakeComputed(resource.NewProperty(""))}, want: "vpcId UPDATE_REPLACE"},
		"ignored":       {typ: "aws:ec2/vpc:Vpc", old: map[string]any{"cidrBlock": "a"}, news: map[string]any{"cidrBlock": "b"}, ignore: []string{"cidrBlock"}},
		"ignored below": {typ: "aws:x/y:Y", old: map[string]any{"a": []any{map[string]any{"b": 1}}}, news: map[string]any{"a": []any{map[string]any{"b": 2}}}, ignore: []string{"a[*].b"}},
		"nested":        {typ: "aws:eks/nodeGroup:NodeGroup", old: map[string]any{"launchTemplate": map[string]any{"id": "1", "version": "1"}}, news: map[string]any{"launchTemplate": map[string]any{"id": "2", "version": "2"}}, want: "launchTemplate.id UPDATE_REPLACE launchTemplate.version UPDATE"},
		"added block":   {typ: "aws:eks/nodeGroup:NodeGroup", old: map[string]any{}, news: map[string]any{"launchTemplate": map[string]any{"id": "2"}}, want: "launchTemplate ADD_REPLACE"},
		"added element": {typ: "aws:x/y:Y", old: map[string]any{"a": []any{"1"}}, news: map[string]any{"a": []any{"1", "2"}}, want: "a[1] ADD"},
		"removed":       {typ: "aws:x/y:Y", old: map[string]any{"a.b": "1"}, news: map[string]any{}, want: `["a.b"] DELETE`},
		"named role":    {typ: "aws:iam/role:Role", old: map[string]any{"name": "r", "path": "/", "__defaults": []any{}}, news: map[string]any{"name": "r", "path": "/x/", "__defaults": []any{}}, want: "path UPDATE_REPLACE", first: true},
		"auto-named":    {typ: "aws:iam/role:Role", old: map[string]any{"name": "r", "path": "/"}, news: map[string]any{"name": "r", "path": "/x/", "__defaults": []any{"name"}}, want: "path UPDATE_REPLACE"},
		"job": {typ: "kubernetes:batch/v1:Job",
			old:  map[string]any{"metadata": map[string]any{"name": "j"}, "spec": map[string]any{"template": map[string]any{"spec": map[string]any{"x": 1}}, "backoffLimit": 1}},
			news: map[string]any{"metadata": map[string]any{"name": "j"}, "spec": map[string]any{"template": map[string]any{"spec": map[string]any{"x": 2}}, "backoffLimit": 2}},
			want: "spec.backoffLimit UPDATE spec.template.spec.x UPDATE_REPLACE", first: true},
		"renamed object": {typ: "kubernetes:core/v1:ConfigMap", old: map[string]any{"metadata": map[string]any{"name": "a"}}, news: map[string]any{"metadata": map[string]any{"name": "b"}}, want: "metadata.name UPDATE_REPLACE"},
	} {
		old, err := encode(props(c.old))
		if err != nil {
			t.Fatal(err)
		}
		news, err := encode(props(c.news))
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Diff(ctx, &pulumirpc.DiffRequest{Type: c.typ, OldInputs: old, News: news, IgnoreChanges: c.ignore})
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

func check(t *testing.T, p *provider, ctx context.Context, typ string, old, news map[string]any, auto *pulumirpc.CheckRequest_AutonamingOptions) (resource.PropertyMap, []*pulumirpc.CheckFailure) {
	t.Helper()
	o, err := encode(props(old))
	if err != nil {
		t.Fatal(err)
	}
	n, err := encode(props(news))
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Check(ctx, &pulumirpc.CheckRequest{Type: typ, Name: "Thing", Olds: o, News: n, RandomSeed: []byte("s"), Autonaming: auto})
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := decode(r.GetInputs())
	if err != nil {
		t.Fatal(err)
	}
	return inputs, r.GetFailures()
}

func TestNames(t *testing.T) {
	p, ctx := call(t)
	role, bucket, alias := "aws:iam/role:Role", "aws:s3/bucketV2:BucketV2", "aws:kms/alias:Alias"
	chosen := func(typ, property string, old, news map[string]any, auto *pulumirpc.CheckRequest_AutonamingOptions) string {
		inputs, failures := check(t, p, ctx, typ, old, news, auto)
		if len(failures) > 0 {
			return failures[0].GetReason()
		}
		return text(get(inputs, property))
	}
	is := func(got, prefix string, random int) {
		t.Helper()
		if !strings.HasPrefix(got, prefix) || len(got) != len(prefix)+random {
			t.Errorf("got %q, want %s and %d more", got, prefix, random)
		}
	}
	is(chosen(role, "name", nil, nil, nil), "Thing-", 7)
	is(chosen(bucket, "bucket", nil, nil, nil), "thing-", 7)
	is(chosen(alias, "name", nil, nil, nil), "alias/Thing-", 7)
	is(chosen(role, "name", nil, map[string]any{"name": "mine"}, nil), "mine", 0)
	is(chosen(role, "name", nil, map[string]any{"namePrefix": "mine"}, nil), "", 0)
	is(chosen(role, "name", map[string]any{"name": "was", "__defaults": []any{"name"}}, nil, nil), "was", 0)
	is(chosen(role, "name", map[string]any{"name": "was", "__defaults": []any{}}, nil, nil), "Thing-", 7)
	propose := &pulumirpc.CheckRequest_AutonamingOptions{Mode: pulumirpc.CheckRequest_AutonamingOptions_PROPOSE, ProposedName: "proposed"}
	is(chosen(role, "name", nil, nil, propose), "proposed", 0)
	job := "kubernetes:batch/v1:Job"
	is(chosen(job, "metadata.name", nil, nil, nil), "Thing-", 8)
	is(chosen(job, "metadata.name", nil, map[string]any{"metadata": map[string]any{"name": "mine"}}, nil), "mine", 0)
	named := map[string]any{"metadata": map[string]any{"name": "was", "annotations": map[string]any{autonamedAnnotation: "true"}}}
	is(chosen(job, "metadata.name", named, nil, nil), "was", 0)
	if inputs, _ := check(t, p, ctx, role, nil, nil, nil); !autonamed(inputs, "name") {
		t.Error("the auto-name is not marked")
	}
}

func TestConfigure(t *testing.T) {
	for name, c := range map[string]struct {
		args    map[string]any
		account string
		err     string
	}{
		"management":    {map[string]any{"region": "us-west-2"}, ManagementAccount, ""},
		"role":          {map[string]any{"region": "us-west-2", "assumeRole": map[string]any{"roleArn": "arn:aws:iam::222222222222:role/r"}}, "222222222222", ""},
		"role as JSON":  {map[string]any{"region": "us-west-2", "assumeRole": `{"roleArn":"arn:aws:iam::222222222222:role/r"}`}, "222222222222", ""},
		"chain":         {map[string]any{"region": "us-west-2", "assumeRoles": []any{map[string]any{"roleArn": "arn:aws:iam::2:role/r"}, map[string]any{"roleArn": "arn:aws:iam::333333333333:role/r"}}}, "333333333333", ""},
		"allowed":       {map[string]any{"region": "us-west-2", "allowedAccountIds": []any{ManagementAccount}}, ManagementAccount, ""},
		"not allowed":   {map[string]any{"region": "us-west-2", "allowedAccountIds": []any{"222222222222"}}, "", "AWS account ID not allowed: " + ManagementAccount},
		"no region":     {map[string]any{}, "", "missing region"},
		"not role ARNs": {map[string]any{"region": "us-west-2", "assumeRole": map[string]any{"roleArn": "r"}}, "", `"r" is not a role ARN`},
	} {
		in, err := New().configureAWS(props(c.args))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", name, err, c.err)
			}
		} else if err != nil || in.account != c.account {
			t.Errorf("%s: account %s, %v", name, in.account, err)
		}
	}
}

func TestAssumeRole(t *testing.T) {
	c := New()
	c.DenyRoles(2)
	stop, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var codes []int
	for range 3 {
		r, err := http.PostForm(c.Env()["AWS_ENDPOINT_URL"], url.Values{"Action": {"AssumeRole"}, "RoleArn": {"arn:aws:iam::222222222222:role/r"}, "RoleSessionName": {"s"}})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		codes = append(codes, r.StatusCode)
		if want := map[int]string{403: "<Code>AccessDenied</Code>", 200: "<AccessKeyId>"}[r.StatusCode]; want == "" || !strings.Contains(string(body), want) {
			t.Errorf("%d: %s", r.StatusCode, body)
		}
	}
	if codes[0] != 403 || codes[1] != 403 || codes[2] != 200 {
		t.Errorf("codes %v", codes)
	}
}

func TestFunctions(t *testing.T) {
	p, ctx := call(t)
	invoke := func(tok string, args map[string]any) (resource.PropertyMap, error) {
		a, err := encode(props(args))
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Invoke(ctx, &pulumirpc.InvokeRequest{Tok: tok, Args: a})
		if err != nil {
			return nil, err
		}
		return decode(r.GetReturn())
	}
	if _, err := invoke("aws:sqs/getQueue:getQueue", nil); err == nil || !strings.Contains(err.Error(), "aws:sqs/getQueue:getQueue") {
		t.Errorf("unknown function: %v", err)
	}
	if _, err := invoke("aws:organizations/getOrganization:getOrganization", nil); err == nil || !strings.Contains(err.Error(), "AWSOrganizationsNotInUseException") {
		t.Errorf("no organization: %v", err)
	}
	if _, err := p.cloud.Put(Resource{Type: "aws:organizations/organization:Organization", Account: ManagementAccount, Inputs: map[string]any{
		"featureSet": "ALL", "enabledPolicyTypes": []any{"SERVICE_CONTROL_POLICY"},
	}}); err != nil {
		t.Fatal(err)
	}
	org, err := invoke("aws:organizations/getOrganization:getOrganization", nil)
	if err != nil || text(org["masterAccountId"]) != ManagementAccount || text(open(org["roots"]).ArrayValue()[0].ObjectValue()["id"])[:2] != "r-" {
		t.Errorf("organization %v, %v", org, err)
	}
	p.cloud.PutObject("b", "k", []byte("data"), 6<<30)
	object, err := invoke("aws:s3/getObject:getObject", map[string]any{"bucket": "b", "key": "k"})
	if err != nil || text(object["etag"]) != "8d777f385d3dfec8815d20f7496026dc" || open(object["contentLength"]).NumberValue() != 6<<30 {
		t.Errorf("object %v, %v", object, err)
	}
	if me, err := invoke("aws:index/getCallerIdentity:getCallerIdentity", nil); err != nil || text(me["accountId"]) != ManagementAccount {
		t.Errorf("caller %v, %v", me, err)
	}
}

func TestUniqueNames(t *testing.T) {
	c := New()
	role := Resource{Type: "aws:iam/role:Role", Account: ManagementAccount, Region: "us-west-2", Inputs: map[string]any{"name": "r"}}
	if _, err := c.Put(role); err != nil {
		t.Fatal(err)
	}
	role.Region = "eu-west-1" // IAM knows no regions
	if _, err := c.Put(role); err == nil || !strings.Contains(err.Error(), `"r" already exists`) {
		t.Errorf("second role: %v", err)
	}
	role.Account = "222222222222"
	if _, err := c.Put(role); err != nil {
		t.Errorf("role of another account: %v", err)
	}
	policy := Resource{Type: "aws:s3/bucketPolicy:BucketPolicy", Account: ManagementAccount, Region: "us-west-2", Inputs: map[string]any{"bucket": "b", "policy": "{}"}}
	for range 2 {
		if _, err := c.Put(policy); err != nil {
			t.Errorf("bucket policy: %v", err)
		}
	}
	if n := len(c.Resources()); n != 3 {
		t.Errorf("%d resources", n)
	}
}
