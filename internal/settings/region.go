package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
)

// regionName matches the regions of partition aws. Its prefix us also begins the names of others: otherPartition.
var regionName = regexp.MustCompile(`^(us|ca|mx|sa|eu|af|il|me|ap)-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$`)

// otherPartitions names AWS's other partitions by the beginnings of their regions.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html, read 2026-11-26
var otherPartitions = []struct{ prefix, name string }{
	{"cn-", "China"}, {"us-gov-", "GovCloud"}, {"us-iso", "an isolated partition"}, {"eu-iso", "an isolated partition"},
	{"eusc-", "the European Sovereign Cloud"},
}

// validateRegion checks that a region is one that the platform serves.
func validateRegion(p *field.Path, name string) field.ErrorList {
	for _, other := range otherPartitions {
		if strings.HasPrefix(name, other.prefix) {
			return field.ErrorList{field.Invalid(p, name, fmt.Sprintf("must not be in %s, whose accounts, budgets, service "+
				"principals or endpoint names differ; use a region of the partition aws, for example us-west-2", other.name))}
		}
	}
	return match(p, name, regionName, "an AWS region, for example us-west-2; omit the letter of an availability zone")
}

// validateOptIn refuses accounts to create in a region that is disabled in every new account: nothing could enter them.
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html, read 2026-11-26
func validateOptIn(p *field.Path, s Settings) field.ErrorList {
	if !catalog.OptIn(s.Region) || s.Organization.Mode == None {
		return nil
	}
	var created []string
	for _, name := range sortedKeys(s.Organization.Accounts) {
		if s.Organization.Accounts[name].ID == "" {
			created = append(created, name)
		}
	}
	if len(created) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(p, s.Region, fmt.Sprintf("must be a region that is enabled by default, since new "+
		"accounts (%s) cannot use an opt-in region; create the accounts beforehand, enable the region in each (aws account "+
		"enable-region --account-id ID --region-name %s), and set their ids in organization.accounts",
		strings.Join(created, ", "), s.Region))}
}

// validateOfferings checks that the region has the zones of the network and sells the instance types of the cluster,
// as far as the catalog knows. An existing cluster has both already.
func (r raw) validateOfferings(s Settings, in input) field.ErrorList {
	if s.Cluster.Existing() || !in.read(field.NewPath("region")) {
		return nil
	}
	network, cluster := field.NewPath("network"), field.NewPath("cluster")
	errs := r.Network.validateOffered(network, s.Region)
	if system := cluster.Child("systemInstanceType"); catalog.NotOffered(s.Cluster.SystemInstanceType, s.Region) {
		errs = append(errs, field.Invalid(system, s.Cluster.SystemInstanceType,
			fmt.Sprintf("must be offered in %s; use for example %s", s.Region, catalog.SystemType(s.Region))))
	}
	for _, name := range sortedKeys(r.Cluster.Pools) {
		// A type that the user describes, or has reserved, is offered whatever the table says.
		instanceType := r.Cluster.Pools[name].InstanceType
		_, described := r.Cluster.InstanceTypes[instanceType]
		if described || s.Cluster.Pools[name].Reserved() || !catalog.NotOffered(instanceType, s.Region) {
			continue
		}
		way := fmt.Sprintf("it was in %s on 2026-10-27. If it is now, describe it in cluster.instanceTypes",
			strings.Join(catalog.Offering(instanceType), ", "))
		if !accelerator.Accelerated(instanceType) { // cluster.instanceTypes describes accelerators only
			way = "use for example " + catalog.SystemType(s.Region)
		}
		errs = append(errs, field.Invalid(entry(cluster.Child("pools"), name).Child("instanceType"), instanceType,
			fmt.Sprintf("must be offered in %s; %s", s.Region, way)))
	}
	return errs
}

// validateOffered checks that the region has the zones of the VPC. In an existing VPC network.zones is ignored.
func (n rawNetwork) validateOffered(p *field.Path, region string) field.ErrorList {
	letters := catalog.Zones(region)
	var errs field.ErrorList
	check := func(p *field.Path, name string) {
		full := fullZone(name, region)
		if letters != nil && isZone(full, region) && !slices.Contains(letters, strings.TrimPrefix(full, region)) {
			errs = append(errs, field.Invalid(p, name,
				fmt.Sprintf("must be an availability zone of %s, which has %s", region, strings.Join(letters, ", "))))
		}
	}
	if n.VPCID != "" {
		for _, name := range sortedKeys(n.AcceleratorSubnetIDs) {
			check(entry(p.Child("acceleratorSubnetIds"), name), name)
		}
		return errs
	}
	for i, name := range n.Zones {
		check(p.Child("zones").Index(i), name)
	}
	return errs
}
