package edits

// rolled is the note of an edit that rolls a pool.
const rolled = "EKS replaces the nodes one at a time. A run on them resumes from its newest checkpoint."

func poolRows() []Row {
	return []Row{
		{Base: "dev", Path: "cluster.pools.more", Change: Added, To: object{"instanceType": "g5.2xlarge"}, Effect: Creates},
		{Base: "dev", Path: "cluster.pools.spare", Change: Removed, Effect: Deletes, Says: []string{"cluster.pools.spare: deletes the pool"}, Note: "The pool with its nodes."},
		{Base: "dev", Path: "cluster.pools.gpu", Change: Removed, Effect: Refused, Says: []string{"training.pool"}, Note: "While the run is on it. Set training.pool or training.enabled."},
		{Base: "dev", Path: "cluster.pools.spare", Change: Renamed, Effect: Deletes, Says: []string{"cluster.pools.spare: deletes the pool"},
			With: map[string]any{"cluster.pools.other": object{"instanceType": "g5.xlarge", "nodes": 0, "capacity": "spot"}}, Note: "Creates another pool with new nodes."},
		{Base: "dev", Path: "cluster.pools.gpu.instanceType", Change: Value, To: "g5.2xlarge", Effect: Restarts, Says: []string{"training: ends run", "cluster.pools.gpu: "}, Note: "And rolls the pool. " + restarts},
		{Base: "dev", Path: "cluster.pools.spare.instanceType", Change: Value, To: "g5.2xlarge", Effect: Rolls, Says: []string{"cluster.pools.spare: replaces the nodes"}, Note: rolled},
		{Base: "dev", Path: "cluster.pools.gpu.zones", Change: Value, To: list{"b"}, Effect: Replaces, Says: []string{"cluster.pools.gpu: replaces the node group", "Interrupts run"},
			Note: "The pool: new nodes start in the other zone, then the old ones end. A run resumes from its newest checkpoint."},
		{Base: "dev", Path: "cluster.pools.gpu.nodes", Change: Value, To: 2, Effect: Refused, Quick: true, Says: []string{"cluster.pools.gpu.nodes: ", "aws eks update-nodegroup-config", "desiredSize=2"},
			Note: "The initial size. Resize with `aws eks update-nodegroup-config`, which the error shows in full."},
		{Base: "dev", Path: "cluster.pools.gpu.maxNodes", Change: Value, To: 4, Effect: Nothing, Quick: true, Note: "It is what training.nodes and the subnets are checked against."},
		{Base: "dev", Path: "cluster.pools.spare.capacity", Change: Value, To: "on-demand", Effect: Replaces, Says: []string{"cluster.pools.spare: replaces the node group"}, Note: "The pool with its nodes."},
		{Base: "reserved", Path: "cluster.pools.block.reservationId", Change: Value, To: "cr-0123456789abcdef1", Effect: Refused, Late: true, Quick: true, Says: []string{"cluster.pools.block: ", "desiredSize=0"},
			Note: "While a pool of reserved capacity has nodes: EKS starts new nodes before it ends the old ones, and the reservation has no room for both. Scale the pool to zero before."},
		{Base: "reserved", Path: "cluster.pools.block.volumeGB", Change: Value, To: 300, Effect: Refused, Late: true, Says: []string{"cluster.pools.block: ", "desiredSize=0"}, Note: "Of a pool of reserved capacity, likewise."},
		{Base: "dev", Path: "cluster.pools.big.efa", Change: Value, To: false, Effect: Rolls, Says: []string{"cluster.pools.big: replaces the nodes"}, Note: rolled},
		{Base: "dev", Path: "cluster.pools.big.placementGroup", Change: Value, To: false, Effect: Rolls, Says: []string{"cluster.pools.big: replaces the nodes"}, Note: "Deletes the placement group. " + rolled},
		{Base: "dev", Path: "cluster.pools.gpu.volumeGB", Change: Value, To: 300, Effect: Rolls, Says: []string{"cluster.pools.gpu: replaces the nodes", "Interrupts run"}, Quick: true, Note: rolled},
		{Base: "dev", Path: "cluster.pools.gpu.labels.team", Change: Value, To: "vision", Effect: InPlace, Note: "Running nodes get it too."},
		{Base: "dev", Path: "cluster.pools.gpu.labels.tier", Change: Added, To: "one", Effect: InPlace},
		{Base: "dev", Path: "cluster.pools.gpu.labels.team", Change: Removed, Effect: InPlace},
		{Base: "dev", Path: "cluster.pools.gpu.taint", Change: Value, To: "dedicated=training", Effect: InPlace, Note: "Pods of the run that start later tolerate it."},
	}
}
