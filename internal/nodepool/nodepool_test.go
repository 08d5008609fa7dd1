package nodepool

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/settings"
)

// checked is a pool as the settings hand it over, with what they fill in.
func checked(t *testing.T, instanceType, capacity string) settings.Pool {
	t.Helper()
	kind, err := accelerator.Lookup(instanceType)
	if err != nil {
		t.Fatal(err)
	}
	efa := kind.EFAInterfaces > 0
	pool := settings.Pool{InstanceType: instanceType, Type: kind, Capacity: capacity, EFA: efa, VolumeGB: 200, TaintKey: kind.ResourceName(), TaintValue: "true"}
	if pool.Reserved() {
		pool.ReservationID = "cr-0123456789abcdef0"
	}
	pool.PlacementGroup = efa && !pool.Reserved()
	return pool
}

// summary is a node in one line: image, capacity, market, reservation, placement
// group, interfaces by kind, local disks, and what its labels say that it has.
func summary(n Node) string {
	kinds := map[string]int{}
	for _, each := range n.Interfaces {
		kinds[each.Type]++
	}
	has := ""
	for _, label := range []string{NVIDIALabel, NeuronLabel, EFALabel} {
		if n.Labels[label] == "true" {
			has += " " + label
		}
	}
	return fmt.Sprintf("%s %s market=%s reservation=%s group=%v efa=%d efa-only=%d ip=%d raid=%v%s", strings.TrimPrefix(n.AMIType, "AL2023_"), n.CapacityType,
		n.MarketType, n.ReservationID, n.PlacementGroup, kinds["efa"], kinds["efa-only"], kinds["interface"], n.UserData != "", has)
}

// What each family's nodes are told, and each kind of capacity's.
func TestRender(t *testing.T) {
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
	} {
		node, err := Render("gpu", checked(t, c.instanceType, c.capacity))
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(node); got != c.want {
			t.Errorf("%s, %s:\ngot  %s\nwant %s", c.instanceType, c.capacity, got, c.want)
		}
	}
}

// Of every type and capacity: the interfaces are the ones that EC2 takes, and taint
// and labels are the pool's.
func TestEveryTypeRenders(t *testing.T) {
	seen := 0
	for _, instanceType := range accelerator.Known() {
		for _, capacity := range []string{settings.OnDemand, settings.Spot, settings.Reservation, settings.CapacityBlock} {
			pool := checked(t, instanceType, capacity)
			node, err := Render("gpu", pool)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			at := instanceType + ", " + capacity
			if len(node.Interfaces) != 0 && len(node.Interfaces) != pool.Type.NetworkCards {
				t.Errorf("%s: %d interfaces on %d cards", at, len(node.Interfaces), pool.Type.NetworkCards)
			}
			for card, each := range node.Interfaces {
				if each.NetworkCard != card || (card == 0) != (each.DeviceIndex == 0) && pool.Type.EFAInterfaces == pool.Type.NetworkCards {
					t.Errorf("%s: card %d has %+v", at, card, each)
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
		t.Fatalf("only %d nodes rendered: this test tests little", seen)
	}
}

// EFA that is not wanted is not there.
func TestWithoutEFA(t *testing.T) {
	pool := checked(t, "p5.48xlarge", settings.OnDemand)
	pool.EFA, pool.PlacementGroup = false, false
	pool.Labels = map[string]string{"team": "a"}
	node, err := Render("gpu", pool)
	if err != nil {
		t.Fatal(err)
	}
	if len(node.Interfaces) > 0 || node.Labels[EFALabel] != "" || node.Labels["team"] != "a" {
		t.Errorf("%+v", node)
	}
	if len(pool.Labels) != 1 {
		t.Errorf("the configuration's labels became %v", pool.Labels)
	}
}

// The user data is what nodeadm reads: one MIME part with a NodeConfig, the same
// each time.
func TestUserData(t *testing.T) {
	node, err := Render("gpu", checked(t, "p5.48xlarge", settings.OnDemand))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Render("other", checked(t, "g5.xlarge", settings.OnDemand))
	if err != nil {
		t.Fatal(err)
	}
	if node.UserData != again.UserData {
		t.Error("it differs between pools")
	}
	text, err := base64.StdEncoding.DecodeString(node.UserData)
	if err != nil {
		t.Fatal(err)
	}
	message, err := mail.ReadMessage(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || message.Header.Get("MIME-Version") != "1.0" {
		t.Fatalf("%s, %v: %s", kind, err, text)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	part, err := parts.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	if got := part.Header.Get("Content-Type"); got != "application/node.eks.aws" {
		t.Errorf("part is %s", got)
	}
	var config struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Spec       struct {
			Instance struct {
				LocalStorage struct{ Strategy string } `yaml:"localStorage"`
			}
		}
	}
	if err := yaml.NewDecoder(part).Decode(&config); err != nil {
		t.Fatal(err)
	}
	if config.APIVersion != "node.eks.aws/v1alpha1" || config.Kind != "NodeConfig" || config.Spec.Instance.LocalStorage.Strategy != "RAID0" {
		t.Errorf("%+v", config)
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("there is a second part, or no end: %v", err)
	}
}
