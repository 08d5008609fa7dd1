// Package accelerator knows the EC2 instance types that this platform trains on.
// One instance type decides everything that follows from it: the node image, the
// pod's resources, the network interfaces, the quota to ask for and the price, so
// that no figure is typed twice. It imports nothing but the standard library.
package accelerator

import (
	"fmt"
	"strings"
)

// Kind says whose accelerators an instance type carries.
type Kind string

// The kinds that Amazon EKS has a node image and a device plugin for.
const (
	NVIDIA Kind = "nvidia"
	Neuron Kind = "neuron"
)

// Processor architectures, as EC2 names them.
const (
	X86 = "x86_64"
	ARM = "arm64"
)

// Type is what one instance type is. Where the figures come from stands in table.go
// and in Source and Price.Source.
type Type struct {
	Name        string // EC2 instance type, such as "p5.48xlarge"
	Kind        Kind   // whose accelerators
	Accelerator string // model, such as "NVIDIA H100"
	Count       int    // accelerators in one node: GPUs, or Neuron devices (not cores)

	// AcceleratorMiB is the memory of one accelerator in MiB, as EC2 reports it. The
	// vendor's round figure is decimal: an L4 of "24 GB" has 22888 MiB, 22 GiB.
	AcceleratorMiB int

	// Processes is how many training processes one node runs, torchrun's
	// --nproc-per-node: one for each GPU or each logical NeuronCore. (Two cores for
	// each Trainium; four for each Trainium2, whose default joins two of its eight
	// cores into one logical core.)
	Processes int

	VCPU      int // virtual CPUs, which is what the service quotas count
	MemoryGiB int // nominal memory; pods can have 7 to 14 percent less

	NetworkCards int // network cards; interfaces are attached to a card by its index

	// EFAInterfaces is how many EFA devices fit, at most one on a card: 0 where the
	// type has none, NetworkCards where every card carries one, and NetworkCards-1
	// where card 0 is for IP traffic only (P6-B300).
	EFAInterfaces int

	Architecture string // X86 or ARM

	// InstanceStoreGB is the local NVMe in GB (10^9 bytes), all volumes together; 0 is
	// none. Where there is some, nodeadm can join it to one RAID 0 volume for images
	// and scratch. It is lost when the instance stops.
	InstanceStoreGB int

	// CapacityBlock says whether Capacity Blocks for ML are sold for the type in some
	// region. Not every region sells every one.
	CapacityBlock bool

	// PlacementGroup says whether the type may stand in a cluster placement group.
	PlacementGroup bool

	OnDemandQuota string // service-quota code (service "ec2") of running on-demand instances, in vCPU
	SpotQuota     string // service-quota code (service "ec2") of spot requests, in vCPU

	Price  Price  // on-demand, Linux, shared tenancy
	Source string // page that the figures come from, and the date
}

// Price is what one node costs while it runs on demand.
type Price struct {
	// USDPerHour is 0 where AWS publishes no on-demand price in Region; the type is
	// then bought by capacity block, whose price moves with supply and demand.
	USDPerHour float64
	Region     string // AWS region, such as "us-east-1"; other regions differ
	Date       string // day that the price list was taken, YYYY-MM-DD
	Source     string // price list
}

// Family is the part of the name before the dot, such as "p5en".
func (t Type) Family() string {
	family, _, _ := strings.Cut(t.Name, ".")
	return family
}

// AcceleratorGiB is the memory of one accelerator in GiB, rounded down.
func (t Type) AcceleratorGiB() int { return t.AcceleratorMiB / 1024 }

// TotalAcceleratorGiB is the memory of all the node's accelerators in GiB, rounded
// down once: four A10G have 89 GiB, not four times 22.
func (t Type) TotalAcceleratorGiB() int { return t.Count * t.AcceleratorMiB / 1024 }

// AMIType is the EKS managed node group's amiType: the AL2023 image with the driver
// for the accelerator. EKS has no Neuron image for ARM, and Custom refuses that pair.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html
func (t Type) AMIType() string {
	switch {
	case t.Kind == Neuron:
		return "AL2023_x86_64_NEURON"
	case t.Architecture == ARM:
		return "AL2023_ARM_64_NVIDIA"
	default:
		return "AL2023_x86_64_NVIDIA"
	}
}

// ResourceName is the Kubernetes extended resource of which a pod asks for Count to
// have the whole node. On Neuron it is the device, which brings all its cores with
// it: a pod that takes every device needs no Neuron scheduler extension, as one that
// takes single cores (aws.amazon.com/neuroncore) would.
// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/containers/neuron-plugins.html
func (t Type) ResourceName() string {
	if t.Kind == Neuron {
		return "aws.amazon.com/neuron"
	}
	return "nvidia.com/gpu"
}

// SharedMemoryGiB is the size limit of the pod's /dev/shm in GiB: half of the node's
// memory, which is what Linux gives a tmpfs on a machine of its own (tmpfs(5)). Data
// loader workers hand their batches over in /dev/shm, and a container's default of
// 64 MiB ends them with a bus error. It is a limit and reserves nothing, but what is
// written there counts against the pod's memory, so it must leave room for the pod.
func (t Type) SharedMemoryGiB() int { return t.MemoryGiB / 2 }

// HourlyCost is what n nodes cost in USD for one hour on demand, at Price. Known is
// false where there is no on-demand price: an unknown cost is not a cost of nothing.
func (t Type) HourlyCost(n int) (usd float64, known bool) {
	return float64(n) * t.Price.USDPerHour, t.Price.USDPerHour > 0
}

// VCPUs is what n nodes take of the account's quota (OnDemandQuota or SpotQuota), in
// vCPU. Instances in a capacity block do not count against the on-demand quota.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-blocks.html
func (t Type) VCPUs(n int) int { return n * t.VCPU }

// Interface is one entry of a launch template's networkInterfaces.
type Interface struct {
	NetworkCard int    // networkCardIndex
	DeviceIndex int    // deviceIndex on that card
	Type        string // interfaceType: "efa" (IP and EFA), "efa-only" (no IP), "interface" (IP only)
}

// Interfaces is the launch template's network layout that uses every EFA device and
// takes one IP address: an "efa" interface as the primary, on card 0 and device
// index 0, and an "efa-only" one at device index 1 of every other card. The primary
// may not be efa-only, and a card carries one EFA device. It is nil where the type
// has no EFA: such a template needs no networkInterfaces.
//
// Where card 0 carries no EFA, the primary is a plain interface and the EFA devices
// stand at device index 0 of the other cards, as AWS prescribes for P6-B300.
//
// EC2's page now prefers the plain primary everywhere, with card 0's EFA at device
// index 1. EC2 takes both; ours leaves card 0's second interface of a P5 to pod IPs.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html#network-cards
// https://github.com/aws/aws-parallelcluster/issues/7143 (P6-B300)
func (t Type) Interfaces() []Interface {
	if t.EFAInterfaces == 0 {
		return nil
	}
	primary, index := "efa", 1
	if t.EFAInterfaces < t.NetworkCards {
		primary, index = "interface", 0
	}
	layout := []Interface{{NetworkCard: 0, DeviceIndex: 0, Type: primary}}
	for card := 1; card < t.NetworkCards; card++ {
		layout = append(layout, Interface{NetworkCard: card, DeviceIndex: index, Type: "efa-only"})
	}
	return layout
}

// Known lists the instance types in the table, by family and size.
func Known() []string {
	var names []string
	for _, f := range families {
		for _, s := range f.sizes {
			names = append(names, s.name)
		}
	}
	return names
}

// Lookup finds an instance type in the table. The error of an unknown one names the
// nearest and lists all that are known.
func Lookup(instanceType string) (Type, error) {
	if t, ok := find(instanceType); ok {
		return t, nil
	}
	known := Known()
	return Type{}, fmt.Errorf("instance type %q: not in the accelerator table; did you mean %s? Known: %s. "+
		"Any other needs all its figures in the configuration",
		instanceType, nearest(instanceType, known), strings.Join(known, ", "))
}

func find(instanceType string) (Type, bool) {
	for _, f := range families {
		for _, s := range f.sizes {
			if s.name == instanceType {
				return f.build(s), true
			}
		}
	}
	return Type{}, false
}

// nearest is the name with the fewest letters to change, the first of several. A name
// of the same family comes first: p5.24xlarge is nearer to p5.4xlarge than to g5.24xlarge.
func nearest(name string, names []string) string {
	family, _, _ := strings.Cut(name, ".")
	best, fewest := "", -1
	for _, n := range names {
		d := distance(name, n)
		if !strings.HasPrefix(n, family+".") {
			d += len(name)
		}
		if fewest < 0 || d < fewest {
			best, fewest = n, d
		}
	}
	return best
}

// distance is Levenshtein's: insertions, deletions and substitutions.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
