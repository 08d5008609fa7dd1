package simcloud

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// created is the time at which everything in this cloud happens: a fixed one, so that runs can be compared.
const created = "2026-01-01T00:00:00Z"

// expansion fills in the templates of one record. The random-looking parts depend on the record's salt and on
// the property alone: asked twice they are the same, and two runs of a test see the same ids.
type expansion struct {
	cloud *Cloud
	rec   *record
	kind  kind
	in    instance
}

// salt is the record's, and another with each revision for an output that moves.
func (x *expansion) salt(at string) string {
	if _, ok := x.kind.moves[at]; ok {
		return fmt.Sprint(x.rec.salt, "|", x.rec.revision)
	}
	return x.rec.salt
}

// value expands the strings in a template of any shape. at names the property.
func (x *expansion) value(at string, template any) resource.PropertyValue {
	switch t := template.(type) {
	case string:
		return x.text(at, t)
	case map[string]any:
		m := resource.PropertyMap{}
		for key, v := range t {
			m[resource.PropertyKey(key)] = x.value(at+"."+key, v)
		}
		return resource.NewProperty(m)
	case []any:
		list := make([]resource.PropertyValue, 0, len(t))
		for _, v := range t {
			list = append(list, x.value(at, v))
		}
		return resource.NewProperty(list)
	default:
		return resource.NewPropertyValue(t)
	}
}

// text expands "{...}"; the whole is unknown if a part is.
func (x *expansion) text(at, template string) resource.PropertyValue {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return resource.NewProperty(b.String())
		}
		name, after, _ := strings.Cut(rest, "}")
		v := x.lookup(at, name)
		if v.IsComputed() {
			return v
		}
		b.WriteString(text(v))
		template = after
	}
}

func (x *expansion) lookup(at, name string) resource.PropertyValue {
	if s, ok := x.builtin(at, name); ok {
		return resource.NewProperty(s)
	}
	key := resource.PropertyKey(name)
	if v := open(x.rec.inputs[key]); v.IsComputed() || v.IsString() || v.IsNumber() {
		if v.IsNumber() {
			return resource.NewProperty(strconv.FormatFloat(v.NumberValue(), 'f', -1, 64))
		}
		return v
	}
	switch t := x.kind.outputs[name].(type) {
	case string:
		return x.text(name, t)
	}
	switch {
	case name == "id" && x.rec.id != "":
		return resource.NewProperty(x.rec.id)
	case name == "id":
		return x.text("id", x.kind.id)
	case name == "arn":
		return x.text("arn", x.kind.arn)
	}
	return resource.NewProperty("")
}

func (x *expansion) builtin(at, name string) (string, bool) {
	random := strings.TrimRight(name, "0123456789")
	if n, err := strconv.Atoi(name[len(random):]); err == nil {
		switch random {
		case "hex":
			return seed(n, x.salt(at), at), true
		case "HEX":
			return strings.ToUpper(seed(n, x.salt(at), at)), true
		case "digits":
			number, _ := new(big.Int).SetString("1"+seed(60, x.salt(at), at), 16)
			return number.String()[1 : n+1], true
		}
	}
	switch name {
	case "account":
		return x.in.account, true
	case "region":
		return x.in.region, true
	case "partition":
		return x.in.partition, true
	case "management":
		return ManagementAccount, true
	case "time":
		return created, true
	case "byte":
		n, _ := strconv.ParseUint(seed(2, x.salt(at), at), 16, 8)
		return fmt.Sprint(1 + n%254), true
	case "uuid":
		h := seed(32, x.salt(at), at)
		return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), true
	case "org", "root":
		return x.cloud.organization(name), true
	case "host":
		return strings.TrimPrefix(text(x.rec.inputs["url"]), "https://"), true
	case "s3Bucket":
		arn := text(x.rec.inputs["s3BucketArn"])
		return arn[strings.LastIndex(arn, ":")+1:], true
	case "zoneID":
		return zoneID(text(x.lookup("availabilityZone", "availabilityZone"))), true
	case "clusterVPC":
		return x.cloud.vpcOf(get(x.rec.inputs, "vpcConfig.subnetIds")), true
	}
	return "", false
}

// zoneID makes "usw2-az1" of "us-west-2a". (AWS deals the numbers out anew in each account.)
func zoneID(zone string) string {
	parts := strings.Split(zone, "-")
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[2]) != 2 {
		return ""
	}
	return parts[0] + parts[1][:1] + parts[2][:1] + "-az" + fmt.Sprint(parts[2][1]-'a'+1)
}
