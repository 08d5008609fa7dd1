package settings

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
	"llm-platform/internal/kubeconfig"
	"llm-platform/internal/subnets"
)

// Who comes into the cluster, and how far.
const (
	Administrator = "administrator" // does everything
	CIAccess      = "ci"            // the pipeline that runs this program: everything too, since it makes roles and namespaces
	Scientist     = "scientist"     // works in the training namespace, and sees nothing else
)

// How the nodes of a pool are had.
const (
	OnDemand      = "on-demand"      // as available, by the hour
	Spot          = "spot"           // cheaper, and taken back at two minutes' notice
	Reservation   = "reservation"    // from an On-Demand Capacity Reservation
	CapacityBlock = "capacity-block" // from a Capacity Block for ML, which begins and ends on days
)

// Cluster is the settings of the EKS cluster: one to make, or one that exists.
type Cluster struct {
	Kubeconfig                    SecretText                 `json:"kubeconfig"`                    // of a cluster that exists; empty: one is made
	Version                       string                     `json:"version"`                       // Kubernetes, as 1.36
	PublicCIDRs                   []string                   `json:"publicCidrs"`                   // who may reach the API from outside the VPC; empty: nobody
	AllowPublicAccessFromAnywhere bool                       `json:"allowPublicAccessFromAnywhere"` // allow 0.0.0.0/0 among them
	LogDays                       int                        `json:"logDays"`                       // days that control plane logs are kept
	Access                        map[string]Access          `json:"access"`                        // by name
	SystemInstanceType            string                     `json:"systemInstanceType"`
	SystemNodes                   int                        `json:"systemNodes"`
	ContainerInsights             bool                       `json:"containerInsights"` // metrics and logs of nodes, pods and GPUs in CloudWatch
	InstanceTypes                 map[string]json.RawMessage `json:"instanceTypes"`     // figures of types that the accelerator table lacks
	Pools                         map[string]Pool            `json:"pools"`             // accelerator pools by name
}

// PoolTypes is the instance types of the pools, sorted, each once.
func (c Cluster) PoolTypes() []string {
	var types []string
	for _, pool := range c.Pools {
		types = append(types, pool.InstanceType)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Access is one IAM principal that may come in.
type Access struct {
	Principal string `json:"principal"` // ARN of a role or user
	Role      string `json:"role"`      // Administrator, CI or Scientist
}

// Pool is one pool of equal accelerator nodes.
type Pool struct {
	InstanceType   string            `json:"instanceType"`
	Zones          []string          `json:"zones"`          // default: the first GPU zone. Several only without EFA, placement group and reservation
	Nodes          int               `json:"nodes"`          // to begin with; later changes are the autoscaler's or one's own
	MinNodes       int               `json:"minNodes"`       //
	MaxNodes       int               `json:"maxNodes"`       // default: Nodes, or 1
	Capacity       string            `json:"capacity"`       // OnDemand (default), Spot, Reservation or CapacityBlock
	ReservationID  string            `json:"reservationId"`  // cr-…, with the latter two
	EFA            *bool             `json:"efa"`            // default: whether the type has it
	PlacementGroup *bool             `json:"placementGroup"` // stand close together. Default: with EFA, unless reserved
	VolumeGB       int               `json:"volumeGB"`       // root volume, which holds images where there is no instance store
	Labels         map[string]string `json:"labels"`         // of its nodes, beside ours; of an existing cluster, those that select them
	Taint          string            `json:"taint"`          // key=value; default: the accelerator's resource name, as nvidia.com/gpu=true

	Type accelerator.Type `json:"-"` // its figures, once loaded
}

// TaintKey and TaintValue are the two parts of the taint, whose effect is NoSchedule.
func (p Pool) TaintKey() string   { key, _, _ := strings.Cut(p.Taint, "="); return key }
func (p Pool) TaintValue() string { _, value, _ := strings.Cut(p.Taint, "="); return value }

// Reserved says whether the pool's capacity is reserved ahead.
func (p Pool) Reserved() bool { return p.Capacity == Reservation || p.Capacity == CapacityBlock }

// PoolNames is the names of the pools, sorted.
func (c Cluster) PoolNames() []string { return names(c.Pools) }

// AccessNames is the names of the access entries, sorted.
func (c Cluster) AccessNames() []string { return names(c.Access) }

const defaultVolumeGB = 200

var (
	// 16 characters, so that a node group's name fits into 63 after project and stack.
	poolName      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,14}[a-z0-9]$|^[a-z]$`)
	reservationID = regexp.MustCompile(`^cr-[0-9a-f]{8,17}$`)
	instanceType  = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	// https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
	principalARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$`)
	// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
	labelKey   = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$`)
)

// Given says whether the cluster exists and is only entered.
func (c Cluster) Given() bool { return c.Kubeconfig != "" }

func (c *Cluster) check(f *faults, region string, n Network, o Organization) {
	types := c.checkTypes(f)
	if c.Given() {
		f.mustBeSecret("cluster.kubeconfig", c.Kubeconfig)
		if err := kubeconfig.Check(c.Kubeconfig.Reveal()); err != nil {
			f.add("cluster.kubeconfig", "%s", err)
		}
		c.checkGiven(f)
	} else {
		c.checkMade(f, o)
	}
	for _, name := range c.PoolNames() {
		pool := c.Pools[name]
		c.checkPool(f, name, &pool, types, region, n)
		c.Pools[name] = pool
	}
	if !c.Given() && n.VPCID == "" {
		c.checkRoom(f, n)
	}
}

// checkGiven checks a cluster that exists: what would shape one to be made has no
// place beside it.
func (c *Cluster) checkGiven(f *faults) {
	if len(c.Access) > 0 {
		f.add("cluster.access", "goes with a cluster to be made, but cluster.kubeconfig says that it exists: remove one of them")
	}
	if len(c.PublicCIDRs) > 0 {
		f.add("cluster.publicCidrs", "goes with a cluster to be made, but cluster.kubeconfig says that it exists: remove one of them")
	}
}

// checkMade checks a cluster that is to be made.
func (c *Cluster) checkMade(f *faults, o Organization) {
	if _, err := catalog.LookupRelease(c.Version); err != nil {
		f.add("cluster.version", "%s", err)
	}
	f.retention("cluster.logDays", c.LogDays)
	c.checkPublic(f)
	c.checkAccess(f, o)
	f.between("cluster.systemNodes", c.SystemNodes, 1, 20, "nodes")
	if !instanceType.MatchString(c.SystemInstanceType) {
		f.add("cluster.systemInstanceType", "%q is not an EC2 instance type, as m6i.large", c.SystemInstanceType)
	} else if _, err := accelerator.Lookup(c.SystemInstanceType); err == nil {
		f.add("cluster.systemInstanceType", "%s has accelerators, which the system's pods leave idle: use one without, as m6i.large", c.SystemInstanceType)
	}
}

func (c *Cluster) checkPublic(f *faults) {
	const key = "cluster.publicCidrs"
	for i, network := range c.PublicCIDRs {
		f.network(key, network)
		if slices.Contains(c.PublicCIDRs[:i], network) {
			f.add(key, "%s is listed twice: name it once", network)
		}
		if strings.HasSuffix(network, "/0") && !c.AllowPublicAccessFromAnywhere {
			f.add(key, "%s opens the cluster's API to the whole internet: list your own ranges, or set cluster.allowPublicAccessFromAnywhere to true if you mean it", network)
		}
	}
	if c.AllowPublicAccessFromAnywhere && !slices.ContainsFunc(c.PublicCIDRs, func(network string) bool { return strings.HasSuffix(network, "/0") }) {
		f.add("cluster.allowPublicAccessFromAnywhere", "is true, but %s does not list 0.0.0.0/0: list it, or leave this out", key)
	}
}

func (c *Cluster) checkAccess(f *faults, o Organization) {
	seen := map[string]string{} // which entry names a principal
	for _, name := range c.AccessNames() {
		at, entry := "cluster.access."+name, c.Access[name]
		checkName(f, at, name)
		f.choice(at+".role", entry.Role, Administrator, CIAccess, Scientist)
		switch {
		case strings.Contains(entry.Principal, ":assumed-role/"):
			f.add(at+".principal", "%q is a session: give the role's own ARN, arn:aws:iam::…:role/…", entry.Principal)
		case !principalARN.MatchString(entry.Principal):
			f.add(at+".principal", "%q is not the ARN of a role or user, as arn:aws:iam::111122223333:role/research", entry.Principal)
		case o.RoleName != "" && strings.HasSuffix(entry.Principal, ":role/"+o.RoleName) && c.inTrainingAccount(entry.Principal, o):
			f.add(at+".principal", "%s is the role that makes the cluster, and EKS lets its maker in already: remove this", entry.Principal)
		}
		if other, taken := seen[entry.Principal]; taken {
			f.add(at+".principal", "%s is also the principal of %s: EKS takes one entry for each", entry.Principal, other)
		}
		seen[entry.Principal] = name
	}
}

// inTrainingAccount says whether a principal may be of the training account, whose id
// is only known here if it was given.
func (c *Cluster) inTrainingAccount(principal string, o Organization) bool {
	id := o.Accounts[TrainingAccount].ID
	return id != "" && strings.Contains(principal, "::"+id+":")
}

// checkTypes reads the figures that the configuration gives.
func (c *Cluster) checkTypes(f *faults) map[string]accelerator.Type {
	types := map[string]accelerator.Type{}
	for _, name := range names(c.InstanceTypes) {
		t, err := accelerator.Custom(name, c.InstanceTypes[name])
		if err != nil {
			f.add("cluster.instanceTypes."+name, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		types[name] = t // a faulty one too, so that its pools do not draw a second complaint
	}
	return types
}

func (c *Cluster) checkPool(f *faults, name string, p *Pool, types map[string]accelerator.Type, region string, n Network) {
	at := "cluster.pools." + name
	if !poolName.MatchString(name) {
		f.add(at, "%q is not a pool's name: 1 to 16 lower-case letters, digits and hyphens, a letter first", name)
	}
	if name == SystemPool {
		f.add(at, "is the name of the pool that runs the cluster's own pods: choose another")
	}
	t, ok := types[p.InstanceType]
	if !ok {
		var err error
		if t, err = accelerator.Lookup(p.InstanceType); err != nil {
			f.add(at+".instanceType", "%s (cluster.instanceTypes)", err)
			return
		}
	}
	if t.Name == "" {
		return // its figures are at fault already
	}
	p.Type = t
	p.checkMarks(f, at, name)
	p.checkEFA(f, at)
	if c.Given() {
		p.checkGiven(f, at)
		return
	}
	p.checkCapacity(f, at)
	p.checkPlace(f, at, region, n)
}

// checkGiven checks a pool of a cluster that exists, of which only its pods' needs
// are to be said.
func (p *Pool) checkGiven(f *faults, at string) {
	for _, set := range []struct {
		key  string
		done bool
	}{
		{"zones", len(p.Zones) > 0}, {"nodes", p.Nodes != 0}, {"minNodes", p.MinNodes != 0}, {"maxNodes", p.MaxNodes != 0},
		{"capacity", p.Capacity != ""}, {"reservationId", p.ReservationID != ""},
		{"placementGroup", p.PlacementGroup != nil}, {"volumeGB", p.VolumeGB != 0},
	} {
		if set.done {
			f.add(at+"."+set.key, "goes with a pool to be made, but cluster.kubeconfig says that the cluster exists: remove one of them")
		}
	}
}

// checkMarks checks labels and taint.
func (p *Pool) checkMarks(f *faults, at, name string) {
	for _, key := range names(p.Labels) {
		value := p.Labels[key]
		switch {
		case !labelKey.MatchString(key):
			f.add(at+".labels", "%q is not a label's name, as example.com/team", key)
		case !labelValue.MatchString(value):
			f.add(at+".labels."+key, "%q is not a label's value: at most 63 letters, digits, _ . and -", value)
		case key == PoolLabel && value != name:
			f.add(at+".labels."+key, "is the pool's name, which the program sets itself: remove it")
		}
	}
	if p.Taint == "" {
		p.Taint = p.Type.ResourceName() + "=true"
	}
	if !strings.Contains(p.Taint, "=") || !labelKey.MatchString(p.TaintKey()) || !labelValue.MatchString(p.TaintValue()) {
		f.add(at+".taint", "%q is not a taint's key and value, as nvidia.com/gpu=true (its effect is NoSchedule)", p.Taint)
	}
}

// checkEFA checks what the network between the nodes is.
func (p *Pool) checkEFA(f *faults, at string) {
	has := p.Type.EFAInterfaces > 0
	if p.EFA == nil {
		p.EFA = &has
	}
	if *p.EFA && !has {
		f.add(at+".efa", "%s has no EFA: use a larger type of the family, or leave this out", p.InstanceType)
	}
}

// checkCapacity checks how many nodes there are and where they come from.
func (p *Pool) checkCapacity(f *faults, at string) {
	const most = 450 // nodes of one node group: https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html
	if p.MaxNodes == 0 {
		p.MaxNodes = max(p.Nodes, p.MinNodes, 1)
	}
	f.between(at+".nodes", p.Nodes, 0, most, "nodes")
	f.between(at+".minNodes", p.MinNodes, 0, most, "nodes")
	f.between(at+".maxNodes", p.MaxNodes, 1, most, "nodes")
	if p.Nodes < p.MinNodes || p.Nodes > p.MaxNodes {
		f.add(at+".nodes", "%d is not between minNodes, %d, and maxNodes, %d", p.Nodes, p.MinNodes, p.MaxNodes)
	}
	if p.VolumeGB == 0 {
		p.VolumeGB = defaultVolumeGB
	}
	f.between(at+".volumeGB", p.VolumeGB, 50, 16384, "GB")

	if p.Capacity == "" {
		p.Capacity = OnDemand
	}
	f.choice(at+".capacity", p.Capacity, OnDemand, Spot, Reservation, CapacityBlock)
	switch {
	case p.Reserved() && p.ReservationID == "":
		f.add(at+".reservationId", "is missing: capacity %s comes from a reservation, whose id is cr-…", p.Capacity)
	case p.ReservationID != "" && !p.Reserved():
		f.add(at+".reservationId", "is given, but capacity is %s: set it to %s or %s, or remove this", p.Capacity, Reservation, CapacityBlock)
	case p.ReservationID != "" && !reservationID.MatchString(p.ReservationID):
		f.add(at+".reservationId", "%q is not a capacity reservation's id (cr-…)", p.ReservationID)
	}
	if p.Capacity == CapacityBlock && !p.Type.CapacityBlock {
		f.add(at+".capacity", "%s is not sold by capacity block: use %s, %s or %s", p.InstanceType, OnDemand, Spot, Reservation)
	}
	if p.Capacity == OnDemand || p.Capacity == Spot {
		if _, known := p.Type.HourlyCost(1); !known {
			f.add(at+".capacity", "%s is sold by capacity block only: set it to %s, with a reservationId", p.InstanceType, CapacityBlock)
		}
	}
}

// checkPlace checks where the nodes stand, and how close.
func (p *Pool) checkPlace(f *faults, at, region string, n Network) {
	together := *p.EFA && p.Type.PlacementGroup && !p.Reserved()
	switch {
	case p.PlacementGroup == nil:
		p.PlacementGroup = &together
	case *p.PlacementGroup && p.Reserved():
		f.add(at+".placementGroup", "cannot be joined by capacity that is reserved, which stands where it stands: leave this out")
	case *p.PlacementGroup && !p.Type.PlacementGroup:
		f.add(at+".placementGroup", "%s cannot stand in one: leave this out", p.InstanceType)
	}
	available := n.PoolZones()
	if len(p.Zones) == 0 && len(available) > 0 {
		p.Zones = available[:1]
	} else {
		p.Zones = f.zones(at+".zones", p.Zones, region)
	}
	for _, name := range p.Zones {
		if !slices.Contains(available, name) {
			f.add(at+".zones", "%s has no GPU subnet, only %s: add it to network.acceleratorZones (or network.acceleratorSubnetIds)", name, strings.Join(available, ", "))
		}
	}
	if len(p.Zones) > 1 {
		switch {
		case *p.PlacementGroup:
			f.add(at+".zones", "%d zones, but a placement group lies in one: name one, or set placementGroup to false", len(p.Zones))
		case *p.EFA:
			f.add(at+".zones", "%d zones, but EFA does not cross zones: name one, or set efa to false", len(p.Zones))
		case p.Reserved():
			f.add(at+".zones", "%d zones, but a reservation lies in one: name that one", len(p.Zones))
		}
	}
}

// checkRoom checks that GPU subnets of a VPC to be made have addresses for all nodes
// that may come.
func (c *Cluster) checkRoom(f *faults, n Network) {
	plan, err := n.Plan()
	if err != nil {
		return // told already, by network
	}
	for i, zone := range n.AcceleratorZones {
		wanted, room := 0, subnets.AcceleratorNodes(plan.Accelerator[i])
		for _, name := range c.PoolNames() {
			if pool := c.Pools[name]; slices.Contains(pool.Zones, zone) {
				wanted += pool.MaxNodes
			}
		}
		if wanted > room {
			f.add("network.cidr", "%s gives the GPU subnet of %s, %s, addresses for %d nodes, and pools there may grow to %d: give a larger range, another zone first in network.acceleratorZones, or lower maxNodes", n.CIDR, zone, plan.Accelerator[i], room, wanted)
		}
	}
}
