package edits

import (
	"strings"

	"llm-platform/test/simcloud"
)

func clusterRows() []Row {
	return []Row{
		{Base: "existing cluster", Path: "cluster.kubeconfig", Change: Value, Secret: true, To: strings.ReplaceAll(simcloud.Kubeconfig, "existing.example", "other.example"),
			Effect: Refused, Quick: true, Says: []string{"cluster.kubeconfig: cannot change to another server"},
			Note: "The run in the old cluster would go on without the stack. Set training.enabled to false and run pulumi up, then bring up another stack."},
		{Base: "existing cluster", Path: "cluster.kubeconfig", Change: Renewed, Secret: true, To: strings.ReplaceAll(simcloud.Kubeconfig, "token: existing", "token: renewed"),
			Effect: InPlace, Note: "Other credentials for the same server. The run goes on."},
		{Base: "1.35", Path: "cluster.version", Change: Value, To: "1.36", Effect: Rolls, Quick: true, Says: []string{"cluster.pools.cpu: replaces the nodes", "cluster: replaces the system nodes", "Interrupts run"},
			Note: "Upgrades the control plane, then rolls all pools, one node at a time; a run resumes from its newest checkpoint. It cannot be undone."},
		{Base: "dev", Path: "cluster.version", Change: Value, To: "1.35", Effect: Refused, Says: []string{"cluster.version: ", "does not go back"},
			Note: "EKS cannot downgrade a cluster. For an older version, bring up another stack."},
		{Base: "dev", Path: "cluster.publicCidrs", Change: Added, To: list{"198.41.0.0/24", "198.41.128.0/24"}, Effect: InPlace},
		{Base: "dev", Path: "cluster.publicCidrs", Change: Removed, To: list{}, Effect: InPlace, Note: "The endpoint is private from then on: pulumi and kubectl must run in the VPC."},
		{Base: "dev", Path: "cluster.allowPublicAccessFromAnywhere", Change: Value, To: true, Effect: InPlace, Note: "With 0.0.0.0/0 in cluster.publicCidrs.",
			With: map[string]any{"cluster.publicCidrs": list{"0.0.0.0/0"}}},
		{Base: "dev", Path: "cluster.logDays", Change: Value, To: 14, Effect: InPlace},
		{Base: "dev", Path: "cluster.access.ops", Change: Added, To: object{"principal": "arn:aws:iam::222222222222:role/ops", "role": "administrator"}, Effect: Creates},
		{Base: "dev", Path: "cluster.access.team", Change: Removed, Effect: Deletes, Note: "The access of the principal."},
		{Base: "dev", Path: "cluster.access.team", Change: Renamed, Effect: Nothing,
			With: map[string]any{"cluster.access.research": object{"principal": "arn:aws:iam::222222222222:role/team", "role": "scientist"}}, Note: "The principal keeps its access entry."},
		{Base: "dev", Path: "cluster.access.team.principal", Change: Value, To: "arn:aws:iam::222222222222:role/research", Effect: Deletes, Note: "The access entry: the old principal loses its access, the new one gets its own."},
		{Base: "dev", Path: "cluster.access.team.role", Change: Value, To: "administrator", Effect: Deletes, Note: "What only scientists need in the namespace. The principal gets AWS's policy for administrators."},
		{Base: "dev", Path: "cluster.systemInstanceType", Change: Value, To: "m6i.xlarge", Effect: Rolls, Says: []string{"cluster: replaces the system nodes"},
			Note: "The system nodes. Runs continue."},
		{Base: "dev", Path: "cluster.systemNodes", Change: Value, To: 4, Effect: InPlace, Quick: true},
		{Base: "dev", Path: "cluster.systemNodes", Change: Removed, To: 1, Effect: InPlace},
		{Base: "dev", Path: "cluster.containerInsights", Change: Value, To: false, Effect: Deletes, Loses: []string{"LogGroup"}, Note: "The add-on, and the log groups with all their records."},
	}
}

// described is the instance type of a pool that the table of the program does not have.
const described = `cluster.instanceTypes["p9.48xlarge"]`

func instanceTypeRows() []Row {
	row := func(field string, to any, effect Effect, note string) Row {
		return Row{Base: "dev", Path: described + "." + field, Change: Value, To: to, Effect: effect, Note: note}
	}
	priced := func(field string, to any, note string) Row {
		r := row(field, to, Nothing, note)
		r.With = map[string]any{}
		for field, value := range map[string]any{"usdPerHour": 98.5, "priceRegion": "us-west-2", "priceDate": "2026-11-01"} {
			if path := described + "." + field; path != r.Path {
				r.With[path] = value
			}
		}
		return r
	}
	const informs = "It is used in checks, warnings and advice only."
	return []Row{
		{Base: "dev", Path: `cluster.instanceTypes["p10.48xlarge"]`, Change: Added, To: figures(), Effect: Nothing, Note: "Until a pool uses it."},
		{Base: "dev", Path: `cluster.instanceTypes["p9.24xlarge"]`, Change: Removed, Effect: Nothing, Note: "No pool may use it."},
		{Base: "dev", Path: `cluster.instanceTypes["p9.24xlarge"]`, Change: Renamed, Effect: Nothing, Note: "No pool may use it.",
			With: map[string]any{`cluster.instanceTypes["p9.12xlarge"]`: figures()}},
		row("accelerator", "X200", Nothing, informs),
		row("acceleratorMiB", 81559, Nothing, informs),
		row("architecture", "arm64", Replaces, "The pools of the type."),
		row("capacityBlock", false, Nothing, informs),
		row("count", 4, Nothing, "Until a run starts on the type."),
		row("efaInterfaces", 0, Rolls, rolled),
		row("instanceStoreGB", 8000, Rolls, rolled),
		Row{Base: "dev", Path: described + ".kind", Change: Value, To: "neuron", Effect: Replaces, Note: "The pools of the type.",
			With: map[string]any{described + ".processes": 16}},
		row("memoryGiB", 1024, Nothing, informs),
		row("networkCards", 2, Rolls, rolled),
		Row{Base: "dev", Path: described + ".onDemand", Change: Value, To: false, Effect: Refused, Note: "While a pool uses it on demand.",
			Says: []string{"cluster.pools.custom.capacity: must be capacity-block or reservation"}},
		row("onDemandQuota", "L-417A185B", Nothing, informs),
		row("placementGroup", false, Rolls, rolled),
		priced("priceDate", "2026-11-02", informs),
		priced("priceRegion", "us-east-1", informs),
		row("processes", 8, Nothing, "Until a run starts on the type."),
		row("spotQuota", "L-7212CCBC", Nothing, informs),
		priced("usdPerHour", 99.5, informs),
		row("vcpu", 96, Nothing, informs),
	}
}
