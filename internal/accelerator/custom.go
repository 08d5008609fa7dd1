package accelerator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Custom makes a Type of figures that the configuration gives, for an instance type
// that the table lacks, or for one that it has with another region's price. The JSON
// object's keys are:
//
//	kind             "nvidia" or "neuron"
//	accelerator      model
//	count            accelerators in one node
//	acceleratorMiB   memory of one accelerator, MiB
//	processes        training processes in one node; may be left out for nvidia (= count)
//	vcpu             virtual CPUs
//	memoryGiB        nominal memory, GiB
//	networkCards     network cards
//	efaInterfaces    EFA devices: 0, networkCards, or networkCards-1 if card 0 has none
//	architecture     "x86_64" or "arm64"
//	instanceStoreGB  local NVMe, GB; 0 for none
//	capacityBlock    true or false
//	placementGroup   true or false
//	onDemandQuota    service-quota code; may be left out for P, G, Trn and Inf
//	spotQuota        likewise
//	usdPerHour       on-demand price; 0 only where the type is sold by capacity block
//	priceRegion      AWS region of the price
//	priceDate        day of the price, YYYY-MM-DD
//
// `aws ec2 describe-instance-types` gives them. The one error lists every key that is
// missing, unknown or of the wrong type and every figure that contradicts another or
// the table.
func Custom(instanceType string, figures json.RawMessage) (Type, error) {
	in := reader{}
	if err := json.Unmarshal(figures, &in.keys); err != nil {
		return Type{}, fmt.Errorf("instance type %q: figures must be one JSON object: %w", instanceType, err)
	}
	t := Type{
		Name:            instanceType,
		Kind:            Kind(in.text("kind")),
		Accelerator:     in.text("accelerator"),
		Count:           in.whole("count"),
		AcceleratorMiB:  in.whole("acceleratorMiB"),
		VCPU:            in.whole("vcpu"),
		MemoryGiB:       in.whole("memoryGiB"),
		NetworkCards:    in.whole("networkCards"),
		EFAInterfaces:   in.whole("efaInterfaces"),
		Architecture:    in.text("architecture"),
		InstanceStoreGB: in.whole("instanceStoreGB"),
		CapacityBlock:   in.yes("capacityBlock"),
		PlacementGroup:  in.yes("placementGroup"),
		Price: Price{
			USDPerHour: in.number("usdPerHour"),
			Region:     in.text("priceRegion"),
			Date:       in.text("priceDate"),
			Source:     "configuration",
		},
		Source: "configuration",
	}
	t.Processes = t.Count
	if t.Kind != NVIDIA || in.has("processes") {
		t.Processes = in.whole("processes")
	}
	t.OnDemandQuota, t.SpotQuota = quotas(instanceType)
	if t.OnDemandQuota == "" || in.has("onDemandQuota") {
		t.OnDemandQuota = in.text("onDemandQuota")
	}
	if t.SpotQuota == "" || in.has("spotQuota") {
		t.SpotQuota = in.text("spotQuota")
	}

	faults := in.rest()
	if len(faults) == 0 { // figures that are missing would contradict everything
		faults = append(t.contradictions(), t.deviations()...)
	}
	if len(faults) > 0 {
		return Type{}, fmt.Errorf("instance type %q: %w", instanceType, errors.Join(faults...))
	}
	return t, nil
}

// contradictions lists what cannot be true of any instance type.
func (t Type) contradictions() []error {
	var faults []error
	require := func(holds bool, format string, args ...any) {
		if !holds {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	name := regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9-]+$`)
	quota := regexp.MustCompile(`^L-[0-9A-F]{8}$`)

	require(name.MatchString(t.Name), "name: not an EC2 instance type")
	require(t.Kind == NVIDIA || t.Kind == Neuron, "kind: %q is neither nvidia nor neuron", t.Kind)
	require(t.Accelerator != "", "accelerator: no model")
	require(t.Count > 0, "count: no accelerator")
	require(t.AcceleratorMiB > 0, "acceleratorMiB: no memory")
	require(t.VCPU > 0, "vcpu: none")
	require(t.MemoryGiB > 0, "memoryGiB: none")
	require(t.InstanceStoreGB >= 0, "instanceStoreGB: %d is negative", t.InstanceStoreGB)
	require(t.Architecture == X86 || t.Architecture == ARM, "architecture: %q is neither x86_64 nor arm64", t.Architecture)
	require(t.Kind != Neuron || t.Architecture != ARM, "architecture: EKS has no Neuron image for arm64")
	if t.Kind == NVIDIA {
		require(t.Processes == t.Count, "processes: %d, but %d GPUs run one each", t.Processes, t.Count)
	} else if t.Count > 0 {
		require(t.Processes > 0 && t.Processes%t.Count == 0,
			"processes: %d do not divide among %d Neuron devices", t.Processes, t.Count)
	}
	require(t.NetworkCards > 0, "networkCards: a node has at least one")
	require(t.EFAInterfaces == 0 || t.EFAInterfaces == t.NetworkCards || t.EFAInterfaces == t.NetworkCards-1,
		"efaInterfaces: %d do not fit %d network cards, one on each (or none on card 0)", t.EFAInterfaces, t.NetworkCards)
	require(quota.MatchString(t.OnDemandQuota), "onDemandQuota: %q is not a code like L-417A185B", t.OnDemandQuota)
	require(quota.MatchString(t.SpotQuota), "spotQuota: %q is not a code like L-7212CCBC", t.SpotQuota)
	require(t.Price.USDPerHour >= 0 && !math.IsInf(t.Price.USDPerHour, 0), "usdPerHour: %v is no price", t.Price.USDPerHour)
	require(t.Price.USDPerHour > 0 || t.CapacityBlock, "usdPerHour: none, and not sold by capacity block either")
	require(t.Price.Region != "", "priceRegion: empty")
	_, err := time.Parse(time.DateOnly, t.Price.Date)
	require(err == nil, "priceDate: %q is not a day like 2026-07-20", t.Price.Date)
	return faults
}

// deviations lists where t differs from the table's entry of the same name, if it has
// one. Hardware is the same everywhere; prices and what is sold are not.
func (t Type) deviations() []error {
	known, ok := find(t.Name)
	if !ok {
		return nil
	}
	var faults []error
	same := func(key string, got, want any) {
		if got != want {
			faults = append(faults, fmt.Errorf("%s: %v, but the accelerator table has %v", key, got, want))
		}
	}
	same("kind", t.Kind, known.Kind)
	same("count", t.Count, known.Count)
	same("acceleratorMiB", t.AcceleratorMiB, known.AcceleratorMiB)
	same("vcpu", t.VCPU, known.VCPU)
	same("memoryGiB", t.MemoryGiB, known.MemoryGiB)
	same("networkCards", t.NetworkCards, known.NetworkCards)
	same("efaInterfaces", t.EFAInterfaces, known.EFAInterfaces)
	same("architecture", t.Architecture, known.Architecture)
	same("instanceStoreGB", t.InstanceStoreGB, known.InstanceStoreGB)
	same("onDemandQuota", t.OnDemandQuota, known.OnDemandQuota)
	same("spotQuota", t.SpotQuota, known.SpotQuota)
	return faults
}

// reader takes keys out of a JSON object and remembers everything that is wrong, where
// encoding/json would stop at the first fault.
type reader struct {
	keys   map[string]json.RawMessage
	faults []error
}

func (r *reader) has(key string) bool { _, ok := r.keys[key]; return ok }

// take decodes one key into value and removes it from the object.
func (r *reader) take(key, wanted string, value any) {
	raw, ok := r.keys[key]
	delete(r.keys, key)
	switch {
	case !ok:
		r.faults = append(r.faults, fmt.Errorf("%s: missing", key))
	case bytes.Equal(raw, []byte("null")), json.Unmarshal(raw, value) != nil:
		r.faults = append(r.faults, fmt.Errorf("%s: %s is not %s", key, raw, wanted))
	}
}

func (r *reader) text(key string) (v string)    { r.take(key, "a string", &v); return v }
func (r *reader) whole(key string) (v int)      { r.take(key, "a whole number", &v); return v }
func (r *reader) number(key string) (v float64) { r.take(key, "a number", &v); return v }
func (r *reader) yes(key string) (v bool)       { r.take(key, "true or false", &v); return v }

// rest gives all faults, among them the keys that nobody took.
func (r *reader) rest() []error {
	var unknown []string
	for key := range r.keys {
		unknown = append(unknown, key)
	}
	if slices.Sort(unknown); len(unknown) > 0 {
		r.faults = append(r.faults, fmt.Errorf("unknown: %s", strings.Join(unknown, ", ")))
	}
	return r.faults
}
