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

// checked returns a pool as the settings resolve it.
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
		n.MarketType, n.ReservationID, n.PlacementGroup, kinds["efa"], kinds["efa-only"], kinds["interface"], n.UserData != "", has)
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

// nodeadm reads one MIME part with a NodeConfig. Equal pools have equal user data, or every update would
// replace their nodes.
func TestUserData(t *testing.T) {
	node, err := Describe("gpu", checked(t, "p5.48xlarge", settings.OnDemand))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Describe("other", checked(t, "g5.xlarge", settings.OnDemand))
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
		t.Errorf("a second part, or no end: %v", err)
	}
}
