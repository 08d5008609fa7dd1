package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/subnets"
)

// How private subnets reach the internet.
const (
	singleNAT  = "single"   // one NAT gateway for all zones: cheaper, and unavailable with its zone
	NATPerZone = "per-zone" // one NAT gateway in every zone: no traffic, and no failure, crosses zones
)

// Network describes the VPC of the cluster: an existing one with VPCID, PrivateSubnetIDs and AcceleratorSubnetIDs, or
// one to create. Zones have their full names, for example us-west-2a.
type Network struct {
	CIDR               string   // of the VPC to create, a /16 to /19
	Zones              []string // availability zones
	AcceleratorZones   []string // those of Zones with a subnet for accelerator nodes; the largest first
	NAT                string   // singleNAT or NATPerZone
	InterfaceEndpoints []string // services with an interface endpoint, for example ecr.api
	FlowLogDays        int      // days to keep flow logs; 0: no flow logs
	S3Buckets          []string // further buckets of the region that are reached from the VPC

	VPCID                string            // existing VPC; empty: one is created
	PrivateSubnetIDs     []string          // for control plane and system nodes
	AcceleratorSubnetIDs map[string]string // for accelerator nodes, by zone
}

type rawNetwork struct {
	CIDR               string   `json:"cidr"`
	Zones              []string `json:"zones"`            // by letter or full name
	AcceleratorZones   []string `json:"acceleratorZones"` // likewise
	NAT                string   `json:"nat"`
	InterfaceEndpoints []string `json:"interfaceEndpoints"`
	FlowLogDays        int      `json:"flowLogDays"`
	S3Buckets          []string `json:"s3Buckets"`

	VPCID                string            `json:"vpcId"`
	PrivateSubnetIDs     []string          `json:"privateSubnetIds"`
	AcceleratorSubnetIDs map[string]string `json:"acceleratorSubnetIds"` // by letter or full name of the zone
}

func (n rawNetwork) resolve(region string) Network {
	byZone := make(map[string]string, len(n.AcceleratorSubnetIDs))
	for name, id := range n.AcceleratorSubnetIDs {
		byZone[fullZone(name, region)] = id
	}
	return Network{
		CIDR:                 n.CIDR,
		Zones:                fullZones(n.Zones, region),
		AcceleratorZones:     fullZones(n.AcceleratorZones, region),
		NAT:                  n.NAT,
		InterfaceEndpoints:   n.InterfaceEndpoints,
		FlowLogDays:          n.FlowLogDays,
		S3Buckets:            n.S3Buckets,
		VPCID:                n.VPCID,
		PrivateSubnetIDs:     n.PrivateSubnetIDs,
		AcceleratorSubnetIDs: byZone,
	}
}

// ClusterNetwork returns the network of the cluster, with the buckets that the other settings name among S3Buckets: the
// deployment and the notebook may run in the VPC.
func (s Settings) ClusterNetwork() Network {
	n := s.Network
	n.S3Buckets = slices.Clone(n.S3Buckets)
	for _, bucket := range []string{s.Storage.SourceBucket, s.CI.StateBucketARN[strings.LastIndex(s.CI.StateBucketARN, ":")+1:]} {
		if bucket != "" {
			n.S3Buckets = append(n.S3Buckets, bucket)
		}
	}
	return n
}

// poolZones returns the zones in which accelerator pools can be; the first is the default.
func (n Network) poolZones() []string {
	if n.VPCID != "" {
		return slices.Sorted(maps.Keys(n.AcceleratorSubnetIDs))
	}
	return n.AcceleratorZones
}

// Plan returns the subnets of the VPC to create: public and private ones by index of Zones, those for accelerator
// nodes by index of AcceleratorZones.
func (n Network) Plan() (subnets.Plan, error) {
	return subnets.New(n.CIDR, len(n.Zones), len(n.AcceleratorZones))
}

// privateCluster lists the interface endpoints that nodes need to pull from ECR, join the cluster, get Pod Identity
// credentials and write logs without a way to the internet.
// https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html, read 2026-11-22
var privateCluster = []string{"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "sts"}

// endpoints lists the services whose interface endpoints are supported.
// https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html, read 2026-11-22
var endpoints = append([]string{
	"autoscaling", "ec2messages", "elasticfilesystem", "elasticloadbalancing", "kms", "monitoring",
	"sagemaker.api", "sagemaker.runtime", "secretsmanager", "sqs", "ssm", "ssmmessages", "xray",
}, privateCluster...)

var (
	vpcID      = regexp.MustCompile(`^vpc-[0-9a-f]{8,17}$`)
	anyBucket  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	zoneLetter = regexp.MustCompile(`^[a-z]$`)
)

// retentions lists the days for which CloudWatch can keep logs.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html, read 2026-11-22
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

func (n rawNetwork) validate(p *field.Path, region string, in input) field.ErrorList {
	errs := slices.Concat(
		validateZones(p.Child("zones"), n.Zones, region),
		validateZones(p.Child("acceleratorZones"), n.AcceleratorZones, region),
	)
	if n.FlowLogDays != 0 {
		errs = append(errs, retention(p.Child("flowLogDays"), n.FlowLogDays)...)
	}
	if n.VPCID != "" {
		return append(errs, n.validateExisting(p, region)...)
	}
	return append(errs, n.validateNew(p, region, in)...)
}

// validateNew checks a VPC to create.
func (n rawNetwork) validateNew(p *field.Path, region string, in input) field.ErrorList {
	zones, accelerators, services := p.Child("zones"), p.Child("acceleratorZones"), p.Child("interfaceEndpoints")
	errs := append(choice(p.Child("nat"), n.NAT, singleNAT, NATPerZone), unique(services, n.InterfaceEndpoints)...)
	errs = append(errs, unique(p.Child("s3Buckets"), n.S3Buckets)...)
	for i, bucket := range n.S3Buckets {
		errs = append(errs, match(p.Child("s3Buckets").Index(i), bucket, anyBucket, "the name of a bucket, not a URL or an ARN")...)
	}
	if k := len(n.Zones); k < 2 || k > subnets.MaxZones {
		errs = append(errs, field.Invalid(zones, k,
			fmt.Sprintf("must be 2 to %d zones: EKS needs two, and the subnet plan has room for %d", subnets.MaxZones, subnets.MaxZones)))
	}
	if k := len(n.AcceleratorZones); k < 1 || k > subnets.MaxAcceleratorZones {
		errs = append(errs, field.Invalid(accelerators, k, fmt.Sprintf("must be 1 to %d zones", subnets.MaxAcceleratorZones)))
	}
	available := fullZones(n.Zones, region)
	for i, name := range n.AcceleratorZones {
		if full := fullZone(name, region); in.read(zones) && isZone(full, region) && !slices.Contains(available, full) {
			errs = append(errs, field.Invalid(accelerators.Index(i), name, "must be one of "+zones.String()))
		}
	}
	// The number of zones is checked above; the range is judged by itself.
	_, err := subnets.New(n.CIDR, 2, 1)
	for _, err := range joined(err) {
		errs = append(errs, field.Forbidden(p.Child("cidr"), err.Error()))
	}
	for i, service := range n.InterfaceEndpoints {
		switch {
		case service == "s3":
			errs = append(errs, field.Forbidden(services.Index(i),
				"s3 is unnecessary: the VPC has a gateway endpoint for S3, which is free; remove it"))
		case !slices.Contains(endpoints, service):
			errs = append(errs, field.Invalid(services.Index(i), service,
				"must be one of "+strings.Join(endpoints, ", ")+suggest(service, endpoints)))
		}
	}
	for name, set := range map[string]bool{
		"privateSubnetIds": len(n.PrivateSubnetIDs) > 0, "acceleratorSubnetIds": len(n.AcceleratorSubnetIDs) > 0,
	} {
		if set {
			errs = append(errs, field.Forbidden(p.Child(name),
				fmt.Sprintf("requires %s, the VPC of the subnets; set it, or remove this", p.Child("vpcId"))))
		}
	}
	return errs
}

// validateExisting checks an existing VPC. Its owner creates subnets, routes, endpoints and flow logs.
func (n rawNetwork) validateExisting(p *field.Path, region string) field.ErrorList {
	private, accelerators := p.Child("privateSubnetIds"), p.Child("acceleratorSubnetIds")
	errs := append(match(p.Child("vpcId"), n.VPCID, vpcID, "a VPC id (vpc-…)"), unique(private, n.PrivateSubnetIDs)...)
	if k := len(n.PrivateSubnetIDs); k < 2 {
		errs = append(errs, field.Invalid(private, k, "must be at least two subnets, in different zones"))
	}
	if len(n.AcceleratorSubnetIDs) == 0 {
		errs = append(errs, field.Required(accelerators, "for example {a: subnet-…}"))
	}
	if len(n.InterfaceEndpoints) > 0 {
		errs = append(errs, field.Forbidden(p.Child("interfaceEndpoints"),
			fmt.Sprintf("cannot be combined with %s; create the endpoints with the VPC, and remove this", p.Child("vpcId"))))
	}
	if len(n.S3Buckets) > 0 {
		errs = append(errs, field.Forbidden(p.Child("s3Buckets"),
			fmt.Sprintf("cannot be combined with %s, whose owner decides about its endpoints; remove this", p.Child("vpcId"))))
	}
	for i, id := range n.PrivateSubnetIDs {
		errs = append(errs, match(private.Index(i), id, subnetID, "a subnet id (subnet-…)")...)
	}
	for _, name := range slices.Sorted(maps.Keys(n.AcceleratorSubnetIDs)) {
		at := entry(accelerators, name)
		errs = append(errs, validateZone(at, name, region)...)
		errs = append(errs, match(at, n.AcceleratorSubnetIDs[name], subnetID, "a subnet id (subnet-…)")...)
	}
	return errs
}

// fullZone returns the full name of a zone, which may be written as its letter alone.
func fullZone(name, region string) string {
	if zoneLetter.MatchString(name) {
		return region + name
	}
	return name
}

func fullZones(names []string, region string) []string {
	full := make([]string, 0, len(names))
	for _, name := range names {
		full = append(full, fullZone(name, region))
	}
	return full
}

// isZone reports whether a full name is that of a zone of the region.
func isZone(full, region string) bool {
	letter, ok := strings.CutPrefix(full, region)
	return ok && zoneLetter.MatchString(letter)
}

func validateZone(p *field.Path, name, region string) field.ErrorList {
	if isZone(fullZone(name, region), region) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, name,
		fmt.Sprintf("must be an availability zone of %s, for example a or %sa", region, region))}
}

func validateZones(p *field.Path, names []string, region string) field.ErrorList {
	errs := unique(p, fullZones(names, region))
	for i, name := range names {
		errs = append(errs, validateZone(p.Index(i), name, region)...)
	}
	return errs
}

func retention(p *field.Path, days int) field.ErrorList {
	if slices.Contains(retentions, days) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, days,
		"must be a number of days for which CloudWatch can keep logs, one of "+strings.Trim(fmt.Sprint(retentions), "[]"))}
}

// joined returns the errors that errors.Join joined.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	for _, part := range all.Unwrap() {
		parts = append(parts, joined(part)...)
	}
	return parts
}
