package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

type object = map[string]any

// pool is a pool to set on top of the dev stack, and pools several.
func pool(entry object) object    { return pools(object{"gpu": entry}) }
func pools(entries object) object { return object{"cluster.pools": entries} }

// and is several settings together.
func and(all ...object) object {
	whole := object{}
	for _, set := range all {
		for path, value := range set {
			whole[path] = value
		}
	}
	return whole
}

// custom is all figures of an instance type, with some set anew.
func custom(extra object) object {
	figures := object{
		"kind": "nvidia", "accelerator": "NVIDIA X", "count": 8, "acceleratorMiB": 1000, "vcpu": 8, "memoryGiB": 64,
		"networkCards": 1, "efaInterfaces": 0, "architecture": "x86_64", "instanceStoreGB": 0,
		"capacityBlock": false, "placementGroup": true,
		"usdPerHour": 1.5, "priceRegion": "us-west-2", "priceDate": "2026-11-22",
	}
	for key, value := range extra {
		if figures[key] = value; value == nil {
			delete(figures, key)
		}
	}
	return object{"cluster.instanceTypes": object{"p9.48xlarge": figures}}
}

func badClusters() []bad {
	const subnets = "network.privateSubnetIds"
	vpc := func(extra object) object {
		return and(object{
			"network.vpcId":                "vpc-0123456789abcdef0",
			subnets:                        []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
			"network.acceleratorSubnetIds": object{"a": "subnet-0123456789abcdef2"},
		}, extra)
	}
	entry := func(fields object) object { return object{"cluster.access": object{"ops": fields}} }
	role := "arn:aws:iam::123456789012:role/research"
	given := object{"cluster.kubeconfig": kubeconfigText, "cluster.publicCidrs": []any{}}
	p5 := func(extra object) object {
		return pool(and(object{"instanceType": "p5.48xlarge"}, extra))
	}
	return []bad{
		// Network.
		{"range too small", object{"network.cidr": "10.0.0.0/24"}, []string{"network.cidr: VPC range 10.0.0.0/24", "/16 to /19"}},
		{"public range", object{"network.cidr": "8.8.0.0/16"}, []string{"network.cidr:", "public addresses"}},
		{"range with a host", object{"network.cidr": "10.0.1.0/16"}, []string{"network.cidr:", "write 10.0.0.0/16"}},
		{"one zone", object{"network.zones": []any{"a"}}, []string{"network.zones: 1 zones: EKS needs two"}},
		{"zone of elsewhere", object{"network.zones": []any{"a", "b", "eu-west-1a"}}, []string{`network.zones: "eu-west-1a" is not an availability zone of us-west-2`, "as us-west-2a"}},
		{"zone by number", object{"network.zones": []any{"a", "b", "1"}}, []string{`network.zones: "1" is not an availability zone`}},
		{"zone twice", object{"network.zones": []any{"a", "us-west-2a", "b"}}, []string{"network.zones: us-west-2a is listed twice"}},
		{"GPU zone without routes", object{"network.acceleratorZones": []any{"a", "c"}}, []string{"network.acceleratorZones: us-west-2c is not in network.zones"}},
		{"no GPU zone", object{"network.acceleratorZones": []any{}}, []string{"network.acceleratorZones: 0 zones: accelerator nodes need one"}},
		{"unknown NAT", object{"network.nat": "perZone"}, []string{`network.nat: "perZone" is not one of single, per-zone`, "did you mean per-zone?"}},
		{"unknown endpoint", object{"network.interfaceEndpoints": []any{"ecr-api"}}, []string{`network.interfaceEndpoints: "ecr-api" is not a service`, "did you mean ecr.api?"}},
		{"endpoint twice", object{"network.interfaceEndpoints": []any{"sts", "sts"}}, []string{"network.interfaceEndpoints: sts is listed twice"}},
		{"S3 for money", object{"network.interfaceEndpoints": []any{"s3"}}, []string{"s3 has a gateway endpoint", "free"}},
		{"days that CloudWatch lacks", object{"network.flowLogDays": 8}, []string{"network.flowLogDays: 8 is not a number of days that CloudWatch keeps logs", "5 7 14"}},
		{"subnets of no VPC", object{subnets: []any{"subnet-0123456789abcdef0"}}, []string{subnets + ": are subnets of an existing VPC"}},
		{"GPU subnets of no VPC", object{"network.acceleratorSubnetIds": object{"a": "subnet-0123456789abcdef0"}}, []string{"network.acceleratorSubnetIds: are subnets of an existing VPC"}},
		{"VPC without subnets", vpc(object{subnets: []any{}}), []string{subnets + ": 0 subnets: EKS needs two"}},
		{"VPC without GPU subnets", vpc(object{"network.acceleratorSubnetIds": object{}}), []string{"network.acceleratorSubnetIds: is empty"}},
		{"VPC by name", vpc(object{"network.vpcId": "main"}), []string{`network.vpcId: "main" is not a VPC's id`}},
		{"subnet by name", vpc(object{subnets: []any{"private-a", "subnet-0123456789abcdef1"}}), []string{subnets + `: "private-a" is not a subnet's id`}},
		{"subnet twice", vpc(object{subnets: []any{"subnet-0123456789abcdef1", "subnet-0123456789abcdef1"}}), []string{subnets + ": subnet-0123456789abcdef1 is listed twice"}},
		{"endpoints in another's VPC", vpc(object{"network.interfaceEndpoints": []any{"sts"}}), []string{"network.interfaceEndpoints: go with a VPC to be made"}},
		{"pool outside the VPC", and(vpc(object{"network.acceleratorSubnetIds": object{"b": "subnet-0123456789abcdef2"}}), pool(object{"instanceType": "g5.xlarge", "zones": []any{"a"}})), []string{"cluster.pools.gpu.zones: us-west-2a has no GPU subnet, only us-west-2b"}},
		// Control plane.
		{"version of the past", object{"cluster.version": "1.33"}, []string{`cluster.version: "1.33" is not supported: must be one of 1.35, 1.36`}},
		{"version with a patch", object{"cluster.version": "1.36.1"}, []string{`cluster.version: "1.36.1"`}},
		{"open to the world", object{"cluster.publicCidrs": []any{"0.0.0.0/0"}}, []string{"cluster.publicCidrs: 0.0.0.0/0 opens the cluster's API to the whole internet", "cluster.allowPublicAccessFromAnywhere"}},
		{"meant but not said", object{"cluster.allowPublicAccessFromAnywhere": true}, []string{"cluster.allowPublicAccessFromAnywhere: is true, but cluster.publicCidrs does not list 0.0.0.0/0"}},
		{"address without a length", object{"cluster.publicCidrs": []any{"203.0.113.7"}}, []string{`cluster.publicCidrs: "203.0.113.7" is not a range of addresses`, "/32"}},
		{"range with a host bit", object{"cluster.publicCidrs": []any{"203.0.113.7/24"}}, []string{"cluster.publicCidrs: 203.0.113.7/24 does not start", "write 203.0.113.0/24"}},
		{"IPv6", object{"cluster.publicCidrs": []any{"2001:db8::/32"}}, []string{"cluster.publicCidrs: 2001:db8::/32 is IPv6"}},
		{"logs for ever", object{"cluster.logDays": 0}, []string{"cluster.logDays: 0 is not a number of days that CloudWatch keeps logs"}},
		{"no system node", object{"cluster.systemNodes": 0}, []string{"cluster.systemNodes: 0 is not a number of nodes from 1 to 20"}},
		{"system on GPUs", object{"cluster.systemInstanceType": "g5.xlarge"}, []string{"cluster.systemInstanceType: g5.xlarge has accelerators"}},
		{"system type of nowhere", object{"cluster.systemInstanceType": "large"}, []string{`cluster.systemInstanceType: "large" is not an EC2 instance type`}},
		// Access.
		{"session for a role", entry(object{"principal": "arn:aws:sts::123456789012:assumed-role/research/me", "role": "scientist"}), []string{"cluster.access.ops.principal:", "is a session"}},
		{"account for a role", entry(object{"principal": "123456789012", "role": "scientist"}), []string{`cluster.access.ops.principal: "123456789012" is not the ARN of a role or user`}},
		{"root", entry(object{"principal": "arn:aws:iam::123456789012:root", "role": "administrator"}), []string{"cluster.access.ops.principal:", "is not the ARN of a role or user"}},
		{"unknown access", entry(object{"principal": role, "role": "admin"}), []string{`cluster.access.ops.role: "admin" is not one of administrator, ci, scientist`}},
		{"principal twice", object{"cluster.access": object{"a": object{"principal": role, "role": "ci"}, "b": object{"principal": role, "role": "scientist"}}}, []string{"cluster.access.b.principal:", "is also the principal of a"}},
		{"the maker again", and(object{"organization.accounts": object{"training": object{"id": "123456789012"}}},
			entry(object{"principal": "arn:aws:iam::123456789012:role/OrganizationAccountAccessRole", "role": "ci"})), []string{"cluster.access.ops.principal:", "is the role that makes the cluster"}},
		// Pools.
		{"unknown type", pool(object{"instanceType": "p5.48xlarg"}), []string{"cluster.pools.gpu.instanceType:", "did you mean p5.48xlarge?", "trn2.48xlarge", "cluster.instanceTypes"}},
		{"no type", pool(object{}), []string{`cluster.pools.gpu.instanceType: instance type ""`}},
		{"type with holes", and(custom(object{"vcpu": nil, "vpcu": 8}), pool(object{"instanceType": "p9.48xlarge"})), []string{"cluster.instanceTypes.p9.48xlarge:", "vcpu: missing", "unknown: vpcu"}},
		{"type that contradicts itself", and(custom(object{"efaInterfaces": 5}), pool(object{"instanceType": "p9.48xlarge"})), []string{"cluster.instanceTypes.p9.48xlarge:", "5 do not fit 1 network cards"}},
		{"misspelt field", pool(object{"instanceType": "g5.xlarge", "node": 1}), []string{"cluster.pools.gpu.node: is unknown", "did you mean nodes?"}},
		{"the system's name", pools(object{"system": object{"instanceType": "g5.xlarge"}}), []string{"cluster.pools.system: is the name of the pool that runs the cluster's own pods"}},
		{"long pool name", pools(object{"seventeen-letters": object{"instanceType": "g5.xlarge"}}), []string{"is not a pool's name: 1 to 16"}},
		{"EFA where there is none", pool(object{"instanceType": "g5.xlarge", "efa": true}), []string{"cluster.pools.gpu.efa: g5.xlarge has no EFA"}},
		{"EFA that is a word", pool(object{"instanceType": "g5.xlarge", "efa": "yes"}), []string{`cluster.pools.gpu.efa: "yes" is neither true nor false`}},
		{"block without reservation", p5(object{"capacity": "capacity-block"}), []string{"cluster.pools.gpu.reservationId: is missing: capacity capacity-block"}},
		{"reservation without id", p5(object{"capacity": "reservation"}), []string{"cluster.pools.gpu.reservationId: is missing: capacity reservation"}},
		{"reservation for on-demand", p5(object{"reservationId": "cr-0123456789abcdef0"}), []string{"cluster.pools.gpu.reservationId: is given, but capacity is on-demand"}},
		{"reservation by name", p5(object{"capacity": "reservation", "reservationId": "block"}), []string{`cluster.pools.gpu.reservationId: "block" is not a capacity reservation's id`}},
		{"block of a G type", pool(object{"instanceType": "g5.48xlarge", "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0"}), []string{"cluster.pools.gpu.capacity: g5.48xlarge is not sold by capacity block"}},
		{"block-only type on demand", pool(object{"instanceType": "p5e.48xlarge"}), []string{"cluster.pools.gpu.capacity: p5e.48xlarge is sold by capacity block only"}},
		{"unknown capacity", p5(object{"capacity": "on_demand"}), []string{`cluster.pools.gpu.capacity: "on_demand" is not one of on-demand, spot, reservation, capacity-block`, "did you mean on-demand?"}},
		{"group around a reservation", p5(object{"capacity": "reservation", "reservationId": "cr-0123456789abcdef0", "placementGroup": true}), []string{"cluster.pools.gpu.placementGroup: cannot be joined by capacity that is reserved"}},
		{"group of a type that cannot", and(custom(object{"placementGroup": false}), pool(object{"instanceType": "p9.48xlarge", "placementGroup": true})), []string{"cluster.pools.gpu.placementGroup: p9.48xlarge cannot stand in one"}},
		{"two zones with a group", and(object{"network.acceleratorZones": []any{"a", "b"}}, p5(object{"zones": []any{"a", "b"}})), []string{"cluster.pools.gpu.zones: 2 zones, but a placement group lies in one"}},
		{"two zones with EFA", and(object{"network.acceleratorZones": []any{"a", "b"}}, p5(object{"zones": []any{"a", "b"}, "placementGroup": false})), []string{"cluster.pools.gpu.zones: 2 zones, but EFA does not cross zones"}},
		{"two zones with a reservation", and(object{"network.acceleratorZones": []any{"a", "b"}}, p5(object{"zones": []any{"a", "b"}, "efa": false, "capacity": "reservation", "reservationId": "cr-0123456789abcdef0"})), []string{"cluster.pools.gpu.zones: 2 zones, but a reservation lies in one"}},
		{"zone without subnet", p5(object{"zones": []any{"b"}}), []string{"cluster.pools.gpu.zones: us-west-2b has no GPU subnet, only us-west-2a"}},
		{"zone of a pool twice", pool(object{"instanceType": "g5.xlarge", "zones": []any{"a", "a"}}), []string{"cluster.pools.gpu.zones: us-west-2a is listed twice"}},
		{"fewer than the least", p5(object{"nodes": 1, "minNodes": 2}), []string{"cluster.pools.gpu.nodes: 1 is not between minNodes, 2, and maxNodes, 2"}},
		{"more than the most", p5(object{"nodes": 4, "maxNodes": 2}), []string{"cluster.pools.gpu.nodes: 4 is not between minNodes, 0, and maxNodes, 2"}},
		{"negative", p5(object{"minNodes": -1}), []string{"cluster.pools.gpu.minNodes: -1 is not a number of nodes"}},
		{"more than addresses", and(object{"network.cidr": "10.0.0.0/19"}, p5(object{"maxNodes": 100})), []string{"network.cidr: 10.0.0.0/19 gives the GPU subnet of us-west-2a, 10.0.16.0/20, addresses for 40 nodes, and pools there may grow to 100"}},
		{"tiny root volume", p5(object{"volumeGB": 20}), []string{"cluster.pools.gpu.volumeGB: 20 is not a number of GB from 50 to 16384"}},
		{"label with a space", p5(object{"labels": object{"my team": "a"}}), []string{`cluster.pools.gpu.labels: "my team" is not a label's name`}},
		{"label value with a slash", p5(object{"labels": object{"team": "a/b"}}), []string{`cluster.pools.gpu.labels.team: "a/b" is not a label's value`}},
		{"our label", p5(object{"labels": object{PoolLabel: "other"}}), []string{"is the pool's name, which the program sets itself"}},
		{"taint with an effect", p5(object{"taint": "nvidia.com/gpu=true:NoSchedule"}), []string{`cluster.pools.gpu.taint: "nvidia.com/gpu=true:NoSchedule" is not a taint's key and value`}},
		// A cluster that exists.
		{"given and public", and(given, pool(object{"instanceType": "g5.xlarge"}), object{"cluster.publicCidrs": []any{"203.0.113.0/24"}}), []string{"cluster.publicCidrs: goes with a cluster to be made"}},
		{"given and entered", and(given, pool(object{"instanceType": "g5.xlarge"}), entry(object{"principal": role, "role": "ci"})), []string{"cluster.access: goes with a cluster to be made"}},
		{"given with nodes", and(given, pool(object{"instanceType": "g5.xlarge", "nodes": 2})), []string{"cluster.pools.gpu.nodes: goes with a pool to be made"}},
		{"given with capacity", and(given, pool(object{"instanceType": "g5.xlarge", "capacity": "spot"})), []string{"cluster.pools.gpu.capacity: goes with a pool to be made"}},
	}
}

func TestBadClusters(t *testing.T) { refuse(t, badClusters(), nil) }

// What a pool may leave out follows from its instance type.
func TestPoolDefaults(t *testing.T) {
	set := and(object{"training.enabled": false}, custom(object{"instanceStoreGB": 100}), object{"network.acceleratorZones": []any{"b", "a"}}, pools(object{
		"a": object{"instanceType": "g5.xlarge"},
		"b": object{"instanceType": "p5.48xlarge", "nodes": 4},
		"c": object{"instanceType": "p5en.48xlarge", "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0", "minNodes": 2, "nodes": 2},
		"d": object{"instanceType": "trn2.48xlarge", "capacity": "reservation", "reservationId": "cr-0123456789abcdef0", "efa": false, "taint": "team=ml"},
		"e": object{"instanceType": "p9.48xlarge", "zones": []any{"a", "b"}, "capacity": "spot"},
	}))
	s, err := Load("dev", with(t, "dev", set))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		efa, group     bool
		most           int
		zones          []string
		capacity, mark string
		count          int
	}{
		"a": {false, false, 1, []string{"us-west-2b"}, OnDemand, "nvidia.com/gpu=true", 1},
		"b": {true, true, 4, []string{"us-west-2b"}, OnDemand, "nvidia.com/gpu=true", 8},
		"c": {true, false, 2, []string{"us-west-2b"}, CapacityBlock, "nvidia.com/gpu=true", 8},
		"d": {false, false, 1, []string{"us-west-2b"}, Reservation, "team=ml", 16},
		"e": {false, false, 1, []string{"us-west-2a", "us-west-2b"}, Spot, "nvidia.com/gpu=true", 8},
	} {
		p := s.Cluster.Pools[name]
		if *p.EFA != want.efa || *p.PlacementGroup != want.group || p.MaxNodes != want.most || p.Capacity != want.capacity ||
			p.TaintKey()+"="+p.TaintValue() != want.mark || p.Type.Count != want.count || p.VolumeGB != defaultVolumeGB {
			t.Errorf("%s: EFA %v, group %v, %+v", name, *p.EFA, *p.PlacementGroup, p)
		}
		if !slices.Equal(p.Zones, want.zones) {
			t.Errorf("%s: zones %v, want %v", name, p.Zones, want.zones)
		}
	}
}

// The whole internet is let in when both keys say so.
func TestOpenToTheWorldSpeltOut(t *testing.T) {
	set := object{"cluster.publicCidrs": []any{"0.0.0.0/0"}, "cluster.allowPublicAccessFromAnywhere": true}
	if _, err := Load("dev", with(t, "dev", set)); err != nil {
		t.Error(err)
	}
}

// kubeconfigText is that of a cluster that exists; its token must not be seen again.
const kubeconfigText = "{kind: Config, current-context: a, clusters: [{name: a}], contexts: [{name: a}], users: [{name: a, user: {token: token-0123456789}}]}"

// A kubeconfig is a secret: neither printed settings nor faults repeat it.
func TestKubeconfigStaysHidden(t *testing.T) {
	set := and(object{"cluster.kubeconfig": kubeconfigText + "\n", "cluster.publicCidrs": []any{}}, pool(object{"instanceType": "g5.xlarge", "labels": object{"team": "a"}}))
	s, err := Load("dev", with(t, "dev", set), "cluster")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Cluster.Given() || s.Cluster.Kubeconfig.Reveal() != kubeconfigText {
		t.Error("the kubeconfig was not taken as it is, less the newline that ends it")
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text)+fmt.Sprintf("%v %+v", s, s), "token-") {
		t.Errorf("printed settings show it: %s", text)
	}
	refused := func(what string, values map[string]string, want string, secret ...string) {
		t.Helper()
		_, err := Load("dev", values, secret...)
		switch {
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: error is %v, want %q", what, err, want)
		case strings.Contains(err.Error(), "token-"):
			t.Errorf("%s: the error repeats it: %v", what, err)
		}
	}
	refused("in plain text", with(t, "dev", set), "cluster.kubeconfig: stands in plain text")
	for _, value := range []any{kubeconfigText, object{"users": kubeconfigText}, []any{kubeconfigText}} {
		set["cluster.kubeconfig"], set["cluster.version"] = value, true
		refused("beside a bad version", with(t, "dev", set), "cluster.version: ", "cluster")
	}
	delete(set, "cluster.version")
	set["cluster.kubeconfig"] = "/home/me/.kube/token-config"
	refused("a path", with(t, "dev", set), "cluster.kubeconfig: is neither YAML nor JSON", "cluster")
	refused("as the section", with(t, "dev", object{"cluster": kubeconfigText}), "cluster: ")
	if s, err = Load("dev", with(t, "dev", nil)); err != nil || s.Cluster.Given() {
		t.Errorf("without one: %v", err)
	}
}

// An existing VPC takes the place of the one to make.
func TestGivenVPC(t *testing.T) {
	s, err := Load("dev", with(t, "dev", object{
		"network.vpcId":                "vpc-0123456789abcdef0",
		"network.privateSubnetIds":     []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
		"network.acceleratorSubnetIds": object{"c": "subnet-0123456789abcdef2"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Network.AcceleratorSubnetIDs["us-west-2c"]; got != "subnet-0123456789abcdef2" {
		t.Errorf("GPU subnet is %q of %v", got, s.Network.AcceleratorSubnetIDs)
	}
	if got := s.Cluster.Pools["gpu"].Zones; !slices.Equal(got, []string{"us-west-2c"}) {
		t.Errorf("the pool stands in %v", got)
	}
}
