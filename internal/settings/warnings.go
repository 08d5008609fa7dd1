package settings

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/catalog"
)

// Warnings returns what is accepted and likely to fail or to disappoint, one line each, with the key first. They follow
// from the settings alone, so that a preview shows them all.
func (s Settings) Warnings() []string {
	return slices.Concat(s.placeWarnings(), s.systemWarnings(), s.Organization.trustWarnings(), s.organizationWarnings(), s.storageWarnings(), s.endpointWarnings(), s.trainingWarnings(), s.ciWarnings())
}

func (s Settings) placeWarnings() []string {
	var all []string
	if !slices.Contains(catalog.Regions(), s.Region) {
		all = append(all, fmt.Sprintf("region: %s is not in the program's list of regions (internal/catalog); check the spelling", s.Region))
	}
	if catalog.OptIn(s.Region) {
		all = append(all, fmt.Sprintf("region: %s is an opt-in region. It must be enabled in every account of the stack, the "+
			"management account included: aws account enable-region --region-name %s", s.Region, s.Region))
	}
	id, zone := catalog.WithoutControlPlane(s.Region)
	if !s.Cluster.Existing() && s.Network.VPCID == "" && slices.Contains(s.Network.Zones, zone) {
		all = append(all, fmt.Sprintf("network.zones: in most accounts %s is %s, where EKS has no control plane, and creating the cluster "+
			"fails (UnsupportedAvailabilityZoneException). If `aws ec2 describe-availability-zones --zone-names %s --query "+
			"'AvailabilityZones[].ZoneId'` prints %s, remove it", zone, id, zone, id))
	}
	return all
}

// sizes matches the sizes of instance types, as far as the families of the catalog have them.
var sizes = regexp.MustCompile(`^(nano|micro|small|medium|large|(2|4|8|9|12|16|18|24|32|48|96)?xlarge|metal(-[0-9]+xl)?)$`)

// systemWarnings returns a warning for a system instance type that is in no list. It may exist: the lists are those of
// the pools and of common families.
func (s Settings) systemWarnings() []string {
	name := s.Cluster.SystemInstanceType
	_, size, _ := strings.Cut(name, ".")
	_, err := accelerator.LookupProcessor(name)
	if s.Cluster.Existing() || err == nil || catalog.Offering(name) != nil && sizes.MatchString(size) {
		return nil
	}
	return []string{fmt.Sprintf("cluster.systemInstanceType: %s is not an instance type that this program knows.%s If EC2 does not offer it "+
		"in %s, creating the system node group fails after the control plane has been created", name, suggestion(name, accelerator.Processors()), s.Region)}
}

func (s Settings) organizationWarnings() []string {
	if s.Organization.Mode != Create {
		return nil
	}
	var all []string
	for _, name := range sortedKeys(s.Organization.Accounts) {
		if id := s.Organization.Accounts[name].ID; id != "" {
			all = append(all, fmt.Sprintf("organization.accounts.%s.id: account %s is not a member of an organization that this stack has yet to "+
				"create, and guardrails and budgets fail for it. Leave it out of the first `pulumi up`, then invite it", name, id))
		}
	}
	return all
}

func (s Settings) storageWarnings() []string {
	if len(s.Storage.Transfers) == 0 || !s.Storage.RequesterPays {
		return nil
	}
	return []string{"storage.transfers: AWS does not say whether DataSync reads buckets whose requester pays. If a task fails with access " +
		"denied, use storage.copies, or a bucket of your own"}
}

func (s Settings) endpointWarnings() []string {
	if s.Cluster.Existing() {
		return nil
	}
	var all []string
	if len(s.Cluster.PublicCIDRs) == 0 && s.Network.VPCID == "" {
		all = append(all, "cluster.publicCidrs: is empty, so the cluster's API is reached from inside the VPC only, and the first `pulumi up` "+
			"creates that VPC: it stops at the first Kubernetes object. Set cluster.publicCidrs to the range that pulumi runs in, at least "+
			"until a runner is in the VPC, or set network.vpcId to an existing VPC with a runner in it")
	}
	for i, text := range s.Cluster.PublicCIDRs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Bits() == 0 {
			continue
		}
		if reserved, ok := overlapping(documentationRanges, prefix); ok {
			within := ""
			if prefix != reserved {
				within = fmt.Sprintf(" in %s", reserved)
			}
			all = append(all, fmt.Sprintf("cluster.publicCidrs[%d]: %s is a placeholder%s, reserved for examples, and EKS refuses it. "+
				"Replace it with the addresses that pulumi and kubectl come from (curl -s https://checkip.amazonaws.com)", i, text, within))
		}
	}
	return all
}

func (s Settings) trainingWarnings() []string {
	var all []string
	for _, name := range sortedKeys(s.Cluster.Pools) {
		if pool := s.Cluster.Pools[name]; pool.Type.ARM() {
			all = append(all, fmt.Sprintf("cluster.pools.%s.instanceType: %s has ARM processors: its images must be built for linux/arm64. "+
				"image/Dockerfile is for linux/amd64", name, pool.InstanceType))
		}
	}
	pool, ok := s.Cluster.Pools[s.Training.Pool]
	if !s.Training.Enabled || !ok {
		return all
	}
	if !s.Cluster.Existing() && s.Training.Nodes > pool.Nodes {
		all = append(all, fmt.Sprintf("training.nodes: is %d, but cluster.pools.%s starts with %d, and nothing in this stack scales it: the "+
			"training waits until an operator does (aws eks update-nodegroup-config --scaling-config desiredSize=%d)",
			s.Training.Nodes, s.Training.Pool, pool.Nodes, s.Training.Nodes))
	}
	return all
}
