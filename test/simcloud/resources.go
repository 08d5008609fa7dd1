package simcloud

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Check names what has no name, and gives an aws resource the provider's default tags: like the real one,
// which writes them into the input tags so that a change of a default tag shows as a change of the resource.
func (p *provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	old, err := decode(req.GetOlds())
	if err != nil {
		return nil, err
	}
	inputs, err := decode(req.GetNews())
	if err != nil {
		return nil, err
	}
	k := kindOf(req.GetType())
	if strings.HasPrefix(req.GetType(), "kubernetes:") && k.name == "" {
		err = nameObject(req, old, inputs)
	} else {
		err = name(k, req, old, inputs)
	}
	if err != nil {
		return &pulumirpc.CheckResponse{Inputs: req.GetNews(), Failures: []*pulumirpc.CheckFailure{{Reason: err.Error()}}}, nil
	}
	if defaults := instanceOf(ctx).tags; k.tags && len(defaults) > 0 && !open(inputs["tags"]).IsComputed() {
		tags := defaults.Copy()
		for key, v := range fields(inputs["tags"]) {
			tags[key] = v
		}
		inputs["tags"] = resource.NewProperty(tags)
	}
	checked, err := encode(inputs)
	return &pulumirpc.CheckResponse{Inputs: checked}, err
}

// Diff compares what the program asked for with what it asks for now.
func (p *provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	old, err := decode(req.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetNews())
	if err != nil {
		return nil, err
	}
	k := kindOf(req.GetType())
	keepsName := k.name != "" && news[resource.PropertyKey(k.name)].HasValue() && !autonamed(news, k.name)
	if strings.HasPrefix(req.GetType(), "kubernetes:") && k.name == "" {
		keepsName = keepsObjectName(old, news)
	}
	return diffResponse(difference(old, news), strings.Fields(k.replace), keepsName, req.GetIgnoreChanges())
}

func (p *provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, err := decode(req.GetProperties())
	if err != nil {
		return nil, err
	}
	c, in := p.cloud, instanceOf(ctx)
	r := &record{typ: req.GetType(), urn: req.GetUrn(), account: in.account, region: in.region, inputs: inputs}
	if req.GetPreview() {
		c.mu.Lock()
		c.fill(r, in, nil, true)
		c.mu.Unlock()
	} else if err := c.call("create", r, func() error {
		c.births[r.urn]++
		r.salt = fmt.Sprint(r.urn, "|", c.births[r.urn])
		c.fill(r, in, nil, false)
		return c.insert(r)
	}); err != nil {
		return nil, err
	}
	outputs, err := encode(r.outputs)
	return &pulumirpc.CreateResponse{Id: r.id, Properties: outputs}, err
}

func (p *provider) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	state, err := decode(req.GetProperties())
	if err != nil {
		return nil, err
	}
	c, in := p.cloud, instanceOf(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.find(req.GetType(), req.GetId(), in.account, in.region, state)
	if r == nil {
		return &pulumirpc.ReadResponse{}, nil // gone
	}
	if k := kindOf(r.typ); k.compute != nil {
		k.compute(c, r, r)
	}
	outputs, err := encode(r.outputs)
	if err != nil {
		return nil, err
	}
	inputs, err := encode(r.inputs)
	return &pulumirpc.ReadResponse{Id: r.id, Properties: outputs, Inputs: inputs}, err
}

func (p *provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	state, err := decode(req.GetOlds())
	if err != nil {
		return nil, err
	}
	inputs, err := decode(req.GetNews())
	if err != nil {
		return nil, err
	}
	c, in := p.cloud, instanceOf(ctx)
	c.mu.Lock()
	old := c.find(req.GetType(), req.GetId(), in.account, in.region, state)
	c.mu.Unlock()
	if old == nil {
		if !req.GetPreview() {
			return nil, status.Errorf(codes.NotFound, "updating %s %q in %s: not found", shortType(req.GetType()), req.GetId(), place(in.account, in.region))
		}
		old = &record{typ: req.GetType(), id: req.GetId(), inputs: inputs, outputs: state}
	}
	r := &record{
		typ: old.typ, id: old.id, urn: req.GetUrn(), account: in.account, region: in.region,
		inputs: inputs, salt: old.salt, revision: old.revision + 1,
	}
	if req.GetPreview() {
		c.mu.Lock()
		c.fill(r, in, old, true)
		c.mu.Unlock()
	} else if err := c.call("update", r, func() error {
		c.fill(r, in, old, false)
		*old = *r
		return nil
	}); err != nil {
		return nil, err
	}
	outputs, err := encode(r.outputs)
	return &pulumirpc.UpdateResponse{Properties: outputs}, err
}

func (p *provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	state, err := decode(req.GetProperties())
	if err != nil {
		return nil, err
	}
	c, in := p.cloud, instanceOf(ctx)
	c.mu.Lock()
	r := c.find(req.GetType(), req.GetId(), in.account, in.region, state)
	c.mu.Unlock()
	if r == nil {
		return &emptypb.Empty{}, nil
	}
	return &emptypb.Empty{}, c.call("delete", r, func() error {
		c.remove(r)
		return nil
	})
}

// call makes a change, with OnCall before and after it.
func (c *Cloud) call(op string, r *record, change func() error) error {
	call := Call{Op: op, Type: r.typ, Name: urnName(r.urn), URN: r.urn, Account: r.account, Region: r.region}
	observe := func() error {
		if c.OnCall == nil {
			return nil
		}
		return c.OnCall(call)
	}
	err := observe()
	if err == nil {
		c.mu.Lock()
		err = change()
		c.mu.Unlock()
	}
	if err == nil {
		call.Done = true
		err = observe()
	}
	if err != nil {
		verb := strings.TrimSuffix(op, "e") + "ing"
		return status.Errorf(codes.Unknown, "%s %s %q in %s: %v", verb, shortType(r.typ), call.Name, place(r.account, r.region), err)
	}
	return nil
}

// name gives the resource an auto-name as a bridged provider does: the one it has, or the one that the engine
// proposes, or the logical name with seven hex digits.
func name(k kind, req *pulumirpc.CheckRequest, old, inputs resource.PropertyMap) error {
	defaults := []resource.PropertyValue{}
	key := resource.PropertyKey(k.name)
	if k.name != "" && !inputs[key].HasValue() && !open(inputs[key]).IsComputed() && !inputs[key+"Prefix"].HasValue() {
		chosen := text(old[key])
		if chosen == "" || !autonamed(old, k.name) {
			var err error
			if chosen, err = propose(k, req); err != nil {
				return err
			}
		}
		if chosen != "" {
			inputs[key] = resource.NewProperty(chosen)
			defaults = append(defaults, resource.NewProperty(k.name))
		}
	}
	inputs[defaultsKey] = resource.NewProperty(defaults)
	return nil
}

func propose(k kind, req *pulumirpc.CheckRequest) (string, error) {
	name := req.GetName()
	if strings.HasPrefix(req.GetType(), "aws:s3/") {
		name = strings.ToLower(name)
	}
	var chosen string
	switch auto := req.GetAutonaming(); {
	case auto == nil:
		longest := k.longest
		if longest == 0 {
			longest = 255
		}
		var err error
		if chosen, err = resource.NewUniqueName(req.GetRandomSeed(), name+"-", 7, longest, nil); err != nil {
			return "", err
		}
	case auto.GetMode() == pulumirpc.CheckRequest_AutonamingOptions_DISABLE:
		return "", nil
	default:
		chosen = auto.GetProposedName()
	}
	if req.GetType() == "aws:kms/alias:Alias" {
		chosen = "alias/" + chosen
	}
	return chosen, nil
}

// autonamed tells whether the provider chose the property.
func autonamed(inputs resource.PropertyMap, property string) bool {
	list := open(inputs[defaultsKey])
	return list.IsArray() && slices.ContainsFunc(list.ArrayValue(), func(v resource.PropertyValue) bool { return text(v) == property })
}
