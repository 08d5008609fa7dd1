package accelerator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// secondSource is what the second source of the table says: type, memory GiB, vCPU, accelerators, their memory in all
// GiB, EFA, network cards, instance store volumes and GB of each. It is AWS's page of specifications; for G4dn, Gr6, G7,
// G7e and P6-B300, which that page lacks or of which no copy was to be had, it is moto's (see table.go).
var secondSource = []struct {
	name                         string
	memory, vcpu, count, total   int
	efa                          bool
	cards, volumes, gbEachVolume int
}{
	{"g4dn.xlarge", 16, 4, 1, 16, false, 1, 1, 125},
	{"g4dn.2xlarge", 32, 8, 1, 16, false, 1, 1, 225},
	{"g4dn.4xlarge", 64, 16, 1, 16, false, 1, 1, 225},
	{"g4dn.8xlarge", 128, 32, 1, 16, true, 1, 1, 900},
	{"g4dn.12xlarge", 192, 48, 4, 64, true, 1, 1, 900},
	{"g4dn.16xlarge", 256, 64, 1, 16, true, 1, 1, 900},
	{"g4dn.metal", 384, 96, 8, 128, true, 1, 2, 900},
	{"g5.xlarge", 16, 4, 1, 22, false, 1, 1, 250},
	{"g5.2xlarge", 32, 8, 1, 22, false, 1, 1, 450},
	{"g5.4xlarge", 64, 16, 1, 22, false, 1, 1, 600},
	{"g5.8xlarge", 128, 32, 1, 22, true, 1, 1, 900},
	{"g5.12xlarge", 192, 48, 4, 89, true, 1, 1, 3800},
	{"g5.16xlarge", 256, 64, 1, 22, true, 1, 1, 1900},
	{"g5.24xlarge", 384, 96, 4, 89, true, 1, 1, 3800},
	{"g5.48xlarge", 768, 192, 8, 178, true, 1, 2, 3800},
	{"g6.xlarge", 16, 4, 1, 22, false, 1, 1, 250},
	{"g6.2xlarge", 32, 8, 1, 22, false, 1, 1, 450},
	{"g6.4xlarge", 64, 16, 1, 22, false, 1, 1, 600},
	{"g6.8xlarge", 128, 32, 1, 22, true, 1, 2, 450},
	{"g6.12xlarge", 192, 48, 4, 89, true, 1, 4, 940},
	{"g6.16xlarge", 256, 64, 1, 22, true, 1, 2, 940},
	{"g6.24xlarge", 384, 96, 4, 89, true, 1, 4, 940},
	{"g6.48xlarge", 768, 192, 8, 178, true, 1, 8, 940},
	{"gr6.4xlarge", 128, 16, 1, 22, false, 1, 1, 600},
	{"gr6.8xlarge", 256, 32, 1, 22, true, 1, 2, 450},
	{"g6e.xlarge", 32, 4, 1, 44, false, 1, 1, 250},
	{"g6e.2xlarge", 64, 8, 1, 44, false, 1, 1, 450},
	{"g6e.4xlarge", 128, 16, 1, 44, false, 1, 1, 600},
	{"g6e.8xlarge", 256, 32, 1, 44, true, 1, 2, 450},
	{"g6e.12xlarge", 384, 48, 4, 178, true, 1, 2, 1900},
	{"g6e.16xlarge", 512, 64, 1, 44, true, 1, 2, 950},
	{"g6e.24xlarge", 768, 96, 4, 178, true, 2, 2, 1900},
	{"g6e.48xlarge", 1536, 192, 8, 357, true, 4, 4, 1900},
	{"g7.2xlarge", 32, 8, 1, 32, false, 1, 1, 440},
	{"g7.4xlarge", 64, 16, 1, 32, false, 1, 1, 875},
	{"g7.8xlarge", 128, 32, 1, 32, true, 1, 1, 930},
	{"g7.12xlarge", 192, 48, 2, 64, true, 1, 1, 1900},
	{"g7.24xlarge", 384, 96, 4, 128, true, 1, 2, 1900},
	{"g7.48xlarge", 768, 192, 8, 256, true, 2, 4, 1900},
	{"g7e.2xlarge", 64, 8, 1, 96, false, 1, 1, 1900},
	{"g7e.4xlarge", 128, 16, 1, 96, false, 1, 1, 1900},
	{"g7e.8xlarge", 256, 32, 1, 96, true, 1, 1, 1900},
	{"g7e.12xlarge", 512, 48, 2, 192, true, 1, 1, 3800},
	{"g7e.24xlarge", 1024, 96, 4, 384, true, 2, 2, 3800},
	{"g7e.48xlarge", 2048, 192, 8, 768, true, 4, 4, 3800},
	{"p4d.24xlarge", 1152, 96, 8, 320, true, 4, 8, 1000},
	{"p4de.24xlarge", 1152, 96, 8, 640, true, 4, 8, 1000},
	{"p5.4xlarge", 256, 16, 1, 80, true, 1, 1, 3800},
	{"p5.48xlarge", 2048, 192, 8, 640, true, 32, 8, 3800},
	{"p5e.48xlarge", 2048, 192, 8, 1128, true, 32, 8, 3800},
	{"p5en.48xlarge", 2048, 192, 8, 1128, true, 16, 8, 3800},
	{"p6-b200.48xlarge", 2048, 192, 8, 1432, true, 8, 8, 3800},
	{"p6-b300.48xlarge", 4096, 192, 8, 2148, true, 17, 8, 3800},
	{"trn1.2xlarge", 32, 8, 1, 32, false, 1, 1, 474},
	{"trn1.32xlarge", 512, 128, 16, 512, true, 8, 4, 1900},
	{"trn1n.32xlarge", 512, 128, 16, 512, true, 16, 4, 1900},
	// 1536 is from Neuron's page on Trn2; AWS's page says 8192, see table.go.
	{"trn2.48xlarge", 2048, 192, 16, 1536, true, 16, 4, 1900},
}

func TestTableAgreesWithSecondSource(t *testing.T) {
	var names []string
	for _, page := range secondSource {
		names = append(names, page.name)
		it, err := Lookup(page.name)
		if err != nil {
			t.Error(err)
			continue
		}
		equal := func(what string, got, want any) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s: got %v, the second source says %v", page.name, what, got, want)
			}
		}
		equal("memory", it.MemoryGiB, page.memory)
		equal("vCPU", it.VCPU, page.vcpu)
		equal("accelerators", it.Count, page.count)
		equal("accelerator memory in all", it.Count*it.AcceleratorMiB/1024, page.total)
		equal("EFA", it.EFAInterfaces > 0, page.efa)
		equal("network cards", it.NetworkCards, page.cards)
		equal("instance store", it.InstanceStoreGB, page.volumes*page.gbEachVolume)
	}
	if !slices.Equal(names, Known()) {
		t.Errorf("known types %v\nare not those of the second source %v", Known(), names)
	}
}

// every runs a check on each type of the table, and fails if there is none.
func every(t *testing.T, check func(*testing.T, Type)) {
	t.Helper()
	if len(Known()) < 30 {
		t.Fatalf("%d types in the table; this test tests nothing", len(Known()))
	}
	for _, name := range Known() {
		it, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { check(t, it) })
	}
}

func TestEveryTypeIsConsistentAndSourced(t *testing.T) {
	seen := map[string]bool{}
	every(t, func(t *testing.T, it Type) {
		for _, err := range it.contradictions(nil) {
			t.Error(err)
		}
		if seen[it.Name] {
			t.Error("twice in the table")
		}
		seen[it.Name] = true
		if !strings.HasPrefix(it.Source, "https://docs.aws.amazon.com/") || !strings.Contains(it.Source, "2026-") {
			t.Errorf("source %q is no dated page", it.Source)
		}
		if !strings.Contains(it.Price.Source, "https://aws.amazon.com/ec2/pricing/") || it.Price.Region == "" {
			t.Errorf("price %+v has no source or region", it.Price)
		}
		if taken, err := time.Parse(time.DateOnly, it.Price.Date); err != nil || taken.Year() < 2025 {
			t.Errorf("price date %q", it.Price.Date)
		}
		if it.EFAInterfaces > it.NetworkCards {
			t.Errorf("%d EFA devices on %d cards", it.EFAInterfaces, it.NetworkCards)
		}
		if !it.PlacementGroup {
			t.Error("no cluster placement group, but every current accelerated type may have one")
		}
		// Larger figures are slips of a digit: no accelerator costs less than half a
		// dollar or more than twenty an hour, none has under 16 or over 300 GiB.
		if price := it.Price.USDPerHour / float64(it.Count); it.Price.USDPerHour > 0 && (price < 0.5 || price > 20) {
			t.Errorf("%.2f USD an hour for one accelerator", price)
		}
		if gib := it.AcceleratorMiB / 1024; gib < 16 || gib > 300 {
			t.Errorf("%d GiB in one accelerator", gib)
		}
	})
}

// Only these have no on-demand price. Any other type without one is a mistake.
func TestTypesWithoutPrice(t *testing.T) {
	var without []string
	every(t, func(t *testing.T, it Type) {
		if it.Price.USDPerHour == 0 {
			without = append(without, it.Name)
		}
		if it.OnDemand != (it.Price.USDPerHour > 0) {
			t.Errorf("sold on demand: %v, at %v USD", it.OnDemand, it.Price.USDPerHour)
		}
	})
	if want := []string{"p5e.48xlarge", "trn2.48xlarge"}; !slices.Equal(without, want) {
		t.Errorf("without price: %v, want %v", without, want)
	}
}

// The pages on capacity blocks name these and no other type of the table.
func TestCapacityBlocks(t *testing.T) {
	want := []string{"p4d.24xlarge", "p4de.24xlarge", "p5.4xlarge", "p5.48xlarge", "p5e.48xlarge",
		"p5en.48xlarge", "p6-b200.48xlarge", "p6-b300.48xlarge", "trn1.32xlarge", "trn2.48xlarge"}
	var got []string
	every(t, func(t *testing.T, it Type) {
		if it.CapacityBlock {
			got = append(got, it.Name)
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("capacity blocks for %v, want %v", got, want)
	}
}

func TestWhatFollowsFromKindAndFamily(t *testing.T) {
	follows := map[string]struct{ ami, resource, onDemand, spot string }{
		"g4": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-DB2E81BA", "L-3819A6DF"},
		"gr": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-DB2E81BA", "L-3819A6DF"},
		"g7": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-DB2E81BA", "L-3819A6DF"},
		"g5": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-DB2E81BA", "L-3819A6DF"},
		"g6": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-DB2E81BA", "L-3819A6DF"},
		"p4": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-417A185B", "L-7212CCBC"},
		"p5": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-417A185B", "L-C4BD4855"},
		"p6": {"AL2023_x86_64_NVIDIA", "nvidia.com/gpu", "L-417A185B", ""},
		"tr": {"AL2023_x86_64_NEURON", "aws.amazon.com/neuron", "L-2C3B7624", "L-6B0D517C"},
	}
	every(t, func(t *testing.T, it Type) {
		want := follows[it.Name[:2]]
		if it.AMIType() != want.ami {
			t.Errorf("AMI type %s, want %s", it.AMIType(), want.ami)
		}
		if it.ResourceName() != want.resource {
			t.Errorf("resource %s, want %s", it.ResourceName(), want.resource)
		}
		if it.OnDemandQuota != want.onDemand || it.SpotQuota != want.spot {
			t.Errorf("quotas %s and %s, want %s and %s", it.OnDemandQuota, it.SpotQuota, want.onDemand, want.spot)
		}
	})
	if got := (Type{Kind: NVIDIA, Architecture: arm}).AMIType(); got != "AL2023_ARM_64_NVIDIA" {
		t.Errorf("AMI type of an arm node with GPUs: %s", got)
	}
}

// The numbers of torchrun's --nproc-per-node in Neuron's guides, and one for each GPU.
func TestProcesses(t *testing.T) {
	neuron := map[string]int{"trn1.2xlarge": 2, "trn1.32xlarge": 32, "trn1n.32xlarge": 32, "trn2.48xlarge": 64}
	every(t, func(t *testing.T, it Type) {
		want := it.Count
		if it.Kind == Neuron {
			want = neuron[it.Name]
		}
		if it.Processes != want {
			t.Errorf("%d processes, want %d", it.Processes, want)
		}
	})
}

func TestInterfaces(t *testing.T) {
	every(t, func(t *testing.T, it Type) {
		layout := it.Interfaces()
		if it.Name == "p6-b300.48xlarge" { // TestInterfacesWithoutEFAOnTheFirstCard
			return
		}
		if len(layout) != it.EFAInterfaces {
			t.Fatalf("%d interfaces for %d EFA devices", len(layout), it.EFAInterfaces)
		}
		for i, got := range layout {
			want := Interface{NetworkCard: i, DeviceIndex: 1, Type: "efa-only"}
			if i == 0 {
				want = Interface{NetworkCard: 0, DeviceIndex: 0, Type: "efa"}
			}
			if got != want {
				t.Errorf("interface %d is %+v, want %+v", i, got, want)
			}
		}
	})
	for name, want := range map[string]int{"g5.xlarge": 0, "p5.4xlarge": 1, "g6e.48xlarge": 4, "p4d.24xlarge": 4,
		"p5.48xlarge": 32, "p5en.48xlarge": 16, "p6-b200.48xlarge": 8, "trn1n.32xlarge": 16, "trn2.48xlarge": 16} {
		it, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(it.Interfaces()); got != want {
			t.Errorf("%s: %d EFA interfaces, want %d", name, got, want)
		}
	}
}

// P6-B300 has 17 cards, of which card 0 carries no EFA.
func TestInterfacesWithoutEFAOnTheFirstCard(t *testing.T) {
	it, err := Lookup("p6-b300.48xlarge")
	if err != nil {
		t.Fatal(err)
	}
	layout := it.Interfaces()
	if len(layout) != 17 || layout[0] != (Interface{0, 0, "interface"}) {
		t.Fatalf("%d interfaces, the first %+v", len(layout), layout[0])
	}
	for card := 1; card < 17; card++ {
		if want := (Interface{card, 0, "efa-only"}); layout[card] != want {
			t.Errorf("interface %d is %+v, want %+v", card, layout[card], want)
		}
	}
}

func TestSharedMemory(t *testing.T) {
	every(t, func(t *testing.T, it Type) {
		if shm := it.SharedMemoryGiB(); shm < 8 || 2*shm > it.MemoryGiB {
			t.Errorf("/dev/shm of %d GiB in %d GiB of memory", shm, it.MemoryGiB)
		}
	})
}

func TestLookupOfUnknown(t *testing.T) {
	for _, unknown := range []string{"p5.24xlarge", "P4d.24xlarge", "p7-x300.48xlarge", ""} {
		if _, err := Lookup(unknown); err == nil || !strings.Contains(err.Error(), unknown) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
}
