package platform

import (
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

const nodeGroup = "aws:eks/nodeGroup:NodeGroup"

// edited previews and applies an edit, which must change the same in both, and leave nothing to change and no drift. A
// "replace" in want stands for its three steps.
func edited(t *testing.T, s *engine.Stack, what string, changes ...string) {
	t.Helper()
	want := slices.Clone(changes)
	for _, change := range changes {
		if of, ok := strings.CutPrefix(change, "replace "); ok {
			want = append(want, "create-replacement "+of, "delete-replaced "+of)
		}
	}
	enginetest.Expect(t, "preview of "+what, enginetest.Run(t, s, "preview"), want...)
	enginetest.Expect(t, what, enginetest.Run(t, s, "up"), want...)
	enginetest.Expect(t, "an up after "+what, enginetest.Run(t, s, "up"))
	enginetest.Expect(t, "refresh after "+what, enginetest.Run(t, s, "refresh"))
}

// single returns the resource of a logical name.
func single(t *testing.T, cloud *simcloud.Cloud, typ, name string) simcloud.Resource {
	t.Helper()
	found := slices.DeleteFunc(cloud.Resources(), func(r simcloud.Resource) bool { return r.Type != typ || r.Name != name })
	if len(found) != 1 {
		t.Fatalf("%d of %s %s", len(found), typ, name)
	}
	return found[0]
}

// nodes returns the number of nodes of a pool.
func nodes(t *testing.T, cloud *simcloud.Cloud, pool string) float64 {
	t.Helper()
	n, _ := stackfile.Get(single(t, cloud, nodeGroup, "pool-"+pool).Inputs, "scalingConfig.desiredSize").(float64)
	return n
}

// No edit changes the number of nodes of a pool that an operator has scaled; that of the system pool follows its setting.
func TestSizesOfPools(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	enginetest.Run(t, s, "up")
	gpu := single(t, cloud, nodeGroup, "pool-gpu")
	if n := nodes(t, cloud, "gpu"); n != 1 {
		t.Fatalf("the pool begins with %v nodes", n)
	}
	cloud.Edit(nodeGroup, gpu.ID, "scalingConfig.desiredSize", 4)
	stays := func(what string) {
		t.Helper()
		if n := nodes(t, cloud, "gpu"); n != 4 {
			t.Errorf("%s leaves %v nodes of 4", what, n)
		}
	}
	up := func(what string, want ...string) {
		t.Helper()
		enginetest.Expect(t, what, enginetest.Run(t, s, "up"), want...)
		stays(what)
	}
	set(t, s, "cluster.pools.gpu.maxNodes", 8)
	const cost = "update pulumi:index:Stash running" // which has the cost
	up("another maximum", cost)
	set(t, s, "cluster.pools.gpu.labels", map[string]any{"team": "nlp"})
	up("a label", "update "+nodeGroup+" pool-gpu")
	set(t, s, "cluster.pools.gpu.volumeGB", 300)
	up("a volume", "update aws:ec2/launchTemplate:LaunchTemplate pool-gpu-template", "update "+nodeGroup+" pool-gpu", cost)
	enginetest.Run(t, s, "refresh") // now the state has the operator's number
	set(t, s, "cluster.pools.gpu.labels", nil)
	up("no label", "update "+nodeGroup+" pool-gpu")
	for _, n := range []int{3, 1, 2} {
		set(t, s, "cluster.systemNodes", n)
		edited(t, s, "system nodes", "update "+nodeGroup+" pool-system", cost)
		if got := nodes(t, cloud, "system"); got != float64(n) {
			t.Errorf("%v system nodes, want %d", got, n)
		}
	}
	stays("the end")
}

// Another tag reaches every resource and rolls no pool.
func TestTagsRollNoPool(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	enginetest.Run(t, s, "up")
	version := func() any {
		return stackfile.Get(single(t, cloud, nodeGroup, "pool-gpu").Inputs, "launchTemplate.version")
	}
	before := version()
	set(t, s, "tags.Team", "nlp")
	if changes := enginetest.Run(t, s, "up").Changes(); len(changes) < 30 {
		t.Errorf("a tag changes only %v", changes)
	}
	if after := version(); before == nil || before != after {
		t.Errorf("the pool's launch template has version %v, before %v", after, before)
	}
	if tag := stackfile.Get(single(t, cloud, nodeGroup, "pool-gpu").Inputs, "tags.Team"); tag != "nlp" {
		t.Errorf("the pool's tag is %v", tag)
	}
	enginetest.Expect(t, "an up after the tag", enginetest.Run(t, s, "up"))
	enginetest.Expect(t, "refresh after the tag", enginetest.Run(t, s, "refresh"))
}

// The first accelerator zone can be changed, which is what the advice for missing capacity says: the pools there are
// replaced, and no two subnets share a range at any time, which the simulator refuses as EC2 does.
func TestAcceleratorZones(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	enginetest.Run(t, s, "up")
	const subnet, routes = "aws:ec2/subnet:Subnet", "aws:ec2/routeTableAssociation:RouteTableAssociation"
	zones := func(want ...string) {
		t.Helper()
		var got []string
		for _, r := range named(cloud, subnet, "network-gpu-") {
			got = append(got, strings.TrimPrefix(r.Name, "network-gpu-")+stackfile.Get(r.Inputs, "availabilityZone").(string)+" "+r.Inputs["cidrBlock"].(string))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("subnets %v, want %v", got, want)
		}
	}
	first := []string{"replace " + subnet + " network-gpu-1", "replace " + routes + " network-gpu-1-routes", "replace " + nodeGroup + " pool-gpu", "update pulumi:index:Stash running"}
	zones("1us-west-2a 10.0.128.0/17")
	for _, to := range []struct {
		zones []any
		want  []string // changes
		left  []string
	}{
		{[]any{"b"}, first, []string{"1us-west-2b 10.0.128.0/17"}},
		{[]any{"a", "b"}, append([]string{"create " + subnet + " network-gpu-2", "create " + routes + " network-gpu-2-routes"}, first...), []string{"1us-west-2a 10.0.128.0/17", "2us-west-2b 10.0.64.0/20"}},
		{[]any{"b", "a"}, append([]string{"replace " + subnet + " network-gpu-2", "replace " + routes + " network-gpu-2-routes"}, first...), []string{"1us-west-2b 10.0.128.0/17", "2us-west-2a 10.0.64.0/20"}},
		{[]any{"b"}, []string{"delete " + subnet + " network-gpu-2", "delete " + routes + " network-gpu-2-routes"}, []string{"1us-west-2b 10.0.128.0/17"}},
	} {
		set(t, s, "network.acceleratorZones", to.zones)
		edited(t, s, "accelerator zones "+to.left[0], to.want...)
		zones(to.left...)
	}
}

// Another zone at the end of network.zones adds subnets, and neither moves nor replaces the control plane.
func TestAppendedZone(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	enginetest.Run(t, s, "up")
	const cluster = "aws:eks/cluster:Cluster"
	before := stackfile.Get(single(t, cloud, cluster, "cluster-eks-eksCluster").Inputs, "vpcConfig.subnetIds")
	set(t, s, "network.zones", []any{"a", "b", "c"})
	var want []string
	for _, kind := range []string{"public", "private"} {
		want = append(want, "create aws:ec2/subnet:Subnet network-"+kind+"-c", "create aws:ec2/routeTableAssociation:RouteTableAssociation network-"+kind+"-c-routes")
	}
	edited(t, s, "another zone", append(want, "create aws:ec2/routeTable:RouteTable network-routes-c", "create aws:ec2/route:Route network-routes-c-internet",
		"update aws:ec2/vpcEndpoint:VpcEndpoint network-s3", "replace "+nodeGroup+" pool-system",
		"update pulumi:index:Stash standing", "update pulumi:index:Stash running")...)
	after := stackfile.Get(single(t, cloud, cluster, "cluster-eks-eksCluster").Inputs, "vpcConfig.subnetIds")
	if list, _ := after.([]any); len(list) != 2 || !slices.Equal(list, before.([]any)) {
		t.Errorf("the control plane moves from %v to %v", before, after)
	}
}
