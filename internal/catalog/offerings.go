package catalog

import (
	"slices"
	"strings"
)

// offering says where an instance family, or some of its sizes, are sold: in the regions of in, or everywhere but in
// those of notIn. Of in and notIn one is set.
type offering struct {
	types     []string // families, for example m6i, or types, for example p5.4xlarge
	in, notIn string   // regions, separated by spaces
}

// offerings returns what is known of the types of the accelerator table and of common types for the cluster's own pods:
// DescribeInstanceTypeOfferings of 30 regions, as published by moto 5.2.5 (PyPI, 2026-10-27,
// moto/ec2/resources/instance_type_offerings/region), read 2026-11-26. ap-east-2, ap-southeast-6, ap-southeast-7 and
// mx-central-1 are not among them.
//
// To look one up: aws ec2 describe-instance-type-offerings --region REGION --filters Name=instance-type,Values=TYPE
func offerings() []offering {
	return []offering{
		{types: []string{"g4dn"}, notIn: "ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ca-west-1 eu-central-2 eu-south-2 il-central-1 me-central-1"},
		{types: []string{"g5"}, notIn: "af-south-1 ap-northeast-3 ap-south-2 ap-southeast-1 ap-southeast-4 ap-southeast-5 ca-west-1 eu-central-2 eu-south-1 me-south-1 us-west-1"},
		{types: []string{"g6"}, notIn: "af-south-1 ap-east-1 ap-northeast-3 ap-southeast-1 ap-southeast-3 ap-southeast-4 ca-west-1 eu-south-1 eu-west-1 il-central-1 me-south-1 us-west-1"},
		{types: []string{"gr6"}, notIn: "af-south-1 ap-east-1 ap-northeast-3 ap-south-2 ap-southeast-1 ap-southeast-3 ap-southeast-4 ca-west-1 eu-south-1 eu-west-1 il-central-1 me-central-1 me-south-1 us-west-1"},
		{types: []string{"g6e"}, in: "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 eu-central-1 eu-north-1 eu-south-2 me-central-1 us-east-1 us-east-2 us-west-2"},
		{types: []string{"g7"}, in: "eu-central-1 eu-north-1 eu-south-2 us-east-1 us-east-2 us-west-2"},
		{types: []string{"g7e"}, in: "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-3 eu-central-1 eu-north-1 eu-south-2 eu-west-2 us-east-1 us-east-2 us-west-2"},
		{types: []string{"p4d"}, in: "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-2 ca-central-1 eu-central-1 eu-north-1 eu-west-1 eu-west-2 sa-east-1 us-east-1 us-east-2 us-west-2"},
		{types: []string{"p4de"}, in: "ap-northeast-1 ap-southeast-1 eu-central-1 il-central-1 us-east-1 us-west-2"},
		{types: []string{"p5.4xlarge"}, in: "ap-northeast-1 ap-south-1 ap-southeast-2 ap-southeast-3 eu-north-1 eu-west-2 sa-east-1 us-east-1 us-east-2 us-west-2"},
		{types: []string{"p5.48xlarge"}, in: "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-2 ap-southeast-3 ca-central-1 eu-north-1 eu-west-2 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2"},
		{types: []string{"p5e"}, in: "ap-southeast-2 ap-southeast-3 eu-north-1 eu-west-2 sa-east-1 us-east-2 us-west-2"},
		{types: []string{"p5en"}, in: "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-3 eu-north-1 eu-south-2 me-central-1 us-east-1 us-east-2 us-west-1 us-west-2"},
		{types: []string{"p6-b200"}, in: "ap-south-1 ap-south-2 eu-north-1 eu-west-3 us-east-1 us-east-2 us-west-2"},
		{types: []string{"p6-b300"}, in: "ap-northeast-2 ap-south-2 ap-southeast-3 sa-east-1 us-east-1 us-west-2"},
		{types: []string{"trn1.2xlarge", "trn1n"}, in: "us-east-1 us-east-2 us-west-2"},
		{types: []string{"trn1.32xlarge"}, in: "ap-south-1 ap-southeast-2 ap-southeast-4 us-east-1 us-east-2 us-west-2"},
		{types: []string{"trn2.48xlarge"}, in: "ap-south-2 us-east-2"},

		{types: []string{"m5", "c5", "r5"}, notIn: "ap-southeast-5"},
		{types: []string{"m6i"}, notIn: "ap-southeast-4 eu-south-2"},
		{types: []string{"m7i"}, notIn: "ca-west-1 me-south-1"},
		{types: []string{"m7i-flex.large", "m7i-flex.xlarge", "m7i-flex.2xlarge", "m7i-flex.4xlarge", "m7i-flex.8xlarge"},
			notIn: "af-south-1 ca-west-1 eu-central-2 eu-south-1 il-central-1 me-central-1 me-south-1"},
		{types: []string{"m8i"}, notIn: "ap-east-1 ap-northeast-3 ap-southeast-3 ap-southeast-4 eu-central-2 eu-north-1 eu-south-1 il-central-1 me-central-1 me-south-1"},
		{types: []string{"m7g"}, notIn: "ca-west-1 eu-south-1"},
		{types: []string{"m8g"}, notIn: "il-central-1"},
		{types: []string{"c6i"}, notIn: "ap-southeast-3 ap-southeast-4 eu-central-2 eu-south-2 me-central-1"},
		{types: []string{"c7i"}, notIn: "me-south-1"},
		{types: []string{"c7g"}, notIn: "ap-southeast-4 me-central-1"},
		{types: []string{"r6i"}, notIn: "ap-southeast-3 ap-southeast-4 eu-south-2"},
		{types: []string{"r7i"}, notIn: "af-south-1 ap-east-1 ca-west-1 eu-central-2 il-central-1 me-central-1 me-south-1"},
		{types: []string{"t3", "t4g"}, notIn: "me-central-1"},
	}
}

// Offering returns the regions that sell an instance type, sorted. It is nil if that is unknown.
func Offering(instanceType string) []string {
	family, _, _ := strings.Cut(instanceType, ".")
	for _, o := range offerings() {
		if !slices.Contains(o.types, family) && !slices.Contains(o.types, instanceType) {
			continue
		}
		if o.in != "" {
			return strings.Fields(o.in)
		}
		return slices.DeleteFunc(offered(), func(region string) bool { return slices.Contains(strings.Fields(o.notIn), region) })
	}
	return nil
}

// NotOffered reports whether an instance type is known not to be sold in a region.
func NotOffered(instanceType, region string) bool {
	in := Offering(instanceType)
	return in != nil && slices.Contains(offered(), region) && !slices.Contains(in, region)
}

// offered returns the regions that offerings covers.
func offered() []string {
	return slices.DeleteFunc(Regions(), func(name string) bool { return Zones(name) == nil })
}

// SystemType returns an instance type for the cluster's own pods that a region sells: the first of a short list.
func SystemType(region string) string {
	for _, name := range []string{"m7i.large", "m6i.large", "m5.large"} {
		if !NotOffered(name, region) {
			return name
		}
	}
	return "m5.large"
}
