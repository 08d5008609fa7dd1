// Package simcloud is a cloud in memory: it serves Pulumi's provider protocol for the packages aws, eks,
// kubernetes, github and gitlab, so that the real engine can run the real program without an account, a
// plugin or a network.
//
// It is the provider for engine tests, not a judge of the vendors' rules: it accepts what AWS, Kubernetes or
// GitHub would refuse. What it does imitate is what the engine sees: auto-naming, what is unknown in a
// preview, which changes replace, what a read answers, ids and ARNs of the right shape, and which account a
// provider writes to.
//
// The engine attaches to it through PULUMI_DEBUG_PROVIDERS (see Env) instead of starting plugins.
package simcloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// ManagementAccount is the account of an aws provider that assumes no role.
const ManagementAccount = "111111111111"

// Packages are the Pulumi packages that a Cloud serves.
func Packages() []string { return []string{"aws", "eks", "kubernetes", "github", "gitlab"} }

// Resource is something that exists in the cloud. Secrets are opened: it is what the vendor would hold.
type Resource struct {
	Type string // type token, as "aws:s3/bucketV2:BucketV2"
	ID   string
	URN  string // of the last resource of a program that wrote it; empty if Put made it
	Name string // the logical name in URN

	// Account and Region of an aws resource. For other packages Account is what the provider is bound to:
	// the server of a kubeconfig, the owner of a GitHub provider, the base URL of a GitLab provider.
	Account string
	Region  string

	Inputs  map[string]any
	Outputs map[string]any
}

// Call is one create, update or delete, as OnCall sees it.
type Call struct {
	Op      string // "create", "update" or "delete"
	Type    string
	Name    string
	URN     string
	Account string
	Region  string
	Done    bool // false before the cloud is changed, true after
}

// Cloud holds what exists. Make one with New; the zero value does not work.
type Cloud struct {
	// OnCall, if set before Start, is called twice for every create, update and delete that is not a
	// preview: before the change, when an error refuses it, and after (Done), when an error loses the answer
	// although the change was made. It may also wait, or stop the engine.
	OnCall func(Call) error

	mu        sync.Mutex
	records   []*record
	objects   map[string]object // bucket/key
	births    map[string]int    // how many resources each URN has had
	denyRoles int
	denied    map[string]int // role ARN -> AssumeRole calls denied so far

	port     int
	endpoint string // of the HTTP API
}

// record is a Resource as the engine's property values.
type record struct {
	typ, id, urn    string
	account, region string
	inputs, outputs resource.PropertyMap
	salt            string // of its random-looking outputs
	revision        int    // updates so far
}

// New returns an empty cloud.
func New() *Cloud {
	return &Cloud{objects: map[string]object{}, births: map[string]int{}, denied: map[string]int{}}
}

// Start serves the cloud on free ports of 127.0.0.1 until stop is called. What exists survives a stop.
func (c *Cloud) Start() (stop func(), err error) {
	providers, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("provider port: %w", err)
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = providers.Close()
		return nil, fmt.Errorf("API port: %w", err)
	}
	c.port = providers.Addr().(*net.TCPAddr).Port
	c.endpoint = "http://" + api.Addr().String()

	const largest = 400 << 20 // of one message; what the engine's own servers allow
	grpcServer := grpc.NewServer(grpc.StatsHandler(connections{}), grpc.MaxRecvMsgSize(largest), grpc.MaxSendMsgSize(largest))
	pulumirpc.RegisterResourceProviderServer(grpcServer, &provider{cloud: c})
	httpServer := &http.Server{Handler: http.HandlerFunc(c.serveAPI)}
	go func() { _ = grpcServer.Serve(providers) }()
	go func() { _ = httpServer.Serve(api) }()
	return func() {
		grpcServer.Stop()
		_ = httpServer.Close()
	}, nil
}

// Env is the environment with which the engine and the program reach this cloud and nothing else. Call it
// after Start.
func (c *Cloud) Env() map[string]string {
	var attach []string
	for _, name := range Packages() {
		attach = append(attach, fmt.Sprintf("%s:%d", name, c.port))
	}
	return map[string]string{
		"PULUMI_DEBUG_PROVIDERS": strings.Join(attach, ","),
		"AWS_ENDPOINT_URL":       c.endpoint,
		"AWS_ACCESS_KEY_ID":      "simulated",
		"AWS_SECRET_ACCESS_KEY":  "simulated",
		"AWS_REGION":             "us-west-2",
		// Whatever the SDK's default chain would look at after the environment.
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE":           "/dev/null",

		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",

		"GITHUB_TOKEN": "simulated",
		"GITLAB_TOKEN": "simulated",
	}
}

// Resources lists what exists, sorted by type, account and id.
func (c *Cloud) Resources() []Resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Resource, 0, len(c.records))
	for _, r := range c.records {
		list = append(list, Resource{
			Type: r.typ, ID: r.id, URN: r.urn, Name: urnName(r.urn), Account: r.account, Region: r.region,
			Inputs: plainMap(r.inputs), Outputs: plainMap(r.outputs),
		})
	}
	slices.SortStableFunc(list, func(a, b Resource) int {
		return strings.Compare(a.Type+"|"+a.Account+"|"+a.ID, b.Type+"|"+b.Account+"|"+b.ID)
	})
	return list
}

// DenyRoles makes the first n AssumeRole calls for every role fail with 403, as AWS does for the role of an
// account made moments ago. An aws provider that assumes a role at configuration counts as a call, and fails.
func (c *Cloud) DenyRoles(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denyRoles = n
}

// Put makes a resource exist that no program made: an organization, a bucket or a branch that was there
// before. Of r it takes Type, Account, Region, Inputs and, where the type's id is not made of inputs, ID; it
// computes the outputs and returns the whole.
func (c *Cloud) Put(r Resource) (Resource, error) {
	in := instance{account: r.Account, region: r.Region, partition: "aws"}
	inputs := resource.NewPropertyMapFromMap(r.Inputs)
	c.mu.Lock()
	rec := &record{typ: r.Type, id: r.ID, account: r.Account, region: r.Region, inputs: inputs}
	rec.salt = fmt.Sprint(r.Type, r.Account, plainMap(inputs))
	c.fill(rec, in, nil, false)
	err := c.insert(rec)
	c.mu.Unlock()
	if err != nil {
		return Resource{}, err
	}
	r.ID, r.Outputs = rec.id, plainMap(rec.outputs)
	return r, nil
}

// Remove makes a resource vanish, as someone else would delete it, and tells whether it was there.
func (c *Cloud) Remove(typ, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r.typ == typ && r.id == id {
			c.remove(r)
			return true
		}
	}
	return false
}

// seed returns n hex digits that depend on what alone, so that two runs of a test see the same ids.
func seed(n int, what ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(what, "|")))
	return hex.EncodeToString(sum[:])[:n]
}

func place(account, region string) string {
	if region == "" {
		return account
	}
	return "account " + account + ", " + region
}

func urnName(urn string) string {
	if urn == "" {
		return ""
	}
	return resource.URN(urn).Name()
}
