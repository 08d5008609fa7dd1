package edits

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"llm-platform/internal/nodepool"
	"llm-platform/internal/prices"
	"llm-platform/internal/settings"
)

// Keys of Running's facts that are no settings.
const (
	runKey  = "run" // name of the run; absent without one
	poolKey = "run.pool"
	pools   = "cluster.pools."
	system  = "cluster.system"

	notebook = "sagemaker.notebook"
)

// Running returns what an update can interrupt: the run, the notebook, and each pool with the inputs of its node group
// whose change replaces it; and what all of it costs. run is the name of the run, or "".
func Running(s settings.Settings, run string) (Facts, error) {
	facts := Facts{}
	maps.Copy(facts, prices.Facts(s))
	if run != "" {
		facts[runKey], facts[poolKey] = run, s.Training.Pool
	}
	if s.SageMaker.NotebookInstanceType != "" {
		facts[notebook] = strings.Join(append([]string{s.SageMaker.NotebookSubnetID, s.Storage.Encryption}, s.SageMaker.NotebookSecurityGroupIDs...), " ")
	}
	if s.Cluster.Existing() {
		return facts, nil
	}
	subnets, err := acceleratorSubnets(s.Network)
	if err != nil {
		return nil, err
	}
	facts[system] = strings.Join(append([]string{nodepool.DescribeSystem(s.Cluster.SystemInstanceType).AMIType}, privateSubnets(s.Network)...), " ")
	for name, pool := range s.Cluster.Pools {
		node, err := nodepool.Describe(name, pool)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		group := []string{node.AMIType, node.CapacityType}
		for _, zone := range pool.Zones {
			group = append(group, subnets[zone])
		}
		facts[pools+name] = strings.Join(group, " ")
	}
	return facts, nil
}

// privateSubnets returns what identifies the subnets of system nodes.
func privateSubnets(n settings.Network) []string {
	if n.VPCID != "" {
		return n.PrivateSubnetIDs
	}
	return n.Zones
}

// acceleratorSubnets returns what identifies the subnet of accelerator nodes in each zone.
func acceleratorSubnets(n settings.Network) (map[string]string, error) {
	if n.VPCID != "" {
		return n.AcceleratorSubnetIDs, nil
	}
	plan, err := n.Plan()
	if err != nil {
		return nil, err
	}
	subnets := map[string]string{}
	for i, zone := range n.AcceleratorZones {
		subnets[zone] = zone + " " + plan.Accelerator[i].String()
	}
	return subnets, nil
}

// NodeGroup is the inputs of a node group whose change makes EKS replace its nodes. An unknown input is empty.
type NodeGroup struct {
	Template string // version of the launch template
	Version  string // Kubernetes
	Image    string // release of the node image
}

// Roll is an update of a node group that replaces its nodes one after another.
type Roll struct {
	Pool  string
	Cause string
}

// NewRoll returns the roll of an update, and whether it is one.
func NewRoll(pool string, old, new NodeGroup) (Roll, bool) {
	var causes []string
	if old.Version != new.Version {
		causes = append(causes, fmt.Sprintf("Kubernetes %s to %s", old.Version, new.Version))
	}
	if old.Image != new.Image {
		causes = append(causes, fmt.Sprintf("node image %s to %s", old.Image, new.Image))
	}
	if old.Template != new.Template || new.Template == "" {
		causes = append(causes, "new launch template")
	}
	return Roll{pool, strings.Join(causes, ", ")}, len(causes) > 0
}

// Room returns an error if EKS cannot replace the nodes of a reservation, because there are some: it starts each new node
// before it terminates the old one. The update strategy MINIMAL, which does not, is unknown to pulumi-aws
// 6.83.4 (https://github.com/hashicorp/terraform-provider-aws/issues/41442). size is the present size of the node group.
func (r Roll) Room(region, cluster, group string, size int) error {
	if size == 0 {
		return nil
	}
	return fmt.Errorf("%s%s: the edit replaces the nodes of the pool one after another (%s). EKS starts each new node before it terminates the old "+
		"one, and a reservation has no room for both. Scale the pool to 0 first, which interrupts the run on it: `aws eks update-nodegroup-config --region %s "+
		"--cluster-name %s --nodegroup-name %s --scaling-config desiredSize=0`. When its nodes have ended, run `pulumi up`, then scale to %d again",
		pools, r.Pool, r.Cause, region, cluster, group, size)
}

// Interruptions returns what an update ends, deletes, replaces and interrupts, one line each, in a fixed order. Old and
// New are facts of Running; rolls are in any order.
func (e Edit) Interruptions(s settings.Settings, rolls []Roll) []string {
	lines := e.endOfRun(s.Training)
	for _, key := range sortedKeys(e.Old, e.New) {
		name, ok := strings.CutPrefix(key, pools)
		if !ok {
			continue
		}
		old, standing := e.Old[key]
		switch group, desired := e.New[key]; {
		case standing && !desired:
			lines = append(lines, fmt.Sprintf("%s: deletes the pool and terminates its nodes%s", key, e.interrupted(name)))
		case standing && old != group:
			lines = append(lines, fmt.Sprintf("%s: replaces the node group: %s%s", key, replacement(s.Cluster.Pools[name]), e.interrupted(name)))
		}
	}
	if old := e.Old[system]; old != "" && e.New[system] != "" && old != e.New[system] {
		lines = append(lines, "cluster: replaces the node group of the system nodes: new nodes start, then the old ones are terminated. Runs go on")
	}
	slices.SortFunc(rolls, func(a, b Roll) int { return strings.Compare(a.Pool, b.Pool) })
	for _, roll := range rolls {
		if roll.Pool == settings.SystemPool {
			lines = append(lines, fmt.Sprintf("cluster: replaces the system nodes one after another (%s). Runs go on", roll.Cause))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s%s: replaces the nodes of the pool one after another (%s)%s", pools, roll.Pool, roll.Cause, e.interrupted(roll.Pool)))
	}
	switch old, desired := e.Old[notebook], e.New[notebook]; {
	case old != "" && desired == "":
		lines = append(lines, notebook+": deletes the notebook with its volume: files that are not in a bucket or repository are lost")
	case old != "" && old != desired:
		lines = append(lines, notebook+": replaces the notebook: files on its volume that are not in a bucket or repository are lost")
	}
	return lines
}

// endOfRun says that a run ends, and how it can be continued.
func (e Edit) endOfRun(next settings.Training) []string {
	old, run := e.Old[runKey], e.New[runKey]
	if old == "" || old == run {
		return nil
	}
	end := fmt.Sprintf("training: ends run %s: its pods get SIGTERM, at which scripts/train.py saves a checkpoint. Its checkpoints and artifacts stay in runs/%s/ of their buckets. ", old, old)
	switch {
	case run == "":
		return []string{end + "With the same settings, the run continues from there"}
	case next.ResumeFrom == old:
		return []string{end + fmt.Sprintf("Run %s starts from its newest checkpoint (training.resumeFrom)", run)}
	}
	return []string{end + fmt.Sprintf("Run %s starts from the beginning; to continue %s, set training.resumeFrom to it", run, old)}
}

// ScientistsNarrowed returns what the holder of an access entry of role scientist can no longer do, if it was an administrator's,
// or an earlier release has created it.
func ScientistsNarrowed(principal string) string {
	return fmt.Sprintf("cluster.access: %s may from now on only see namespace training, but for its secrets, and follow logs and execute commands in its pods. "+
		"Whoever must do more there needs the role administrator", principal)
}

// interrupted names the run that goes on on a pool, as the end of a line, or returns "".
func (e Edit) interrupted(pool string) string {
	run := e.New[runKey]
	if run == "" || e.New[poolKey] != pool || len(e.Old) > 0 && e.Old[runKey] != run {
		return "" // endOfRun describes a run that ends
	}
	return fmt.Sprintf(". Interrupts run %s, which resumes from its newest checkpoint", run)
}

// replacement says how the nodes of a pool are replaced.
func replacement(pool settings.Pool) string {
	if pool.Reserved() {
		return fmt.Sprintf("its nodes are terminated, then %d new ones start", pool.Nodes)
	}
	return fmt.Sprintf("%d new nodes start, then the old ones are terminated", pool.Nodes)
}

// sortedKeys returns the keys of both.
func sortedKeys(a, b Facts) []string {
	var keys []string
	for _, facts := range []Facts{a, b} {
		for key := range facts {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
