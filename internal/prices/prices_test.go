package prices

import (
	"maps"
	"math"
	"strings"
	"testing"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/settings"
	"llm-platform/internal/stackfile"
)

type change = map[string]any

func load(t *testing.T, stack string, set change) settings.Settings {
	t.Helper()
	values, err := stackfile.Values("../..", stack, set)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(stack, values, nil, func(string) string { return "token" })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func line(t *testing.T, b Bill, part string) Line {
	t.Helper()
	for _, l := range b.Lines {
		if strings.Contains(l.What, part) {
			return l
		}
	}
	t.Fatalf("no line with %q in %+v", part, b)
	return Line{}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// prod in us-east-1, worked out by hand.
func TestCost(t *testing.T) {
	b := Cost(load(t, "prod", change{"region": "us-east-1"}))
	for part, want := range map[string]float64{
		"p5.48xlarge":        2 * 55.04,
		"m6i.large":          3 * 0.096,
		"control plane":      0.10,
		"NAT gateway":        3 * 0.045,
		"interface endpoint": 7 * 3 * 0.01,
		"volumes":            (2*(200*0.08+375*0.04) + 3*50*0.08) / 730,
	} {
		if l := line(t, b, part); !near(l.Initial, want) || !near(l.Maximum, want) || l.Unknown != "" {
			t.Errorf("%+v, want %v", l, want)
		}
	}
	initial, maximum, complete := b.Total()
	if len(b.Lines) != 6 || !complete || !near(initial, maximum) || b.Region != "us-east-1" {
		t.Errorf("%+v", b)
	}
}

func TestSizes(t *testing.T) {
	b := Cost(load(t, "dev", change{"region": "us-east-1"}))
	if l := line(t, b, "g5.xlarge"); !near(l.Initial, 1.006) || !near(l.Maximum, 2*1.006) {
		t.Errorf("%+v", l)
	}
	if l := line(t, b, "volumes"); !near(l.Maximum-l.Initial, (200*0.08+375*0.04)/730) {
		t.Errorf("%+v", l)
	}
	if l := line(t, b, "NAT gateway"); !near(l.Initial, 0.045) {
		t.Errorf("%+v", l)
	}
}

// What has no price in a region is unknown there, and its reference is in Region.
func TestOtherRegions(t *testing.T) {
	s := load(t, "dev", nil)
	for _, l := range Cost(s).Lines {
		if l.Unknown != "no price in us-west-2" || l.Initial != 0 || l.Maximum != 0 {
			t.Errorf("%+v", l)
		}
	}
	want, _, _ := Cost(load(t, "dev", change{"region": Region})).Total()
	if got, _, complete := Reference(s).Total(); !complete || !near(got, want) {
		t.Errorf("reference %v, want %v", got, want)
	}
}

// The facts are the total, of the stack's own region where all prices are known, and name what has none.
func TestFacts(t *testing.T) {
	for name, c := range map[string]struct {
		set  change
		want map[string]string
	}{
		"own region": {change{"region": "us-east-1"}, map[string]string{"cost.initial": "1.396", "cost.maximum": "2.445", "cost.region": "us-east-1"}},
		"reference":  {nil, map[string]string{"cost.initial": "1.396", "cost.maximum": "2.445", "cost.region": "us-east-1"}},
		"unknown": {change{"region": "us-east-1", "cluster.pools": change{"gpu": change{"instanceType": "g5.xlarge", "nodes": 1, "capacity": "spot"}}},
			map[string]string{"cost.initial": "0.390", "cost.maximum": "0.390", "cost.region": "us-east-1", "cost.unknown": "1 x g5.xlarge in pool gpu: spot prices vary"}},
	} {
		if got := Facts(load(t, "dev", c.set)); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A configured price counts in its region, also in the reference.
func TestConfiguredPrice(t *testing.T) {
	figures := change{"kind": "nvidia", "accelerator": "NVIDIA X", "count": 8, "vcpu": 192, "memoryGiB": 2048, "networkCards": 1,
		"efaInterfaces": 0, "architecture": "x86_64", "instanceStoreGB": 0, "onDemand": true, "capacityBlock": false,
		"placementGroup": true, "usdPerHour": 9.5, "priceRegion": "us-west-2", "priceDate": "2026-11-01"}
	set := change{"cluster.instanceTypes": change{"p9.48xlarge": figures}, "cluster.pools": change{"gpu": change{"instanceType": "p9.48xlarge", "nodes": 1}}}
	s := load(t, "dev", set)
	for _, b := range []Bill{Cost(s), Reference(s)} {
		if l := line(t, b, "p9.48xlarge"); l.Unknown != "" || !near(l.Initial, 9.5) {
			t.Errorf("%+v", l)
		}
	}
	figures["priceRegion"] = "eu-west-1"
	if l := line(t, Reference(load(t, "dev", set)), "p9.48xlarge"); l.Unknown == "" {
		t.Errorf("%+v", l)
	}
}

// An existing VPC has gateways and endpoints of its owner's.
func TestExistingVPC(t *testing.T) {
	b := Cost(load(t, "dev", change{"region": "us-east-1", "network.vpcId": "vpc-0123456789abcdef0",
		"network.privateSubnetIds":     []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
		"network.acceleratorSubnetIds": change{"a": "subnet-0123456789abcdef2"}}))
	for _, l := range b.Lines {
		if strings.Contains(l.What, "NAT") || strings.Contains(l.What, "endpoint") {
			t.Errorf("%+v", l)
		}
	}
	if len(b.Lines) != 4 {
		t.Errorf("%+v", b.Lines)
	}
}

func TestWarnings(t *testing.T) {
	budget := func(usd int, more change) change {
		set := change{"budget.monthlyUSD": change{"training": usd}}
		for k, v := range more {
			set[k] = v
		}
		return set
	}
	// dev initially, by the hour: g5.xlarge 1.006, two m6i.large 0.192, control plane 0.1, NAT 0.045; volumes 39 USD a month:
	// 1019.39 together.
	spot := change{"region": "us-east-1", "cluster.pools": change{"gpu": change{"instanceType": "g5.xlarge", "nodes": 1, "capacity": "spot"}}}
	for name, c := range map[string]struct {
		set  change
		want string // in the warning; empty: none
	}{
		"enough":         {budget(1020, change{"region": "us-east-1"}), ""},
		"too little":     {budget(1019, change{"region": "us-east-1"}), "budget.monthlyUSD.training: is 1019, but the initial nodes and what they need cost 1019 USD a month. Raise"},
		"another region": {budget(50, nil), "cost 1019 USD a month at the prices of us-east-1 (those of us-west-2 are not known here). Raise"},
		"unknown price":  {budget(50, spot), "cost at least 285 USD a month. Raise"},
		"another budget": {change{"budget.monthlyUSD": change{"testing": 1}}, ""},
		"no budget":      {change{"budget.monthlyUSD": change{}}, ""},
	} {
		got := strings.Join(Warnings(load(t, "dev", c.set)), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// No shipped stack has a budget that it exceeds from the start.
func TestShippedStacks(t *testing.T) {
	for _, stack := range []string{"dev", "prod", "solo"} {
		if got := Warnings(load(t, stack, nil)); got != nil {
			t.Errorf("%s: %v", stack, got)
		}
	}
}

// Every type that the tables price is priced in Region, so that the reference covers them.
func TestPricesAreOfRegion(t *testing.T) {
	priced := 0
	for _, name := range append(accelerator.Known(), accelerator.Processors()...) {
		it, err := accelerator.Lookup(name)
		if err != nil {
			it, err = accelerator.LookupProcessor(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if it.Price.USDPerHour > 0 {
			priced++
		}
		if it.Price.Region != Region {
			t.Errorf("%s: %+v", name, it.Price)
		}
	}
	if priced < 200 {
		t.Errorf("%d types have a price: this test tests little", priced)
	}
}
