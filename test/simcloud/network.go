package simcloud

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// overlap refuses a subnet outside its VPC's range, or with addresses of another subnet, in EC2's words.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, read 2026-11-26
func (c *Cloud) overlap(r, old *record) error {
	cidr, vpc := text(r.inputs["cidrBlock"]), text(r.inputs["vpcId"])
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return fmt.Errorf("InvalidParameterValue: Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block", cidr)
	}
	if of := c.find(vpcType, vpc, r.instance); of != nil {
		whole, err := netip.ParsePrefix(text(of.inputs["cidrBlock"]))
		if err != nil || !whole.Overlaps(prefix) || whole.Bits() > prefix.Bits() {
			return fmt.Errorf("InvalidSubnet.Range: The CIDR '%s' is invalid", cidr)
		}
	}
	for _, other := range c.records {
		if other.typ != subnetType || other == old || other.instance.String() != r.instance.String() || text(other.inputs["vpcId"]) != vpc {
			continue
		}
		if used, err := netip.ParsePrefix(text(other.inputs["cidrBlock"])); err == nil && used.Overlaps(prefix) {
			return fmt.Errorf("InvalidSubnet.Conflict: The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	return nil
}

// inSubnets are the inputs that put something into subnets, by type.
var inSubnets = map[string]string{
	clusterType: "vpcConfig.subnetIds", groupType: "subnetIds", "aws:ec2/vpcEndpoint:VpcEndpoint": "subnetIds",
	"aws:ec2/natGateway:NatGateway": "subnetId", "aws:sagemaker/notebookInstance:NotebookInstance": "subnetId",
}

// inUse refuses to delete a subnet that something is in, and a bucket with objects in it unless forceDestroy deletes them.
func (c *Cloud) inUse(r *record) error {
	switch r.typ {
	case subnetType:
		for _, other := range c.records {
			at := get(other.inputs, inSubnets[other.typ])
			if slices.ContainsFunc(append(elements(at), at), func(v resource.PropertyValue) bool { return text(v) == r.id }) {
				return fmt.Errorf("DependencyViolation: The subnet '%s' has dependencies and cannot be deleted: %s", r.id, other.id)
			}
		}
	case bucketType:
		force := open(r.inputs["forceDestroy"])
		if !(force.IsBool() && force.BoolValue()) && len(c.keys(r.id)) > 0 {
			return fmt.Errorf("BucketNotEmpty: The bucket you tried to delete is not empty. You must delete all versions in the bucket: %s", r.id)
		}
	}
	return nil
}

// moved refuses subnets of a cluster in another VPC, or not in the zones that it was created in. The words are not EKS's.
// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, read 2026-11-26
func (c *Cloud) moved(r, old *record) error {
	if old == nil {
		return nil
	}
	places := func(r *record) (vpcs, zones []string) {
		in, at := map[string]bool{}, map[string]bool{}
		for _, id := range elements(get(r.inputs, "vpcConfig.subnetIds")) {
			if subnet := c.find(subnetType, text(id), r.instance); subnet != nil {
				in[text(subnet.inputs["vpcId"])], at[text(subnet.inputs["availabilityZone"])] = true, true
			}
		}
		return slices.Sorted(maps.Keys(in)), slices.Sorted(maps.Keys(at))
	}
	oldVPCs, oldZones := places(old)
	vpcs, zones := places(r)
	switch {
	case !slices.Equal(oldVPCs, vpcs):
		return fmt.Errorf("InvalidParameterException: Subnets must be in the VPC that the cluster was created with, %s", strings.Join(oldVPCs, " "))
	case !slices.Equal(oldZones, zones):
		return fmt.Errorf("InvalidParameterException: Subnets must be in the same set of AZs as those that the cluster was created with, %s", strings.Join(oldZones, " "))
	}
	return nil
}
