package simcloud

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// autonamedAnnotation is the real provider's mark of an object that it named.
const autonamedAnnotation = "pulumi.com/autonamed"

// kubernetesKind is any object kind, with the real provider's list of what replaces it (its diff.go).
func kubernetesKind(typ string) kind {
	if strings.HasPrefix(typ, "kubernetes:helm.sh/") {
		return kind{name: "name", id: "{namespace}/{name}", unique: "id", replace: "name namespace",
			outputs: map[string]any{"namespace": "default", "status": map[string]any{"status": "deployed", "revision": 1}}}
	}
	replace := "metadata.name metadata.namespace "
	switch apiVersion, object := groupKind(typ); {
	case apiVersion == "batch/v1" && object == "Job":
		replace += "spec.completions spec.parallelism spec.selector spec.template"
	case apiVersion == "apps/v1" && object == "StatefulSet":
		replace += "spec.podManagementPolicy spec.revisionHistoryLimit spec.selector spec.serviceName spec.volumeClaimTemplates"
	case apiVersion == "apps/v1" && (object == "Deployment" || object == "DaemonSet"):
		replace += "spec.selector"
	case apiVersion == "v1" && object == "Pod":
		replace += "spec"
	case apiVersion == "v1" && object == "PersistentVolumeClaim":
		replace += "spec.accessModes spec.selector spec.storageClassName spec.volumeName"
	case apiVersion == "v1" && object == "Service":
		replace += "spec.clusterIP"
	case apiVersion == "v1" && object == "Secret":
		replace += "type stringData data"
	case apiVersion == "v1" && object == "ConfigMap":
		replace += "binaryData data"
	case apiVersion == "v1" && object == "ResourceQuota":
		replace += "spec.scopes"
	case strings.HasSuffix(object, "RoleBinding"):
		replace += "roleRef"
	case object == "StorageClass":
		replace += "parameters provisioner"
	}
	return kind{unique: "id", replace: replace}
}

// groupKind is apiVersion and kind of a type token, "v1" and "Pod" of "kubernetes:core/v1:Pod".
func groupKind(typ string) (apiVersion, object string) {
	parts := strings.SplitN(typ, ":", 3)
	if len(parts) < 3 {
		return "", ""
	}
	return strings.TrimPrefix(parts[1], "core/"), parts[2]
}

// namespaced tells whether objects of the kind live in a namespace.
func namespaced(object string) bool {
	switch object {
	case "Namespace", "Node", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "RuntimeClass",
		"CustomResourceDefinition", "IngressClass", "CSIDriver", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "DeviceClass", "ClusterQueue", "ResourceFlavor":
		return false
	}
	return true
}

// fillObject adds what the API server does.
func fillObject(r *record, creating bool) {
	apiVersion, object := groupKind(r.typ)
	if strings.HasPrefix(apiVersion, "helm.sh/") {
		return
	}
	set := func(m resource.PropertyMap, key resource.PropertyKey, value string, hide bool) {
		merge(m, key, resource.NewProperty(value), hide)
	}
	set(r.outputs, "apiVersion", apiVersion, false)
	set(r.outputs, "kind", object, false)
	metadata := resource.PropertyMap{}
	for key, v := range fields(r.inputs["metadata"]) {
		metadata[key] = v
	}
	if namespaced(object) {
		set(metadata, "namespace", "default", false)
	}
	if !creating {
		r.id = text(metadata["name"])
		if namespaced(object) {
			r.id = text(metadata["namespace"]) + "/" + r.id
		}
	}
	set(metadata, "uid", seed(32, r.salt, "uid"), creating)
	set(metadata, "creationTimestamp", created, creating)
	metadata["resourceVersion"] = resource.NewProperty(seed(6, r.salt, "version", string(rune('0'+r.revision))))
	if creating {
		metadata["resourceVersion"] = unknown
	}
	r.outputs["metadata"] = resource.NewProperty(metadata)
}

// nameObject gives an object without a name the one it has, or the logical name with eight hex digits.
func nameObject(req *pulumirpc.CheckRequest, old, inputs resource.PropertyMap) error {
	if _, isObject := groupKind(req.GetType()); isObject == "" {
		return nil
	}
	if v, ok := inputs["metadata"]; ok && open(v).IsComputed() {
		return nil
	}
	metadata := resource.PropertyMap{}
	for key, v := range fields(inputs["metadata"]) {
		metadata[key] = v
	}
	if metadata["name"].HasValue() || metadata["name"].IsComputed() || metadata["generateName"].HasValue() {
		return nil
	}
	chosen := text(get(old, "metadata.name"))
	if chosen == "" || !objectAutonamed(old) {
		var err error
		if chosen, err = resource.NewUniqueName(req.GetRandomSeed(), req.GetName()+"-", 8, 0, nil); err != nil {
			return err
		}
		if auto := req.GetAutonaming(); auto.GetProposedName() != "" {
			chosen = auto.GetProposedName()
		}
	}
	annotations := resource.PropertyMap{}
	for key, v := range fields(metadata["annotations"]) {
		annotations[key] = v
	}
	annotations[autonamedAnnotation] = resource.NewProperty("true")
	metadata["annotations"] = resource.NewProperty(annotations)
	metadata["name"] = resource.NewProperty(chosen)
	inputs["metadata"] = resource.NewProperty(metadata)
	return nil
}

func objectAutonamed(inputs resource.PropertyMap) bool {
	return text(fields(get(inputs, "metadata.annotations"))[autonamedAnnotation]) == "true"
}

// keepsObjectName tells whether a replacement would have the name that the old object still holds.
func keepsObjectName(old, news resource.PropertyMap) bool {
	name := text(get(news, "metadata.name"))
	return name != "" && !objectAutonamed(news) &&
		name == text(get(old, "metadata.name")) && text(get(news, "metadata.namespace")) == text(get(old, "metadata.namespace"))
}
