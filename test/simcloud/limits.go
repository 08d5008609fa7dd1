package simcloud

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// What the inputs of a type must match, by path. The patterns are those of the API models in botocore 1.44.8, read
// 2026-11-26, unless another source is given.
var patterns = map[string]map[string]*regexp.Regexp{
	accountType: {
		"name":  regexp.MustCompile(`^[ -~]{1,50}$`),
		"email": regexp.MustCompile(`^[^\s@.\\"'()<>:;,|%&\[\]][^\s@\\"'()<>:;,|%&\[\]]*@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$`),
	},
	roleType:                              {"description": regexp.MustCompile(`^[\t\n\r -~¡-ÿ]{0,1000}$`)},
	"aws:ec2/securityGroup:SecurityGroup": {"description": groupText},
	"aws:datasync/task:Task":              {"schedule.scheduleExpression": schedule},
}

var (
	// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html, read 2026-11-26
	groupText = regexp.MustCompile(`^[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{0,255}$`)
	// At most hourly. https://docs.aws.amazon.com/datasync/latest/userguide/task-scheduling.html, read 2026-11-26
	schedule = regexp.MustCompile(`^(rate\(1 (hour|day)\)|rate\(([2-9]|[1-9]\d+) (hours|days)\)|cron\([0-5]?\d \S+ (\? \S+ [^?\s]+|[^?\s]+ \S+ \?) \S+\))$`)

	tagKey, tagValue = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$`), regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
	// DataSync's are narrower.
	dataSyncKey, dataSyncValue = regexp.MustCompile(`^[a-zA-Z0-9\s+=._:/-]{1,128}$`), regexp.MustCompile(`^[a-zA-Z0-9\s+=._:@/-]{1,256}$`)
)

// malformed refuses inputs that the vendor's API does not take.
func (c *Cloud) malformed(r *record) error {
	for path, pattern := range patterns[r.typ] {
		if v := get(r.inputs, path); v.IsString() && !pattern.MatchString(v.StringValue()) {
			return fmt.Errorf("ValidationException: Value %q at %q failed to satisfy constraint: Member must satisfy regular expression pattern: %s", v.StringValue(), path, pattern)
		}
	}
	if strings.HasPrefix(r.typ, "aws:") && c.kinds[r.typ].tags {
		if err := tags(r); err != nil {
			return err
		}
	}
	switch r.typ {
	case clusterType:
		return c.reachable(r)
	case groupType:
		return nodeNames(r.inputs)
	}
	return nil
}

// tags refuses tags that AWS does not take. The keys of IAM and KMS are the same if they differ in case only.
func tags(r *record) error {
	key, value := tagKey, tagValue
	if strings.HasPrefix(r.typ, "aws:datasync/") {
		key, value = dataSyncKey, dataSyncValue
	}
	seen := map[string]bool{}
	for k, v := range fields(r.inputs["tags"]) {
		name, content := string(k), open(v)
		switch {
		case !key.MatchString(name), content.IsString() && !value.MatchString(content.StringValue()), strings.HasPrefix(strings.ToLower(name), "aws:"):
			return fmt.Errorf("InvalidTag: The tag %s: %s has a key or a value that is not allowed", name, text(v))
		case strings.HasPrefix(r.typ, "aws:iam/") && seen[strings.ToLower(name)]:
			return fmt.Errorf("InvalidInput: Duplicate tag keys found. Please note that Tag keys are case insensitive: %s", name)
		}
		seen[strings.ToLower(name)] = true
	}
	return nil
}

// reserved are ranges that EKS refuses in publicAccessCidrs: "The following CIDRs are not allowed". AWS publishes no
// list; these are private or reserved by https://www.iana.org/assignments/iana-ipv4-special-registry, read 2026-11-26.
var reserved = strings.Fields("0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4")

// reachable refuses public ranges and zones in EKS's words.
func (c *Cloud) reachable(r *record) error {
	ranges := elements(get(r.inputs, "vpcConfig.publicAccessCidrs"))
	if len(ranges) > 40 {
		return fmt.Errorf("InvalidParameterException: The number of publicAccessCidrs, %d, exceeds the limit of 40", len(ranges))
	}
	for _, v := range ranges {
		prefix, err := netip.ParsePrefix(text(v))
		if err != nil || prefix != prefix.Masked() || !prefix.Addr().Is4() {
			return fmt.Errorf("InvalidParameterException: The following CIDRs are invalid in publicAccessCidrs: [%s]", text(v))
		}
		if prefix.Bits() > 0 && slices.ContainsFunc(reserved, func(s string) bool { return netip.MustParsePrefix(s).Overlaps(prefix) }) {
			return fmt.Errorf("InvalidParameterException: The following CIDRs are not allowed in publicAccessCidrs: [%s]", text(v))
		}
	}
	for _, id := range elements(get(r.inputs, "vpcConfig.subnetIds")) {
		// Zone use1-az3, which in most accounts is us-east-1e.
		// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, read 2026-11-26
		if subnet := c.find(subnetType, text(id), r.instance); subnet != nil && text(subnet.inputs["availabilityZone"]) == "us-east-1e" {
			return fmt.Errorf("UnsupportedAvailabilityZoneException: Cannot create cluster because us-east-1e, the targeted Availability Zone, does not currently have sufficient capacity to support the cluster")
		}
	}
	return nil
}

// nodeNames refuses labels and taints of a node group in EKS's words.
// https://github.com/eksctl-io/eksctl/issues/4007, read 2026-11-26
func nodeNames(inputs resource.PropertyMap) error {
	names := map[string]string{}
	for key, v := range fields(inputs["labels"]) {
		if names[string(key)] = "label"; text(v) == "" {
			return fmt.Errorf("InvalidParameterException: Label %s has an empty value", key)
		}
	}
	for _, taint := range elements(inputs["taints"]) {
		names[text(fields(taint)["key"])] = "taint"
	}
	for key, what := range names {
		domain, _, _ := strings.Cut(key, "/")
		for _, reserved := range []string{"kubernetes.io", "k8s.io", "eks.amazonaws.com"} {
			if strings.Contains(key, "/") && (domain == reserved || strings.HasSuffix(domain, "."+reserved)) {
				return fmt.Errorf("InvalidParameterException: %s %s cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]", what, key)
			}
		}
		if len(key) > 63 {
			return fmt.Errorf("InvalidParameterException: %s key %s is longer than 63 characters", what, key)
		}
	}
	return nil
}

// copied refuses to copy an object that does not exist or is archived.
func (c *Cloud) copied(source string) error {
	found, ok := c.object(source)
	switch {
	case !ok:
		return fmt.Errorf("NoSuchKey: The specified key does not exist: %s", source)
	case found.class == "GLACIER" || found.class == "DEEP_ARCHIVE":
		return fmt.Errorf("InvalidObjectState: The operation is not valid for the object's storage class: %s is in %s", source, found.class)
	}
	return nil
}
