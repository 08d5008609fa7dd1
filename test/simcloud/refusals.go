package simcloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// refusal returns the vendor's error for a record that is about to be created, or to replace old in an update; or nil.
func (c *Cloud) refusal(r, old *record) error {
	if err := c.taken(r, old); err != nil {
		return err
	}
	if err := c.malformed(r); err != nil {
		return err
	}
	switch r.typ {
	case subnetType:
		return c.overlap(r, old)
	case clusterType:
		return c.moved(r, old)
	case groupType:
		return sizes(r.inputs)
	case jobType:
		return c.pull(r.inputs)
	case controlType:
		return controlSize(r.inputs)
	case addonType:
		return configuration(r.inputs)
	case attachmentType:
		return c.attachments(r)
	case objectType, copyType:
		return c.written(r)
	case logGroupType:
		return c.encrypted(r)
	case trailType:
		return c.trail(r)
	}
	return nil
}

// taken refuses a second resource of what the vendor keeps unique.
func (c *Cloud) taken(r, old *record) error {
	k := c.kinds[r.typ]
	if k.taken == "" {
		return nil
	}
	key := func(r *record) string {
		if k.unique == "" {
			return k.identify(view{cloud: c, record: r})
		}
		var values []string
		for _, input := range strings.Fields(k.unique) {
			values = append(values, text(r.inputs[resource.PropertyKey(input)]))
		}
		return strings.Join(values, " ")
	}
	for _, other := range c.records {
		isBucket := r.typ == bucketType // whose names all accounts share
		switch {
		case other == old, other.typ != r.typ, key(other) != key(r):
		case isBucket && other.account != r.account:
			return fmt.Errorf("BucketAlreadyExists: the bucket name %q is taken by another account", r.id)
		case isBucket || other.account == r.account && (other.region == r.region || k.global):
			return fmt.Errorf("%s: %s %q already exists in %s", k.taken, shortType(r.typ), key(r), r.instance)
		}
	}
	return nil
}

// sizes refuses a node group unless minimum ≤ desired ≤ maximum, in EKS's words.
func sizes(inputs resource.PropertyMap) error {
	size := func(name string) float64 {
		if v := get(inputs, "scalingConfig."+name); v.IsNumber() {
			return v.NumberValue()
		}
		return 0
	}
	least, desired, most := size("minSize"), size("desiredSize"), size("maxSize")
	switch {
	case least > desired:
		return fmt.Errorf("InvalidParameterException: Minimum capacity %v can't be greater than desired size %v", least, desired)
	case desired > most:
		return fmt.Errorf("InvalidParameterException: desired capacity %v can't be greater than max size %v", desired, most)
	}
	return nil
}

// configuration refuses values of the CNI that its schema does not have: its booleans are text.
// https://github.com/awslabs/cdk-eks-blueprints/pull/851, read 2026-11-26
func configuration(inputs resource.PropertyMap) error {
	values := text(inputs["configurationValues"])
	if text(inputs["addonName"]) != "vpc-cni" || values == "" {
		return nil
	}
	var known struct {
		EnableNetworkPolicy string `json:"enableNetworkPolicy"`
	}
	decoder := json.NewDecoder(strings.NewReader(values))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&known); err != nil {
		return fmt.Errorf("InvalidParameterException: ConfigurationValue provided in request is not supported: %w", err)
	}
	return nil
}

// controlSize refuses a service control policy of more than the 10,240 characters allowed since 2026-05-15.
func controlSize(inputs resource.PropertyMap) error {
	if n := len(text(inputs["content"])); n > 10240 {
		return fmt.Errorf("ConstraintViolationException: You have exceeded the maximum policy size: %d characters", n)
	}
	return nil
}

// attachments refuses more than the 10 policies on a target allowed since 2026-05-15. FullAWSAccess is one of them.
func (c *Cloud) attachments(r *record) error {
	attached := 1
	for _, other := range c.records {
		if other.typ == attachmentType && text(other.inputs["targetId"]) == text(r.inputs["targetId"]) {
			attached++
		}
	}
	if attached >= 10 {
		return fmt.Errorf("ConstraintViolationException: MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED: %s has %d policies", text(r.inputs["targetId"]), attached)
	}
	return nil
}

// registry matches an image in an ECR registry: account and repository.
var registry = regexp.MustCompile(`^(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/([^:@]+)`)

// pull refuses a Job whose image is in a registry of this cloud, by account, and has not been pushed (PutImage): Pulumi
// waits for the Job's pods and fails. With the annotation pulumi.com/skipAwait it does not wait, and Kubernetes accepts
// any image name, so the Job is created and its pods stay in ImagePullBackOff. Images of other registries are pulled.
func (c *Cloud) pull(inputs resource.PropertyMap) error {
	if text(fields(get(inputs, "metadata.annotations"))["pulumi.com/skipAwait"]) == "true" {
		return nil
	}
	for _, container := range elements(get(inputs, "spec.template.spec.containers")) {
		image := text(fields(container)["image"])
		parts := registry.FindStringSubmatch(image)
		if parts == nil || c.images[image] {
			continue
		}
		for _, r := range c.records {
			if parts[1] == c.caller || r.typ == accountType && r.id == parts[1] {
				return fmt.Errorf("ImagePullBackOff: %s: not found", image)
			}
		}
	}
	return nil
}
