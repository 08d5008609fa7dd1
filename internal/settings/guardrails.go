package settings

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/policy"
)

// Guardrails describes the service control policies.
type Guardrails struct {
	Enabled                bool
	Regions                []string // allowed regions, the stack's own first
	ExemptRoles            []string // names or patterns with *, with paths, of exempt roles besides Organization.RoleName
	InstanceTypes          []string // accelerated EC2 types that the training account may start besides its pools'
	SageMakerInstanceTypes []string // accelerated SageMaker types (ml.…) that it may start besides those of its EC2 types
	AllowedServices        []string // prefixes of services that the other accounts may use besides those that they always may
}

type rawGuardrails struct {
	Enabled         bool     `json:"enabled"`
	Regions         []string `json:"regions"`       // besides the stack's own
	ExemptRoles     []string `json:"exemptRoles"`   //
	InstanceTypes   []string `json:"instanceTypes"` // EC2's, and with ml. SageMaker's
	AllowedServices []string `json:"allowedServices"`
}

func (g rawGuardrails) resolve(region string) Guardrails {
	resolved := Guardrails{Enabled: g.Enabled, Regions: append([]string{region}, g.Regions...), ExemptRoles: g.ExemptRoles, AllowedServices: g.AllowedServices}
	for _, name := range g.InstanceTypes {
		if strings.HasPrefix(name, "ml.") {
			resolved.SageMakerInstanceTypes = append(resolved.SageMakerInstanceTypes, name)
		} else {
			resolved.InstanceTypes = append(resolved.InstanceTypes, name)
		}
	}
	return resolved
}

var (
	servicePrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	instanceType  = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	rolePath      = regexp.MustCompile(`^([A-Za-z0-9+=,.@_*-]+/){0,16}[A-Za-z0-9+=,.@_*-]{1,64}$`)
)

// exemptRole checks the name of an exempt role, which may contain *. A * also matches slashes. Four characters before
// the first one keep a pattern from matching everything, and the program's own roles are never exempt: pods, notebooks
// and pull requests act as them. Names that a pattern matches are guarded as the pattern is. The roles of IAM Identity
// Center are below aws-reserved/sso.amazonaws.com/, outside us-east-1 with a region before the name.
func exemptRole(p *field.Path, role string, s Settings) field.ErrorList {
	literal, _, pattern := strings.Cut(role, "*")
	own := projectName + "-" + s.Stack + "-"
	folder, name := path.Split(role)
	switch {
	case !rolePath.MatchString(role):
		return field.ErrorList{field.Invalid(p, role, "must be the name of a role with its path, not an ARN, for example team/Administrator; * stands for any text")}
	case role == s.Organization.RoleName:
		return field.ErrorList{field.Forbidden(p, role+" is organization.roleName, which is exempt already; remove it")}
	case strings.HasPrefix(name, "AWSReservedSSO") && !strings.HasPrefix(folder, "aws-reserved/"):
		return field.ErrorList{field.Invalid(p, role, "must have the path of IAM Identity Center's roles; "+
			"use aws-reserved/sso.amazonaws.com/*AWSReservedSSO_NAME_* with the NAME of the permission set")}
	case pattern && len(literal) < 4:
		return field.ErrorList{field.Invalid(p, role, "must have at least 4 characters before the first *, for example stacksets-exec-*")}
	case pattern && (strings.HasPrefix(own, literal) || strings.HasPrefix(literal, own)):
		return field.ErrorList{field.Invalid(p, role, "must not match the stack's own roles, whose names begin with "+own)}
	}
	return nil
}

func (g rawGuardrails) validate(p *field.Path, s Settings) field.ErrorList {
	if !g.Enabled {
		return nil
	}
	regions, roles, types := p.Child("regions"), p.Child("exemptRoles"), p.Child("instanceTypes")
	errs := slices.Concat(unique(regions, g.Regions), unique(roles, g.ExemptRoles), unique(types, g.InstanceTypes))
	for i, region := range g.Regions {
		errs = append(errs, validateRegion(regions.Index(i), region)...)
	}
	services := p.Child("allowedServices")
	errs = append(errs, unique(services, g.AllowedServices)...)
	for i, service := range g.AllowedServices {
		switch {
		case !servicePrefix.MatchString(service):
			errs = append(errs, field.Invalid(services.Index(i), service,
				"must be the prefix of a service's actions without a pattern, for example dynamodb of dynamodb:PutItem"))
		case slices.Contains(policy.Everywhere(), service):
			errs = append(errs, field.Forbidden(services.Index(i), service+" is allowed in every account already; remove it"))
		}
	}
	for i, role := range g.ExemptRoles {
		errs = append(errs, exemptRole(roles.Index(i), role, s)...)
	}
	for i, name := range g.InstanceTypes {
		bare := strings.TrimPrefix(name, "ml.")
		switch {
		case !instanceType.MatchString(bare):
			errs = append(errs, field.Invalid(types.Index(i), name,
				"must be an instance type, not a pattern, for example g6.xlarge or ml.g6.xlarge"))
		case !accelerator.Accelerated(bare):
			errs = append(errs, field.Forbidden(types.Index(i), name+" has no accelerator, and other types are not limited; remove it"))
		}
	}
	if _, err := s.Controls().Policies(); err != nil {
		errs = append(errs, field.Forbidden(p, fmt.Sprint(err)))
	}
	return errs
}

// Controls returns the service control policies that the settings ask for, for any training account.
func (s Settings) Controls() policy.Guardrails {
	prefix := projectName + "-" + s.Stack + "-"
	g := policy.NewGuardrails(s.Organization.RoleName, s.Guardrails.ExemptRoles, s.Guardrails.Regions,
		slices.Concat(s.Guardrails.InstanceTypes, s.Cluster.PoolTypes()), s.Guardrails.SageMakerInstanceTypes)
	g.Prefix = prefix
	g.Services = s.Guardrails.AllowedServices
	if s.CI.Repository != "" {
		ci := policy.CI{Prefix: prefix}
		g.Trusted = slices.Concat(ci.Guarded(), s.CI.DeployAssumeRoles, s.CI.PreviewAssumeRoles)
	}
	if s.Budget.KillSwitch != None && len(s.Budget.MonthlyUSD) > 0 {
		g.Rescue = policy.RescueRole(prefix)
		g.Trusted = append(g.Trusted, "arn:*:iam::*:role/"+g.Rescue)
	}
	return g
}
