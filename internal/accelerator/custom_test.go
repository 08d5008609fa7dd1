package accelerator

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// b300 gives the figures of a type that the table lacks.
func b300() map[string]any {
	return map[string]any{
		"kind": "nvidia", "accelerator": "NVIDIA B300", "count": 8, "acceleratorMiB": 275040,
		"vcpu": 192, "memoryGiB": 4096, "networkCards": 17, "efaInterfaces": 16, "architecture": "x86_64",
		"instanceStoreGB": 30400, "capacityBlock": true, "placementGroup": true,
		"usdPerHour": 142.416, "priceRegion": "us-east-1", "priceDate": "2026-07-20",
	}
}

func custom(t *testing.T, name string, figures any) (Type, error) {
	t.Helper()
	raw, err := json.Marshal(figures)
	if err != nil {
		t.Fatal(err)
	}
	return Custom(name, raw)
}

func TestCustom(t *testing.T) {
	got, err := custom(t, "p6-b300.48xlarge", b300())
	if err != nil {
		t.Fatal(err)
	}
	want := Type{
		Name: "p6-b300.48xlarge", Kind: NVIDIA, Accelerator: "NVIDIA B300", Count: 8, AcceleratorMiB: 275040,
		Processes: 8, VCPU: 192, MemoryGiB: 4096, NetworkCards: 17, EFAInterfaces: 16, Architecture: X86,
		InstanceStoreGB: 30400, CapacityBlock: true, PlacementGroup: true,
		OnDemandQuota: "L-417A185B", SpotQuota: "L-7212CCBC",
		Price:  Price{USDPerHour: 142.416, Region: "us-east-1", Date: "2026-07-20", Source: "configuration"},
		Source: "configuration",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A type of the table may be given another region's price, and nothing else.
func TestCustomOfAKnownType(t *testing.T) {
	h100 := b300()
	maps.Copy(h100, map[string]any{"accelerator": "H100", "acceleratorMiB": 81920, "memoryGiB": 2048,
		"networkCards": 32, "efaInterfaces": 32, "usdPerHour": 68.8, "priceRegion": "eu-north-1"})
	got, err := custom(t, "p5.48xlarge", h100)
	if err != nil {
		t.Fatal(err)
	}
	if got.Price.Region != "eu-north-1" || got.Price.USDPerHour != 68.8 {
		t.Errorf("price %+v", got.Price)
	}
	for key, value := range map[string]any{"count": 4, "acceleratorMiB": 1, "vcpu": 96, "memoryGiB": 2000,
		"networkCards": 33, "efaInterfaces": 31, "architecture": "arm64", "instanceStoreGB": 0,
		"onDemandQuota": "L-00000000", "spotQuota": "L-00000000"} {
		wrong := maps.Clone(h100)
		wrong[key] = value
		if _, err := custom(t, "p5.48xlarge", wrong); err == nil || !strings.Contains(err.Error(), key+": ") ||
			!strings.Contains(err.Error(), "the accelerator table has") {
			t.Errorf("%s %v: %v", key, value, err)
		}
	}
}

func TestCustomListsEveryMissingKey(t *testing.T) {
	for _, empty := range []string{"{}", "null"} {
		_, err := Custom("x1.large", json.RawMessage(empty))
		if err == nil {
			t.Fatal("taken without figures")
		}
		all := b300()
		maps.Copy(all, map[string]any{"processes": 0, "onDemandQuota": "", "spotQuota": ""})
		for key := range all {
			if !strings.Contains(err.Error(), key+": missing") {
				t.Errorf("%s: the error does not say that %s is missing: %v", empty, key, err)
			}
		}
	}
	// Each one alone, too.
	for key := range b300() {
		figures := b300()
		delete(figures, key)
		_, err := custom(t, "p6-b300.48xlarge", figures)
		if err == nil || !strings.Contains(err.Error(), key+": missing") {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

func TestCustomRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		figures map[string]any
		says    []string
	}{
		{"p6-b300.48xlarge", map[string]any{"colour": "red", "Count": 3}, []string{"unknown: Count, colour"}},
		{"p6-b300.48xlarge", map[string]any{"count": "eight", "vcpu": 1.5, "capacityBlock": nil, "usdPerHour": "x"},
			[]string{"count: ", "vcpu: ", "capacityBlock: null", "usdPerHour: "}},
		{"p6-b300.48xlarge", map[string]any{"kind": "amd", "count": 0, "acceleratorMiB": -1, "vcpu": 0, "memoryGiB": 0,
			"instanceStoreGB": -1, "accelerator": "", "processes": 1},
			[]string{"kind: ", "count: ", "acceleratorMiB: ", "vcpu: ", "memoryGiB: ", "instanceStoreGB: ", "accelerator: "}},
		{"p6-b300.48xlarge", map[string]any{"efaInterfaces": 18}, []string{"efaInterfaces: 18"}},
		{"p6-b300.48xlarge", map[string]any{"efaInterfaces": 8}, []string{"efaInterfaces: 8"}},
		{"p6-b300.48xlarge", map[string]any{"efaInterfaces": -1}, []string{"efaInterfaces: -1"}},
		{"p6-b300.48xlarge", map[string]any{"networkCards": 0, "efaInterfaces": 0}, []string{"networkCards: "}},
		{"p6-b300.48xlarge", map[string]any{"processes": 4}, []string{"processes: 4"}},
		{"trn3.48xlarge", map[string]any{"kind": "neuron", "processes": 9}, []string{"processes: 9"}},
		{"trn3.48xlarge", map[string]any{"kind": "neuron", "processes": 0}, []string{"processes: 0"}},
		{"trn3.48xlarge", map[string]any{"kind": "neuron"}, []string{"processes: missing"}},
		{"trn3.48xlarge", map[string]any{"kind": "neuron", "processes": 8, "architecture": "arm64"}, []string{"no Neuron image"}},
		{"p6-b300.48xlarge", map[string]any{"architecture": "riscv"}, []string{"architecture: "}},
		{"p6-b300.48xlarge", map[string]any{"usdPerHour": 0, "capacityBlock": false}, []string{"usdPerHour: "}},
		{"p6-b300.48xlarge", map[string]any{"usdPerHour": -1}, []string{"usdPerHour: "}},
		{"p6-b300.48xlarge", map[string]any{"priceDate": "July", "priceRegion": ""}, []string{"priceDate: ", "priceRegion: "}},
		{"p6-b300.48xlarge", map[string]any{"onDemandQuota": "417A185B", "spotQuota": "l-7212ccbc"},
			[]string{"onDemandQuota: ", "spotQuota: "}},
		{"dl1.24xlarge", nil, []string{"onDemandQuota: missing", "spotQuota: missing"}},
		{"p6", nil, []string{"name: "}},
		{"p6-b300.48xlarge;", nil, []string{"name: "}},
	} {
		figures := b300()
		maps.Copy(figures, c.figures)
		_, err := custom(t, c.name, figures)
		if err == nil {
			t.Errorf("%s %v: taken", c.name, c.figures)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s %v: the error does not say %q: %v", c.name, c.figures, says, err)
			}
		}
	}
	for _, raw := range []string{"", "[]", "7", `{"count":1`, `"p5"`} {
		if _, err := Custom("p6-b300.48xlarge", json.RawMessage(raw)); err == nil {
			t.Errorf("%q: taken", raw)
		}
	}
}
