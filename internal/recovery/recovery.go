// Package recovery prepares what a user does after an update was interrupted: it finds in the stack's state the
// creates that were under way, of which nobody knows whether they came about, and writes them as the file that
// `pulumi import` reads.
package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// File is what `pulumi import --file` reads.
type File struct {
	NameTable map[string]string `json:"nameTable"` // URN of each parent and provider, by the name that Resources use
	Resources []Resource        `json:"resources"`
}

// Resource is one resource to take into the state. If it is not in the cloud, it must be struck from the file.
type Resource struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	ID       string `json:"id"` // what the cloud calls it: a guess from its name, or empty for the user to fill in
	Parent   string `json:"parent,omitempty"`
	Provider string `json:"provider,omitempty"`

	URN    string `json:"-"`
	Called string `json:"-"` // the name that the cloud was given, to look for it by; empty if it has none
}

// Pending is the import file for the creates that are pending in what `pulumi stack export` printed.
func Pending(export []byte) (File, error) {
	var state struct {
		Deployment struct {
			Pending []struct {
				Type     string `json:"type"`
				Resource struct {
					URN      string         `json:"urn"`
					Type     string         `json:"type"`
					Parent   string         `json:"parent"`
					Provider string         `json:"provider"` // URN::id
					Inputs   map[string]any `json:"inputs"`
				} `json:"resource"`
			} `json:"pending_operations"`
		} `json:"deployment"`
	}
	if err := json.Unmarshal(export, &state); err != nil {
		return File{}, fmt.Errorf("state: %w", err)
	}
	file := File{NameTable: map[string]string{}, Resources: []Resource{}}
	var faults []error
	refer := func(urn string) string {
		if urn == "" {
			return ""
		}
		name := nameOf(urn)
		if other, taken := file.NameTable[name]; taken && other != urn {
			faults = append(faults, fmt.Errorf("state: %s and %s have one name", other, urn))
		}
		file.NameTable[name] = urn
		return name
	}
	for _, operation := range state.Deployment.Pending {
		r := operation.Resource
		if operation.Type != "creating" || strings.HasPrefix(r.Type, "pulumi:") {
			continue // refresh sees to updates and deletes, and a provider is nothing in a cloud
		}
		provider := r.Provider
		if i := strings.LastIndex(provider, "::"); i >= 0 {
			provider = provider[:i]
		}
		file.Resources = append(file.Resources, Resource{
			Type: r.Type, Name: nameOf(r.URN), ID: guess(r.Type, r.Inputs), Parent: refer(r.Parent), Provider: refer(provider), URN: r.URN, Called: called(r.Inputs),
		})
	}
	return file, errors.Join(faults...)
}

// called is the name among a resource's inputs.
func called(inputs map[string]any) string {
	if metadata, ok := inputs["metadata"].(map[string]any); ok { // of Kubernetes
		inputs = metadata
	}
	for _, key := range []string{"name", "bucket"} {
		if name, ok := inputs[key].(string); ok {
			return name
		}
	}
	return ""
}

// guess is the id of a resource that goes by its name; empty for others.
func guess(kind string, inputs map[string]any) string {
	name := called(inputs)
	switch kind {
	case "aws:iam/role:Role", "aws:eks/cluster:Cluster", "aws:ecr/repository:Repository",
		"aws:cloudwatch/logGroup:LogGroup", "aws:resourcegroups/group:Group":
		return name
	}
	metadata, _ := inputs["metadata"].(map[string]any)
	namespace, namespaced := metadata["namespace"].(string)
	switch {
	case strings.HasPrefix(kind, "kubernetes:") && namespaced:
		return namespace + "/" + name
	case strings.HasPrefix(kind, "kubernetes:"):
		return name
	case strings.HasPrefix(kind, "aws:s3/bucket") && !strings.HasPrefix(kind, "aws:s3/bucketObject"): // and what belongs to a bucket
		return name
	}
	return ""
}

func nameOf(urn string) string { return urn[strings.LastIndex(urn, "::")+2:] }
