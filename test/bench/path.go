// Package bench measures the program: how long an update takes against the critical path of its graph, what a preview costs beside
// an empty program, and how both grow. docs/speed.md has the figures.
package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Durations are how long AWS takes to create a resource of a type, in seconds: what was measured or published for each. All else
// takes Otherwise.
//
// Sources: EKS "typically 10 to 15 minutes" for a cluster with nodes (docs.aws.amazon.com/eks/latest/userguide/create-cluster.html),
// of which control planes take 8 to 10 and node groups 2 to 4 in the logs of public end-to-end tests of terraform-aws-eks; NAT
// gateways 90 to 120 s, interface endpoints and add-ons about a minute in the same logs; accounts one to two minutes
// (docs.aws.amazon.com/organizations). They are for comparing one graph with another.
var Durations = map[string]float64{
	"aws:eks/cluster:Cluster":                         600,
	"aws:sagemaker/notebookInstance:NotebookInstance": 300,
	"aws:eks/nodeGroup:NodeGroup":                     210,
	"aws:ec2/natGateway:NatGateway":                   110,
	"aws:organizations/account:Account":               90,
	"aws:eks/addon:Addon":                             60,
	"aws:ec2/vpcEndpoint:VpcEndpoint":                 60,
	"kubernetes:apps/v1:DaemonSet":                    40,
	"aws:organizations/organization:Organization":     15,
	"aws:kms/key:Key":                                 15,
	"aws:ec2/vpc:Vpc":                                 13,
	"aws:ec2/subnet:Subnet":                           11,
	"aws:iam/role:Role":                               10,
	"aws:s3/bucketV2:BucketV2":                        4,
	"aws:s3/bucket:Bucket":                            4,
}

// Otherwise is how long all other resources take, in seconds.
const Otherwise = 3

// Seconds returns how long a resource of a type takes to be created. Components and providers take no time.
func Seconds(typ string) float64 {
	if seconds, ok := Durations[typ]; ok {
		return seconds
	}
	if strings.HasPrefix(typ, "aws:") || strings.HasPrefix(typ, "kubernetes:") || strings.HasPrefix(typ, "github:") {
		return Otherwise
	}
	return 0
}

// Step is a resource on a path.
type Step struct {
	Name    string // type and logical name
	Seconds float64
	Ends    float64 // seconds after the start
}

// Path is the chain of resources, each of which waits for the one before, that takes longest.
type Path []Step

// Total returns how long it takes.
func (p Path) Total() time.Duration {
	if len(p) == 0 {
		return 0
	}
	return time.Duration(p[len(p)-1].Ends * float64(time.Second))
}

// String returns a line for each resource that takes time.
func (p Path) String() string {
	var lines strings.Builder
	for _, step := range p {
		if step.Seconds > 0 {
			fmt.Fprintf(&lines, "%6.0f s  %4.0f s  %s\n", step.Ends, step.Seconds, step.Name)
		}
	}
	return lines.String()
}

// CriticalPath returns the path of a state, as `pulumi stack export` prints it or the file backend stores it.
func CriticalPath(state []byte) (Path, error) {
	var content struct {
		Checkpoint *struct{ Latest deployment }
		Deployment *deployment
	}
	if err := json.Unmarshal(state, &content); err != nil {
		return nil, err
	}
	var found deployment
	switch {
	case content.Checkpoint != nil:
		found = content.Checkpoint.Latest
	case content.Deployment != nil:
		found = *content.Deployment
	}
	if len(found.Resources) == 0 {
		return nil, fmt.Errorf("the state has no resources")
	}
	g := graph{byURN: map[string]stateResource{}, ends: map[string]Path{}}
	for _, r := range found.Resources {
		g.byURN[r.URN] = r
	}
	var longest Path
	for _, r := range found.Resources {
		if path := g.path(r.URN); path.Total() > longest.Total() {
			longest = path
		}
	}
	return longest, nil
}

type deployment struct{ Resources []stateResource }

type stateResource struct {
	URN, Type, Provider  string
	External             bool
	Dependencies         []string
	PropertyDependencies map[string][]string
}

func (r stateResource) name() string {
	return r.Type + " " + r.URN[strings.LastIndex(r.URN, "::")+2:]
}

// after returns what the resource waits for: its dependencies and its provider. The engine waits for a parent's registration, but
// not for what it is made of.
func (r stateResource) after() []string {
	all := slices.Clone(r.Dependencies)
	for _, of := range r.PropertyDependencies {
		all = append(all, of...)
	}
	if at := strings.LastIndex(r.Provider, "::"); at > 0 {
		all = append(all, r.Provider[:at])
	}
	return all
}

type graph struct {
	byURN map[string]stateResource
	ends  map[string]Path
}

func (g graph) path(urn string) Path {
	if path, ok := g.ends[urn]; ok {
		return path
	}
	g.ends[urn] = nil // a cycle cannot be
	r, ok := g.byURN[urn]
	if !ok {
		return nil
	}
	var before Path
	for _, other := range r.after() {
		if path := g.path(other); path.Total() > before.Total() {
			before = path
		}
	}
	took := Seconds(r.Type)
	if r.External {
		took = 0
	}
	path := append(slices.Clip(before), Step{r.name(), took, before.Total().Seconds() + took})
	g.ends[urn] = path
	return path
}
