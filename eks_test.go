package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/kubeconfig"
)

// at is the value at a path of inputs, as "spec.template" or "taints.0.key", or null.
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

// text is the string at a path, or "".
func text(inputs resource.PropertyMap, path string) string {
	if value := at(inputs, path); value.IsString() {
		return value.StringValue()
	}
	return ""
}

// twoPools is settings with a pool that has EFA and one that has another taint.
func twoPools() map[string]any {
	return map[string]any{"cluster.pools": map[string]any{
		"efa":   map[string]any{"instanceType": "p5.48xlarge", "nodes": 2},
		"plain": map[string]any{"instanceType": "g5.xlarge", "taint": "team=research"},
		"chips": map[string]any{"instanceType": "trn1.32xlarge"},
	}}
}

// list is the elements at a path; none where there is no list.
func list(inputs resource.PropertyMap, path string) []resource.PropertyValue {
	if value := at(inputs, path); value.IsArray() {
		return value.ArrayValue()
	}
	return nil
}

func runWith(t *testing.T, set map[string]any) *graph {
	t.Helper()
	g, err := run(t, "dev", set, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Every taint has its tolerations and every toleration its taint: a plugin runs on
// the nodes of its kind, all of them, and on no other.
func TestTaintsAndTolerations(t *testing.T) {
	for name, set := range map[string]map[string]any{"dev": nil, "three pools": twoPools()} {
		g := runWith(t, set)
		taints := map[string]map[string]bool{} // label key, then taint
		nodes := 0
		for _, group := range g.of("aws:eks/nodeGroup:NodeGroup") {
			if group.name == "pool-system" {
				if at(group.inputs, "taints").IsArray() {
					t.Errorf("%s: the system nodes have a taint", name)
				}
				continue
			}
			nodes++
			if got := text(group.inputs, "taints[0].effect"); got != "NO_SCHEDULE" {
				t.Errorf("%s: %s has effect %q", name, group.name, got)
			}
			taint := text(group.inputs, "taints[0].key") + "=" + text(group.inputs, "taints[0].value")
			for label := range at(group.inputs, "labels").ObjectValue() {
				if taints[string(label)] == nil {
					taints[string(label)] = map[string]bool{}
				}
				taints[string(label)][taint] = true
			}
		}
		sets := g.of("kubernetes:apps/v1:DaemonSet")
		if nodes == 0 || len(sets) == 0 {
			t.Fatalf("%s: %d pools, %d plugins: this test tests nothing", name, nodes, len(sets))
		}
		for _, set := range sets {
			selector := at(set.inputs, "spec.template.spec.nodeSelector").ObjectValue()
			if len(selector) != 1 {
				t.Fatalf("%s: %s selects by %v", name, set.name, selector)
			}
			tolerated := map[string]bool{}
			for _, each := range list(set.inputs, "spec.template.spec.tolerations") {
				toleration := each.ObjectValue()
				if text(toleration, "operator") != "Equal" || text(toleration, "effect") != "NoSchedule" {
					t.Errorf("%s: %s tolerates %v", name, set.name, toleration)
				}
				tolerated[text(toleration, "key")+"="+text(toleration, "value")] = true
			}
			for label := range selector {
				if fmt.Sprint(tolerated) != fmt.Sprint(taints[string(label)]) {
					t.Errorf("%s: %s tolerates %v, but nodes with %s have %v", name, set.name, tolerated, label, taints[string(label)])
				}
				delete(taints, string(label))
			}
		}
		for _, label := range []string{"nvidia.com/gpu.present", "aws.amazon.com/neuron.present", "vpc.amazonaws.com/efa.present"} {
			if taints[label] != nil {
				t.Errorf("%s: nodes with %s have no device plugin", name, label)
			}
		}
	}
}

// What watches nodes runs on all of them.
func TestAgentsTolerateEverything(t *testing.T) {
	g := runWith(t, nil)
	for addon, paths := range map[string][]string{
		"cluster-eks-node-monitoring-agent":       {"nodeAgent.tolerations", "dcgmAgent.tolerations"},
		"cluster-amazon-cloudwatch-observability": {"tolerations"},
	} {
		var values map[string]any
		if err := json.Unmarshal([]byte(text(g.one(t, addon).inputs, "configurationValues")), &values); err != nil {
			t.Fatalf("%s: %v", addon, err)
		}
		for _, path := range paths {
			got := at(resource.NewPropertyMapFromMap(values), path+"[0].operator")
			if !got.IsString() || got.StringValue() != "Exists" {
				t.Errorf("%s: %s is %v", addon, path, got)
			}
		}
	}
}

// EFA passes among its nodes and goes nowhere else.
func TestEFAStaysAmongNodes(t *testing.T) {
	group := runWith(t, twoPools()).one(t, "cluster-efa")
	for _, direction := range []string{"ingress", "egress"} {
		rules := list(group.inputs, direction)
		if len(rules) != 1 || !at(group.inputs, direction+"[0].self").BoolValue() || text(group.inputs, direction+"[0].protocol") != "-1" || len(list(group.inputs, direction+"[0].cidrBlocks")) > 0 {
			t.Errorf("%s: %v", direction, rules)
		}
	}
}

// No node has a public address, an unencrypted volume, or credentials that a pod
// could reach.
func TestNodesArePrivate(t *testing.T) {
	for name, set := range map[string]map[string]any{"dev": nil, "three pools": twoPools()} {
		g := runWith(t, set)
		templates := g.of("aws:ec2/launchTemplate:LaunchTemplate")
		if len(templates) < 2 {
			t.Fatalf("%s: %d templates: this test tests little", name, len(templates))
		}
		for _, template := range templates {
			disks := list(template.inputs, "blockDeviceMappings")
			for _, disk := range disks {
				if text(disk.ObjectValue(), "ebs.encrypted") != "true" || text(disk.ObjectValue(), "ebs.volumeType") != "gp3" {
					t.Errorf("%s: %s has volume %v", name, template.name, disk)
				}
			}
			if len(disks) == 0 {
				t.Errorf("%s: %s leaves its volume to the image", name, template.name)
			}
			if text(template.inputs, "metadataOptions.httpTokens") != "required" || at(template.inputs, "metadataOptions.httpPutResponseHopLimit").NumberValue() != 1 {
				t.Errorf("%s: %s lets pods at the node's credentials: %v", name, template.name, at(template.inputs, "metadataOptions"))
			}
			for _, each := range list(template.inputs, "networkInterfaces") {
				if text(each.ObjectValue(), "associatePublicIpAddress") == "true" {
					t.Errorf("%s: %s has a public address", name, template.name)
				}
				if len(list(each.ObjectValue(), "securityGroups")) != 2 {
					t.Errorf("%s: %s has an interface in %v", name, template.name, at(each.ObjectValue(), "securityGroups"))
				}
			}
		}
		for _, group := range g.of("aws:eks/nodeGroup:NodeGroup") {
			for _, subnet := range list(group.inputs, "subnetIds") {
				if !strings.HasPrefix(subnet.StringValue(), "network-gpu-") && !strings.HasPrefix(subnet.StringValue(), "network-private-") {
					t.Errorf("%s: %s stands in %s", name, group.name, subnet.StringValue())
				}
			}
		}
		subnets := g.of("aws:ec2/subnet:Subnet")
		if len(subnets) == 0 {
			t.Fatalf("%s: no subnet", name)
		}
		for _, subnet := range subnets {
			if at(subnet.inputs, "mapPublicIpOnLaunch").BoolValue() {
				t.Errorf("%s: %s gives public addresses", name, subnet.name)
			}
		}
	}
}

// The control plane is closed, logged, encrypted, and the way into it a secret.
func TestControlPlane(t *testing.T) {
	for stack, public := range map[string]bool{"dev": true, "prod": false} {
		g := runShipped(t, stack)
		plane := g.one(t, "cluster-eks")
		if got := at(plane.inputs, "endpointPublicAccess"); !got.IsBool() || got.BoolValue() != public {
			t.Errorf("%s: public endpoint is %v", stack, got)
		}
		for _, network := range list(plane.inputs, "publicAccessCidrs") {
			if strings.HasSuffix(network.StringValue(), "/0") {
				t.Errorf("%s: open to %s", stack, network.StringValue())
			}
		}
		for path, want := range map[string]string{
			"authenticationMode": "API", "encryptionConfigKeyArn": "arn:aws:test:::cluster-key", "version": "1.36",
		} {
			if got := text(plane.inputs, path); got != want {
				t.Errorf("%s: %s is %q, want %q", stack, path, got, want)
			}
		}
		for _, path := range []string{"endpointPrivateAccess", "skipDefaultNodeGroup", "useDefaultVpcCni"} {
			if got := at(plane.inputs, path); !got.IsBool() || !got.BoolValue() {
				t.Errorf("%s: %s is %v", stack, path, got)
			}
		}
		if got := len(list(plane.inputs, "enabledClusterLogTypes")); got != 5 {
			t.Errorf("%s: %d of 5 logs", stack, got)
		}
		if !plane.dependsOn("cluster-logs") || !plane.dependsOn("cluster-role-AmazonEKSClusterPolicy") {
			t.Errorf("%s: made before its log group or its role's policy", stack)
		}
		given := g.one(t, "cluster-kubernetes").inputs["kubeconfig"]
		if !given.IsSecret() {
			t.Errorf("%s: the kubeconfig is no secret: %v", stack, given)
		}
		var config struct {
			Users []struct {
				User struct{ Exec struct{ Args []string } }
			}
		}
		if err := json.Unmarshal([]byte(given.SecretValue().Element.StringValue()), &config); err != nil {
			t.Fatal(err)
		}
		args := strings.Join(config.Users[0].User.Exec.Args, " ")
		for _, want := range []string{"--region us-west-2", "--cluster-name control-plane", "--role-arn arn:aws:iam::"} {
			if !strings.Contains(args, want) {
				t.Errorf("%s: the token is asked for with %q, without %q", stack, args, want)
			}
		}
	}
}

// Parts wait for what they need: nodes for addresses and rights, coredns for nodes,
// whatever has its rights by Pod Identity for the association.
func TestOrder(t *testing.T) {
	g := runWith(t, twoPools())
	before := []string{
		"cluster-vpc-cni", "cluster-kube-proxy", "cluster-eks-pod-identity-agent", "network-s3", "network-routes-a-internet", "network-gpu-a-routes",
		"cluster-node-role-AmazonEKSWorkerNodePolicy", "cluster-node-role-AmazonEC2ContainerRegistryPullOnly",
	}
	for name, needs := range map[string][]string{
		"pool-system":                             before,
		"pool-efa":                                before,
		"pool-plain":                              before,
		"cluster-vpc-cni":                         {"cluster-cni-identity", "cluster-cni-AmazonEKS_CNI_Policy"},
		"cluster-coredns":                         {"pool-system"},
		"cluster-metrics-server":                  {"pool-system"},
		"cluster-eks-node-monitoring-agent":       {"pool-system"},
		"cluster-amazon-cloudwatch-observability": {"pool-system", "cluster-insights-identity", "cluster-insights-CloudWatchAgentServerPolicy"},
		"cluster-neuron-device-plugin":            {"cluster-neuron-device-plugin-binding"},
		"network-nat-a":                           {"network-routes-public-internet"},
	} {
		r := g.one(t, name)
		for _, need := range needs {
			if !r.dependsOn(need) {
				t.Errorf("%s does not wait for %s", name, need)
			}
		}
	}
	for _, group := range g.of("aws:eks/nodeGroup:NodeGroup") {
		if !slices.Contains(group.request.GetIgnoreChanges(), "scalingConfig.desiredSize") {
			t.Errorf("%s takes back what an autoscaler did", group.name)
		}
	}
}

// A pool is its own: adding one registers its parts, and changes no other's.
func TestPoolsAreApart(t *testing.T) {
	with := func(names ...string) *graph {
		pools := map[string]any{}
		for _, name := range names {
			pools[name] = map[string]any{"instanceType": "p5.48xlarge"}
		}
		return runWith(t, map[string]any{"cluster.pools": pools})
	}
	one, two := with("b"), with("a", "b")
	var added []string
	for _, name := range two.names() {
		before, ok := one.resources[name]
		if !ok {
			added = append(added, name)
		} else if !before.inputs.DeepEquals(two.resources[name].inputs) {
			t.Errorf("%s changes when a pool comes", name)
		}
	}
	if want := []string{"pool-a", "pool-a-placement", "pool-a-template"}; !slices.Equal(added, want) {
		t.Errorf("added %v, want %v", added, want)
	}
	if len(one.names()) != len(two.names())-len(added) {
		t.Error("something goes when a pool comes")
	}
}

// Nothing in the cluster may do everything, and every role is for one service.
func TestClusterRolesAreMinimal(t *testing.T) {
	g := runShipped(t, "prod")
	seen := 0
	for _, r := range append(g.of("aws:iam/role:Role"), g.of("aws:iam/rolePolicy:RolePolicy")...) {
		if !strings.HasPrefix(r.name, "cluster-") && !strings.HasPrefix(r.name, "network-") {
			continue
		}
		seen++
		for _, path := range []string{"assumeRolePolicy", "policy"} {
			document := text(r.inputs, path)
			if document == "" {
				continue
			}
			if strings.Contains(document, `:*"`) && strings.Contains(document, `"Action":"`) || strings.Contains(document, `"Action":"*"`) || strings.Contains(document, `"AWS":"*"`) {
				t.Errorf("%s: %s", r.name, document)
			}
		}
	}
	if seen < 6 {
		t.Fatalf("%d roles and policies: this test tests little", seen)
	}
	for _, attachment := range g.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		if name := text(attachment.inputs, "policyArn"); strings.Contains(name, "S3") || strings.HasSuffix(name, "/AdministratorAccess") || strings.Contains(name, "FullAccess") {
			t.Errorf("%s attaches %s", attachment.name, name)
		}
	}
}

// With the kubeconfig of a cluster that exists, none of AWS's cluster is made, and
// its text is a secret.
func TestGivenCluster(t *testing.T) {
	given, err := kubeconfig.Cluster{Name: "theirs", Endpoint: "https://theirs.test", CA: "Y2E=", Region: "eu-west-1"}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	g := runWith(t, map[string]any{
		"cluster.kubeconfig": given, "cluster.publicCidrs": []any{},
		"cluster.pools": map[string]any{"theirs": map[string]any{"instanceType": "p5.48xlarge", "labels": map[string]any{"team": "a"}}},
	})
	for _, r := range g.resources {
		for _, kind := range []string{"aws:ec2/", "aws:eks/", "eks:", "kubernetes:", "aws:cloudwatch/logGroup"} {
			if strings.HasPrefix(r.kind, kind) && r.parent() != "training" {
				t.Errorf("made %s %s", r.kind, r.name)
			}
		}
	}
	config := g.one(t, "cluster-kubernetes").inputs["kubeconfig"]
	if !config.IsSecret() || config.SecretValue().Element.StringValue() != given {
		t.Errorf("the provider's kubeconfig is %v", config)
	}
}
