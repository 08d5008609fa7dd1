package accelerator

import (
	"fmt"
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Figures describes an instance type that the table lacks, or one of the table with the price of another region.
// `aws ec2 describe-instance-types` has the figures. Keys without omitempty are required: for what they decide, a
// guess would create nodes that fail, or train slowly over TCP.
type Figures struct {
	Kind            Kind   `json:"kind"`                     // nvidia or neuron
	Accelerator     string `json:"accelerator"`              // model
	Count           int    `json:"count"`                    // accelerators of a node
	AcceleratorMiB  int    `json:"acceleratorMiB,omitempty"` // memory of one accelerator; 0: unknown
	Processes       int    `json:"processes,omitempty"`      // training processes of a node; default for nvidia: count
	VCPU            int    `json:"vcpu"`                     //
	MemoryGiB       int    `json:"memoryGiB"`                // nominal
	NetworkCards    int    `json:"networkCards"`             //
	EFAInterfaces   int    `json:"efaInterfaces"`            // 0, networkCards, or networkCards-1 if card 0 has none
	Architecture    string `json:"architecture"`             // x86_64 or arm64
	InstanceStoreGB int    `json:"instanceStoreGB"`          // local NVMe; 0: none
	OnDemand        bool   `json:"onDemand"`                 // sold on demand and as spot, not only by capacity block
	CapacityBlock   bool   `json:"capacityBlock"`            // sold by capacity block
	PlacementGroup  bool   `json:"placementGroup"`           // supports cluster placement groups

	OnDemandQuota string  `json:"onDemandQuota,omitempty"` // service-quota code; default: that of the family, or unknown
	SpotQuota     string  `json:"spotQuota,omitempty"`     // likewise
	USDPerHour    float64 `json:"usdPerHour,omitempty"`    // on-demand price; 0: unknown
	PriceRegion   string  `json:"priceRegion,omitempty"`   // AWS region of the price
	PriceDate     string  `json:"priceDate,omitempty"`     // day of the price, YYYY-MM-DD
}

const configuration = "configuration"

// Type returns the instance type with these figures.
func (f Figures) Type(name string) Type {
	t := Type{
		Name:            name,
		Kind:            f.Kind,
		Accelerator:     f.Accelerator,
		Count:           f.Count,
		AcceleratorMiB:  f.AcceleratorMiB,
		Processes:       f.Processes,
		VCPU:            f.VCPU,
		MemoryGiB:       f.MemoryGiB,
		NetworkCards:    f.NetworkCards,
		EFAInterfaces:   f.EFAInterfaces,
		Architecture:    f.Architecture,
		InstanceStoreGB: f.InstanceStoreGB,
		OnDemand:        f.OnDemand,
		CapacityBlock:   f.CapacityBlock,
		PlacementGroup:  f.PlacementGroup,
		OnDemandQuota:   f.OnDemandQuota,
		SpotQuota:       f.SpotQuota,
		Source:          configuration,
	}
	if f.USDPerHour != 0 {
		t.Price = Price{USDPerHour: f.USDPerHour, Region: f.PriceRegion, Date: f.PriceDate, Source: configuration}
	}
	if t.Kind == NVIDIA && t.Processes == 0 {
		t.Processes = t.Count
	}
	onDemand, spot := quotas(name)
	if t.OnDemandQuota == "" {
		t.OnDemandQuota = onDemand
	}
	if t.SpotQuota == "" {
		t.SpotQuota = spot
	}
	return t
}

var (
	typeName  = regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9-]+$`)
	quotaCode = regexp.MustCompile(`^L-[0-9A-F]{8}$`)
)

// Validate returns the figures that are out of range or contradict each other or the table. p is their path.
func (f Figures) Validate(p *field.Path, name string) field.ErrorList {
	t := f.Type(name)
	errs := t.contradictions(p)
	priced := f.USDPerHour != 0
	if _, err := time.Parse(time.DateOnly, f.PriceDate); priced && err != nil {
		errs = append(errs, field.Invalid(p.Child("priceDate"), f.PriceDate,
			"must be the day of usdPerHour, for example 2026-07-20; quote it, so that YAML keeps it as it is"))
	}
	if priced && f.PriceRegion == "" {
		errs = append(errs, field.Required(p.Child("priceRegion"), "the AWS region of usdPerHour"))
	}
	if !priced && (f.PriceRegion != "" || f.PriceDate != "") {
		errs = append(errs, field.Required(p.Child("usdPerHour"), "or remove priceRegion and priceDate"))
	}
	if len(errs) == 0 {
		errs = t.deviations(p)
	}
	return errs
}

// contradictions returns what cannot be true of any instance type.
func (t Type) contradictions(p *field.Path) field.ErrorList {
	var errs field.ErrorList
	require := func(holds bool, key string, value any, must string) {
		if !holds {
			errs = append(errs, field.Invalid(p.Child(key), value, must))
		}
	}
	positive := func(key string, value int) { require(value > 0, key, value, "must be positive") }

	if !typeName.MatchString(t.Name) {
		errs = append(errs, field.Invalid(p, t.Name, "must have the name of an EC2 instance type"))
	}
	require(t.Kind == NVIDIA || t.Kind == Neuron, "kind", t.Kind, "must be nvidia or neuron")
	require(t.Accelerator != "", "accelerator", t.Accelerator, "must be the model, for example NVIDIA B300")
	positive("count", t.Count)
	positive("vcpu", t.VCPU)
	positive("memoryGiB", t.MemoryGiB)
	positive("networkCards", t.NetworkCards)
	require(t.AcceleratorMiB >= 0, "acceleratorMiB", t.AcceleratorMiB, "must not be negative")
	require(t.InstanceStoreGB >= 0, "instanceStoreGB", t.InstanceStoreGB, "must not be negative")
	require(t.Architecture == x86 || t.Architecture == arm, "architecture", t.Architecture, "must be x86_64 or arm64")
	require(t.Kind != Neuron || t.Architecture != arm, "architecture", t.Architecture,
		"must be x86_64, since EKS has no Neuron image for arm64")
	switch {
	case t.Count <= 0:
	case t.Kind == NVIDIA:
		require(t.Processes == t.Count, "processes", t.Processes,
			fmt.Sprintf("must be count, %d: one process for each GPU", t.Count))
	case t.Kind == Neuron:
		require(t.Processes > 0 && t.Processes%t.Count == 0, "processes", t.Processes,
			fmt.Sprintf("must be a multiple of count, %d: one process for each logical NeuronCore", t.Count))
	}
	fits := t.EFAInterfaces == 0 || t.EFAInterfaces == t.NetworkCards || t.EFAInterfaces > 0 && t.EFAInterfaces == t.NetworkCards-1
	require(fits || t.NetworkCards <= 0,
		"efaInterfaces", t.EFAInterfaces, fmt.Sprintf("must be 0, networkCards, %d, or one less if card 0 has no EFA", t.NetworkCards))
	require(t.OnDemand || t.CapacityBlock, "capacityBlock", t.CapacityBlock, "must be true if onDemand is false")
	require(t.OnDemandQuota == "" || quotaCode.MatchString(t.OnDemandQuota), "onDemandQuota", t.OnDemandQuota,
		"must be a service-quota code, for example L-417A185B")
	require(t.SpotQuota == "" || quotaCode.MatchString(t.SpotQuota), "spotQuota", t.SpotQuota,
		"must be a service-quota code, for example L-7212CCBC")
	require(t.Price.USDPerHour >= 0, "usdPerHour", t.Price.USDPerHour, "must not be negative")
	return errs
}

// deviations returns where t differs from the table's entry of the same name, if there is one. Hardware is the same in
// all regions; prices and what is sold are not.
func (t Type) deviations(p *field.Path) field.ErrorList {
	known, err := Lookup(t.Name)
	if err != nil {
		return nil
	}
	var errs field.ErrorList
	same := func(key string, value, figure any) {
		if value != figure {
			errs = append(errs, field.Invalid(p.Child(key), value,
				fmt.Sprintf("must be %v, the figure of the accelerator table", figure)))
		}
	}
	same("kind", t.Kind, known.Kind)
	same("count", t.Count, known.Count)
	if t.AcceleratorMiB != 0 {
		same("acceleratorMiB", t.AcceleratorMiB, known.AcceleratorMiB)
	}
	same("processes", t.Processes, known.Processes)
	same("vcpu", t.VCPU, known.VCPU)
	same("memoryGiB", t.MemoryGiB, known.MemoryGiB)
	same("networkCards", t.NetworkCards, known.NetworkCards)
	same("efaInterfaces", t.EFAInterfaces, known.EFAInterfaces)
	same("architecture", t.Architecture, known.Architecture)
	same("instanceStoreGB", t.InstanceStoreGB, known.InstanceStoreGB)
	if known.OnDemandQuota != "" {
		same("onDemandQuota", t.OnDemandQuota, known.OnDemandQuota)
	}
	if known.SpotQuota != "" {
		same("spotQuota", t.SpotQuota, known.SpotQuota)
	}
	return errs
}
