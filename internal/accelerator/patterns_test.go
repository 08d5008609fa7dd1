package accelerator

import "testing"

func TestPatternsMatchEveryKnownType(t *testing.T) {
	if len(Known()) == 0 {
		t.Fatal("no type in the table; this test tests nothing")
	}
	for _, name := range Known() {
		if !Accelerated(name) {
			t.Errorf("%s is in the table, but no pattern matches it", name)
		}
	}
	for _, name := range []string{"p2.xlarge", "p6-b300.48xlarge", "g4dn.xlarge", "g4ad.4xlarge", "gr6.4xlarge", "g7e.2xlarge",
		"vt1.3xlarge", "trn2u.48xlarge", "trn3.48xlarge", "inf1.xlarge", "inf2.48xlarge", "dl1.24xlarge", "dl2q.24xlarge", "f1.2xlarge", "f2.48xlarge"} {
		if !Accelerated(name) {
			t.Errorf("%s is accelerated, but no pattern matches it", name)
		}
	}
}

// One of every other family that EC2 lists as current or previous generation.
func TestPatternsMatchNothingElse(t *testing.T) {
	for _, name := range []string{"a1.large", "c1.medium", "c5n.18xlarge", "c8g.large", "c8gn.48xlarge", "cc2.8xlarge", "cr1.8xlarge",
		"d2.xlarge", "d3en.xlarge", "h1.2xlarge", "hpc7g.16xlarge", "hs1.8xlarge", "i2.xlarge", "i3en.24xlarge", "i4i.large", "i7ie.large", "i8g.large",
		"im4gn.large", "is4gen.large", "m1.small", "m5zn.large", "m7i-flex.large", "m8g.large", "mac1.metal", "mac2-m2pro.metal",
		"r5b.large", "r8g.large", "t1.micro", "t2.nano", "t3a.large", "t4g.small", "u-6tb1.metal", "u7i-12tb.224xlarge", "x1e.large",
		"x2idn.large", "x8g.large", "z1d.large"} {
		if Accelerated(name) {
			t.Errorf("%s is not accelerated, but a pattern matches it", name)
		}
	}
}
