package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"llm-platform/internal/policy"
	"llm-platform/internal/stackfile"
)

// registered is one resource as the program registered it.
type registered struct {
	kind, name string
	inputs     resource.PropertyMap
	request    *pulumirpc.RegisterResourceRequest
}

// parent returns a logical name, or "".
func (r registered) parent() string { return nameOf(r.request.GetParent()) }

// provider returns a logical name, or "".
func (r registered) provider() string {
	reference := r.request.GetProvider()
	if r.request.GetRemote() { // a component of another process has one provider for each cloud
		reference = r.request.GetProviders()["aws"]
	}
	if id := strings.LastIndex(reference, "::"); id >= 0 { // a reference is <URN>::<id>
		return nameOf(reference[:id])
	}
	return ""
}

// dependsOn reports whether the resource waits for another one, by an option or an input.
func (r registered) dependsOn(name string) bool {
	return slices.ContainsFunc(r.request.GetDependencies(), func(dependency string) bool { return nameOf(dependency) == name })
}

// nameOf returns the logical name in a URN, or "".
func nameOf(text string) string {
	if text == "" {
		return ""
	}
	return urn.URN(text).Name()
}

// graph is everything that a run of the program registered. It answers for the cloud.
type graph struct {
	mu        sync.Mutex
	resources map[string]registered // by logical name
	calls     []string

	controlPlane string // URN of the cluster that the EKS component returns
	answer       func(token string) (resource.PropertyMap, error)
}

func (g *graph) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if other, taken := g.resources[args.Name]; taken {
		return "", nil, fmt.Errorf("two resources are called %s: %s and %s", args.Name, other.kind, args.TypeToken)
	}
	g.resources[args.Name] = registered{args.TypeToken, args.Name, args.Inputs, args.RegisterRPC}
	state := args.Inputs.Copy()
	set := func(key, value string) {
		if _, ok := state[resource.PropertyKey(key)]; !ok {
			state[resource.PropertyKey(key)] = resource.NewStringProperty(value)
		}
	}
	id := args.Name + "-id"
	set("arn", "arn:aws:test:::"+args.Name)
	switch args.TypeToken {
	case "aws:organizations/organization:Organization":
		id = "o-0123456789"
		set("masterAccountId", "111111111111")
		state["roots"] = resource.NewArrayProperty([]resource.PropertyValue{resource.NewObjectProperty(resource.PropertyMap{"id": resource.NewStringProperty("r-test")})})
	case "aws:organizations/account:Account":
		id = fmt.Sprintf("%012d", 100000000000+len(args.Name))
	case "aws:s3/bucketV2:BucketV2":
		id = args.Name
		set("bucket", id)
		state["arn"] = resource.NewStringProperty("arn:aws:s3:::" + id)
		set("bucketRegionalDomainName", id+".s3.us-west-2.amazonaws.com")
	case "aws:s3/bucketObjectv2:BucketObjectv2":
		set("etag", "etag-of-"+args.Name)
		set("versionId", "version-of-"+args.Name)
	case "eks:index:Cluster": // runs in another process, which mocks do not start
		state["eksCluster"] = resource.MakeCustomResourceReference(resource.URN(g.controlPlane), "control-plane-id", "")
	default:
		set("name", args.Name)
	}
	return id, state, nil
}

func (g *graph) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, args.Token)
	if g.answer == nil && args.Token == "aws:index/getCallerIdentity:getCallerIdentity" {
		return resource.PropertyMap{"accountId": resource.NewStringProperty("111111111111")}, nil // as the dev stack has it
	}
	if g.answer == nil {
		return nil, fmt.Errorf("unexpected look-up %s", args.Token)
	}
	return g.answer(args.Token)
}

const controlPlane = "control-plane"

// registerControlPlane registers the EKS cluster that the component would create in its own process: mocks can only
// return a resource that they know.
func (g *graph) registerControlPlane(ctx *pulumi.Context) error {
	var created pulumi.CustomResourceState
	g.controlPlane = fmt.Sprintf("urn:pulumi:%s::%s::aws:eks/cluster:Cluster::%s", ctx.Stack(), ctx.Project(), controlPlane)
	return ctx.RegisterResource("aws:eks/cluster:Cluster", controlPlane, pulumi.Map{
		"name": pulumi.String(controlPlane), "endpoint": pulumi.String("https://control-plane.test"),
		"certificateAuthority": pulumi.Map{"data": pulumi.String("Y2E=")},
		"vpcConfig":            pulumi.Map{"clusterSecurityGroupId": pulumi.String("sg-of-control-plane")},
	}, &created)
}

// of returns the resources of a type, by name.
func (g *graph) of(kind string) []registered {
	var all []registered
	for _, name := range g.names() {
		if r := g.resources[name]; r.kind == kind {
			all = append(all, r)
		}
	}
	return all
}

// one returns the resource of a name.
func (g *graph) one(t *testing.T, name string) registered {
	t.Helper()
	r, ok := g.resources[name]
	if !ok {
		t.Fatalf("%s is not registered; there are %v", name, g.names())
	}
	return r
}

// names returns all logical names, sorted.
func (g *graph) names() []string { return slices.Sorted(maps.Keys(g.resources)) }

// run previews the program with the settings of a stack file and some others, by path, for example storage.keepData.
func run(t *testing.T, stack string, set map[string]any, answer func(string) (resource.PropertyMap, error)) (*graph, error) {
	t.Helper()
	return runAs(t, stack, stack, set, answer)
}

// runAs is run for a stack that has the file of another.
func runAs(t *testing.T, stack, file string, set map[string]any, answer func(string) (resource.PropertyMap, error)) (*graph, error) {
	t.Helper()
	values, err := stackfile.Values(".", file, set)
	if err != nil {
		t.Fatal(err)
	}
	namespaced := map[string]string{}
	for key, value := range values {
		namespaced["llm-platform:"+key] = value
	}
	text, err := json.Marshal(namespaced)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(text))
	t.Setenv(pulumi.EnvConfigSecretKeys, `["llm-platform:cluster","llm-platform:git","llm-platform:training"]`) // as if set with --secret
	t.Setenv("GITHUB_TOKEN", "no token")
	t.Setenv("GITLAB_TOKEN", "no token")
	g := &graph{resources: map[string]registered{}, answer: answer}
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		if err := g.registerControlPlane(ctx); err != nil {
			return err
		}
		return platform(ctx)
	}, pulumi.WithMocks("llm-platform", stack, g), func(info *pulumi.RunInfo) { info.DryRun = true })
	delete(g.resources, "llm-platform-"+stack) // the stack itself
	delete(g.resources, controlPlane)
	return g, err
}

// organization answers look-ups of an existing organization.
func organization(policyTypes, caller string) func(string) (resource.PropertyMap, error) {
	text := resource.NewStringProperty
	return func(token string) (resource.PropertyMap, error) {
		switch token {
		case "aws:organizations/getOrganization:getOrganization":
			return resource.PropertyMap{
				"id": text("o-found"), "featureSet": text("ALL"), "masterAccountId": text("111111111111"),
				"roots": resource.NewArrayProperty([]resource.PropertyValue{resource.NewObjectProperty(resource.PropertyMap{
					"id": text("r-found"),
					"policyTypes": resource.NewArrayProperty([]resource.PropertyValue{resource.NewObjectProperty(resource.PropertyMap{
						"type": text(policyTypes), "status": text("ENABLED"),
					})}),
				})}),
				"accounts": resource.NewArrayProperty([]resource.PropertyValue{resource.NewObjectProperty(resource.PropertyMap{
					"id": text("222222222222"), "arn": text("arn:aws:organizations::111111111111:account/o-found/222222222222"),
				})}),
			}, nil
		case "aws:index/getCallerIdentity:getCallerIdentity":
			return resource.PropertyMap{"accountId": text(caller)}, nil
		}
		return nil, fmt.Errorf("unexpected look-up %s", token)
	}
}

// runWith previews stack dev with some settings.
func runWith(t *testing.T, set map[string]any) *graph {
	t.Helper()
	g, err := run(t, "dev", set, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// shipped returns the stacks that have a file in the repository.
func shipped(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("Pulumi.*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stacks []string
	for _, file := range files {
		stacks = append(stacks, strings.TrimSuffix(strings.TrimPrefix(file, "Pulumi."), ".yaml"))
	}
	if len(stacks) < 3 {
		t.Fatalf("only %v are shipped: this test tests little", stacks)
	}
	return stacks
}

// runShipped previews a stack as its file in the repository describes it.
func runShipped(t *testing.T, stack string) *graph {
	t.Helper()
	g, err := run(t, stack, nil, organization("SERVICE_CONTROL_POLICY", "111111111111"))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.resources) < 40 {
		t.Fatalf("only %d resources registered: this test tests little", len(g.resources))
	}
	return g
}

// at returns the value at a path of inputs, for example spec.template or taints[0].key, or null.
func at(inputs resource.PropertyMap, path string) resource.PropertyValue {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		panic(err)
	}
	value, ok := parsed.Get(resource.NewProperty(inputs))
	if !ok {
		return resource.NewNullProperty()
	}
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	return value
}

// text returns the string at a path, or "".
func text(inputs resource.PropertyMap, path string) string {
	if value := at(inputs, path); value.IsString() {
		return value.StringValue()
	}
	return ""
}

// list returns the elements at a path; none where there is no list.
func list(inputs resource.PropertyMap, path string) []resource.PropertyValue {
	if value := at(inputs, path); value.IsArray() {
		return value.ArrayValue()
	}
	return nil
}

// document returns the statements of the policy document in a resource's input.
func document(t *testing.T, r registered, input string) []policy.Statement {
	t.Helper()
	var parsed struct {
		Statement []struct {
			Sid       string
			Effect    policy.Effect
			Principal any
			Action    any
			Condition map[string]map[string]any
			Resource  any
		}
	}
	if err := json.Unmarshal([]byte(text(r.inputs, input)), &parsed); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	var found []policy.Statement
	for _, s := range parsed.Statement {
		statement := policy.Statement{
			Sid: s.Sid, Effect: s.Effect, Action: elements(s.Action), Resource: elements(s.Resource), Condition: policy.Conditions{},
		}
		if principals, ok := s.Principal.(map[string]any); ok {
			statement.Principal = &policy.Principals{
				AWS: elements(principals["AWS"]), Service: elements(principals["Service"]), Federated: elements(principals["Federated"]),
			}
		}
		for operator, keys := range s.Condition {
			statement.Condition[operator] = map[string]policy.Values{}
			for key, value := range keys {
				statement.Condition[operator][key] = elements(value)
			}
		}
		found = append(found, statement)
	}
	if len(found) == 0 {
		t.Fatalf("%s has no statement", r.name)
	}
	return found
}

// statements returns the statements of the policy document in a resource's input, by Sid.
func statements(t *testing.T, r registered, input string) map[string]policy.Statement {
	t.Helper()
	bySid := map[string]policy.Statement{}
	for _, statement := range document(t, r, input) {
		if _, twice := bySid[statement.Sid]; twice {
			t.Errorf("%s has two statements %q", r.name, statement.Sid)
		}
		bySid[statement.Sid] = statement
	}
	return bySid
}

// elements returns a list that JSON writes without brackets if it has one element.
func elements(from any) policy.Values {
	switch from := from.(type) {
	case string:
		return policy.Values{from}
	case []any:
		var all policy.Values
		for _, value := range from {
			all = append(all, value.(string))
		}
		return all
	}
	return nil
}
