package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/catalog"
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
