// Package nodepool decides what EKS, EC2 and Kubernetes are told about the nodes of a pool, as plain values:
// whatever follows from an instance type and a kind of capacity is settled here, where a test takes
// milliseconds.
package nodepool

import (
	"fmt"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
	"llm-platform/internal/settings"
)

// Node describes the nodes of one pool, for its node group and launch template.
type Node struct {
	Facts          // without Type and taint for the system pool
	InstanceType   string
	AMIType        string                  // EKS's, for example AL2023_x86_64_NVIDIA
	CapacityType   string                  // EKS's: ON_DEMAND, SPOT or CAPACITY_BLOCK; empty: EKS's default, ON_DEMAND
	MarketType     string                  // EC2's: capacity-block, or empty
	ReservationID  string                  // cr-…, or empty
	PlacementGroup bool                    // all nodes are in the pool's cluster placement group
	Interfaces     []accelerator.Interface // with EFA; without, EKS creates the one interface
	VolumeGB       int                     // size of the root volume
	VolumeMiBps    int                     // throughput of the root volume; 0: gp3's base, 125
	UserData       string                  // base64, or empty
}

const (
	systemVolumeGB = 50

	// VolumeMiBps is the throughput, in MiB/s, of a pool's root volumes, four times gp3's base: a training image of 20 GB
	// is pulled in a minute. It is the most that gp3's 3000 base IOPS allow, 0.25 MiB/s for each:
	// https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
	VolumeMiBps = 500
)

// DescribeSystem returns the nodes of the pool that runs the cluster's own pods. It has no taint, so that
// CoreDNS and the add-ons can be scheduled there.
func DescribeSystem(instanceType string) Node {
	return Node{
		Facts: Facts{
			Name:   settings.SystemPool,
			Labels: map[string]string{settings.PoolLabel: settings.SystemPool},
		},
		InstanceType: instanceType,
		AMIType:      catalog.StandardAMIType(instanceType),
		VolumeGB:     systemVolumeGB,
	}
}

// Describe returns the nodes of a pool to train on.
func Describe(name string, pool settings.Pool) (Node, error) {
	node := Node{
		Facts:          NewFacts(name, pool, true),
		InstanceType:   pool.InstanceType,
		AMIType:        pool.Type.AMIType(),
		CapacityType:   "ON_DEMAND", // also with a reservation, which on-demand instances fill
		ReservationID:  pool.ReservationID,
		PlacementGroup: pool.PlacementGroup,
		VolumeGB:       pool.VolumeGB,
		VolumeMiBps:    VolumeMiBps,
	}
	switch pool.Capacity {
	case settings.Spot:
		node.CapacityType = "SPOT" // without a market type: the node group requests Spot itself
	case settings.CapacityBlock:
		node.CapacityType, node.MarketType = "CAPACITY_BLOCK", "capacity-block"
	}
	if node.EFA > 0 {
		node.Interfaces = pool.Type.Interfaces()
	}
	var err error
	if node.UserData, err = userData(pool.Type); err != nil {
		return Node{}, fmt.Errorf("user data: %w", err)
	}
	return node, nil
}
