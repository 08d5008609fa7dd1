package simcloud

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
)

// decode and encode keep everything the wire can say: unknowns, secrets and resource references.

func decode(s *structpb.Struct) (resource.PropertyMap, error) {
	m, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
	if m == nil {
		m = resource.PropertyMap{}
	}
	return m, err
}

func encode(m resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(m, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
}

var unknown = resource.MakeComputed(resource.NewProperty(""))

// open removes the secret mark and resolves a reference to its id, at the top of v.
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

// text is v as a string; "" unless it is a known string.
func text(v resource.PropertyValue) string {
	if v = open(v); v.IsString() {
		return v.StringValue()
	}
	return ""
}

// fields is v as a map; nil unless it is a known object.
func fields(v resource.PropertyValue) resource.PropertyMap {
	if v = open(v); v.IsObject() {
		return v.ObjectValue()
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

// plainMap is m with secrets opened; unknown values are left out.
func plainMap(m resource.PropertyMap) map[string]any {
	values := make(map[string]any, len(m))
	for key, v := range m {
		if value := plain(v); value != nil {
			values[string(key)] = value
		}
	}
	return values
}

func plain(v resource.PropertyValue) any {
	v = open(v)
	switch {
	case v.IsObject():
		return plainMap(v.ObjectValue())
	case v.IsArray():
		list := make([]any, 0, len(v.ArrayValue()))
		for _, element := range v.ArrayValue() {
			list = append(list, plain(element))
		}
		return list
	case v.IsBool():
		return v.BoolValue()
	case v.IsNumber():
		return v.NumberValue()
	case v.IsString():
		return v.StringValue()
	case v.IsAsset():
		return v.AssetValue()
	case v.IsArchive():
		return v.ArchiveValue()
	default:
		return nil
	}
}
