package accelerator

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// x300 returns the figures of a type that the table lacks.
func x300() Figures {
	return Figures{
		Kind: "nvidia", Accelerator: "NVIDIA X300", Count: 8, AcceleratorMiB: 275040, VCPU: 192, MemoryGiB: 4096,
		NetworkCards: 17, EFAInterfaces: 16, Architecture: "x86_64", InstanceStoreGB: 30400,
		OnDemand: true, CapacityBlock: true, PlacementGroup: true,
		USDPerHour: 142.416, PriceRegion: "us-east-1", PriceDate: "2026-07-20",
	}
}

func trn3() Figures {
	f := x300()
	f.Kind, f.Accelerator, f.Processes = Neuron, "AWS Trainium3", 64
	return f
}

var path = field.NewPath("figures")

func TestFigures(t *testing.T) {
	want := Type{
		Name: "p7-x300.48xlarge", Kind: NVIDIA, Accelerator: "NVIDIA X300", Count: 8, AcceleratorMiB: 275040,
		Processes: 8, VCPU: 192, MemoryGiB: 4096, NetworkCards: 17, EFAInterfaces: 16, Architecture: x86,
		InstanceStoreGB: 30400, OnDemand: true, CapacityBlock: true, PlacementGroup: true,
		OnDemandQuota: "L-417A185B", SpotQuota: "L-00000000",
		Price:  Price{USDPerHour: 142.416, Region: "us-east-1", Date: "2026-07-20", Source: "configuration"},
		Source: "configuration",
	}
	figures := x300()
	figures.SpotQuota = "L-00000000"
	if errs := figures.Validate(path, want.Name); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	if got := figures.Type(want.Name); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Price and quotas are unknown where they are left out, and of no type that the table lacks is one required.
func TestFiguresWithoutPriceAndQuotas(t *testing.T) {
	for _, name := range []string{"dl1.24xlarge", "p7-x300.48xlarge"} {
		figures := x300()
		figures.USDPerHour, figures.PriceRegion, figures.PriceDate, figures.AcceleratorMiB = 0, "", "", 0
		if errs := figures.Validate(path, name); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs.ToAggregate())
		}
		if got := figures.Type(name); got.Price != (Price{}) || got.SpotQuota != "" {
			t.Errorf("%s: price %+v, spot quota %q", name, got.Price, got.SpotQuota)
		}
	}
}

// A type of the table can be configured with the price of another region and with what is sold there, and with nothing
// else that differs.
func TestFiguresOfAKnownType(t *testing.T) {
	h100 := func() Figures {
		f := x300()
		f.Accelerator, f.AcceleratorMiB, f.MemoryGiB, f.NetworkCards, f.EFAInterfaces = "H100", 81920, 2048, 32, 32
		f.USDPerHour, f.PriceRegion, f.CapacityBlock = 68.8, "eu-north-1", false
		return f
	}
	if errs := h100().Validate(path, "p5.48xlarge"); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	for key, change := range map[string]func(*Figures){
		"count":           func(f *Figures) { f.Count = 4 },
		"acceleratorMiB":  func(f *Figures) { f.AcceleratorMiB = 1 },
		"vcpu":            func(f *Figures) { f.VCPU = 96 },
		"memoryGiB":       func(f *Figures) { f.MemoryGiB = 2000 },
		"networkCards":    func(f *Figures) { f.NetworkCards = 33 },
		"efaInterfaces":   func(f *Figures) { f.EFAInterfaces = 31 },
		"architecture":    func(f *Figures) { f.Architecture = arm },
		"instanceStoreGB": func(f *Figures) { f.InstanceStoreGB = 0 },
		"onDemandQuota":   func(f *Figures) { f.OnDemandQuota = "L-00000000" },
		"spotQuota":       func(f *Figures) { f.SpotQuota = "L-00000000" },
	} {
		wrong := h100()
		change(&wrong)
		if errs := wrong.Validate(path, "p5.48xlarge"); !strings.Contains(says(errs), "figures."+key+": ") || !strings.Contains(says(errs), "the figure of the accelerator table") {
			t.Errorf("%s: %v", key, errs)
		}
	}
}

// says returns the errors, one a line, with key and detail.
func says(errs field.ErrorList) string {
	var lines []string
	for _, err := range errs {
		lines = append(lines, err.Field+": "+err.Detail)
	}
	return strings.Join(lines, "\n")
}

func TestBadFigures(t *testing.T) {
	for _, c := range []struct {
		name   string
		base   func() Figures
		change func(*Figures)
		want   string // the only error
	}{
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.Kind = "amd" }, "figures.kind: must be nvidia or neuron"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.Count = 0 }, "figures.count: must be positive"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.AcceleratorMiB = -1 }, "figures.acceleratorMiB: must not be negative"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.VCPU = 0 }, "figures.vcpu: must be positive"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.MemoryGiB = 0 }, "figures.memoryGiB: must be positive"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.InstanceStoreGB = -1 }, "figures.instanceStoreGB: must not be negative"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.Accelerator = "" }, "figures.accelerator: must be the model, for example NVIDIA B300"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.EFAInterfaces = 18 }, "figures.efaInterfaces: must be 0, networkCards, 17, or one less if card 0 has no EFA"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.EFAInterfaces = 8 }, "figures.efaInterfaces: must be 0, networkCards, 17, or one less if card 0 has no EFA"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.EFAInterfaces = -1 }, "figures.efaInterfaces: must be 0, networkCards, 17, or one less if card 0 has no EFA"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.NetworkCards = 0 }, "figures.networkCards: must be positive"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.Processes = 4 }, "figures.processes: must be count, 8: one process for each GPU"},
		{"trn3.48xlarge", trn3, func(f *Figures) { f.Processes = 9 }, "figures.processes: must be a multiple of count, 8: one process for each logical NeuronCore"},
		{"trn3.48xlarge", trn3, func(f *Figures) { f.Processes = 0 }, "figures.processes: must be a multiple of count, 8: one process for each logical NeuronCore"},
		{"trn3.48xlarge", trn3, func(f *Figures) { f.Architecture = arm }, "figures.architecture: must be x86_64, since EKS has no Neuron image for arm64"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.Architecture = "riscv" }, "figures.architecture: must be x86_64 or arm64"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.OnDemand, f.CapacityBlock = false, false }, "figures.capacityBlock: must be true if onDemand is false"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.USDPerHour = -1 }, "figures.usdPerHour: must not be negative"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.USDPerHour = 0 }, "figures.usdPerHour: or remove priceRegion and priceDate"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.PriceDate = "July" }, "figures.priceDate: must be the day of usdPerHour, for example 2026-07-20; quote it, so that YAML keeps it as it is"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.PriceRegion = "" }, "figures.priceRegion: the AWS region of usdPerHour"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.OnDemandQuota = "417A185B" }, "figures.onDemandQuota: must be a service-quota code, for example L-417A185B"},
		{"p7-x300.48xlarge", x300, func(f *Figures) { f.SpotQuota = "l-7212ccbc" }, "figures.spotQuota: must be a service-quota code, for example L-7212CCBC"},
		{"p7", x300, func(*Figures) {}, "figures: must have the name of an EC2 instance type"},
		{"p7-x300.48xlarge;", x300, func(*Figures) {}, "figures: must have the name of an EC2 instance type"},
	} {
		figures := c.base()
		c.change(&figures)
		if got := says(figures.Validate(path, c.name)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
