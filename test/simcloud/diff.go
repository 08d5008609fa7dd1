package simcloud

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// change is one input that differs.
type change struct {
	path   resource.PropertyPath
	kind   pulumirpc.PropertyDiff_Kind // ADD, DELETE or UPDATE
	leaves []string                    // dotted paths without indexes of all that it touches
}

// difference compares inputs. What secrets hide is compared like the rest; an unknown differs from any value.
func difference(old, news resource.PropertyMap) []change {
	var changes []change
	compareMaps(nil, old, news, &changes)
	return changes
}

func compareMaps(at resource.PropertyPath, old, news resource.PropertyMap, changes *[]change) {
	keys := map[resource.PropertyKey]bool{}
	for key := range old {
		keys[key] = true
	}
	for key := range news {
		keys[key] = true
	}
	sorted := make([]resource.PropertyKey, 0, len(keys))
	for key := range keys {
		if !strings.HasPrefix(string(key), "__") {
			sorted = append(sorted, key)
		}
	}
	slices.Sort(sorted)
	for _, key := range sorted {
		compare(append(slices.Clone(at), string(key)), old[key], news[key], changes)
	}
}

func compare(at resource.PropertyPath, old, news resource.PropertyValue, changes *[]change) {
	old, news = open(old), open(news)
	add := func(kind pulumirpc.PropertyDiff_Kind) {
		var leaves []string
		collect(dotted(at), old, &leaves)
		collect(dotted(at), news, &leaves)
		*changes = append(*changes, change{at, kind, leaves})
	}
	switch {
	case same(old, news):
	case old.IsNull():
		add(pulumirpc.PropertyDiff_ADD)
	case news.IsNull():
		add(pulumirpc.PropertyDiff_DELETE)
	case old.IsObject() && news.IsObject():
		compareMaps(at, old.ObjectValue(), news.ObjectValue(), changes)
	case old.IsArray() && news.IsArray():
		a, b := old.ArrayValue(), news.ArrayValue()
		for i := range max(len(a), len(b)) {
			var x, y resource.PropertyValue
			if i < len(a) {
				x = a[i]
			}
			if i < len(b) {
				y = b[i]
			}
			compare(append(slices.Clone(at), i), x, y, changes)
		}
	default:
		add(pulumirpc.PropertyDiff_UPDATE)
	}
}

// same tells whether two values are equal and known, whatever their secretness.
func same(a, b resource.PropertyValue) bool {
	a, b = bare(a), bare(b)
	if a.ContainsUnknowns() || b.ContainsUnknowns() {
		return false
	}
	return a.DeepEquals(b)
}

// bare is v without secret marks and references, at any depth. An absent list or map and an empty one are
// different things; an absent and a null value are not.
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

func dotted(path resource.PropertyPath) string {
	var names []string
	for _, part := range path {
		if name, ok := part.(string); ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ".")
}

func collect(at string, v resource.PropertyValue, leaves *[]string) {
	v = open(v)
	switch {
	case v.IsObject():
		for key, inner := range v.ObjectValue() {
			collect(at+"."+string(key), inner, leaves)
		}
	case v.IsArray():
		for _, inner := range v.ArrayValue() {
			collect(at, inner, leaves)
		}
	case !v.IsNull():
		*leaves = append(*leaves, at)
	}
}

// replaces tells whether the change touches one of the paths, or something in it.
func (c change) replaces(paths []string) bool {
	at := dotted(c.path)
	for _, path := range paths {
		if at == path || strings.HasPrefix(at, path+".") {
			return true
		}
		for _, leaf := range c.leaves {
			if leaf == path || strings.HasPrefix(leaf, path+".") {
				return true
			}
		}
	}
	return false
}

// diffResponse is what the engine is told of the changes. A replacement deletes first when the new resource
// would get the old one's name.
func diffResponse(changes []change, replace []string, keepsName bool, ignore []string) (*pulumirpc.DiffResponse, error) {
	var ignored []resource.PropertyPath
	for _, s := range ignore {
		path, err := resource.ParsePropertyPath(s)
		if err != nil {
			return nil, err
		}
		ignored = append(ignored, path)
	}
	response := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		DetailedDiff:    map[string]*pulumirpc.PropertyDiff{},
		HasDetailedDiff: true,
	}
	for _, c := range changes {
		if slices.ContainsFunc(ignored, func(p resource.PropertyPath) bool { return p.Contains(c.path) }) {
			continue
		}
		kind := c.kind
		if c.replaces(replace) {
			kind++ // each kind's replacing twin is the next value
			response.Replaces = append(response.Replaces, c.path.String())
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, c.path.String())
		response.DetailedDiff[c.path.String()] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
	}
	response.DeleteBeforeReplace = len(response.Replaces) > 0 && keepsName
	return response, nil
}
