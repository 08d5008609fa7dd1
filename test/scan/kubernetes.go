package main

import (
	"encoding/json"
	"strings"

	"llm-platform/test/simcloud"
)

// kubernetesObjects returns the Kubernetes objects as documents of YAML, which JSON is too.
func kubernetesObjects(resources []simcloud.Resource) string {
	var objects []string
	for _, r := range resources {
		if strings.HasPrefix(r.Type, "kubernetes:") {
			text, _ := json.Marshal(r.Inputs) // maps, lists and scalars
			objects = append(objects, string(text)+"\n")
		}
	}
	return strings.Join(objects, "---\n")
}
