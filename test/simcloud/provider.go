package simcloud

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/types/known/emptypb"
)

// provider answers the engine. One server serves all packages, since every request but the handshake names a type or a
// function, and the package with it.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	cloud *Cloud
}

// instance is what a provider resource was configured with.
type instance struct {
	engine                     string // the engine's address, for Construct
	account, region, partition string
	principal                  string               // ARN of the role that it assumes, or of the caller
	tags                       resource.PropertyMap // default tags
}

// connection identifies a provider resource. The engine opens one connection per provider resource (NewProvider in its
// provider_plugin.go), and no request after Configure names the provider resource.
type connection struct{ atomic.Pointer[instance] }

type connectionKey struct{}

// connections puts a connection into the context of each request.
type connections struct{}

func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}
func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connections) HandleConn(context.Context, stats.ConnStats)                     {}
func (connections) HandleRPC(context.Context, stats.RPCStats)                       {}

func instanceOf(ctx context.Context) instance {
	return *ctx.Value(connectionKey{}).(*connection).Load()
}

func setInstance(ctx context.Context, in instance) {
	ctx.Value(connectionKey{}).(*connection).Store(&in)
}

func (p *provider) Handshake(ctx context.Context, req *pulumirpc.ProviderHandshakeRequest) (*pulumirpc.ProviderHandshakeResponse, error) {
	setInstance(ctx, instance{engine: req.GetEngineAddress()})
	return &pulumirpc.ProviderHandshakeResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true, SupportsAutonamingConfiguration: true,
	}, nil
}

func (p *provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "999.0.0"}, nil // later than any the program asks for
}

// DiffConfig replaces a Kubernetes provider that moves to another cluster, by the rules of the real one: if the cluster
// identifier is set, it decides; if not, the server of the kubeconfig, where an unknown kubeconfig counts as another
// cluster. It replaces an aws provider that moves to another region, and the engine then everything that it created, as
// pulumi-aws 6 does: https://github.com/pulumi/pulumi-aws/pull/4000, read 2026-11-26.
func (p *provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	old, news, err := decode2(req.GetOldInputs(), req.GetNews())
	if err != nil {
		return nil, err
	}
	var replace []string
	switch typ := req.GetType(); {
	case strings.HasSuffix(typ, ":aws") && text(old["region"]) != "":
		replace = []string{"region"}
	case strings.HasSuffix(typ, ":kubernetes"):
		before, after := text(old["clusterIdentifier"]), text(news["clusterIdentifier"])
		switch {
		case before != "" && after != "":
			replace = []string{"clusterIdentifier"}
		case open(news["kubeconfig"]).IsComputed() || server(old["kubeconfig"]) != server(news["kubeconfig"]):
			replace = []string{"kubeconfig"}
		}
	}
	return diffResponse(difference(old, news), replace, false, req.GetIgnoreChanges())
}

func (p *provider) Configure(ctx context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	args, err := decode(req.GetArgs())
	if err != nil {
		return nil, err
	}
	typ := req.GetType()
	in := instance{partition: "aws"}
	switch typ[strings.LastIndex(typ, ":")+1:] {
	case "aws":
		if in, err = p.cloud.configureAWS(args); err != nil {
			return nil, fmt.Errorf("configuring %s: %w", resource.URN(req.GetUrn()).Name(), err)
		}
	case "kubernetes":
		in.account = server(args["kubeconfig"])
	case "github":
		in.account = text(args["owner"])
	case "gitlab":
		in.account = text(args["baseUrl"])
	}
	in.engine = instanceOf(ctx).engine
	setInstance(ctx, in)
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

// configureAWS does what the aws provider does with its configuration: it finds region and account, assumes the role,
// and refuses an account that is not allowed.
func (c *Cloud) configureAWS(args resource.PropertyMap) (instance, error) {
	in := instance{
		account: c.caller, partition: "aws", region: text(args["region"]), principal: c.callerARN(),
		tags: fields(nested(args["defaultTags"], "tags")),
	}
	if in.region == "" {
		return in, fmt.Errorf("missing region")
	}
	if role := text(nested(args["assumeRole"], "roleArn")); role != "" {
		parts := strings.Split(role, ":")
		if len(parts) != 6 {
			return in, fmt.Errorf("cannot assume IAM role: %q is not a role ARN", role)
		}
		c.mu.Lock()
		assumable := c.assumable(role)
		c.mu.Unlock()
		if !assumable {
			return in, fmt.Errorf("cannot assume IAM role (%s): operation error STS: AssumeRole, https response error StatusCode: 403, AccessDenied", role)
		}
		in.partition, in.account, in.principal = parts[1], parts[4], role
	}
	allowed := elements(args["allowedAccountIds"])
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(v resource.PropertyValue) bool { return text(v) == in.account }) {
		return in, fmt.Errorf("AWS account ID not allowed: %s", in.account)
	}
	return in, nil
}

// nested returns a property of a structured setting.
func nested(v resource.PropertyValue, property string) resource.PropertyValue {
	return open(fields(v)[resource.PropertyKey(property)])
}

// serverOf finds the URL of the first cluster in the text of a kubeconfig, YAML or JSON.
var serverOf = regexp.MustCompile(`\bserver"?:\s*"?([^"\s,}]+)`)

// server returns the URL of the first cluster of a kubeconfig, which is an object or text.
func server(kubeconfig resource.PropertyValue) string {
	if clusters := elements(nested(kubeconfig, "clusters")); len(clusters) > 0 {
		return text(nested(nested(clusters[0], "cluster"), "server"))
	}
	if found := serverOf.FindStringSubmatch(text(kubeconfig)); found != nil {
		return found[1]
	}
	return hexOf(8, text(kubeconfig)) // a path: as good a name as any
}
