package simcloud

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/types/known/emptypb"
)

// provider answers the engine. One server stands for all packages, since every request but the handshake
// names a type or a function, and the package with it.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	cloud *Cloud
}

// instance is what one provider resource was configured with.
type instance struct {
	account, region, partition string
	tags                       resource.PropertyMap // default tags
}

// connection is one provider resource's. The engine dials anew for each (NewProvider in its provider_plugin.go),
// and no request after Configure says which provider resource it is for, so the connection tells them apart.
type connection struct {
	mu       sync.Mutex
	engine   string // the address of the engine, for Construct
	instance instance
}

type connectionKey struct{}

// connections puts a connection into the context of each request.
type connections struct{}

func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}
func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connections) HandleConn(context.Context, stats.ConnStats)                     {}
func (connections) HandleRPC(context.Context, stats.RPCStats)                       {}

func connectionOf(ctx context.Context) *connection {
	return ctx.Value(connectionKey{}).(*connection)
}

func instanceOf(ctx context.Context) instance {
	conn := connectionOf(ctx)
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return conn.instance
}

func (p *provider) Handshake(ctx context.Context, req *pulumirpc.ProviderHandshakeRequest) (*pulumirpc.ProviderHandshakeResponse, error) {
	conn := connectionOf(ctx)
	conn.mu.Lock()
	defer conn.mu.Unlock()
	conn.engine = req.GetEngineAddress()
	return &pulumirpc.ProviderHandshakeResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true, SupportsAutonamingConfiguration: true,
	}, nil
}

func (p *provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "999.0.0"}, nil // later than any the program asks for
}

func (p *provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: "{}"}, nil
}

func (p *provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig replaces only a Kubernetes provider that moves to another cluster, by the rules of the real one:
// the cluster identifier decides where it is set, the server of the kubeconfig where it is not, and a
// kubeconfig that is not known yet counts as another cluster.
func (p *provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	old, err := decode(req.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetNews())
	if err != nil {
		return nil, err
	}
	var replace []string
	if strings.HasSuffix(req.GetType(), ":kubernetes") {
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
	switch pkg := typ[strings.LastIndex(typ, ":")+1:]; pkg {
	case "aws":
		if in, err = p.cloud.configureAWS(args); err != nil {
			return nil, fmt.Errorf("configuring %s: %w", urnName(req.GetUrn()), err)
		}
	case "kubernetes":
		in.account = server(args["kubeconfig"])
	case "github":
		in.account = text(args["owner"])
	case "gitlab":
		in.account = text(args["baseUrl"])
	}
	conn := connectionOf(ctx)
	conn.mu.Lock()
	defer conn.mu.Unlock()
	conn.instance = in
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

// configureAWS does what the aws provider does with its configuration: finds region and account, assumes the
// role, and refuses an account that is not allowed.
func (c *Cloud) configureAWS(args resource.PropertyMap) (instance, error) {
	in := instance{
		account: ManagementAccount, partition: "aws", region: text(args["region"]),
		tags: fields(nested(args["defaultTags"], "tags")),
	}
	if in.region == "" {
		return in, fmt.Errorf("missing region")
	}
	role := text(nested(args["assumeRole"], "roleArn"))
	if roles := open(parsed(args["assumeRoles"])); role == "" && roles.IsArray() {
		for _, r := range roles.ArrayValue() {
			role = text(nested(r, "roleArn")) // a chain ends with the last
		}
	}
	if role != "" {
		parts := strings.Split(role, ":")
		if len(parts) != 6 {
			return in, fmt.Errorf("cannot assume IAM role: %q is not a role ARN", role)
		}
		if !c.assumable(role) {
			return in, fmt.Errorf("cannot assume IAM role (%s): operation error STS: AssumeRole, https response error StatusCode: 403, AccessDenied", role)
		}
		in.partition, in.account = parts[1], parts[4]
	}
	allowed := open(parsed(args["allowedAccountIds"]))
	if allowed.IsArray() && !slices.ContainsFunc(allowed.ArrayValue(), func(v resource.PropertyValue) bool { return text(v) == in.account }) {
		return in, fmt.Errorf("AWS account ID not allowed: %s", in.account)
	}
	return in, nil
}

// parsed undoes the JSON in which SDKs pass structured provider settings.
func parsed(v resource.PropertyValue) resource.PropertyValue {
	v = open(v)
	var value any
	if s := text(v); s != "" && json.Unmarshal([]byte(s), &value) == nil {
		switch value.(type) {
		case map[string]any, []any:
			return resource.NewPropertyValue(value)
		}
	}
	return v
}

// nested is a property of a structured setting.
func nested(v resource.PropertyValue, property string) resource.PropertyValue {
	return open(fields(parsed(v))[resource.PropertyKey(property)])
}

// server is the URL of the current cluster of a kubeconfig.
func server(kubeconfig resource.PropertyValue) string {
	clusters := nested(kubeconfig, "clusters")
	if !clusters.IsArray() || len(clusters.ArrayValue()) == 0 {
		return seed(8, text(kubeconfig)) // YAML or a path: as good a name as any
	}
	return text(nested(nested(clusters.ArrayValue()[0], "cluster"), "server"))
}
