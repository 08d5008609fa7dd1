package subnets

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestPlanOfASixteen(t *testing.T) {
	plan, err := New("10.0.0.0/16", 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := "10.0.0.0/16 " +
		"[10.0.0.0/24 10.0.1.0/24 10.0.2.0/24] " +
		"[10.0.8.0/21 10.0.16.0/21 10.0.24.0/21] " +
		"[10.0.128.0/17 10.0.64.0/20]"
	if got := fmt.Sprint(plan.VPC, plan.Public, plan.Private, plan.Accelerator); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := AcceleratorNodes(plan.Accelerator[0]); got != 327 {
		t.Errorf("%d accelerator nodes in %s, want 327", got, plan.Accelerator[0])
	}
	if got := addresses(plan.Public[0]); got != 251 {
		t.Errorf("%d addresses in %s, want 251", got, plan.Public[0])
	}
}

// ranges returns VPCs of every size at random places of every private block.
func ranges() []string {
	random := rand.New(rand.NewPCG(4, 2026))
	var all []string
	for _, block := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} {
		b := netip.MustParsePrefix(block)
		for bits := 16; bits <= 19; bits++ {
			for range 20 {
				vpc := part(b, bits-b.Bits(), random.IntN(1<<(bits-b.Bits())))
				if !vpc.Overlaps(netip.MustParsePrefix("172.17.0.0/16")) {
					all = append(all, vpc.String())
				}
			}
		}
	}
	return all
}

// checkPlans runs a check on the plans of many ranges with every number of zones.
func checkPlans(t *testing.T, check func(t *testing.T, vpc string, zones, acceleratorZones int, plan Plan)) {
	t.Helper()
	plans := 0
	for _, vpc := range ranges() {
		for zones := 2; zones <= MaxZones; zones++ {
			for acceleratorZones := 0; acceleratorZones <= min(zones, MaxAcceleratorZones); acceleratorZones++ {
				plan, err := New(vpc, zones, acceleratorZones)
				if err != nil {
					t.Fatal(err)
				}
				plans++
				check(t, vpc, zones, acceleratorZones, plan)
			}
		}
	}
	if plans < 1000 {
		t.Fatalf("%d plans; this test tests nothing", plans)
	}
}

func TestSubnetsLieInTheVPCAndApart(t *testing.T) {
	checkPlans(t, func(t *testing.T, vpc string, zones, acceleratorZones int, plan Plan) {
		if len(plan.Public) != zones || len(plan.Private) != zones || len(plan.Accelerator) != acceleratorZones || plan.VPC.String() != vpc {
			t.Fatalf("%s, %d zones, %d accelerator zones: %+v", vpc, zones, acceleratorZones, plan)
		}
		all := slices.Concat(plan.Public, plan.Private, plan.Accelerator)
		for i, a := range all {
			if a != a.Masked() {
				t.Fatalf("%s: subnet %s is not canonical", vpc, a)
			}
			if a.Bits() < 16 || a.Bits() > 28 {
				t.Fatalf("%s: subnet %s has a size that AWS does not support", vpc, a)
			}
			if a.Bits() <= plan.VPC.Bits() || !plan.VPC.Contains(a.Addr()) {
				t.Fatalf("%s: subnet %s lies outside", vpc, a)
			}
			for _, b := range all[i+1:] {
				if a.Overlaps(b) {
					t.Fatalf("%s: subnets %s and %s overlap", vpc, a, b)
				}
			}
		}
	})
}

func TestAppendedZonesMoveNothing(t *testing.T) {
	checkPlans(t, func(t *testing.T, vpc string, zones, acceleratorZones int, plan Plan) {
		whole, err := New(vpc, MaxZones, MaxAcceleratorZones)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(plan.Public, whole.Public[:zones]) || !slices.Equal(plan.Private, whole.Private[:zones]) ||
			!slices.Equal(plan.Accelerator, whole.Accelerator[:acceleratorZones]) {
			t.Fatalf("%s: %d zones and %d accelerator zones give %+v, which is not the start of %+v", vpc, zones, acceleratorZones, plan, whole)
		}
	})
}

func TestSubnetsAreLargeEnough(t *testing.T) {
	checkPlans(t, func(t *testing.T, vpc string, zones, acceleratorZones int, plan Plan) {
		for _, s := range plan.Public {
			if s.Bits() > 27 {
				t.Fatalf("%s: public subnet %s has no room for a load balancer", vpc, s)
			}
		}
		for i, s := range plan.Private {
			if s.Bits() >= plan.Public[i].Bits() || addresses(s) < 200 {
				t.Fatalf("%s: private subnet %s is small", vpc, s)
			}
		}
		for i, s := range plan.Accelerator {
			if i == 0 && addresses(s) < (1<<(32-plan.VPC.Bits()))/2-5 {
				t.Fatalf("%s: the first accelerator subnet, %s, is smaller than half of the VPC", vpc, s)
			}
			if s.Bits() >= plan.Private[0].Bits() || AcceleratorNodes(s) < 5 {
				t.Fatalf("%s: accelerator subnet %s is small", vpc, s)
			}
		}
	})
	// 32 p5.48xlarge, 256 GPUs, fit even the smallest VPC; 256 of them fit a /16.
	for vpc, nodes := range map[string]int{"10.0.0.0/19": 32, "10.0.0.0/16": 256} {
		plan, err := New(vpc, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := AcceleratorNodes(plan.Accelerator[0]); got < nodes {
			t.Errorf("%s: room for %d P5 nodes, want %d", vpc, got, nodes)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		vpc                     string
		zones, acceleratorZones int
		says                    []string
	}{
		{"10.0.0.0/15", 2, 1, []string{"larger than AWS's largest"}},
		{"10.0.0.0/0", 2, 1, []string{"larger than AWS's largest"}},
		{"10.0.0.0/20", 2, 1, []string{"a /28, smaller than a load balancer's /27", "/16 to /19"}},
		{"10.0.0.0/28", 2, 1, []string{"load balancer's /27"}},
		{"10.0.0.0/29", 2, 1, []string{"smaller than AWS's smallest"}},
		{"10.0.1.0/16", 2, 1, []string{"write 10.0.0.0/16"}},
		{"fd00::/56", 2, 1, []string{"IPv6"}},
		{"::ffff:10.0.0.0/112", 2, 1, []string{"VPC range"}},
		{"8.8.0.0/16", 2, 1, []string{"public addresses"}},
		{"172.32.0.0/16", 2, 1, []string{"public addresses"}},
		{"169.254.0.0/16", 2, 1, []string{"public addresses"}},
		{"172.17.0.0/16", 2, 1, []string{"overlaps 172.17.0.0/16"}},
		{"172.17.128.0/17", 2, 1, []string{"overlaps 172.17.0.0/16"}},
		{"", 2, 1, []string{"not a CIDR range"}},
		{"10.0.0.0", 2, 1, []string{"not a CIDR range"}},
		{"10.0.0/16", 2, 1, []string{"not a CIDR range"}},
		{"010.0.0.0/16", 2, 1, []string{"not a CIDR range"}},
		{"10.0.0.0/16", 1, 1, []string{"must be between 2, which EKS needs, and 6, got 1"}},
		{"10.0.0.0/16", 7, 1, []string{"got 7"}},
		{"10.0.0.0/16", 2, -1, []string{"accelerator zones: must be between 0 and 5, got -1"}},
		{"10.0.0.0/16", 6, 6, []string{"accelerator zones: must be between 0 and 5, got 6"}},
		{"10.0.0.0/16", 2, 3, []string{"accelerator zones: 3, more than the 2"}},
		{"9.0.1.0/12", 1, 9, []string{"larger than", "write 9.0.0.0/12", "public", "must be between 2, which EKS needs, and 6, got 1", "accelerator zones: must be between 0 and 5, got 9"}},
	} {
		plan, err := New(c.vpc, c.zones, c.acceleratorZones)
		if err == nil {
			t.Errorf("%q, %d zones, %d accelerator zones: accepted with %+v", c.vpc, c.zones, c.acceleratorZones, plan)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q, %d zones, %d accelerator zones: the error does not contain %q: %v", c.vpc, c.zones, c.acceleratorZones, says, err)
			}
		}
	}
}
