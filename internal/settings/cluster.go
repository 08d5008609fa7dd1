package settings

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
	"llm-platform/internal/kubeconfig"
)

// What an access entry permits.
const (
	administrator = "administrator" // everything
	ciAccess      = "ci"            // everything too: the pipeline that runs this program creates roles and namespaces
	Scientist     = "scientist"     // see the training namespace, follow logs and execute commands in its pods
)

// Cluster describes the EKS cluster: an existing one with Kubeconfig, or one to create.
type Cluster struct {
	Kubeconfig         SecretText        // of an existing cluster; empty: one is created
	Version            string            // Kubernetes, for example 1.36
	PublicCIDRs        []string          // CIDR ranges that may reach the API over the internet; empty: the endpoint is private
	LogDays            int               // days to keep control plane logs
	Access             map[string]Access // EKS access entries, by name
	SystemInstanceType string            //
	SystemNodes        int               //
	ContainerInsights  bool              // send metrics and logs of nodes, pods and GPUs to CloudWatch
	Pools              map[string]Pool   // to train on, by name
}

// Access is an access entry of an IAM principal.
type Access struct {
	Principal string `json:"principal"` // ARN of a role or user
	Role      string `json:"role"`      // administrator, ciAccess or Scientist
}

// Existing reports whether the cluster exists and is only used.
func (c Cluster) Existing() bool { return c.Kubeconfig != "" }

// ScientistAccess reports whether an access entry is for scientists.
func (c Cluster) ScientistAccess() bool {
	for _, access := range c.Access {
		if access.Role == Scientist {
			return true
		}
	}
	return false
}

// PoolTypes returns the instance types of the pools with accelerators, sorted and without duplicates.
func (c Cluster) PoolTypes() []string {
	var types []string
	for _, pool := range c.Pools {
		if pool.Type.Kind != accelerator.None {
			types = append(types, pool.InstanceType)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

type rawCluster struct {
	Kubeconfig                    SecretText                     `json:"kubeconfig"`
	Version                       string                         `json:"version"`
	PublicCIDRs                   []string                       `json:"publicCidrs"`
	AllowPublicAccessFromAnywhere bool                           `json:"allowPublicAccessFromAnywhere"` // confirms 0.0.0.0/0 in publicCidrs
	LogDays                       int                            `json:"logDays"`
	Access                        map[string]Access              `json:"access"`
	SystemInstanceType            string                         `json:"systemInstanceType"`
	SystemNodes                   int                            `json:"systemNodes"`
	ContainerInsights             bool                           `json:"containerInsights"`
	InstanceTypes                 map[string]accelerator.Figures `json:"instanceTypes"` // in addition to the accelerator table
	Pools                         map[string]rawPool             `json:"pools"`
}

func (c rawCluster) resolve(region string, n Network) Cluster {
	pools := make(map[string]Pool, len(c.Pools))
	for name, pool := range c.Pools {
		pools[name] = pool.resolve(name, c.lookup(pool.InstanceType), region, n)
	}
	return Cluster{
		Kubeconfig:         c.Kubeconfig,
		Version:            c.Version,
		PublicCIDRs:        c.PublicCIDRs,
		LogDays:            c.LogDays,
		Access:             c.Access,
		SystemInstanceType: c.SystemInstanceType,
		SystemNodes:        c.SystemNodes,
		ContainerInsights:  c.ContainerInsights,
		Pools:              pools,
	}
}

// lookup returns the figures of an instance type, from the configuration or from the tables. Those of an unknown type
// have no name.
func (c rawCluster) lookup(name string) accelerator.Type {
	if figures, ok := c.InstanceTypes[name]; ok {
		return figures.Type(name)
	}
	if t, err := accelerator.Lookup(name); err == nil {
		return t
	}
	t, err := accelerator.LookupProcessor(name)
	if err != nil {
		return accelerator.Type{}
	}
	return t
}

func (c rawCluster) validate(p *field.Path, s Settings, in input) field.ErrorList {
	types := p.Child("instanceTypes")
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(c.InstanceTypes)) {
		errs = append(errs, c.InstanceTypes[name].Validate(entry(types, name), name)...)
	}
	faulty := append(slices.Clone(errs), in.unread...)
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		at, pool := entry(p.Child("pools"), name), c.Pools[name]
		errs = append(errs, validatePoolName(at, name)...)
		if !mentions(faulty, entry(types, pool.InstanceType)) {
			errs = append(errs, pool.validate(at, name, s, in)...)
		}
	}
	if c.Kubeconfig != "" {
		return append(errs, c.validateExisting(p, in)...)
	}
	errs = append(errs, c.validateNew(p, s.Organization)...)
	if s.Network.VPCID == "" {
		errs = append(errs, validateRoom(s.Network, s.Cluster.Pools)...)
	}
	return errs
}

// validateExisting checks an existing cluster. Settings of a new one must not be combined with it.
func (c rawCluster) validateExisting(p *field.Path, in input) field.ErrorList {
	kubeconfigKey := p.Child("kubeconfig")
	errs := mustBeSecret(kubeconfigKey, c.Kubeconfig, in.secretKeys)
	if err := kubeconfig.Check(c.Kubeconfig.Reveal()); err != nil {
		errs = append(errs, field.Forbidden(kubeconfigKey, err.Error()))
	}
	if len(c.Access) > 0 {
		errs = append(errs, field.Forbidden(p.Child("access"), existingCluster))
	}
	if len(c.PublicCIDRs) > 0 {
		errs = append(errs, field.Forbidden(p.Child("publicCidrs"), existingCluster))
	}
	return errs
}

const existingCluster = "cannot be combined with cluster.kubeconfig, which refers to an existing cluster; remove one of them"

// validateNew checks a cluster to create.
func (c rawCluster) validateNew(p *field.Path, o Organization) field.ErrorList {
	system := p.Child("systemInstanceType")
	errs := slices.Concat(
		validateVersion(p.Child("version"), c.Version),
		retention(p.Child("logDays"), c.LogDays),
		between(p.Child("systemNodes"), c.SystemNodes, 1, 20),
		match(system, c.SystemInstanceType, instanceType, "an EC2 instance type, for example m6i.large"),
		c.validatePublic(p),
		validateAccess(p.Child("access"), c.Access, o),
	)
	if accelerator.Accelerated(c.SystemInstanceType) {
		errs = append(errs, field.Invalid(system, c.SystemInstanceType,
			"must be a type without accelerators, for example m6i.large"))
	}
	return errs
}

func validateVersion(p *field.Path, version string) field.ErrorList {
	if reason := catalog.Unpinned(version); reason != "" {
		return field.ErrorList{field.Invalid(p, version, "must be one of "+strings.Join(catalog.Versions(), ", ")+"; "+reason)}
	}
	return choice(p, version, catalog.Versions()...)
}

// https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
func validateAccess(p *field.Path, access map[string]Access, o Organization) field.ErrorList {
	var errs field.ErrorList
	holder := map[string]string{} // name of the entry with a principal
	for _, name := range slices.Sorted(maps.Keys(access)) {
		at, item := entry(p, name), access[name]
		principal := at.Child("principal")
		errs = append(errs, entryName(at, name)...)
		errs = append(errs, choice(at.Child("role"), item.Role, administrator, ciAccess, Scientist)...)
		switch {
		case strings.Contains(item.Principal, ":assumed-role/"):
			errs = append(errs, field.Invalid(principal, item.Principal,
				"must not be a session; use the ARN of its role, arn:aws:iam::…:role/…"))
		case isCreator(item.Principal, o):
			errs = append(errs, field.Invalid(principal, item.Principal,
				"must not be the role that creates the cluster, which has access already; remove the entry"))
		default:
			errs = append(errs, principalARN.check(principal, item.Principal)...)
		}
		if other, taken := holder[item.Principal]; taken {
			errs = append(errs, field.Invalid(principal, item.Principal,
				"must differ from the principal of "+other+"; EKS allows one entry for a principal"))
		}
		holder[item.Principal] = name
	}
	return errs
}

// isCreator reports whether a principal is known to be the role that creates the cluster. The training account's id
// is only known here if it is configured.
func isCreator(principal string, o Organization) bool {
	a, err := arn.Parse(principal)
	id := o.Accounts[TrainingAccount].ID
	return err == nil && id != "" && a.AccountID == id && sameRole(principal, o.RoleName)
}
