package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/catalog"
	"llm-platform/internal/kubeconfig"
)

// withPools returns settings that replace the pools of the stack file, without a training.
func withPools(pools map[string]any) map[string]any {
	return map[string]any{"cluster.pools": pools, "training.enabled": false}
}

// threePools returns settings of a pool with EFA, one with a configured taint, and one of Trainium.
func threePools() map[string]any {
	return withPools(map[string]any{
		"efa":   map[string]any{"instanceType": "p5.48xlarge", "nodes": 2},
		"plain": map[string]any{"instanceType": "g5.xlarge", "taint": "team=research"},
		"chips": map[string]any{"instanceType": "trn1.32xlarge"},
	})
}

// The DaemonSet of a device plugin selects the nodes with its label and tolerates exactly the taints that their
// node groups set.
func TestTaintsAndTolerations(t *testing.T) {
	for name, set := range map[string]map[string]any{"dev": nil, "three pools": threePools()} {
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
			for _, element := range list(set.inputs, "spec.template.spec.tolerations") {
				toleration := element.ObjectValue()
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

// Every node group has the image that belongs to the add-ons, and so has next month's.
func TestNodeGroupsPinTheirImage(t *testing.T) {
	for version, set := range map[string]map[string]any{"1.36": threePools(), "1.35": withPools(map[string]any{"cpu": map[string]any{"instanceType": "m7i.large"}})} {
		set["cluster.version"] = version
		release, err := catalog.LookupRelease(version)
		if err != nil {
			t.Fatal(err)
		}
		groups := runWith(t, set).of("aws:eks/nodeGroup:NodeGroup")
		if len(groups) < 2 {
			t.Fatalf("%d node groups: this test tests little", len(groups))
		}
		for _, group := range groups {
			if got := text(group.inputs, "releaseVersion"); got != release.AMI || got == "" || text(group.inputs, "version") != version {
				t.Errorf("%s of %s has image %q, want %q", group.name, version, got, release.AMI)
			}
		}
	}
}

// A pool without accelerators has EKS's standard image, a taint that only the training tolerates, and no device plugin.
// Its run asks for no accelerator, and the namespace limits none.
func TestProcessorPool(t *testing.T) {
	g := runWith(t, map[string]any{
		"cluster.pools": map[string]any{"cpu": map[string]any{"instanceType": "m7i.large", "nodes": 1}}, "training.pool": "cpu",
	})
	group := g.one(t, "pool-cpu").inputs
	taint := text(group, "taints[0].key") + "=" + text(group, "taints[0].value")
	if text(group, "amiType") != "AL2023_x86_64_STANDARD" || taint != "llm-platform/pool=cpu" || text(group, "taints[0].effect") != "NO_SCHEDULE" {
		t.Errorf("image %s, taint %s", text(group, "amiType"), taint)
	}
	if sets := g.of("kubernetes:apps/v1:DaemonSet"); len(sets) > 0 {
		t.Errorf("device plugin %s", sets[0].name)
	}
	if _, exists := g.resources["training-quota"]; exists {
		t.Error("the namespace has a quota of accelerators")
	}
	job, _ := theJob(t, g)
	if got := text(job.inputs, "spec.template.spec.tolerations[0].value"); got != "cpu" {
		t.Errorf("the pods tolerate %q", got)
	}
	if strings.Contains(fmt.Sprint(at(job.inputs, "spec").Mappable()), "nvidia.com/gpu") {
		t.Error("the run asks for GPUs")
	}
	if !g.one(t, "training-namespace").dependsOn("pool-cpu") {
		t.Error("the run does not wait for its nodes")
	}
}

// Agents that monitor nodes run on all of them.
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

// The EFA security group allows traffic within itself and no other.
func TestEFAStaysAmongNodes(t *testing.T) {
	group := runWith(t, threePools()).one(t, "cluster-efa")
	for _, direction := range []string{"ingress", "egress"} {
		rules := list(group.inputs, direction)
		if len(rules) != 1 || !at(group.inputs, direction+"[0].self").BoolValue() || text(group.inputs, direction+"[0].protocol") != "-1" || len(list(group.inputs, direction+"[0].cidrBlocks")) > 0 {
			t.Errorf("%s: %v", direction, rules)
		}
	}
}

// No node has a public address, an unencrypted volume, or credentials that a pod can reach.
func TestNodesArePrivate(t *testing.T) {
	for name, set := range map[string]map[string]any{"dev": nil, "three pools": threePools()} {
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
				t.Errorf("%s: %s does not set its volume", name, template.name)
			}
			if text(template.inputs, "metadataOptions.httpTokens") != "required" || at(template.inputs, "metadataOptions.httpPutResponseHopLimit").NumberValue() != 1 {
				t.Errorf("%s: pods of %s can reach the node's credentials: %v", name, template.name, at(template.inputs, "metadataOptions"))
			}
			for _, element := range list(template.inputs, "networkInterfaces") {
				networkInterface := element.ObjectValue()
				if text(networkInterface, "associatePublicIpAddress") == "true" {
					t.Errorf("%s: %s has a public address", name, template.name)
				}
				if len(list(networkInterface, "securityGroups")) != 2 {
					t.Errorf("%s: %s has an interface in %v", name, template.name, at(networkInterface, "securityGroups"))
				}
			}
		}
		for _, group := range g.of("aws:eks/nodeGroup:NodeGroup") {
			for _, subnet := range list(group.inputs, "subnetIds") {
				if !strings.HasPrefix(subnet.StringValue(), "network-gpu-") && !strings.HasPrefix(subnet.StringValue(), "network-private-") {
					t.Errorf("%s: %s is in %s", name, group.name, subnet.StringValue())
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

// The control plane is private unless the stack lists CIDR ranges; it is logged and encrypted, and its kubeconfig is a
// secret.
func TestControlPlane(t *testing.T) {
	for stack, public := range map[string]bool{"dev": true, "prod": false} {
		g := runShipped(t, stack)
		controlPlane := g.one(t, "cluster-eks")
		if got := at(controlPlane.inputs, "endpointPublicAccess"); !got.IsBool() || got.BoolValue() != public {
			t.Errorf("%s: public endpoint is %v", stack, got)
		}
		for _, network := range list(controlPlane.inputs, "publicAccessCidrs") {
			if strings.HasSuffix(network.StringValue(), "/0") {
				t.Errorf("%s: open to %s", stack, network.StringValue())
			}
		}
		for path, want := range map[string]string{
			"authenticationMode": "API", "encryptionConfigKeyArn": "arn:aws:test:::cluster-key", "version": "1.36",
		} {
			if got := text(controlPlane.inputs, path); got != want {
				t.Errorf("%s: %s is %q, want %q", stack, path, got, want)
			}
		}
		for _, path := range []string{"endpointPrivateAccess", "skipDefaultNodeGroup", "useDefaultVpcCni"} {
			if got := at(controlPlane.inputs, path); !got.IsBool() || !got.BoolValue() {
				t.Errorf("%s: %s is %v", stack, path, got)
			}
		}
		if got := len(list(controlPlane.inputs, "enabledClusterLogTypes")); got != 5 {
			t.Errorf("%s: %d of 5 logs", stack, got)
		}
		if !controlPlane.dependsOn("cluster-logs") || !controlPlane.dependsOn("cluster-role-AmazonEKSClusterPolicy") {
			t.Errorf("%s: does not wait for its log group or its role's policy", stack)
		}
		config := g.one(t, "cluster-kubernetes").inputs["kubeconfig"]
		if !config.IsSecret() {
			t.Fatalf("%s: the kubeconfig is not a secret: %v", stack, config)
		}
		var parsed struct {
			Users []struct {
				User struct{ Exec struct{ Args []string } }
			}
		}
		if err := json.Unmarshal([]byte(config.SecretValue().Element.StringValue()), &parsed); err != nil {
			t.Fatal(err)
		}
		args := strings.Join(parsed.Users[0].User.Exec.Args, " ")
		for _, want := range []string{"--region us-west-2", "--cluster-name control-plane", "--role-arn arn:aws:iam::"} {
			if !strings.Contains(args, want) {
				t.Errorf("%s: the token command is %q, without %q", stack, args, want)
			}
		}
	}
}

// Parts wait for what they need: nodes for routes, add-ons and the policies of their role, CoreDNS for nodes, pods
// with Pod Identity for the association.
func TestOrder(t *testing.T) {
	g := runWith(t, threePools())
	before := []string{
		"cluster-vpc-cni", "cluster-kube-proxy", "cluster-eks-pod-identity-agent", "network-s3", "network-routes-a-internet", "network-gpu-1-routes",
		"cluster-node-role-AmazonEKSWorkerNodePolicy", "cluster-node-role-AmazonEC2ContainerRegistryPullOnly",
	}
	for name, needs := range map[string][]string{
		"pool-system":                             before,
		"pool-efa":                                before,
		"pool-plain":                              before,
		"cluster-vpc-cni":                         {"cluster-cni-identity", "cluster-cni-role-AmazonEKS_CNI_Policy"},
		"cluster-coredns":                         {"pool-system"},
		"cluster-metrics-server":                  {"pool-system"},
		"cluster-eks-node-monitoring-agent":       {"pool-system"},
		"cluster-amazon-cloudwatch-observability": {"pool-system", "cluster-insights-identity", "cluster-insights-role-CloudWatchAgentServerPolicy"},
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
		if group.name != "pool-system" && group.dependsOn("pool-system") {
			t.Errorf("%s waits for the system pool", group.name)
		}
	}
}

// Training waits for what a pod needs, and not for metrics and monitoring.
func TestTrainingDoesNotWaitForMonitoring(t *testing.T) {
	g := runWith(t, nil)
	namespace := g.one(t, "training-namespace")
	for _, need := range []string{
		"pool-system", "pool-gpu", "cluster-vpc-cni", "cluster-kube-proxy", "cluster-eks-pod-identity-agent", "cluster-coredns", "cluster-nvidia-device-plugin",
	} {
		if !namespace.dependsOn(need) {
			t.Errorf("training does not wait for %s", need)
		}
	}
	for _, monitoring := range []string{"cluster-metrics-server", "cluster-eks-node-monitoring-agent", "cluster-amazon-cloudwatch-observability"} {
		g.one(t, monitoring)
		for _, r := range g.resources {
			if r.dependsOn(monitoring) {
				t.Errorf("%s waits for %s", r.name, monitoring)
			}
		}
	}
}

// Adding a pool registers its parts and changes no others.
func TestPoolsAreApart(t *testing.T) {
	with := func(names ...string) *graph {
		pools := map[string]any{}
		for _, name := range names {
			pools[name] = map[string]any{"instanceType": "p5.48xlarge"}
		}
		return runWith(t, withPools(pools))
	}
	one, two := with("b"), with("a", "b")
	var added []string
	for _, name := range two.names() {
		before, ok := one.resources[name]
		if !ok {
			added = append(added, name)
		} else if name != "standing" && name != "running" && !before.inputs.DeepEquals(two.resources[name].inputs) {
			t.Errorf("%s changes when a pool is added", name)
		}
	}
	if want := []string{"pool-a", "pool-a-placement", "pool-a-template"}; !slices.Equal(added, want) {
		t.Errorf("added %v, want %v", added, want)
	}
	if len(one.names()) != len(two.names())-len(added) {
		t.Error("something is removed when a pool is added")
	}
}

// Every log group that EKS and the agents of Container Insights would create without a retention exists before them,
// with the retention of the settings.
func TestLogGroupsHaveRetention(t *testing.T) {
	const cluster = "llm-platform-dev"
	insights := []string{"application", "dataplane", "host", "performance"}
	for _, enabled := range []bool{true, false} {
		g := runWith(t, map[string]any{"cluster.containerInsights": enabled, "cluster.logDays": 14})
		want := map[string]string{"/aws/eks/" + cluster + "/cluster": "cluster-eks"} // by name: what writes to it
		for _, log := range insights {
			if enabled {
				want["/aws/containerinsights/"+cluster+"/"+log] = "cluster-amazon-cloudwatch-observability"
			}
		}
		for _, group := range g.of("aws:cloudwatch/logGroup:LogGroup") {
			if group.name == "network-flow-logs" {
				continue
			}
			writer, expected := want[text(group.inputs, "name")]
			if !expected {
				t.Errorf("container insights %t: log group %s", enabled, text(group.inputs, "name"))
				continue
			}
			delete(want, text(group.inputs, "name"))
			if days := at(group.inputs, "retentionInDays"); !days.IsNumber() || days.NumberValue() != 14 {
				t.Errorf("%s keeps logs for %v days", group.name, days)
			}
			if !g.one(t, writer).dependsOn(group.name) {
				t.Errorf("%s may create %s first", writer, group.name)
			}
		}
		if len(want) > 0 {
			t.Errorf("container insights %t: no log group for %v", enabled, want)
		}
	}
}

// A reservation has no room for new nodes beside the old ones.
func TestReservedPoolsAreDeletedBeforeReplacement(t *testing.T) {
	g := runWith(t, withPools(map[string]any{
		"reserved": map[string]any{"instanceType": "p5.48xlarge", "capacity": "reservation", "reservationId": "cr-0123456789abcdef0"},
		"shared":   map[string]any{"instanceType": "p5.48xlarge"},
	}))
	for name, want := range map[string]bool{"pool-reserved": true, "pool-shared": false, "pool-system": false} {
		if got := g.one(t, name).request.GetDeleteBeforeReplace(); got != want {
			t.Errorf("%s is deleted before its replacement: %t", name, got)
		}
	}
}

// Connecting to an existing cluster creates no cluster of AWS, and its kubeconfig is a secret.
func TestExistingCluster(t *testing.T) {
	existing, err := kubeconfig.Cluster{Name: "theirs", Endpoint: "https://theirs.test", CA: "Y2E=", Region: "eu-west-1"}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	set := withPools(map[string]any{"theirs": map[string]any{"instanceType": "p5.48xlarge", "labels": map[string]any{"team": "a"}}})
	set["cluster.kubeconfig"], set["cluster.publicCidrs"] = existing, []any{}
	g := runWith(t, set)
	g.one(t, "cluster")
	for _, r := range g.resources {
		for _, kind := range []string{"aws:ec2/", "aws:eks/", "eks:", "kubernetes:", "aws:cloudwatch/logGroup"} {
			if strings.HasPrefix(r.kind, kind) && r.parent() != "training" {
				t.Errorf("creates %s %s", r.kind, r.name)
			}
		}
	}
	config := g.one(t, "cluster-kubernetes").inputs["kubeconfig"]
	if !config.IsSecret() || config.SecretValue().Element.StringValue() != existing {
		t.Errorf("the provider's kubeconfig is %v", config)
	}
}
