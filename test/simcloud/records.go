package simcloud

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// internalKeys are what a bridged provider keeps among the inputs for itself.
const defaultsKey = resource.PropertyKey("__defaults")

// fill computes id and outputs from the inputs. old is the record that an update changes, nil for a new one.
// In a preview what only the vendor could know is unknown.
func (c *Cloud) fill(r *record, in instance, old *record, preview bool) {
	k := kindOf(r.typ)
	x := &expansion{cloud: c, rec: r, kind: k, in: in}
	creating := preview && old == nil
	if r.id == "" && !creating {
		r.id = text(x.text("id", k.id))
	}
	r.outputs = resource.PropertyMap{}
	for key, v := range r.inputs {
		if key != defaultsKey {
			r.outputs[key] = v
		}
	}
	templates := map[string]any{}
	for key, t := range k.outputs {
		templates[key] = t
	}
	if k.arn != "" {
		templates["arn"] = k.arn
	}
	for key, t := range templates {
		merge(r.outputs, resource.PropertyKey(key), x.value(key, t), creating)
	}
	for key, inputs := range k.moves {
		switch moved := old == nil || changed(old.inputs, r.inputs, inputs); {
		case !moved:
			r.outputs[resource.PropertyKey(key)] = old.outputs[resource.PropertyKey(key)]
		case preview:
			r.outputs[resource.PropertyKey(key)] = unknown
		}
	}
	if strings.HasPrefix(r.typ, "aws:") {
		if k.tags {
			r.outputs["tagsAll"] = resource.NewProperty(resource.PropertyMap{})
			if tags, ok := r.inputs["tags"]; ok {
				r.outputs["tagsAll"] = tags
			}
		}
		if r.id != "" {
			r.outputs["id"] = resource.NewProperty(r.id)
		}
	}
	if strings.HasPrefix(r.typ, "kubernetes:") {
		fillObject(r, creating)
	}
	switch {
	case k.compute == nil:
	case !preview:
		k.compute(c, r, old)
	default:
		for _, key := range strings.Fields(k.computed) {
			if _, moves := k.moves[key]; moves {
				continue
			}
			computed := unknown
			if old != nil {
				computed = old.outputs[resource.PropertyKey(key)]
			}
			merge(r.outputs, resource.PropertyKey(key), computed, false)
		}
	}
}

// merge sets an output that the inputs leave open, at any depth of objects.
func merge(m resource.PropertyMap, key resource.PropertyKey, computed resource.PropertyValue, hide bool) {
	given, ok := m[key]
	switch {
	case ok && open(given).IsObject() && computed.IsObject():
		inner := fields(given).Copy()
		for k, v := range computed.ObjectValue() {
			merge(inner, k, v, hide)
		}
		m[key] = resource.NewProperty(inner)
	case ok && !given.IsNull():
	case hide:
		m[key] = unknown
	default:
		m[key] = computed
	}
}

// changed tells whether one of the named inputs differs.
func changed(old, news resource.PropertyMap, names string) bool {
	if names == "*" {
		return len(difference(old, news)) > 0
	}
	for _, name := range strings.Fields(names) {
		if !same(old[resource.PropertyKey(name)], news[resource.PropertyKey(name)]) {
			return true
		}
	}
	return false
}

// insert adds a new record. Names that the vendor keeps unique are unique here too, since a doubled one would
// hide what a crash left behind; other types overwrite, as a Put call of their API does.
func (c *Cloud) insert(r *record) error {
	k := kindOf(r.typ)
	for _, other := range c.records {
		if other.typ != r.typ || other.account != r.account || (other.region != r.region && !k.global) {
			continue
		}
		taken := other.id == r.id
		if k.unique != "" && k.unique != "id" {
			key := resource.PropertyKey(k.unique)
			taken = text(other.inputs[key]) == text(r.inputs[key])
		}
		if taken && k.unique != "" {
			return fmt.Errorf("%s %q already exists in %s", shortType(r.typ), other.id, place(r.account, r.region))
		}
	}
	if old := c.find(r.typ, r.id, r.account, r.region, r.inputs); old != nil {
		c.remove(old)
	}
	c.records = append(c.records, r)
	return nil
}

// find returns the record that the id names, or nil. props settles which where the id alone does not.
func (c *Cloud) find(typ, id, account, region string, props resource.PropertyMap) *record {
	k := kindOf(typ)
	within := resource.PropertyKey(k.within)
	for _, r := range c.records {
		if r.typ != typ || r.id != id || r.account != account || (r.region != region && !k.global) {
			continue
		}
		if k.within != "" && props[within].HasValue() && text(props[within]) != text(r.inputs[within]) {
			continue
		}
		return r
	}
	return nil
}

func (c *Cloud) remove(r *record) {
	c.records = slices.DeleteFunc(c.records, func(other *record) bool { return other == r || goesWith(other, r) })
	c.removeObject(r)
}

// first returns the first record of a type, or nil.
func (c *Cloud) first(typ string) *record {
	for _, r := range c.records {
		if r.typ == typ {
			return r
		}
	}
	return nil
}

// shortType is "aws Bucket" of "aws:s3/bucket:Bucket".
func shortType(typ string) string {
	pkg, _, _ := strings.Cut(typ, ":")
	return pkg + " " + typ[strings.LastIndex(typ, ":")+1:]
}
