// Package accelerator knows the EC2 instance types that the platform trains on. The node image, the resources of a pod,
// the network interfaces, the quota and the price follow from the instance type, so that no figure is typed twice.
package accelerator

import "fmt"

// Kind is the vendor's kind of accelerator.
type Kind string

// The kinds that Amazon EKS has a node image and a device plugin for, and none: the nodes train on their processors.
const (
	NVIDIA Kind = "nvidia"
	Neuron Kind = "neuron"
	None   Kind = "none"
)

// Processor architectures, as EC2 names them.
const (
	x86 = "x86_64"
	arm = "arm64"
)

// Type is an instance type. table.go says where the figures of the table come from.
type Type struct {
	Name        string // EC2 instance type, for example p5.48xlarge
	Kind        Kind   //
	Accelerator string // model, for example NVIDIA H100
	Count       int    // accelerators of a node: GPUs, or Neuron devices (not cores)

	// AcceleratorMiB is the memory of one accelerator in MiB, as EC2 reports it; 0 is unknown. The vendor's round figure
	// is decimal: an L4 with "24 GB" has 22888 MiB, 22 GiB.
	AcceleratorMiB int

	// Processes is the number of training processes of a node, torchrun's --nproc-per-node: one for each GPU or logical
	// NeuronCore. A Trainium has two cores. A Trainium2 has eight, which it joins by default into four logical ones.
	// Without an accelerator it is 1, which uses all processors.
	Processes int

	VCPU      int // virtual CPUs, which service quotas count
	MemoryGiB int // nominal memory; see FreeMiB

	NetworkCards int // network cards; an interface is attached to a card by its index

	// EFAInterfaces is the number of EFA interfaces, one on a card at most: 0 where the type has none, NetworkCards
	// where every card has one, and NetworkCards-1 where card 0 is for IP traffic only (P6-B300).
	EFAInterfaces int

	Architecture string // x86 or arm

	// InstanceStoreGB is the local NVMe in GB (10^9 bytes), all volumes together; 0 is none. nodeadm can join the
	// volumes to one RAID 0 array for images and scratch space. The data is lost when the instance stops.
	InstanceStoreGB int

	OnDemand       bool // sold on demand and as spot, not only by capacity block
	CapacityBlock  bool // Capacity Blocks for ML are sold in some region, not in every one
	PlacementGroup bool // supports cluster placement groups

	OnDemandQuota string // service-quota code (service ec2) of running on-demand instances, in vCPU; empty: unknown
	SpotQuota     string // service-quota code (service ec2) of spot requests, in vCPU; empty: unknown

	Price  Price  // on demand, Linux, shared tenancy
	Source string // page that the figures come from, and the date
}

// Price is the on-demand price of a node.
type Price struct {
	// USDPerHour is 0 where the price is unknown, or AWS publishes none in Region: the type is then sold by capacity
	// block, whose price changes with supply and demand.
	USDPerHour float64
	Region     string // AWS region, for example us-east-1; other regions differ
	Date       string // day of the price list, YYYY-MM-DD
	Source     string // price list
}

// onDemand returns the price of a type of the tables, without USDPerHour if the price list lacks it.
func onDemand(name string) Price {
	return Price{USDPerHour: usdPerHour[name], Region: priceRegion, Date: priceDate, Source: priceList}
}

// AMIType returns the amiType of an EKS managed node group: the AL2023 image with the driver of the accelerator, or
// without one. EKS has no Neuron image for ARM, and Figures.Validate refuses that pair.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html
func (t Type) AMIType() string {
	switch {
	case t.Kind == Neuron:
		return "AL2023_x86_64_NEURON"
	case t.Kind == None && t.Architecture == arm:
		return "AL2023_ARM_64_STANDARD"
	case t.Kind == None:
		return "AL2023_x86_64_STANDARD"
	case t.Architecture == arm:
		return "AL2023_ARM_64_NVIDIA"
	default:
		return "AL2023_x86_64_NVIDIA"
	}
}

// ResourceName returns the Kubernetes extended resource of which a pod requests Count to get the whole node. On Neuron
// it is the device with all its cores: a pod that requests every device needs no Neuron scheduler extension, unlike one
// that requests single cores (aws.amazon.com/neuroncore). It is empty without accelerators.
// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/containers/neuron-plugins.html
func (t Type) ResourceName() string {
	switch t.Kind {
	case Neuron:
		return "aws.amazon.com/neuron"
	case NVIDIA:
		return "nvidia.com/gpu"
	}
	return ""
}

// SharedMemoryGiB returns the size limit of a pod's /dev/shm in GiB: half of the node's memory, which is the default of
// tmpfs(5). Data loader workers pass batches through /dev/shm, and with a container's default of 64 MiB they die of a
// bus error. The limit reserves nothing, but what is written counts against the pod's memory.
func (t Type) SharedMemoryGiB() int { return t.MemoryGiB / 2 }

// ARM reports whether the processors are ARM, for which images must be built.
func (t Type) ARM() bool { return t.Architecture == arm }

// Interface is one entry of a launch template's networkInterfaces.
type Interface struct {
	NetworkCard int    // networkCardIndex
	DeviceIndex int    // deviceIndex on that card
	Type        string // interfaceType: "efa" (IP and EFA), "efa-only" (no IP), "interface" (IP only)
}

// Interfaces returns the network interfaces of a launch template that uses every EFA interface and one IP address: an
// "efa" interface as the primary, on card 0 and device index 0, and an "efa-only" one at device index 1 of every other
// card. The primary must not be efa-only, and a card supports one EFA interface. The result is nil where the type has
// no EFA: such a template needs no networkInterfaces.
//
// Where card 0 has no EFA, the primary is a plain interface, and the EFA interfaces are at device index 0 of the other
// cards, as AWS prescribes for P6-B300.
//
// EC2's page now prefers a plain primary for every type, with the EFA interface of card 0 at device index 1. EC2
// accepts both; ours leaves the second interface of card 0 of a P5 to pod IPs.
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

// Known returns the instance types of the table, by family and size.
func Known() []string {
	var names []string
	for _, f := range families {
		for _, s := range f.sizes {
			names = append(names, s.name)
		}
	}
	return names
}

// Lookup returns an instance type of the table.
func Lookup(instanceType string) (Type, error) {
	for _, f := range families {
		for _, s := range f.sizes {
			if s.name == instanceType {
				return f.build(s), nil
			}
		}
	}
	return Type{}, fmt.Errorf("instance type %q is not in the accelerator table", instanceType)
}
