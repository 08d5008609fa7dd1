package settings

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// reservedDomain matches the label and taint keys that EKS refuses for a node group, or with which a node cannot join:
// https://github.com/eksctl-io/eksctl/issues/4007, https://github.com/aws/containers-roadmap/issues/1451,
// https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3346, read 2026-11-26.
var reservedDomain = regexp.MustCompile(`^([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|eks\.amazonaws\.com)/`)

// validateNodeNames checks what EKS refuses of labels and taint of a node group, in addition to Kubernetes.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html and API_Taint.html, read 2026-11-26: a key
// has at most 63 characters with its domain, and a label's value has at least one.
func (r rawPool) validateNodeNames(at *field.Path) field.ErrorList {
	var errs field.ErrorList
	key := func(p *field.Path, key string) {
		switch {
		case reservedDomain.MatchString(key):
			errs = append(errs, field.Invalid(p, key, "must not be in a domain that EKS reserves (kubernetes.io, k8s.io, "+
				"eks.amazonaws.com); use your own, for example example.com/team"))
		case len(key) > 63:
			errs = append(errs, field.Invalid(p, key, "must be at most 63 characters, the domain included, which EKS requires"))
		}
	}
	for _, name := range sortedKeys(r.Labels) {
		p := entry(at.Child("labels"), name)
		key(p, name)
		if r.Labels[name] == "" {
			errs = append(errs, field.Required(p, "EKS refuses a label without a value: set one, for example \"true\""))
		}
	}
	if name, _, _ := strings.Cut(r.Taint, "="); r.Taint != "" {
		key(at.Child("taint"), name)
	}
	return errs
}
