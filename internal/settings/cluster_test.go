package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

type object = map[string]any

// pool returns a pool to set on top of the dev stack, pools several.
func pool(entry object) object    { return pools(object{"gpu": entry}) }
func pools(entries object) object { return object{"cluster.pools": entries} }

// and joins several settings.
func and(all ...object) object {
	whole := object{}
	for _, set := range all {
		for path, value := range set {
			whole[path] = value
		}
	}
	return whole
}

// custom returns the figures of an instance type, with some replaced or, with nil, removed.
func custom(extra object) object {
	figures := object{
		"kind": "nvidia", "accelerator": "NVIDIA X", "count": 8, "acceleratorMiB": 1000, "vcpu": 8, "memoryGiB": 64,
		"networkCards": 1, "efaInterfaces": 0, "architecture": "x86_64", "instanceStoreGB": 0,
		"onDemand": true, "capacityBlock": false, "placementGroup": true,
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
		{"range too small", object{"network.cidr": "10.0.0.0/24"}, []string{"network.cidr: VPC range 10.0.0.0/24: …a /16 to /19"}},
		{"public range", object{"network.cidr": "8.8.0.0/16"}, []string{"network.cidr: VPC range 8.8.0.0/16: public addresses; …"}},
		{"range with a host", object{"network.cidr": "10.0.1.0/16"}, []string{"network.cidr: VPC range 10.0.1.0/16: …; write 10.0.0.0/16"}},
		{"one zone", object{"network.zones": []any{"a"}}, []string{"network.zones: must be 2 to 6 zones: EKS needs two, and the subnet plan has room for 6, got 1"}},
		{"zone of elsewhere", object{"network.zones": []any{"a", "b", "eu-west-1a"}}, []string{`network.zones[2]: must be an availability zone of us-west-2, for example a or us-west-2a, got "eu-west-1a"`}},
		{"zone by number", object{"network.zones": []any{"a", "b", "1"}}, []string{`network.zones[2]: must be an availability zone of us-west-2, for example a or us-west-2a, got "1"`}},
		{"zone twice", object{"network.zones": []any{"a", "us-west-2a", "b"}}, []string{`network.zones[1]: repeats "us-west-2a"; list it once`}},
		{"GPU zone without routes", object{"network.acceleratorZones": []any{"a", "c"}}, []string{`network.acceleratorZones[1]: must be one of network.zones, got "c"`}},
		{"no GPU zone", object{"network.acceleratorZones": []any{}}, []string{"network.acceleratorZones: must be 1 to 5 zones, got 0"}},
		{"unknown NAT", object{"network.nat": "perZone"}, []string{`network.nat: must be one of single, per-zone, got "perZone"; did you mean per-zone?`}},
		{"unknown endpoint", object{"network.interfaceEndpoints": []any{"ecr-api"}}, []string{`network.interfaceEndpoints[0]: must be one of autoscaling, ec2messages, elasticfilesystem, elasticloadbalancing, kms, monitoring, sagemaker.api, sagemaker.runtime, secretsmanager, sqs, ssm, ssmmessages, xray, ec2, ecr.api, ecr.dkr, eks, eks-auth, logs, sts, got "ecr-api"; did you mean ecr.api?`}},
		{"endpoint twice", object{"network.interfaceEndpoints": []any{"sts", "sts"}}, []string{`network.interfaceEndpoints[1]: repeats "sts"; list it once`}},
		{"S3 for money", object{"network.interfaceEndpoints": []any{"s3"}}, []string{"network.interfaceEndpoints[0]: s3 is unnecessary: the VPC has a gateway endpoint for S3, which is free; remove it"}},
		{"days that CloudWatch lacks", object{"network.flowLogDays": 8}, []string{"network.flowLogDays: must be a number of days for which CloudWatch can keep logs, one of 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653, got 8"}},
		{"subnets of no VPC", object{subnets: []any{"subnet-0123456789abcdef0"}}, []string{"network.privateSubnetIds: requires network.vpcId, the VPC of the subnets; set it, or remove this"}},
		{"GPU subnets of no VPC", object{"network.acceleratorSubnetIds": object{"a": "subnet-0123456789abcdef0"}}, []string{"network.acceleratorSubnetIds: requires network.vpcId, the VPC of the subnets; set it, or remove this"}},
		{"VPC without subnets", vpc(object{subnets: []any{}}), []string{"network.privateSubnetIds: must be at least two subnets, in different zones, got 0"}},
		{"VPC without GPU subnets", vpc(object{"network.acceleratorSubnetIds": object{}}), []string{"network.acceleratorSubnetIds: is required; for example {a: subnet-…}"}},
		{"VPC by name", vpc(object{"network.vpcId": "main"}), []string{`network.vpcId: must be a VPC id (vpc-…), got "main"`}},
		{"subnet by name", vpc(object{subnets: []any{"private-a", "subnet-0123456789abcdef1"}}), []string{`network.privateSubnetIds[0]: must be a subnet id (subnet-…), got "private-a"`}},
		{"subnet twice", vpc(object{subnets: []any{"subnet-0123456789abcdef1", "subnet-0123456789abcdef1"}}), []string{`network.privateSubnetIds[1]: repeats "subnet-0123456789abcdef1"; list it once`}},
		{"bucket by URL", object{"network.s3Buckets": []any{"s3://tokenizers"}}, []string{`network.s3Buckets[0]: must be the name of a bucket, not a URL or an ARN, got "s3://tokenizers"`}},
		{"bucket by pattern", object{"network.s3Buckets": []any{"token*"}}, []string{`network.s3Buckets[0]: must be the name of a bucket, not a URL or an ARN, got "token*"`}},
		{"bucket twice", object{"network.s3Buckets": []any{"a.b", "a.b"}}, []string{`network.s3Buckets[1]: repeats "a.b"; list it once`}},
		{"buckets in another's VPC", vpc(object{"network.s3Buckets": []any{"tokenizers"}}), []string{"network.s3Buckets: cannot be combined with network.vpcId, whose owner decides about its endpoints; remove this"}},
		{"endpoints in another's VPC", vpc(object{"network.interfaceEndpoints": []any{"sts"}}), []string{"network.interfaceEndpoints: cannot be combined with network.vpcId; create the endpoints with the VPC, and remove this"}},
		{"pool outside the VPC", and(vpc(object{"network.acceleratorSubnetIds": object{"b": "subnet-0123456789abcdef2"}}), pool(object{"instanceType": "g5.xlarge", "zones": []any{"a"}})), []string{`cluster.pools.gpu.zones[0]: must be one of us-west-2b, got "a"; add it to network.acceleratorZones, or to network.acceleratorSubnetIds of an existing VPC`}},
		// Control plane.
		{"EFA without accelerators", pool(object{"instanceType": "m7i.large", "efa": true}), []string{"cluster.pools.gpu.efa: m7i.large does not support EFA; use a larger type of the family, or remove this"}},
		{"capacity block without accelerators", pool(object{"instanceType": "m7i.large", "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0"}), []string{`cluster.pools.gpu.capacity: must be on-demand, spot or reservation, since m7i.large is not sold by capacity block, got "capacity-block"`}},
		{"placement group of a flex type", pool(object{"instanceType": "m7i-flex.large", "placementGroup": true}), []string{"cluster.pools.gpu.placementGroup: m7i-flex.large does not support cluster placement groups; remove this"}},
		{"size that does not exist", pool(object{"instanceType": "m7i.3xlarge"}), []string{"cluster.pools.gpu.instanceType: must be described in cluster.instanceTypes, or be one of g…m7i, m7i-flex…"}},
		{"version of the past", object{"cluster.version": "1.33"}, []string{`cluster.version: must be one of 1.35, 1.36, got "1.33"; did you mean 1.35?`}},
		{"version without builds", object{"cluster.version": "1.37"}, []string{`cluster.version: must be one of 1.35, 1.36, got "1.37"; EKS offers 1.37, but no public source names its add-on builds and AMI release, so there is nothing to pin`}},
		{"version with a patch", object{"cluster.version": "1.36.1"}, []string{`cluster.version: must be one of 1.35, 1.36, got "1.36.1"; did you mean 1.36?`}},
		{"open to the world", object{"cluster.publicCidrs": []any{"0.0.0.0/0"}}, []string{`cluster.publicCidrs[0]: must not include the whole internet, got "0.0.0.0/0"; list your own ranges, or confirm with cluster.allowPublicAccessFromAnywhere: true`}},
		{"meant but not said", object{"cluster.allowPublicAccessFromAnywhere": true}, []string{"cluster.allowPublicAccessFromAnywhere: requires 0.0.0.0/0 in cluster.publicCidrs; add it, or remove this"}},
		{"address without a length", object{"cluster.publicCidrs": []any{"203.0.113.7"}}, []string{`cluster.publicCidrs[0]: must be a CIDR range, for example 203.0.113.0/24, got "203.0.113.7"; a single address is a /32`}},
		{"range with a host bit", object{"cluster.publicCidrs": []any{"203.0.113.7/24"}}, []string{`cluster.publicCidrs[0]: must start at the first address of the range, got "203.0.113.7/24"; write 203.0.113.0/24`}},
		{"IPv6", object{"cluster.publicCidrs": []any{"2001:db8::/32"}}, []string{`cluster.publicCidrs[0]: must be an IPv4 range, since the endpoint has no IPv6 address, got "2001:db8::/32"`}},
		{"logs for ever", object{"cluster.logDays": 0}, []string{"cluster.logDays: must be a number of days for which CloudWatch can keep logs, one of 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653, got 0"}},
		{"no system node", object{"cluster.systemNodes": 0}, []string{"cluster.systemNodes: must be between 1 and 20, got 0"}},
		{"system on GPUs", object{"cluster.systemInstanceType": "g5.xlarge"}, []string{`cluster.systemInstanceType: must be a type without accelerators, for example m6i.large, got "g5.xlarge"`}},
		{"system type of nowhere", object{"cluster.systemInstanceType": "large"}, []string{`cluster.systemInstanceType: must be an EC2 instance type, for example m6i.large, got "large"`}},
		// Access.
		{"session for a role", entry(object{"principal": "arn:aws:sts::123456789012:assumed-role/research/me", "role": "scientist"}), []string{`cluster.access.ops.principal: must not be a session, got "arn:aws:sts::123456789012:assumed-role/research/me"; use the ARN of its role, arn:aws:iam::…:role/…`}},
		{"account for a role", entry(object{"principal": "123456789012", "role": "scientist"}), []string{`cluster.access.ops.principal: must be the ARN of a role or user, for example arn:aws:iam::111122223333:role/research, got "123456789012"`}},
		{"root", entry(object{"principal": "arn:aws:iam::123456789012:root", "role": "administrator"}), []string{`cluster.access.ops.principal: must be the ARN of a role or user, for example arn:aws:iam::111122223333:role/research, got "arn:aws:iam::123456789012:root"`}},
		{"session as a scientist", object{"roles.scientists": []any{"arn:aws:sts::123456789012:assumed-role/research/me"}}, []string{`roles.scientists[0]: must be the ARN of a role or user, got "arn:aws:sts::123456789012:assumed-role/research/me"; …`}},
		{"everybody as a scientist", object{"roles.scientists": []any{"*"}}, []string{`roles.scientists[0]: must be the ARN of a role or user, got "*"; …`}},
		{"every account's role", object{"roles.scientists": []any{"arn:aws:iam::*:role/research"}}, []string{`roles.scientists[0]: must be the ARN of a role or user, got …`}},
		{"every role that begins so", object{"roles.imagePushers": []any{"arn:aws:iam::123456789012:role/research-*"}}, []string{`roles.imagePushers[0]: must be the ARN of a role or user, got …; * is only allowed at the end of a permission set's role, for example arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Research_*`}},
		{"every permission set", object{"roles.imagePushers": []any{"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*"}}, []string{`roles.imagePushers[0]: must be the ARN of a role or user, got …`}},
		{"permission sets that begin so", object{"roles.imagePushers": []any{"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Res*"}}, []string{`roles.imagePushers[0]: must be the ARN of a role or user, got …`}},
		{"root as a scientist", object{"roles.scientists": []any{"arn:aws:iam::123456789012:root"}}, []string{`roles.scientists[0]: must be the ARN of a role or user, got …`}},
		{"scientist twice", object{"roles.scientists": []any{role, role}}, []string{`roles.scientists[1]: repeats "arn:aws:iam::123456789012:role/research"; list it once`}},
		{"unknown access", entry(object{"principal": role, "role": "admin"}), []string{`cluster.access.ops.role: must be one of administrator, ci, scientist, got "admin"`}},
		{"principal twice", object{"cluster.access": object{"a": object{"principal": role, "role": "ci"}, "b": object{"principal": role, "role": "scientist"}}}, []string{`cluster.access.b.principal: must differ from the principal of a, got "arn:aws:iam::123456789012:role/research"; EKS allows one entry for a principal`}},
		{"the maker again", and(object{"organization.accounts": object{"training": object{"id": "123456789012"}}},
			entry(object{"principal": "arn:aws:iam::123456789012:role/OrganizationAccountAccessRole", "role": "ci"})), []string{`cluster.access.ops.principal: must not be the role that creates the cluster, which has access already, got "arn:aws:iam::123456789012:role/OrganizationAccountAccessRole"; remove the entry`}},
		// Pools.
		{"unknown type", pool(object{"instanceType": "p5.48xlarg"}), []string{`cluster.pools.gpu.instanceType: must be described in cluster.instanceTypes, or be one of g…, got "p5.48xlarg"; did you mean p5.48xlarge?`}},
		{"no type", pool(object{}), []string{"cluster.pools.gpu.instanceType: is required"}},
		{"type with holes", and(custom(object{"vcpu": nil, "vpcu": 8}), pool(object{"instanceType": "p9.48xlarge"})), []string{`cluster.instanceTypes["p9.48xlarge"].vcpu: is required`, `cluster.instanceTypes["p9.48xlarge"].vpcu: unknown key; did you mean vcpu?`}},
		{"type that contradicts itself", and(custom(object{"efaInterfaces": 5}), pool(object{"instanceType": "p9.48xlarge"})), []string{`cluster.instanceTypes["p9.48xlarge"].efaInterfaces: must be 0, networkCards, 1, or one less if card 0 has no EFA, got 5`}},
		{"misspelt field", pool(object{"instanceType": "g5.xlarge", "node": 1}), []string{"cluster.pools.gpu.node: unknown key; did you mean nodes?"}},
		{"the system's name", pools(object{"system": object{"instanceType": "g5.xlarge"}}), []string{"cluster.pools.system: is the name of the pool for the cluster's own pods; choose another name"}},
		{"long pool name", pools(object{"seventeen-letters": object{"instanceType": "g5.xlarge"}}), []string{`cluster.pools.seventeen-letters: must have a name of 1 to 16 lower-case letters, digits and hyphens, a letter first, got "seventeen-letters"`}},
		{"EFA where there is none", pool(object{"instanceType": "g5.xlarge", "efa": true}), []string{"cluster.pools.gpu.efa: g5.xlarge does not support EFA; use a larger type of the family, or remove this"}},
		{"EFA that is a word", pool(object{"instanceType": "g5.xlarge", "efa": "yes"}), []string{`cluster.pools.gpu.efa: must be true or false, got "yes"`}},
		{"block without reservation", p5(object{"capacity": "capacity-block"}), []string{"cluster.pools.gpu.reservationId: is required; capacity capacity-block needs the id of a reservation (cr-…)"}},
		{"reservation without id", p5(object{"capacity": "reservation"}), []string{"cluster.pools.gpu.reservationId: is required; capacity reservation needs the id of a reservation (cr-…)"}},
		{"reservation for on-demand", p5(object{"reservationId": "cr-0123456789abcdef0"}), []string{"cluster.pools.gpu.reservationId: cannot be combined with capacity on-demand; set capacity to reservation or capacity-block, or remove this"}},
		{"reservation by name", p5(object{"capacity": "reservation", "reservationId": "block"}), []string{`cluster.pools.gpu.reservationId: must be the id of a capacity reservation (cr-…), got "block"`}},
		{"block of a G type", pool(object{"instanceType": "g5.48xlarge", "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0"}), []string{`cluster.pools.gpu.capacity: must be on-demand, spot or reservation, since g5.48xlarge is not sold by capacity block, got "capacity-block"`}},
		{"block-only type on demand", pool(object{"instanceType": "p5e.48xlarge"}), []string{`cluster.pools.gpu.capacity: must be capacity-block or reservation, since p5e.48xlarge is not sold on demand, got "on-demand"; both need a reservationId`}},
		{"unknown capacity", p5(object{"capacity": "on_demand"}), []string{`cluster.pools.gpu.capacity: must be one of on-demand, spot, reservation, capacity-block, got "on_demand"; did you mean on-demand?`}},
		{"group around a reservation", p5(object{"capacity": "reservation", "reservationId": "cr-0123456789abcdef0", "placementGroup": true}), []string{"cluster.pools.gpu.placementGroup: cannot be combined with reserved capacity; remove this"}},
		{"group of a type that cannot", and(custom(object{"placementGroup": false}), pool(object{"instanceType": "p9.48xlarge", "placementGroup": true})), []string{"cluster.pools.gpu.placementGroup: p9.48xlarge does not support cluster placement groups; remove this"}},
		{"two zones with a group", and(object{"network.acceleratorZones": []any{"a", "b"}}, p5(object{"zones": []any{"a", "b"}})), []string{"cluster.pools.gpu.zones: must be one zone, since a placement group cannot span zones, got 2; or set placementGroup to false"}},
		{"two zones with EFA", and(object{"network.acceleratorZones": []any{"a", "b"}}, p5(object{"zones": []any{"a", "b"}, "placementGroup": false})), []string{"cluster.pools.gpu.zones: must be one zone, since EFA does not work across zones, got 2; or set efa to false"}},
		{"two zones with a reservation", and(object{"network.acceleratorZones": []any{"a", "b"}}, p5(object{"zones": []any{"a", "b"}, "efa": false, "capacity": "reservation", "reservationId": "cr-0123456789abcdef0"})), []string{"cluster.pools.gpu.zones: must be one zone, that of the reservation, got 2"}},
		{"zone without subnet", p5(object{"zones": []any{"b"}}), []string{`cluster.pools.gpu.zones[0]: must be one of us-west-2a, got "b"; add it to network.acceleratorZones, or to network.acceleratorSubnetIds of an existing VPC`}},
		{"zone of a pool twice", pool(object{"instanceType": "g5.xlarge", "zones": []any{"a", "a"}}), []string{`cluster.pools.gpu.zones[1]: repeats "us-west-2a"; list it once`}},
		{"fewer than none", p5(object{"nodes": -1}), []string{"cluster.pools.gpu.nodes: must be between 0 and maxNodes, 1, got -1"}},
		{"more than the most", p5(object{"nodes": 4, "maxNodes": 2}), []string{"cluster.pools.gpu.nodes: must be between 0 and maxNodes, 2, got 4"}},
		{"a removed key", p5(object{"minNodes": 1}), []string{"cluster.pools.gpu.minNodes: unknown key; the minimum of every pool is 0: remove it"}},
		{"more than a node group has", p5(object{"maxNodes": 451}), []string{
			"cluster.pools.gpu.maxNodes: must be between 1 and 450, got 451", "network.cidr: must have room for 451 nodes, …",
		}},
		{"more than addresses", and(object{"network.cidr": "10.0.0.0/19"}, p5(object{"maxNodes": 100})), []string{`network.cidr: must have room for 100 nodes, the maxNodes of all pools in us-west-2a, whose subnet 10.0.16.0/20 has addresses for 40, got "10.0.0.0/19"; use a larger range, put another zone first in network.acceleratorZones, or lower maxNodes`}},
		{"tiny root volume", p5(object{"volumeGB": 20}), []string{"cluster.pools.gpu.volumeGB: must be between 50 and 16384, got 20"}},
		{"label with a space", p5(object{"labels": object{"my team": "a"}}), []string{`cluster.pools.gpu.labels.my team: must have a name that Kubernetes accepts for labels, for example example.com/team, got "my team"`}},
		{"label value with a slash", p5(object{"labels": object{"team": "a/b"}}), []string{`cluster.pools.gpu.labels.team: must be at most 63 letters, digits, _ . and -, with a letter or digit at both ends, got "a/b"`}},
		{"our label", p5(object{"labels": object{PoolLabel: "other"}}), []string{"cluster.pools.gpu.labels.llm-platform/pool: is set by the platform, to the name of the pool; remove it"}},
		{"taint with an effect", p5(object{"taint": "nvidia.com/gpu=true:NoSchedule"}), []string{`cluster.pools.gpu.taint: must be key=value, for example nvidia.com/gpu=true, got "nvidia.com/gpu=true:NoSchedule"; the effect is always NoSchedule`}},
		// An existing cluster.
		{"given and public", and(given, pool(object{"instanceType": "g5.xlarge"}), object{"cluster.publicCidrs": []any{"203.0.113.0/24"}}), []string{"cluster.publicCidrs: cannot be combined with cluster.kubeconfig, which refers to an existing cluster; remove one of them"}},
		{"given and entered", and(given, pool(object{"instanceType": "g5.xlarge"}), entry(object{"principal": role, "role": "ci"})), []string{"cluster.access: cannot be combined with cluster.kubeconfig, which refers to an existing cluster; remove one of them"}},
		{"given with nodes", and(given, pool(object{"instanceType": "g5.xlarge", "nodes": 2})), []string{"cluster.pools.gpu.nodes: cannot be combined with cluster.kubeconfig, which refers to an existing cluster; remove one of them"}},
		{"given with capacity", and(given, pool(object{"instanceType": "g5.xlarge", "capacity": "spot"})), []string{"cluster.pools.gpu.capacity: cannot be combined with cluster.kubeconfig, which refers to an existing cluster; remove one of them"}},
	}
}

func TestBadClusters(t *testing.T) {
	refuse(t, badClusters())
}

// What is left out of a pool follows from its instance type.
func TestPoolDefaults(t *testing.T) {
	set := and(object{"training.enabled": false}, custom(object{"instanceStoreGB": 100}), object{"network.acceleratorZones": []any{"b", "a"}}, pools(object{
		"a": object{"instanceType": "g5.xlarge"},
		"b": object{"instanceType": "p5.48xlarge", "nodes": 4},
		"c": object{"instanceType": "p5en.48xlarge", "capacity": "capacity-block", "reservationId": "cr-0123456789abcdef0", "nodes": 2},
		"d": object{"instanceType": "trn2.48xlarge", "capacity": "reservation", "reservationId": "cr-0123456789abcdef0", "efa": false, "taint": "team=ml"},
		"f": object{"instanceType": "m7i.large", "nodes": 1},
		"g": object{"instanceType": "m7i.large", "taint": "team=ml"},
		"e": object{"instanceType": "p9.48xlarge", "zones": []any{"a", "b"}, "capacity": "spot"},
	}))
	s, err := Load("dev", with(t, "dev", set), nil, token)
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
		"f": {false, false, 1, []string{"us-west-2b"}, OnDemand, "llm-platform/pool=f", 0},
		"g": {false, false, 1, []string{"us-west-2b"}, OnDemand, "team=ml", 0},
		"e": {false, false, 1, []string{"us-west-2a", "us-west-2b"}, Spot, "nvidia.com/gpu=true", 8},
	} {
		p := s.Cluster.Pools[name]
		if p.EFA != want.efa || p.PlacementGroup != want.group || p.MaxNodes != want.most || p.Capacity != want.capacity ||
			p.TaintKey+"="+p.TaintValue != want.mark || p.Type.Count != want.count || p.VolumeGB != defaultVolumeGB {
			t.Errorf("%s: EFA %v, group %v, %+v", name, p.EFA, p.PlacementGroup, p)
		}
		if !slices.Equal(p.Zones, want.zones) {
			t.Errorf("%s: zones %v, want %v", name, p.Zones, want.zones)
		}
	}
	// Guardrails limit types with accelerators only.
	if got, want := s.Cluster.PoolTypes(), []string{"g5.xlarge", "p5.48xlarge", "p5en.48xlarge", "p9.48xlarge", "trn2.48xlarge"}; !slices.Equal(got, want) {
		t.Errorf("types with accelerators are %v, want %v", got, want)
	}
}

// The API can be opened to the whole internet if both keys say so.
func TestOpenToTheWorldSpeltOut(t *testing.T) {
	set := object{"cluster.publicCidrs": []any{"0.0.0.0/0"}, "cluster.allowPublicAccessFromAnywhere": true}
	if _, err := Load("dev", with(t, "dev", set), nil, token); err != nil {
		t.Error(err)
	}
}

// kubeconfigText is the kubeconfig of an existing cluster; its token must not be shown.
const kubeconfigText = "{kind: Config, current-context: a, clusters: [{name: a}], contexts: [{name: a}], users: [{name: a, user: {token: token-0123456789}}]}"

// A kubeconfig is a secret: neither printed settings nor errors show it.
func TestKubeconfigStaysHidden(t *testing.T) {
	set := and(object{"cluster.kubeconfig": kubeconfigText + "\n", "cluster.publicCidrs": []any{}}, pool(object{"instanceType": "g5.xlarge", "labels": object{"team": "a"}}))
	s, err := Load("dev", with(t, "dev", set), []string{"cluster"}, token)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Cluster.Existing() || s.Cluster.Kubeconfig.Reveal() != kubeconfigText {
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
		_, err := Load("dev", values, secret, token)
		switch {
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: error is %v, want %q", what, err, want)
		case strings.Contains(err.Error(), "token-"):
			t.Errorf("%s: the error repeats it: %v", what, err)
		}
	}
	refused("in plain text", with(t, "dev", set), "cluster.kubeconfig: is stored in plain text")
	for _, value := range []any{kubeconfigText, object{"users": kubeconfigText}, []any{kubeconfigText}} {
		set["cluster.kubeconfig"], set["cluster.version"] = value, true
		refused("beside a bad version", with(t, "dev", set), "cluster.version: ", "cluster")
	}
	delete(set, "cluster.version")
	set["cluster.kubeconfig"] = "/home/me/.kube/token-config"
	refused("a path", with(t, "dev", set), "cluster.kubeconfig: is neither YAML nor JSON", "cluster")
	refused("as the section", with(t, "dev", object{"cluster": kubeconfigText}), "cluster: ")
	if s, err = Load("dev", with(t, "dev", nil), nil, token); err != nil || s.Cluster.Existing() {
		t.Errorf("without one: %v", err)
	}
}

// An existing VPC replaces the new one.
func TestGivenVPC(t *testing.T) {
	s, err := Load("dev", with(t, "dev", object{
		"network.vpcId":                "vpc-0123456789abcdef0",
		"network.privateSubnetIds":     []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
		"network.acceleratorSubnetIds": object{"c": "subnet-0123456789abcdef2"},
	}), nil, token)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Network.AcceleratorSubnetIDs["us-west-2c"]; got != "subnet-0123456789abcdef2" {
		t.Errorf("GPU subnet is %q of %v", got, s.Network.AcceleratorSubnetIDs)
	}
	if got := s.Cluster.Pools["gpu"].Zones; !slices.Equal(got, []string{"us-west-2c"}) {
		t.Errorf("the pool is in %v", got)
	}
}
