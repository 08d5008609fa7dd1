package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestNotOffered(t *testing.T) {
	for _, c := range []struct {
		instanceType, region string
		want                 bool
	}{
		{"p5.48xlarge", "eu-west-3", true},
		{"p5.48xlarge", "us-west-1", false},
		{"p5.4xlarge", "us-west-1", true},
		{"g5.xlarge", "us-west-1", true},
		{"g5.xlarge", "us-west-2", false},
		{"m6i.large", "eu-south-2", true},
		{"m6i.large", "us-west-2", false},
		{"m7i-flex.large", "eu-south-1", true},
		{"trn2.48xlarge", "us-west-2", true},
		{"p5.48xlarge", "mx-central-1", false}, // a region that the table does not cover
		{"x9.large", "us-west-2", false},       // a type that it does not cover
		{"p5.24xlarge", "us-west-2", false},    // a size that it does not cover
	} {
		if got := NotOffered(c.instanceType, c.region); got != c.want {
			t.Errorf("%s in %s: not offered %v, want %v", c.instanceType, c.region, got, c.want)
		}
	}
	for _, region := range Regions() {
		if name := SystemType(region); NotOffered(name, region) {
			t.Errorf("%s: the suggested %s is not offered", region, name)
		}
	}
}

// Every region that the table names is known, and no type is in two rows.
func TestOfferings(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range offerings() {
		for _, region := range strings.Fields(o.in + o.notIn) {
			if !slices.Contains(offered(), region) {
				t.Errorf("%v: %s is not a region of the table", o.types, region)
			}
		}
		if (o.in == "") == (o.notIn == "") || len(o.types) == 0 {
			t.Errorf("%+v: must have types, and either in or notIn", o)
		}
		for _, name := range o.types {
			if seen[name] {
				t.Errorf("%s is listed twice", name)
			}
			seen[name] = true
		}
	}
	if len(seen) < 30 || len(offered()) != 30 {
		t.Fatalf("%d types in %d regions: this test tests little", len(seen), len(offered()))
	}
}

func TestRegions(t *testing.T) {
	optIn := 0
	for _, name := range Regions() {
		if OptIn(name) {
			optIn++
		}
	}
	if n := len(Regions()); n != 34 || optIn != 17 || !slices.IsSorted(Regions()) {
		t.Errorf("%d regions, %d of them opt-in, want 34 and 17, sorted", n, optIn)
	}
	for name, want := range map[string]bool{"us-west-2": false, "ap-northeast-3": false, "me-central-1": true, "mx-central-1": true, "us-west-9": false} {
		if OptIn(name) != want {
			t.Errorf("%s: opt-in %v, want %v", name, !want, want)
		}
	}
	for name, want := range map[string]string{"ap-northeast-1": "a c d", "us-west-2": "a b c d", "mx-central-1": "", "us-west-9": ""} {
		if got := strings.Join(Zones(name), " "); got != want {
			t.Errorf("%s has the zones %q, want %q", name, got, want)
		}
	}
}
