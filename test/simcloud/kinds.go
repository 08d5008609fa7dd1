package simcloud

import (
	"maps"
	"strings"
	"sync"
)

// kind says how a resource type behaves. Strings in id, arn and outputs are templates: "{region}" and the
// like are expanded (see expansion), from the instance, the inputs and the other outputs.
type kind struct {
	name    string         // the input that is auto-named when absent
	longest int            // of an auto-name; 0 means 255
	id      string         // template
	arn     string         // template of the output arn; "" if it has none
	outputs map[string]any // templates of computed outputs; an input of the same name wins
	replace string         // paths of inputs, separated by spaces, whose change replaces the resource
	unique  string         // the property by which the vendor refuses a second one; "" if it does not
	within  string         // the input that, with the id, names the resource, if the id alone does not
	tags    bool           // takes the provider's default tags
	global  bool           // belongs to an account, not to a region of it

	// moves names outputs that get a new value with an update, each with the inputs whose change moves it,
	// separated by spaces, or "*" for any.
	moves map[string]string

	// compute adds the outputs that no template can say; old is nil for a new record. It runs when the
	// cloud is changed, not in a preview, where these outputs are unknown: computed names them.
	compute  func(c *Cloud, r, old *record)
	computed string
}

// catalogue is the table of known types. replace, tags and name were taken from the schema that the lab's
// bridged provider prints (willReplaceOnChanges, tagsAll, optional name); id and arn shapes from the vendors'
// documentation. A type that is not here is served all the same, with a generic id and ARN.
var catalogue = sync.OnceValue(func() map[string]kind {
	all := map[string]kind{}
	for _, part := range []map[string]kind{accountKinds(), networkKinds(), platformKinds(), storageKinds(), gitKinds()} {
		maps.Copy(all, part)
	}
	return all
})

// kindOf never fails: see catalogue.
func kindOf(typ string) kind {
	if k, ok := catalogue()[typ]; ok {
		return k
	}
	switch pkg, rest, _ := strings.Cut(typ, ":"); pkg {
	case "kubernetes":
		return kubernetesKind(typ)
	case "aws":
		service, _, _ := strings.Cut(rest, "/")
		return kind{id: "{hex17}", arn: "arn:{partition}:" + service + ":{region}:{account}:" + shortName(typ) + "/{id}"}
	default:
		return kind{id: "{hex17}"}
	}
}

// shortName is "bucketV2" of "aws:s3/bucketV2:BucketV2".
func shortName(typ string) string {
	_, last, _ := strings.Cut(typ, "/")
	short, _, _ := strings.Cut(last, ":")
	return short
}
