package simcloud

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// decode and encode keep everything that the protocol can express: unknowns, secrets and resource references.
func decode(s *structpb.Struct) (resource.PropertyMap, error) {
	m, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
	if m == nil {
		m = resource.PropertyMap{}
	}
	return m, err
}

// decode2 decodes the old and the new properties of a request.
func decode2(old, news *structpb.Struct) (a, b resource.PropertyMap, err error) {
	if a, err = decode(old); err == nil {
		b, err = decode(news)
	}
	return a, b, err
}

func encode(m resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(m, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
}

var unknown = resource.MakeComputed(resource.NewProperty(""))

// open removes the secret mark and resolves a reference to its id, at the top level of v.
func open(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		case v.IsResourceReference():
			v = v.ResourceReferenceValue().ID
		default:
			return v
		}
	}
}

// text returns v as a string; "" unless it is a known string.
func text(v resource.PropertyValue) string {
	if v = open(v); v.IsString() {
		return v.StringValue()
	}
	return ""
}

// fields returns v as a map; nil unless it is a known object.
func fields(v resource.PropertyValue) resource.PropertyMap {
	if v = open(v); v.IsObject() {
		return v.ObjectValue()
	}
	return nil
}

// elements returns v as a list; nil unless it is a known list.
func elements(v resource.PropertyValue) []resource.PropertyValue {
	if v = open(v); v.IsArray() {
		return v.ArrayValue()
	}
	return nil
}

// get follows a dotted path of property names.
func get(m resource.PropertyMap, path string) resource.PropertyValue {
	key, rest, more := strings.Cut(path, ".")
	v := open(m[resource.PropertyKey(key)])
	if !more {
		return v
	}
	return get(fields(v), rest)
}

// bare returns v without secret marks, references and null fields, at any depth.
func bare(v resource.PropertyValue) resource.PropertyValue {
	v = open(v)
	switch {
	case v.IsObject():
		m := resource.PropertyMap{}
		for key, inner := range v.ObjectValue() {
			if inner = bare(inner); !inner.IsNull() {
				m[key] = inner
			}
		}
		return resource.NewProperty(m)
	case v.IsArray():
		list := make([]resource.PropertyValue, 0, len(v.ArrayValue()))
		for _, inner := range v.ArrayValue() {
			list = append(list, bare(inner))
		}
		return resource.NewProperty(list)
	}
	return v
}

// plainMap returns m with secrets in the clear and nil for unknown values.
func plainMap(m resource.PropertyMap) map[string]any {
	return bare(resource.NewProperty(m)).ObjectValue().MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		return nil, v.IsComputed() || v.IsOutput()
	})
}

// difference compares inputs, secrets like the rest, and returns the changes by path. An unknown differs from any value.
func difference(old, news resource.PropertyMap) map[string]plugin.PropertyDiff {
	internal := func(key resource.PropertyKey) bool { return strings.HasPrefix(string(key), "__") }
	before, after := bare(resource.NewProperty(old)).ObjectValue(), bare(resource.NewProperty(news)).ObjectValue()
	return plugin.NewDetailedDiffFromObjectDiff(before.Diff(after, internal), true)
}

// replaces reports whether a change at a path touches one of the dotted paths whose change replaces, or something in it.
func replaces(path resource.PropertyPath, replace []string) bool {
	var names []string
	for _, part := range path {
		if name, ok := part.(string); ok {
			names = append(names, name)
		}
	}
	at := strings.Join(names, ".") + "."
	return slices.ContainsFunc(replace, func(r string) bool {
		return strings.HasPrefix(at, r+".") || strings.HasPrefix(r+".", at)
	})
}

// diffResponse reports the changes to the engine. A replacement deletes the old resource first if the new one would get
// the same name.
func diffResponse(changes map[string]plugin.PropertyDiff, replace []string, keepsName bool, ignore []string) (*pulumirpc.DiffResponse, error) {
	var ignored []resource.PropertyPath
	for _, s := range ignore {
		path, err := resource.ParsePropertyPath(s)
		if err != nil {
			return nil, err
		}
		ignored = append(ignored, path)
	}
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, DetailedDiff: map[string]*pulumirpc.PropertyDiff{}, HasDetailedDiff: true,
	}
	for at, change := range changes {
		path, err := resource.ParsePropertyPath(at)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(ignored, func(p resource.PropertyPath) bool { return p.Contains(path) }) {
			continue
		}
		kind := pulumirpc.PropertyDiff_Kind(change.Kind)
		if replaces(path, replace) {
			kind = pulumirpc.PropertyDiff_Kind(change.Kind.AsReplace())
			response.Replaces = append(response.Replaces, at)
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, at)
		response.DetailedDiff[at] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
	}
	slices.Sort(response.Diffs)
	slices.Sort(response.Replaces)
	response.DeleteBeforeReplace = len(response.Replaces) > 0 && keepsName
	return response, nil
}
