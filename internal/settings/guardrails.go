package settings

import (
	"regexp"
	"slices"
	"strings"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
)

// Guardrails is the settings of the service control policies.
type Guardrails struct {
	Enabled                bool     `json:"enabled"`
	Regions                []string `json:"regions"`                // that may be used beside the stack's own
	InstanceTypes          []string `json:"instanceTypes"`          // accelerated EC2 types that the training account may start beside its pools'
	ExemptRoles            []string `json:"exemptRoles"`            // names, with their paths, of further roles that guardrails leave alone
	SageMakerInstanceTypes []string `json:"sagemakerInstanceTypes"` // accelerated SageMaker types, as ml.g5.xlarge, likewise
}

var (
	ec2Type  = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	rolePath = regexp.MustCompile(`^([A-Za-z0-9+=,.@_-]+/){0,16}[A-Za-z0-9+=,.@_-]{1,64}$`)
)

func (g *Guardrails) check(f *faults, s *Settings) {
	if !g.Enabled {
		return
	}
	for i, region := range g.Regions {
		const key = "guardrails.regions"
		switch {
		case !regionName.MatchString(region):
			f.add(key, "%q is not a region's name, as eu-west-1 is", region)
		case slices.Contains(g.Regions[:i], region):
			f.add(key, "%s is listed twice: name it once", region)
		case catalog.Partition(region) != catalog.Partition(s.Region):
			f.add(key, "%s is in another partition than %s, the stack's region: no account spans two", region, s.Region)
		}
	}
	for i, role := range g.ExemptRoles {
		const key = "guardrails.exemptRoles"
		switch {
		case !rolePath.MatchString(role):
			f.add(key, "%q is not a role's name, with its path if it has one, as team/Administrator (no ARN, no pattern)", role)
		case role == s.Organization.RoleName || slices.Contains(g.ExemptRoles[:i], role):
			f.add(key, "%s is exempt already", role)
		}
	}
	for _, name := range g.InstanceTypes {
		const key = "guardrails.instanceTypes"
		switch {
		case strings.HasPrefix(name, "ml."):
			f.add(key, "%q is SageMaker's: list it in guardrails.sagemakerInstanceTypes", name)
		case !ec2Type.MatchString(name):
			f.add(key, "%q is not an EC2 instance type, as g6.xlarge (no patterns)", name)
		case !accelerator.Accelerated(name):
			f.add(key, "%s has no accelerator, and others are not limited: remove it", name)
		}
	}
	for _, name := range g.SageMakerInstanceTypes {
		const key = "guardrails.sagemakerInstanceTypes"
		bare, ok := strings.CutPrefix(name, "ml.")
		switch {
		case !ok || !ec2Type.MatchString(bare):
			f.add(key, "%q is not a SageMaker instance type, as ml.g6.xlarge (no patterns)", name)
		case !accelerator.Accelerated(bare):
			f.add(key, "%s has no accelerator, and others are not limited: remove it", name)
		}
	}
	if _, err := s.ControlPolicies(nil).Policies(); err != nil {
		f.add("guardrails", "%v", err)
	}
}

// ControlPolicies is the guardrails of the stack. The training account may start the
// given instance types, those of its pools, and the listed ones, in EC2 and as SageMaker's
// ml. equivalents; its id is still to be filled in.
func (s *Settings) ControlPolicies(pools []string) policy.Guardrails {
	g := policy.Guardrails{
		DeployRole:      s.Organization.RoleName,
		Exempt:          s.Guardrails.ExemptRoles,
		Regions:         append([]string{s.Region}, s.Guardrails.Regions...),
		TrainingAccount: policy.AnyAccount,
		SageMakerTypes:  slices.Clone(s.Guardrails.SageMakerInstanceTypes),
	}
	for _, name := range slices.Concat(pools, s.Guardrails.InstanceTypes) {
		if accelerator.Accelerated(name) {
			g.InstanceTypes = append(g.InstanceTypes, name)
			g.SageMakerTypes = append(g.SageMakerTypes, "ml."+name)
		}
	}
	return g
}
