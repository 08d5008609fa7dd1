// Package kubeobject registers Kubernetes objects that are written as k8s.io/api types. The result is what the typed
// SDK of pulumi-kubernetes registers: the same type tokens, inputs and secrets.
package kubeobject

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is a registered object.
type Object struct {
	pulumi.CustomResourceState

	Metadata pulumi.MapOutput `pulumi:"metadata"` // as the cluster has it
}

// UID returns the id that the cluster gave it.
func (o *Object) UID() pulumi.StringOutput {
	return o.Metadata.MapIndex(pulumi.String("uid")).ApplyT(func(uid any) string {
		text, _ := uid.(string)
		return text
	}).(pulumi.StringOutput)
}

// New registers an object, whose TypeMeta must be set. outputs holds those of its fields that are only known after
// deployment, in the object's own structure: maps are merged into the object, any other value replaces the field.
// The data of a Secret is secret in the state.
func New(
	ctx *pulumi.Context, name string, object runtime.Object, outputs pulumi.Map, opts ...pulumi.ResourceOption,
) (*Object, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	token, err := typeToken(fields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	delete(fields, "status") // the Go types have it even if it is empty
	inputs := merge(fields, outputs)
	if fields["kind"] == "Secret" {
		data := []string{"data", "stringData"}
		for _, key := range data {
			if value, ok := inputs[key]; ok {
				inputs[key] = pulumi.ToSecret(value)
			}
		}
		opts = append(opts, pulumi.AdditionalSecretOutputs(data))
	}
	var resource Object
	if err := ctx.RegisterResource(token, name, inputs, &resource, opts...); err != nil {
		return nil, err
	}
	return &resource, nil
}

// typeToken returns Pulumi's type of an object, for example kubernetes:core/v1:Secret or
// kubernetes:rbac.authorization.k8s.io/v1:ClusterRole. apiextensions.NewCustomResource forms the same tokens, but for
// the core group, which it leaves out.
func typeToken(fields map[string]any) (string, error) {
	version, _ := fields["apiVersion"].(string)
	kind, _ := fields["kind"].(string)
	if version == "" || kind == "" {
		return "", fmt.Errorf("object without apiVersion or kind: %v", fields["metadata"])
	}
	if !strings.Contains(version, "/") {
		version = "core/" + version
	}
	return "kubernetes:" + version + ":" + kind, nil
}

// merge returns fields as inputs, with outputs in their places.
func merge(fields map[string]any, outputs pulumi.Map) pulumi.Map {
	inputs := pulumi.ToMap(fields)
	for key, value := range outputs {
		inner, isMap := value.(pulumi.Map)
		if existing, ok := fields[key].(map[string]any); ok && isMap {
			inputs[key] = merge(existing, inner)
		} else {
			inputs[key] = value
		}
	}
	return inputs
}
