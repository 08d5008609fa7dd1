package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"llm-platform/internal/stackfile"
)

var update = flag.Bool("update", false, "write the golden listings anew")

// registered is one resource as the program registered it.
type registered struct {
	kind, name string
	inputs     resource.PropertyMap
	request    *pulumirpc.RegisterResourceRequest
}

// parent and provider are logical names, or "".
func (r registered) parent() string { return nameOf(r.request.GetParent()) }
func (r registered) provider() string {
	if r.request.GetRemote() { // takes one for each cloud, and answers for its children
		return nameOf(r.request.GetProviders()["aws"])
	}
	return nameOf(r.request.GetProvider())
}

// dependsOn says whether the resource waits for another, by an option or an input.
func (r registered) dependsOn(name string) bool {
	return slices.ContainsFunc(r.request.GetDependencies(), func(urn string) bool { return nameOf(urn) == name })
}

// nameOf is the logical name in a URN, or in a provider's reference (URN::id).
func nameOf(urn string) string {
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// graph is all that a run of the program registered. It answers for the cloud.
type graph struct {
	mu        sync.Mutex
	resources map[string]registered // by logical name
	calls     []string

	controlPlane string // URN of what the EKS component answers as its cluster
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
	case "eks:index:Cluster": // runs in another process, which mocks have not
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
	if g.answer == nil {
		return nil, fmt.Errorf("unexpected look-up %s", args.Token)
	}
	return g.answer(args.Token)
}

const controlPlane = "control-plane"

// registerControlPlane stands in for the EKS cluster that the component would make in
// its own process. A resource can only be answered that the mocks know.
func (g *graph) registerControlPlane(ctx *pulumi.Context) error {
	var made pulumi.CustomResourceState
	g.controlPlane = fmt.Sprintf("urn:pulumi:%s::%s::aws:eks/cluster:Cluster::%s", ctx.Stack(), ctx.Project(), controlPlane)
	return ctx.RegisterResource("aws:eks/cluster:Cluster", controlPlane, pulumi.Map{
		"name": pulumi.String(controlPlane), "endpoint": pulumi.String("https://control-plane.test"),
		"certificateAuthority": pulumi.Map{"data": pulumi.String("Y2E=")},
		"vpcConfig":            pulumi.Map{"clusterSecurityGroupId": pulumi.String("sg-of-control-plane")},
	}, &made)
}

// of is the resources of a type, by name.
func (g *graph) of(kind string) []registered {
	var all []registered
	for _, r := range g.resources {
		if r.kind == kind {
			all = append(all, r)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

// one is the resource of a name.
func (g *graph) one(t *testing.T, name string) registered {
	t.Helper()
	r, ok := g.resources[name]
	if !ok {
		t.Fatalf("%s is not registered; there are %v", name, g.names())
	}
	return r
}

func (g *graph) names() []string {
	var names []string
	for name := range g.resources {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// run is the program under a stack's file with some paths set on top, as
// "storage.keepData", in a preview.
func run(t *testing.T, stack string, set map[string]any, answer func(string) (resource.PropertyMap, error)) (*graph, error) {
	t.Helper()
	tree, err := stackfile.Tree(".", stack)
	if err != nil {
		t.Fatal(err)
	}
	if _, others := set["cluster.pools"]; others { // than the shipped run asks for
		stackfile.Set(tree, "training.enabled", false)
	}
	for path, value := range set {
		stackfile.Set(tree, path, value)
	}
	values, err := stackfile.Text(tree)
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

// organization answers for an organization that is there.
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

// The golden listings are what a reviewer reads first: every resource with its
// parent, its provider and what becomes of it on destroy. Write them anew with
// go test -run TestListing -update .
func TestListing(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		g := runShipped(t, stack)
		var lines []string
		for _, r := range g.resources {
			line := fmt.Sprintf("%s %s parent=%s", r.kind, r.name, r.parent())
			if r.provider() != "" {
				line += " provider=" + r.provider()
			}
			if r.request.GetProtect() {
				line += " protect"
			}
			if r.request.GetRetainOnDelete() {
				line += " retain"
			}
			lines = append(lines, line)
		}
		sort.Strings(lines)
		got := strings.Join(lines, "\n") + "\n"
		file := filepath.Join("testdata", stack+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s (if that is meant: go test -run TestListing -update .):\n%s", stack, file, difference(string(want), got))
		}
	}
}

// difference is the lines that only one of two listings has.
func difference(want, got string) string {
	var lines []string
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains("\n"+got, "\n"+line+"\n") {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range strings.Split(got, "\n") {
		if !strings.Contains("\n"+want, "\n"+line+"\n") {
			lines = append(lines, "+ "+line)
		}
	}
	return strings.Join(lines, "\n")
}

// Nothing lands in an account by accident: every resource of a cloud names its
// provider, and every component is ours.
func TestEveryResourceHasAProvider(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		for _, r := range runShipped(t, stack).resources {
			cloud, _, _ := strings.Cut(r.kind, ":")
			switch cloud {
			case "llm", "pulumi":
			default:
				if r.provider() == "" {
					t.Errorf("%s: %s %s has no provider of its own", stack, r.kind, r.name)
				}
			}
		}
	}
}

// A configuration with a fault registers nothing at all.
func TestBadSettingsRegisterNothing(t *testing.T) {
	for name, set := range map[string]map[string]any{
		"unknown key":   {"regoin": "us-west-2"},
		"bad value":     {"organization.mode": "crate"},
		"contradiction": {"organization.mode": "none"},
	} {
		g, err := run(t, "dev", set, nil)
		if err == nil || !strings.Contains(err.Error(), "; nothing was created") {
			t.Errorf("%s: error is %v", name, err)
		}
		if len(g.resources) > 0 || len(g.calls) > 0 {
			t.Errorf("%s: registered %v, looked up %v", name, g.names(), g.calls)
		}
	}
}
