package nodepool

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/settings"
)

// checked returns a pool as the settings resolve it.
func checked(t *testing.T, instanceType, capacity string) settings.Pool {
	t.Helper()
	kind, err := accelerator.Lookup(instanceType)
	if err != nil {
		kind, err = accelerator.LookupProcessor(instanceType)
	}
	if err != nil {
		t.Fatal(err)
	}
	efa := kind.EFAInterfaces > 0
	pool := settings.Pool{InstanceType: instanceType, Type: kind, Capacity: capacity, EFA: efa, VolumeGB: 200, TaintKey: kind.ResourceName(), TaintValue: "true"}
	if pool.Reserved() {
		pool.ReservationID = "cr-0123456789abcdef0"
	}
	if kind.Kind == accelerator.None {
		pool.TaintKey, pool.TaintValue = settings.PoolLabel, "gpu"
	}
	pool.PlacementGroup = efa && !pool.Reserved()
	return pool
}

// summary returns a node in one line: AMI type, capacity, market, reservation, placement group, interfaces by
// type, local disks, and the hardware that its labels name.
func summary(n Node) string {
	kinds := map[string]int{}
	for _, networkInterface := range n.Interfaces {
		kinds[networkInterface.Type]++
	}
	has := ""
	for _, label := range []string{nvidiaLabel, neuronLabel, efaLabel} {
		if n.Labels[label] == "true" {
			has += " " + label
		}
	}
	return fmt.Sprintf("%s %s market=%s reservation=%s group=%v efa=%d efa-only=%d ip=%d raid=%v%s", strings.TrimPrefix(n.AMIType, "AL2023_"), n.CapacityType,
		n.MarketType, n.ReservationID, n.PlacementGroup, kinds["efa"], kinds["efa-only"], kinds["interface"], strings.Contains(nodeConfigOf(n), "RAID0"), has)
}

// nodeConfigOf returns the user data in plain text.
func nodeConfigOf(n Node) string {
	text, err := base64.StdEncoding.DecodeString(n.UserData)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestDescribe(t *testing.T) {
	const gpu, efa, neuron = " nvidia.com/gpu.present", " vpc.amazonaws.com/efa.present", " aws.amazon.com/neuron.present"
	const cr = "cr-0123456789abcdef0"
	for _, c := range []struct{ instanceType, capacity, want string }{
		{"g5.xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=false efa=0 efa-only=0 ip=0 raid=true" + gpu},
		{"g5.xlarge", settings.Spot, "x86_64_NVIDIA SPOT market= reservation= group=false efa=0 efa-only=0 ip=0 raid=true" + gpu},
		{"g5.48xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=0 ip=0 raid=true" + gpu + efa},
		{"g6.12xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=0 ip=0 raid=true" + gpu + efa},
		{"g6e.48xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=3 ip=0 raid=true" + gpu + efa},
		{"p4d.24xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=3 ip=0 raid=true" + gpu + efa},
		{"p4de.24xlarge", settings.Reservation, "x86_64_NVIDIA ON_DEMAND market= reservation=" + cr + " group=false efa=1 efa-only=3 ip=0 raid=true" + gpu + efa},
		{"p5.4xlarge", settings.CapacityBlock, "x86_64_NVIDIA CAPACITY_BLOCK market=capacity-block reservation=" + cr + " group=false efa=1 efa-only=0 ip=0 raid=true" + gpu + efa},
		{"p5.48xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=31 ip=0 raid=true" + gpu + efa},
		{"p5.48xlarge", settings.Spot, "x86_64_NVIDIA SPOT market= reservation= group=true efa=1 efa-only=31 ip=0 raid=true" + gpu + efa},
		{"p5.48xlarge", settings.Reservation, "x86_64_NVIDIA ON_DEMAND market= reservation=" + cr + " group=false efa=1 efa-only=31 ip=0 raid=true" + gpu + efa},
		{"p5.48xlarge", settings.CapacityBlock, "x86_64_NVIDIA CAPACITY_BLOCK market=capacity-block reservation=" + cr + " group=false efa=1 efa-only=31 ip=0 raid=true" + gpu + efa},
		{"p5e.48xlarge", settings.CapacityBlock, "x86_64_NVIDIA CAPACITY_BLOCK market=capacity-block reservation=" + cr + " group=false efa=1 efa-only=31 ip=0 raid=true" + gpu + efa},
		{"p5en.48xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=15 ip=0 raid=true" + gpu + efa},
		{"p6-b200.48xlarge", settings.OnDemand, "x86_64_NVIDIA ON_DEMAND market= reservation= group=true efa=1 efa-only=7 ip=0 raid=true" + gpu + efa},
		{"trn1.2xlarge", settings.OnDemand, "x86_64_NEURON ON_DEMAND market= reservation= group=false efa=0 efa-only=0 ip=0 raid=true" + neuron},
		{"trn1.32xlarge", settings.OnDemand, "x86_64_NEURON ON_DEMAND market= reservation= group=true efa=1 efa-only=7 ip=0 raid=true" + neuron + efa},
		{"trn2.48xlarge", settings.CapacityBlock, "x86_64_NEURON CAPACITY_BLOCK market=capacity-block reservation=" + cr + " group=false efa=1 efa-only=15 ip=0 raid=true" + neuron + efa},
		{"m7i.large", settings.OnDemand, "x86_64_STANDARD ON_DEMAND market= reservation= group=false efa=0 efa-only=0 ip=0 raid=false"},
		{"m7g.large", settings.Spot, "ARM_64_STANDARD SPOT market= reservation= group=false efa=0 efa-only=0 ip=0 raid=false"},
	} {
		node, err := Describe("gpu", checked(t, c.instanceType, c.capacity))
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(node); got != c.want {
			t.Errorf("%s, %s:\ngot  %s\nwant %s", c.instanceType, c.capacity, got, c.want)
		}
	}
}

// EC2 accepts the interfaces of every type, and taint and labels are the pool's.
func TestEveryTypeAndCapacity(t *testing.T) {
	seen := 0
	for _, instanceType := range accelerator.Known() {
		for _, capacity := range []string{settings.OnDemand, settings.Spot, settings.Reservation, settings.CapacityBlock} {
			pool := checked(t, instanceType, capacity)
			node, err := Describe("gpu", pool)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			at := instanceType + ", " + capacity
			if len(node.Interfaces) != 0 && len(node.Interfaces) != pool.Type.NetworkCards {
				t.Errorf("%s: %d interfaces on %d cards", at, len(node.Interfaces), pool.Type.NetworkCards)
			}
			for card, attached := range node.Interfaces {
				if attached.NetworkCard != card || (card == 0) != (attached.DeviceIndex == 0) && pool.Type.EFAInterfaces == pool.Type.NetworkCards {
					t.Errorf("%s: card %d has %+v", at, card, attached)
				}
			}
			if node.TaintKey != pool.Type.ResourceName() || node.TaintValue != "true" {
				t.Errorf("%s: taint %s=%s", at, node.TaintKey, node.TaintValue)
			}
			if node.Labels[settings.PoolLabel] != "gpu" {
				t.Errorf("%s: labels %v", at, node.Labels)
			}
			if (node.ReservationID != "") != pool.Reserved() || node.PlacementGroup && pool.Reserved() {
				t.Errorf("%s: %+v", at, node)
			}
		}
	}
	if seen < 100 {
		t.Fatalf("only %d nodes described: this test tests little", seen)
	}
}

func TestWithoutEFA(t *testing.T) {
	pool := checked(t, "p5.48xlarge", settings.OnDemand)
	pool.EFA, pool.PlacementGroup = false, false
	pool.Labels = map[string]string{"team": "a"}
	node, err := Describe("gpu", pool)
	if err != nil {
		t.Fatal(err)
	}
	if len(node.Interfaces) > 0 || node.Labels[efaLabel] != "" || node.Labels["team"] != "a" {
		t.Errorf("%+v", node)
	}
	if len(pool.Labels) != 1 {
		t.Errorf("the configuration's labels became %v", pool.Labels)
	}
}
