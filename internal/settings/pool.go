package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/subnets"
)

// Where the nodes of a pool come from.
const (
	OnDemand      = "on-demand"      // billed by the hour, as available
	Spot          = "spot"           // cheaper; EC2 takes nodes back at two minutes' notice
	Reservation   = "reservation"    // an On-Demand Capacity Reservation
	CapacityBlock = "capacity-block" // a Capacity Block for ML, which starts and ends on fixed days
)

// Pool is a pool of identical nodes to train on, with or without accelerators.
type Pool struct {
	InstanceType   string
	Zones          []string          // full names; several only without EFA, placement group and reservation
	Nodes          int               // initial number; later changes belong to an operator or an autoscaler
	MaxNodes       int               // that training.nodes and the subnets are checked against; it does not limit EKS
	Capacity       string            // OnDemand, Spot, Reservation or CapacityBlock
	ReservationID  string            // cr-…; of reserved capacity only
	EFA            bool              // nodes have all EFA interfaces of their type
	PlacementGroup bool              // nodes are in a cluster placement group
	VolumeGB       int               // root volume, which holds images where there is no instance store
	Labels         map[string]string // of the nodes, besides the platform's; of an existing cluster, those that select them
	TaintKey       string            // of the nodes' NoSchedule taint
	TaintValue     string            //

	Type accelerator.Type // figures of the instance type
}

// Reserved reports whether the capacity is reserved in advance.
func (p Pool) Reserved() bool { return p.Capacity == Reservation || p.Capacity == CapacityBlock }

// rawPool is a pool as written. Pulumi.yaml cannot declare defaults for entries that the user names, so they are in
// resolve and in the description of cluster.pools.
type rawPool struct {
	InstanceType   string            `json:"instanceType"`
	Zones          []string          `json:"zones,omitempty"`
	Nodes          int               `json:"nodes,omitempty"`
	MaxNodes       int               `json:"maxNodes,omitempty"`
	Capacity       string            `json:"capacity,omitempty"`
	ReservationID  string            `json:"reservationId,omitempty"`
	EFA            *bool             `json:"efa,omitempty"`
	PlacementGroup *bool             `json:"placementGroup,omitempty"`
	VolumeGB       int               `json:"volumeGB,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Taint          string            `json:"taint,omitempty"` // key=value
}

const defaultVolumeGB = 200

func (r rawPool) resolve(name string, t accelerator.Type, region string, n Network) Pool {
	pool := Pool{
		InstanceType:  r.InstanceType,
		Zones:         fullZones(r.Zones, region),
		Nodes:         r.Nodes,
		MaxNodes:      r.MaxNodes,
		Capacity:      r.Capacity,
		ReservationID: r.ReservationID,
		EFA:           t.EFAInterfaces > 0,
		VolumeGB:      r.VolumeGB,
		Labels:        r.Labels,
		Type:          t,
	}
	if zones := n.poolZones(); len(r.Zones) == 0 && len(zones) > 0 {
		pool.Zones = zones[:1]
	}
	if r.MaxNodes == 0 {
		pool.MaxNodes = max(r.Nodes, 1)
	}
	if r.Capacity == "" {
		pool.Capacity = OnDemand
	}
	if r.EFA != nil {
		pool.EFA = *r.EFA
	}
	pool.PlacementGroup = pool.EFA && t.PlacementGroup && !pool.Reserved()
	if r.PlacementGroup != nil {
		pool.PlacementGroup = *r.PlacementGroup
	}
	if r.VolumeGB == 0 {
		pool.VolumeGB = defaultVolumeGB
	}
	taint := r.Taint
	switch {
	case taint != "":
	case t.Kind == accelerator.None: // otherwise pods of the cluster would take the training's place
		taint = PoolLabel + "=" + name
	default:
		taint = t.ResourceName() + "=true"
	}
	pool.TaintKey, pool.TaintValue, _ = strings.Cut(taint, "=")
	return pool
}

var reservationID = regexp.MustCompile(`^cr-[0-9a-f]{8,17}$`)

// validatePoolName allows 16 characters, so that the name of a node group with project and stack has at most 63.
func validatePoolName(at *field.Path, name string) field.ErrorList {
	switch {
	case !isName(name, 16):
		return field.ErrorList{field.Invalid(at, name,
			"must have a name of 1 to 16 lower-case letters, digits and hyphens, a letter first")}
	case name == SystemPool:
		return field.ErrorList{field.Forbidden(at,
			"is the name of the pool for the cluster's own pods; choose another name")}
	}
	return nil
}

// validate checks what was written of a pool, and what it resolves to. Of an existing cluster, the configuration only says
// what pods need to know of the pool.
func (r rawPool) validate(at *field.Path, name string, s Settings, in input) field.ErrorList {
	pool, existing := s.Cluster.Pools[name], s.Cluster.Existing()
	if pool.Type.Name == "" {
		known := accelerator.Known()
		return field.ErrorList{field.Invalid(at.Child("instanceType"), r.InstanceType,
			"must be described in cluster.instanceTypes, or be one of "+strings.Join(known, ", ")+
				", or, without accelerators, a size from large on of "+strings.Join(accelerator.ProcessorFamilies(), ", ")+suggest(r.InstanceType, known))}
	}
	errs := slices.Concat(r.validateLabels(at.Child("labels"), name), r.validateTaint(at.Child("taint")))
	if !existing {
		errs = append(errs, r.validateNodeNames(at)...)
	}
	if pool.EFA && pool.Type.EFAInterfaces == 0 {
		errs = append(errs, field.Forbidden(at.Child("efa"),
			r.InstanceType+" does not support EFA; use a larger type of the family, or remove this"))
	}
	if existing {
		return append(errs, r.validateExisting(at)...)
	}
	errs = append(errs, validateSize(at, pool)...)
	errs = append(errs, validateCapacity(at, pool)...)
	errs = append(errs, r.validatePlacement(at, pool)...)
	network := field.NewPath("network")
	if in.read(network.Child("vpcId")) && in.read(network.Child("acceleratorZones")) && in.read(network.Child("acceleratorSubnetIds")) {
		errs = append(errs, r.validateZones(at.Child("zones"), pool, s.Region, s.Network)...)
	}
	return errs
}

func (r rawPool) validateExisting(at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for key, set := range map[string]bool{
		"zones": len(r.Zones) > 0, "nodes": r.Nodes != 0, "maxNodes": r.MaxNodes != 0,
		"capacity": r.Capacity != "", "reservationId": r.ReservationID != "",
		"placementGroup": r.PlacementGroup != nil, "volumeGB": r.VolumeGB != 0,
	} {
		if set {
			errs = append(errs, field.Forbidden(at.Child(key), existingCluster))
		}
	}
	return errs
}

func (r rawPool) validateLabels(p *field.Path, pool string) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(r.Labels)) {
		at, value := entry(p, key), r.Labels[key]
		switch {
		case len(validation.IsQualifiedName(key)) > 0:
			errs = append(errs, field.Invalid(at, key,
				"must have a name that Kubernetes accepts for labels, for example example.com/team"))
		case len(validation.IsValidLabelValue(value)) > 0:
			errs = append(errs, field.Invalid(at, value,
				"must be at most 63 letters, digits, _ . and -, with a letter or digit at both ends"))
		case key == PoolLabel && value != pool:
			errs = append(errs, field.Forbidden(at, "is set by the platform, to the name of the pool; remove it"))
		}
	}
	return errs
}

func (r rawPool) validateTaint(at *field.Path) field.ErrorList {
	key, value, ok := strings.Cut(r.Taint, "=")
	if r.Taint == "" || ok && len(validation.IsQualifiedName(key)) == 0 && len(validation.IsValidLabelValue(value)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(at, r.Taint,
		"must be key=value, for example nvidia.com/gpu=true; the effect is always NoSchedule")}
}

// MaxGroupNodes is the most nodes of an EKS node group, AWS's default quota.
// https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html
const MaxGroupNodes = 450

func validateSize(at *field.Path, pool Pool) field.ErrorList {
	limits := between(at.Child("maxNodes"), pool.MaxNodes, 1, MaxGroupNodes)
	if len(limits) == 0 && (pool.Nodes < 0 || pool.Nodes > pool.MaxNodes) {
		limits = append(limits, field.Invalid(at.Child("nodes"), pool.Nodes,
			fmt.Sprintf("must be between 0 and maxNodes, %d", pool.MaxNodes)))
	}
	return append(limits, between(at.Child("volumeGB"), pool.VolumeGB, 50, 16384)...)
}

func validateCapacity(at *field.Path, pool Pool) field.ErrorList {
	capacity, reservation := at.Child("capacity"), at.Child("reservationId")
	errs := choice(capacity, pool.Capacity, OnDemand, Spot, Reservation, CapacityBlock)
	switch {
	case pool.Reserved() && pool.ReservationID == "":
		errs = append(errs, field.Required(reservation, "capacity "+pool.Capacity+" needs the id of a reservation (cr-…)"))
	case pool.ReservationID != "" && !pool.Reserved():
		errs = append(errs, field.Forbidden(reservation,
			fmt.Sprintf("cannot be combined with capacity %s; set capacity to %s or %s, or remove this",
				pool.Capacity, Reservation, CapacityBlock)))
	case pool.ReservationID != "":
		errs = append(errs, match(reservation, pool.ReservationID, reservationID,
			"the id of a capacity reservation (cr-…)")...)
	}
	switch pool.Capacity {
	case CapacityBlock:
		if !pool.Type.CapacityBlock {
			errs = append(errs, field.Invalid(capacity, pool.Capacity,
				fmt.Sprintf("must be %s, %s or %s, since %s is not sold by capacity block", OnDemand, Spot, Reservation, pool.InstanceType)))
		}
	case OnDemand, Spot:
		if !pool.Type.OnDemand {
			errs = append(errs, field.Invalid(capacity, pool.Capacity,
				fmt.Sprintf("must be %s or %s, since %s is not sold on demand; both need a reservationId",
					CapacityBlock, Reservation, pool.InstanceType)))
		}
	}
	return errs
}

func (r rawPool) validatePlacement(at *field.Path, pool Pool) field.ErrorList {
	group := at.Child("placementGroup")
	switch {
	case r.PlacementGroup == nil || !pool.PlacementGroup:
		return nil
	case pool.Reserved():
		return field.ErrorList{field.Forbidden(group, "cannot be combined with reserved capacity; remove this")}
	case !pool.Type.PlacementGroup:
		return field.ErrorList{field.Forbidden(group, r.InstanceType+" does not support cluster placement groups; remove this")}
	}
	return nil
}

func (r rawPool) validateZones(p *field.Path, pool Pool, region string, n Network) field.ErrorList {
	errs := validateZones(p, r.Zones, region)
	available := n.poolZones()
	for i, name := range r.Zones {
		if full := fullZone(name, region); isZone(full, region) && !slices.Contains(available, full) {
			errs = append(errs, field.Invalid(p.Index(i), name,
				fmt.Sprintf("must be one of %s; add it to network.acceleratorZones, or to "+
					"network.acceleratorSubnetIds of an existing VPC", strings.Join(available, ", "))))
		}
	}
	if len(pool.Zones) < 2 {
		return errs
	}
	switch {
	case pool.PlacementGroup:
		errs = append(errs, field.Invalid(p, len(pool.Zones),
			"must be one zone, since a placement group cannot span zones; or set placementGroup to false"))
	case pool.EFA:
		errs = append(errs, field.Invalid(p, len(pool.Zones),
			"must be one zone, since EFA does not work across zones; or set efa to false"))
	case pool.Reserved():
		errs = append(errs, field.Invalid(p, len(pool.Zones), "must be one zone, that of the reservation"))
	}
	return errs
}

// validateRoom checks that the subnets for accelerator nodes of a VPC to create have addresses for the largest size
// of all pools.
func validateRoom(n Network, pools map[string]Pool) field.ErrorList {
	plan, err := n.Plan()
	if err != nil {
		return nil // reported for network
	}
	var errs field.ErrorList
	for i, zone := range n.AcceleratorZones {
		nodes, room := 0, subnets.AcceleratorNodes(plan.Accelerator[i])
		for _, pool := range pools {
			if slices.Contains(pool.Zones, zone) {
				nodes += pool.MaxNodes
			}
		}
		if nodes > room {
			errs = append(errs, field.Invalid(field.NewPath("network", "cidr"), n.CIDR, fmt.Sprintf(
				"must have room for %d nodes, the maxNodes of all pools in %s, whose subnet %s has addresses for %d; "+
					"use a larger range, put another zone first in network.acceleratorZones, or lower maxNodes",
				nodes, zone, plan.Accelerator[i], room)))
		}
	}
	return errs
}
