package simcloud

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// record is a Resource with the engine's property values.
type record struct {
	instance
	typ, id, urn    string
	inputs, outputs resource.PropertyMap
	salt            string // of its random-looking outputs
	revision        int    // number of updates so far
}

// logicalName returns the name in the URN; empty for a record of Put.
func (r *record) logicalName() string {
	if r.urn == "" {
		return ""
	}
	return resource.URN(r.urn).Name()
}

// fill computes id and outputs from the inputs. old is the record that an update changes, nil for a new one. In a
// preview, what only the vendor can know is unknown.
func (c *Cloud) fill(r, old *record, preview bool) {
	k := c.kinds[r.typ]
	creating := preview && old == nil
	if r.salt == "" && !preview {
		c.births[r.urn]++
		r.salt = fmt.Sprint(r.urn, "|", c.births[r.urn])
	}
	v := view{cloud: c, record: r, old: old}
	if r.id == "" && !creating {
		r.id = k.identify(v)
	}
	r.outputs = r.inputs.Copy()
	delete(r.outputs, defaultsKey)
	if strings.HasPrefix(r.typ, "aws:") && r.id != "" {
		r.outputs["id"] = resource.NewProperty(r.id)
	}
	if k.outputs == nil {
		return
	}
	for name, value := range k.outputs(v) {
		key, computed := resource.PropertyKey(name), resource.NewPropertyValue(value)
		if old != nil {
			moves, moving := k.moves[name]
			moved := moving && moves(old.inputs, r.inputs)
			switch {
			case moved && preview:
				computed = unknown
			case !moved && (moving || preview):
				computed = old.outputs[key]
			}
		}
		merge(r.outputs, key, computed, creating)
	}
}

// merge sets an output that the inputs leave open, at any depth of objects; unknown if hide.
func merge(m resource.PropertyMap, key resource.PropertyKey, computed resource.PropertyValue, hide bool) {
	input, ok := m[key]
	switch {
	case ok && open(input).IsObject() && computed.IsObject():
		inner := fields(input).Copy()
		for k, v := range computed.ObjectValue() {
			merge(inner, k, v, hide)
		}
		m[key] = resource.NewProperty(inner)
	case ok && !input.IsNull():
	case hide:
		m[key] = unknown
	default:
		m[key] = computed
	}
}

// view is the argument of the functions of the table: the record that they fill, and its cloud.
type view struct {
	*record
	cloud *Cloud
	old   *record // nil for a new record
}

// identify returns the id of a new record.
func (k kind) identify(v view) string {
	if k.id == nil {
		return v.input(k.name)
	}
	return k.id(v)
}

// input returns a string input; empty if there is none.
func (v view) input(name string) string { return text(v.inputs[resource.PropertyKey(name)]) }

// hex returns n random-looking hex digits for a property: always the same ones for a record, but others with each
// update for a property that moves.
func (v view) hex(property string, n int) string {
	k := v.cloud.kinds[v.typ]
	if _, moves := k.moves[property]; moves {
		return hexOf(n, v.salt, property, fmt.Sprint(v.revision))
	}
	return hexOf(n, v.salt, property)
}

// digits returns 12 random-looking digits.
func (v view) digits(property string) string {
	n, _ := strconv.ParseUint(v.hex(property, 12), 16, 64)
	return fmt.Sprintf("%012d", n%1e12)
}

// arn returns an ARN in the record's account and region. IAM and budgets have no region, S3 no account either, and an
// organization is the management account's.
func (v view) arn(service, rest string) string {
	place := v.region + ":" + v.account
	switch service {
	case "iam", "budgets":
		place = ":" + v.account
	case "organizations":
		place = ":" + v.cloud.caller
	case "s3":
		place = ":"
	}
	return fmt.Sprintf("arn:%s:%s:%s:%s", v.partition, service, place, rest)
}

// insert adds a new record, unless the vendor refuses it. Where the vendor's call overwrites, so does this.
func (c *Cloud) insert(r *record) error {
	if err := c.refusal(r, nil); err != nil {
		return err
	}
	if old := c.find(r.typ, r.id, r.instance); old != nil {
		c.remove(old)
	}
	c.records = append(c.records, r)
	return nil
}

// find returns the record with the id, or nil.
func (c *Cloud) find(typ, id string, in instance) *record {
	for _, r := range c.records {
		if r.typ == typ && r.id == id && r.account == in.account && (r.region == in.region || c.kinds[typ].global) {
			return r
		}
	}
	return nil
}

// remove deletes a record, and the files of a branch with it.
func (c *Cloud) remove(r *record) {
	files := map[string][3]resource.PropertyKey{ // repository, branch of a file, branch of a branch
		"github:index/branch:Branch": {"repository", "branch", "branch"},
		"gitlab:index/branch:Branch": {"project", "branch", "name"},
	}
	keys, isBranch := files[r.typ]
	c.records = slices.DeleteFunc(c.records, func(other *record) bool {
		return other == r || isBranch && other.typ != r.typ && other.account == r.account &&
			text(other.inputs[keys[0]]) == text(r.inputs[keys[0]]) && text(other.inputs[keys[1]]) == text(r.inputs[keys[2]])
	})
}

// lastLines does what EKS does after a cluster is deleted: it writes the last lines of the control plane, and creates the
// log group anew, without a retention, if that is deleted already.
func (c *Cloud) lastLines(deleted *record) {
	cluster := deleted.id
	if deleted.typ == logGroupType {
		cluster = strings.TrimSuffix(strings.TrimPrefix(deleted.id, "/aws/eks/"), "/cluster")
	}
	name := "/aws/eks/" + cluster + "/cluster"
	switch {
	case deleted.typ == clusterType:
		c.ended[deleted.instance.String()+"/"+cluster] = true
	case deleted.typ != logGroupType || deleted.id != name || !c.ended[deleted.instance.String()+"/"+cluster]:
		return
	}
	if c.find(logGroupType, name, deleted.instance) == nil {
		group := &record{typ: logGroupType, instance: deleted.instance, inputs: resource.NewPropertyMapFromMap(values{"name": name}), salt: name}
		c.fill(group, nil, false)
		c.records = append(c.records, group)
	}
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
