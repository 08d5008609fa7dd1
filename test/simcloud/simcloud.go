// Package simcloud is a simulator of AWS, EKS, Kubernetes, GitHub and GitLab: it serves Pulumi's provider protocol for
// these packages from memory, so that the real engine can run the real program without an account, a plugin or a
// network. The engine attaches to it through PULUMI_DEBUG_PROVIDERS (see Env) instead of starting plugins.
//
// It imitates what the engine sees: auto-naming, what is unknown in a preview, which changes replace a resource, what a
// read answers, ids and ARNs of the right shape, and which account a provider writes to. It knows the resource types of
// this program and refuses all others. Of what the vendors refuse, it refuses what decides the design: a name that is
// taken or too long, node group sizes out of order, subnets that share a range, an image that does not exist, and what
// settings can get wrong (limits.go). Everything else it accepts.
package simcloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// ManagementAccount is the account of an aws provider that assumes no role, unless SetCaller names another one.
const ManagementAccount = "111111111111"

// Kubeconfig is the kubeconfig of an existing cluster.
const Kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: existing, cluster: {server: "https://existing.example.com"}}]
users: [{name: existing, user: {token: existing}}]
contexts: [{name: existing, context: {cluster: existing, user: existing}}]
current-context: existing
`

// created is the time of everything that happens here; fixed, so that runs can be compared.
const created = "2026-01-01T00:00:00Z"

// Resource is something that exists in the cloud. Secrets are in the clear, as the vendor has them.
type Resource struct {
	Type string // type token, for example aws:s3/bucketV2:BucketV2
	ID   string
	URN  string // of the last resource of a program that wrote it; empty if Put created it
	Name string // the logical name in URN

	// Account and Region of an aws resource. For other packages Account is what the provider is bound to: the server of
	// a kubeconfig, the owner of a GitHub provider, the base URL of a GitLab provider.
	Account string
	Region  string

	Inputs  map[string]any
	Outputs map[string]any
}

// Call is a create, update or delete, as OnCall sees it.
type Call struct {
	Op      string // "create", "update" or "delete"
	Type    string
	Name    string
	URN     string
	Account string
	Done    bool // false before the cloud is changed, true after
}

// Cloud holds what exists. Create it with New.
type Cloud struct {
	// OnCall, if set before Start, is called twice for every create, update and delete that is not a preview: before the
	// change, when an error refuses it, and after (Done), when an error loses the answer although the change was made. It
	// may also wait, or stop the engine.
	OnCall func(Call) error

	kinds map[string]kind

	mu        sync.Mutex
	caller    string // account of an aws provider that assumes no role
	records   []*record
	objects   map[string]object // of PutObject, by bucket/key
	images    map[string]bool   // of PutImage
	branches  map[string]string // of SetDefaultBranch, by repository
	ended     map[string]bool   // deleted EKS clusters, by place and name
	births    map[string]int    // how many resources each URN has had
	denyRoles int
	denied    map[string]int  // AssumeRole calls so far, by role ARN
	closed    map[string]bool // of DenyRole, by role name

	port     int
	endpoint string // of the HTTP API
}

// object is an object in a bucket.
type object struct {
	etag  string
	size  int64
	class string // storage class; empty: STANDARD
}

// SetCaller sets the account of an aws provider that assumes no role. Call it before Start.
func (c *Cloud) SetCaller(account string) { c.caller = account }

// New returns an empty cloud.
func New() *Cloud {
	return &Cloud{
		caller: ManagementAccount,
		kinds:  kinds(), objects: map[string]object{}, images: map[string]bool{}, branches: map[string]string{},
		ended: map[string]bool{}, births: map[string]int{}, denied: map[string]int{}, closed: map[string]bool{},
	}
}

// Start serves the cloud on free ports of 127.0.0.1 until stop is called. What exists survives a stop.
func (c *Cloud) Start() (stop func(), err error) {
	providers, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("provider port: %w", err)
	}
	api := httptest.NewServer(http.HandlerFunc(c.serveAPI))
	c.port, c.endpoint = providers.Addr().(*net.TCPAddr).Port, api.URL
	const largest = 400 << 20 // bytes of a message; the limit of the engine's own servers
	server := grpc.NewServer(grpc.StatsHandler(connections{}), grpc.MaxRecvMsgSize(largest), grpc.MaxSendMsgSize(largest))
	pulumirpc.RegisterResourceProviderServer(server, &provider{cloud: c})
	go func() { _ = server.Serve(providers) }()
	return func() { server.Stop(); api.Close() }, nil
}

// Env returns the environment in which the engine and the program reach this cloud and nothing else. Call it after Start.
func (c *Cloud) Env() map[string]string {
	var attach []string
	for _, name := range []string{"aws", "eks", "kubernetes", "github", "gitlab"} {
		attach = append(attach, fmt.Sprintf("%s:%d", name, c.port))
	}
	return map[string]string{
		"PULUMI_DEBUG_PROVIDERS": strings.Join(attach, ","), "GITHUB_TOKEN": "simulated", "GITLAB_TOKEN": "simulated",
		"AWS_ENDPOINT_URL": c.endpoint, "AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_REGION": "us-west-2",
		// What the SDK's default chain would read after the environment.
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	}
}

// Resources lists what exists, sorted by type, account and id.
func (c *Cloud) Resources() []Resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Resource
	for _, r := range c.records {
		list = append(list, Resource{
			Type: r.typ, ID: r.id, URN: r.urn, Name: r.logicalName(), Account: r.account, Region: r.region,
			Inputs: plainMap(r.inputs), Outputs: plainMap(r.outputs),
		})
	}
	slices.SortStableFunc(list, func(a, b Resource) int {
		return strings.Compare(a.Type+"|"+a.Account+"|"+a.ID, b.Type+"|"+b.Account+"|"+b.ID)
	})
	return list
}

// DenyRoles makes the first n AssumeRole calls for every role fail with 403, as AWS does for the role of a new account.
// The configuration of an aws provider that assumes a role counts as a call, and fails.
func (c *Cloud) DenyRoles(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denyRoles = n
}

// DenyRole denies every AssumeRole call for the roles of a name, in all accounts, to whoever works with this cloud; or
// no longer.
func (c *Cloud) DenyRole(name string, deny bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed[name] = deny
}

// Put adds a resource that no program created: an organization, a bucket or a branch that exists beforehand. Of r it
// takes Type, Account, Region and Inputs.
func (c *Cloud) Put(r Resource) error {
	if _, known := c.kinds[r.Type]; !known {
		return unlisted(r.Type)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	in := instance{account: r.Account, region: r.Region, partition: "aws"}
	rec := &record{typ: r.Type, instance: in, inputs: resource.NewPropertyMapFromMap(r.Inputs), salt: fmt.Sprint(r.Type, r.Account, r.Inputs)}
	c.fill(rec, nil, false)
	return c.insert(rec)
}

// PutOrganization adds an organization with service control policies, for a stack to adopt.
func (c *Cloud) PutOrganization() error {
	return c.Put(Resource{Type: organizationType, Account: c.caller, Inputs: values{
		"featureSet": "ALL", "enabledPolicyTypes": []any{"SERVICE_CONTROL_POLICY"},
	}})
}

// Remove deletes a resource behind the program's back, as somebody with the AWS CLI would. It reports whether it existed.
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

// Edit changes an input of a resource behind the program's back, as somebody with the AWS CLI would: at a path, for
// example scalingConfig.desiredSize. It reports whether the resource exists.
func (c *Cloud) Edit(typ, id, path string, value any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, err := resource.ParsePropertyPath(path)
	if err != nil {
		return false
	}
	for _, r := range c.records {
		if r.typ == typ && r.id == id {
			at.Set(resource.NewProperty(r.inputs), resource.NewPropertyValue(value))
			at.Set(resource.NewProperty(r.outputs), resource.NewPropertyValue(value))
			return true
		}
	}
	return false
}

// PutAccount adds a member account to the organization, without the program.
func (c *Cloud) PutAccount(id, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := instance{account: c.caller, partition: "aws"}
	r := &record{typ: accountType, id: id, salt: id, instance: in, inputs: resource.NewPropertyMapFromMap(values{"name": name, "email": name + "@example.com"})}
	c.fill(r, nil, false)
	c.records = append(c.records, r)
}

// PutObject writes an object into a bucket, without the program, and replaces an existing one. size is that of the
// content if it is 0; it may exceed the content, for a large object.
func (c *Cloud) PutObject(bucket, key string, content []byte, size int64) {
	if size == 0 {
		size = int64(len(content))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[bucket+"/"+key] = object{etag: md5Hex(content), size: size}
}

// Object returns the ETag of an object, which is the MD5 sum of its content, and whether it exists.
func (c *Cloud) Object(bucket, key string) (etag string, exists bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, exists := c.object(bucket + "/" + key)
	return found.etag, exists
}

// Archive moves an object of PutObject to a storage class, for example GLACIER.
func (c *Cloud) Archive(bucket, key, class string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	archived := c.objects[bucket+"/"+key]
	archived.class = class
	c.objects[bucket+"/"+key] = archived
}

// PutImage pushes an image to a registry of this cloud: ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG.
func (c *Cloud) PutImage(image string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.images[image] = true
}

// SetDefaultBranch sets the default branch of a repository, OWNER/NAME on either host; it is main otherwise.
func (c *Cloud) SetDefaultBranch(repository, branch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.branches[repository] = branch
}

// hexOf returns n hex digits that depend on the arguments alone, so that two runs of a test see the same ids.
func hexOf(n int, of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "|")))
	return hex.EncodeToString(sum[:])[:n]
}
