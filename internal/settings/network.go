package settings

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"llm-platform/internal/subnets"
)

// How private subnets reach the internet.
const (
	SingleNAT  = "single"   // one NAT gateway for all zones: cheaper, and gone with its zone
	NATPerZone = "per-zone" // one in each zone: no traffic, and no failure, crosses zones
)

// Network is the settings of the VPC that the cluster stands in: one to make, or
// one that exists.
type Network struct {
	CIDR               string   `json:"cidr"`               // address range of the VPC to make, a /16 to /19
	Zones              []string `json:"zones"`              // availability zones, by full name once loaded
	AcceleratorZones   []string `json:"acceleratorZones"`   // those of them with a GPU subnet, the fleet's first
	NAT                string   `json:"nat"`                // SingleNAT or NATPerZone
	InterfaceEndpoints []string `json:"interfaceEndpoints"` // services reached without leaving the VPC, as "ecr.api"
	FlowLogDays        int      `json:"flowLogDays"`        // days that flow logs are kept; 0 makes none

	VPCID                string            `json:"vpcId"`                // existing VPC; empty makes one
	PrivateSubnetIDs     []string          `json:"privateSubnetIds"`     // its subnets for control plane and system nodes
	AcceleratorSubnetIDs map[string]string `json:"acceleratorSubnetIds"` // its subnets for GPU nodes, by zone's full name once loaded
}

// PoolZones is the zones that accelerator pools can stand in, the first of
// which is the default.
func (n Network) PoolZones() []string {
	if n.VPCID != "" {
		return names(n.AcceleratorSubnetIDs)
	}
	return n.AcceleratorZones
}

// Plan is the subnets of the VPC to make: public and private ones by index of Zones,
// accelerator ones by index of AcceleratorZones.
func (n Network) Plan() (subnets.Plan, error) {
	return subnets.New(n.CIDR, len(n.Zones), len(n.AcceleratorZones))
}

// PrivateCluster is the interface endpoints with which nodes pull from ECR, join
// the cluster, get Pod Identity credentials and write logs inside the VPC.
// https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
var PrivateCluster = []string{"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "sts"}

// endpoints are the services that an interface endpoint may be asked for.
// https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
var endpoints = append([]string{
	"autoscaling", "ec2messages", "elasticfilesystem", "elasticloadbalancing", "kms", "monitoring",
	"sagemaker.api", "sagemaker.runtime", "secretsmanager", "sqs", "ssm", "ssmmessages", "xray",
}, PrivateCluster...)

var (
	vpcID = regexp.MustCompile(`^vpc-[0-9a-f]{8,17}$`)
	zone  = regexp.MustCompile(`^[a-z]$`)
)

// retentions are the days that CloudWatch can keep logs.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (n *Network) check(f *faults, region string) {
	n.Zones = f.zones("network.zones", n.Zones, region)
	n.AcceleratorZones = f.zones("network.acceleratorZones", n.AcceleratorZones, region)
	if n.FlowLogDays != 0 {
		f.retention("network.flowLogDays", n.FlowLogDays)
	}
	if n.VPCID != "" {
		n.checkGiven(f, region)
	} else {
		n.checkMade(f)
	}
}

// checkMade checks a VPC that is to be made.
func (n *Network) checkMade(f *faults) {
	f.choice("network.nat", n.NAT, SingleNAT, NATPerZone)
	if len(n.Zones) < 2 || len(n.Zones) > subnets.MaxZones {
		f.add("network.zones", "%d zones: EKS needs two, and the address plan has room for %d", len(n.Zones), subnets.MaxZones)
	}
	if len(n.AcceleratorZones) < 1 || len(n.AcceleratorZones) > subnets.MaxAcceleratorZones {
		f.add("network.acceleratorZones", "%d zones: accelerator nodes need one, and the address plan has room for %d", len(n.AcceleratorZones), subnets.MaxAcceleratorZones)
	}
	for _, name := range n.AcceleratorZones {
		if !slices.Contains(n.Zones, name) {
			f.add("network.acceleratorZones", "%s is not in network.zones, so it has no way out: add it there", name)
		}
	}
	// Zones have their own faults above; the range is judged by itself.
	if _, err := subnets.New(n.CIDR, 2, 1); err != nil {
		f.add("network.cidr", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	for i, service := range n.InterfaceEndpoints {
		switch {
		case slices.Contains(n.InterfaceEndpoints[:i], service):
			f.add("network.interfaceEndpoints", "%s is listed twice: name it once", service)
		case service == "s3":
			f.add("network.interfaceEndpoints", "s3 has a gateway endpoint in every VPC that is made here, which is free: remove it")
		case !slices.Contains(endpoints, service):
			f.add("network.interfaceEndpoints", "%q is not a service known to have one%s; a private cluster needs %s", service, suggest(service, endpoints), strings.Join(PrivateCluster, ", "))
		}
	}
	if len(n.PrivateSubnetIDs) > 0 {
		f.add("network.privateSubnetIds", "are subnets of an existing VPC, but network.vpcId names none: set it too, or remove them")
	}
	if len(n.AcceleratorSubnetIDs) > 0 {
		f.add("network.acceleratorSubnetIds", "are subnets of an existing VPC, but network.vpcId names none: set it too, or remove them")
	}
}

// checkGiven checks a VPC that exists. Its owner makes subnets, routes, endpoints
// and flow logs.
func (n *Network) checkGiven(f *faults, region string) {
	if !vpcID.MatchString(n.VPCID) {
		f.add("network.vpcId", "%q is not a VPC's id (vpc-…)", n.VPCID)
	}
	if len(n.PrivateSubnetIDs) < 2 {
		f.add("network.privateSubnetIds", "%d subnets: EKS needs two, in different zones", len(n.PrivateSubnetIDs))
	}
	if len(n.AcceleratorSubnetIDs) == 0 {
		f.add("network.acceleratorSubnetIds", "is empty: accelerator nodes need a subnet, as {a: subnet-…}")
	}
	if len(n.InterfaceEndpoints) > 0 {
		f.add("network.interfaceEndpoints", "go with a VPC to be made, but network.vpcId says that it exists: make them there, and remove them here")
	}
	for i, id := range n.PrivateSubnetIDs {
		f.subnet("network.privateSubnetIds", id)
		if slices.Contains(n.PrivateSubnetIDs[:i], id) {
			f.add("network.privateSubnetIds", "%s is listed twice: name it once", id)
		}
	}
	byZone := map[string]string{}
	for _, name := range names(n.AcceleratorSubnetIDs) {
		f.subnet("network.acceleratorSubnetIds."+name, n.AcceleratorSubnetIDs[name])
		byZone[f.zone("network.acceleratorSubnetIds", name, region)] = n.AcceleratorSubnetIDs[name]
	}
	n.AcceleratorSubnetIDs = byZone
}

// zones checks availability zones of a region and gives them their full names.
func (f *faults) zones(key string, given []string, region string) []string {
	full := make([]string, 0, len(given))
	for _, name := range given {
		name = f.zone(key, name, region)
		if slices.Contains(full, name) {
			f.add(key, "%s is listed twice: name it once", name)
		}
		full = append(full, name)
	}
	return full
}

// zone checks one availability zone, which may be given by its letter alone.
func (f *faults) zone(key, name, region string) string {
	if zone.MatchString(name) {
		return region + name
	}
	if letter, ok := strings.CutPrefix(name, region); !ok || !zone.MatchString(letter) {
		f.add(key, "%q is not an availability zone of %s: give its letter, as a, or its name, as %sa", name, region, region)
	}
	return name
}

func (f *faults) subnet(key, id string) {
	if !subnetID.MatchString(id) {
		f.add(key, "%q is not a subnet's id (subnet-…)", id)
	}
}

func (f *faults) retention(key string, days int) {
	if !slices.Contains(retentions, days) {
		f.add(key, "%d is not a number of days that CloudWatch keeps logs: one of %s", days, strings.Trim(fmt.Sprint(retentions), "[]"))
	}
}

// network checks a range of addresses that may reach something, as 203.0.113.0/24.
func (f *faults) network(key, text string) {
	if address, err := netip.ParsePrefix(text); err != nil {
		f.add(key, "%q is not a range of addresses, as 203.0.113.0/24 (one address is a /32)", text)
	} else if !address.Addr().Is4() {
		f.add(key, "%s is IPv6, and the endpoint has IPv4 only", text)
	} else if address != address.Masked() {
		f.add(key, "%s does not start at its own first address: write %s", text, address.Masked())
	}
}
