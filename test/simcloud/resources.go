package simcloud

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// defaultsKey is where a bridged provider keeps the names of the inputs that it chose itself.
const defaultsKey = resource.PropertyKey("__defaults")

// unlisted refuses a type that the table does not have.
func unlisted(typ string) error {
	return fmt.Errorf("the simulator does not know the resource type %s: add it to test/simcloud/table.go", typ)
}

// Check refuses unlisted types and long names, names what has no name, and adds the provider's default tags to the
// input tags of an aws resource, as the real one does, so that a change of a default tag shows as a change of the
// resource.
func (p *provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	old, inputs, err := decode2(req.GetOlds(), req.GetNews())
	if err != nil {
		return nil, err
	}
	k, known := p.cloud.kinds[req.GetType()]
	if !known {
		return nil, unlisted(req.GetType())
	}
	err = name(k, req, old, inputs)
	if err == nil && k.longest > 0 && len(text(get(inputs, k.name))) > k.longest {
		err = fmt.Errorf("expected length of %s to be in the range (1 - %d), got %s", k.name, k.longest, text(get(inputs, k.name)))
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

// Diff compares the program's inputs with those of the last update.
func (p *provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	old, news, err := decode2(req.GetOldInputs(), req.GetNews())
	if err != nil {
		return nil, err
	}
	k := p.cloud.kinds[req.GetType()]
	chosen := text(get(news, k.name))
	keepsName := chosen != "" && chosen == text(get(old, k.name)) && !autonamed(news, k.name)
	return diffResponse(difference(old, news), strings.Fields(k.replace), keepsName, req.GetIgnoreChanges())
}

func (p *provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, err := decode(req.GetProperties())
	if err != nil {
		return nil, err
	}
	c, preview := p.cloud, req.GetPreview()
	r := &record{typ: req.GetType(), urn: req.GetUrn(), instance: instanceOf(ctx), inputs: inputs}
	if err := c.call("create", r, preview, func() error {
		if c.fill(r, nil, preview); preview {
			return nil
		}
		return c.insert(r)
	}); err != nil {
		return nil, err
	}
	outputs, err := encode(r.outputs)
	return &pulumirpc.CreateResponse{Id: r.id, Properties: outputs}, err
}

func (p *provider) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	r := p.existing(ctx, req.GetUrn(), req.GetId())
	if r == nil {
		return &pulumirpc.ReadResponse{}, nil // without an id: does not exist
	}
	outputs, err := encode(r.outputs)
	if err != nil {
		return nil, err
	}
	inputs, err := encode(r.inputs)
	return &pulumirpc.ReadResponse{Id: r.id, Properties: outputs, Inputs: inputs}, err
}

func (p *provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	before, inputs, err := decode2(req.GetOldInputs(), req.GetNews())
	if err != nil {
		return nil, err
	}
	old := p.existing(ctx, req.GetUrn(), req.GetId())
	if old == nil {
		return nil, fmt.Errorf("updating %s %q in %s: not found", shortType(req.GetType()), req.GetId(), instanceOf(ctx))
	}
	c, r, preview := p.cloud, *old, req.GetPreview()
	r.principal = instanceOf(ctx).principal
	r.urn, r.inputs, r.revision = req.GetUrn(), inputs, old.revision+1
	if sizes := resource.PropertyKey("scalingConfig"); r.typ == groupType && bare(before[sizes]).DeepEquals(bare(inputs[sizes])) {
		r.inputs[sizes] = old.inputs[sizes] // sent as a whole if one of them changes, otherwise not at all
	}
	if err := c.call("update", &r, preview, func() error {
		if err := c.refusal(&r, old); err != nil && !preview {
			return err
		}
		if c.fill(&r, old, preview); !preview {
			*old = r
		}
		return nil
	}); err != nil {
		return nil, err
	}
	outputs, err := encode(r.outputs)
	return &pulumirpc.UpdateResponse{Properties: outputs}, err
}

func (p *provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	r := p.existing(ctx, req.GetUrn(), req.GetId())
	if r == nil {
		return &emptypb.Empty{}, nil
	}
	return &emptypb.Empty{}, p.cloud.call("delete", r, false, func() error {
		if err := p.cloud.inUse(r); err != nil {
			return err
		}
		p.cloud.remove(r)
		p.cloud.empty(r)
		p.cloud.lastLines(r)
		return nil
	})
}

// existing returns the record that a request is about, or nil.
func (p *provider) existing(ctx context.Context, urn, id string) *record {
	p.cloud.mu.Lock()
	defer p.cloud.mu.Unlock()
	return p.cloud.find(string(resource.URN(urn).Type()), id, instanceOf(ctx))
}

// call makes a change, with OnCall before and after it unless it is a preview.
func (c *Cloud) call(op string, r *record, preview bool, change func() error) error {
	call := Call{Op: op, Type: r.typ, Name: r.logicalName(), URN: r.urn, Account: r.account}
	observe := c.OnCall
	if observe == nil || preview {
		observe = func(Call) error { return nil }
	}
	err := observe(call)
	if err == nil {
		c.mu.Lock()
		err = change()
		c.mu.Unlock()
	}
	if err == nil {
		call.Done = true
		err = observe(call)
	}
	if err != nil {
		verb := strings.TrimSuffix(op, "e") + "ing"
		return fmt.Errorf("%s %s %q in %s: %w", verb, shortType(r.typ), call.Name, r.instance, err)
	}
	return nil
}

// String names the place that a provider writes to.
func (in instance) String() string {
	if in.region == "" {
		return in.account
	}
	return "account " + in.account + ", " + in.region
}

// shortType returns "aws Bucket" of "aws:s3/bucket:Bucket".
func shortType(typ string) string {
	pkg, _, _ := strings.Cut(typ, ":")
	return pkg + " " + typ[strings.LastIndex(typ, ":")+1:]
}

// name gives a resource an auto-name as a bridged provider does: the one it has, or the one that the engine proposes (as
// the project's pulumi:autonaming says), or the logical name with seven hex digits. Kubernetes objects must have a name.
func name(k kind, req *pulumirpc.CheckRequest, old, inputs resource.PropertyMap) error {
	if strings.HasPrefix(req.GetType(), "kubernetes:") {
		if get(inputs, k.name).IsNull() {
			return fmt.Errorf("metadata.name: the simulator does not name objects")
		}
		return nil
	}
	defaults := []resource.PropertyValue{}
	if key := resource.PropertyKey(k.name); k.name != "" && open(inputs[key]).IsNull() {
		chosen, logical := text(old[key]), req.GetName()
		if strings.HasPrefix(req.GetType(), "aws:s3/") {
			logical = strings.ToLower(logical)
		}
		if chosen == "" || !autonamed(old, k.name) {
			chosen = req.GetAutonaming().GetProposedName()
		}
		if chosen == "" {
			var err error
			if chosen, err = resource.NewUniqueName(req.GetRandomSeed(), logical+"-", 7, k.longest, nil); err != nil {
				return err
			}
		}
		inputs[key] = resource.NewProperty(chosen)
		defaults = append(defaults, resource.NewProperty(k.name))
	}
	inputs[defaultsKey] = resource.NewProperty(defaults)
	return nil
}

// autonamed reports whether the provider chose the property.
func autonamed(inputs resource.PropertyMap, property string) bool {
	return slices.ContainsFunc(elements(inputs[defaultsKey]), func(v resource.PropertyValue) bool { return text(v) == property })
}
