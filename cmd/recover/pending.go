package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optimport"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/providers"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
)

// imports is what `pulumi import --file` reads.
type imports struct {
	NameTable map[string]urn.URN         `json:"nameTable"` // parents and providers, by the names that Resources use
	Resources []optimport.ImportResource `json:"resources"`
}

// unknownID is the id of a resource whose id does not follow from its inputs.
const unknownID = "FILL IN"

// readPending reads the output of `pulumi stack export` and returns the resources whose creation was pending. Pending
// updates and deletes are left to `pulumi refresh`. Providers and stashes, Pulumi's own types, exist in no cloud.
func readPending(export io.Reader) ([]apitype.ResourceV3, error) {
	var outer apitype.UntypedDeployment
	if err := json.NewDecoder(export).Decode(&outer); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var deployment apitype.DeploymentV3
	if err := json.Unmarshal(outer.Deployment, &deployment); err != nil {
		return nil, fmt.Errorf("state: deployment: %w", err)
	}
	var pending []apitype.ResourceV3
	for _, operation := range deployment.PendingOperations {
		if operation.Type == apitype.OperationTypeCreating && !strings.HasPrefix(string(operation.Resource.Type), "pulumi:") {
			pending = append(pending, operation.Resource)
		}
	}
	return pending, nil
}

// importFile returns the file that imports the resources.
func importFile(pending []apitype.ResourceV3) (imports, error) {
	file := imports{NameTable: map[string]urn.URN{}, Resources: []optimport.ImportResource{}}
	var faults []error
	refer := func(to urn.URN) string {
		if to == "" {
			return ""
		}
		name := to.Name()
		if other, taken := file.NameTable[name]; taken && other != to {
			faults = append(faults, fmt.Errorf("state: %s and %s have the same name", other, to))
		}
		file.NameTable[name] = to
		return name
	}
	for _, r := range pending {
		entry := optimport.ImportResource{Type: string(r.Type), Name: r.URN.Name(), ID: guessID(string(r.Type), r.Inputs), Parent: refer(r.Parent)}
		if r.Provider != "" {
			provider, err := providers.ParseReference(r.Provider)
			if err != nil {
				faults = append(faults, fmt.Errorf("state: provider of %s: %w", r.URN, err))
				continue
			}
			entry.Provider = refer(provider.URN())
		}
		file.Resources = append(file.Resources, entry)
	}
	return file, errors.Join(faults...)
}

// physicalName returns the name in the cloud that a resource's inputs contain; empty if there is none.
func physicalName(inputs map[string]any) string {
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

// guessID returns the id of a resource whose id is its name; unknownID for others.
func guessID(typ string, inputs map[string]any) string {
	name := physicalName(inputs)
	switch typ {
	case "aws:iam/role:Role", "aws:eks/cluster:Cluster", "aws:ecr/repository:Repository",
		"aws:cloudwatch/logGroup:LogGroup", "aws:resourcegroups/group:Group":
		return name
	}
	metadata, _ := inputs["metadata"].(map[string]any)
	namespace, namespaced := metadata["namespace"].(string)
	switch {
	case strings.HasPrefix(typ, "kubernetes:") && namespaced:
		return namespace + "/" + name
	case strings.HasPrefix(typ, "kubernetes:"):
		return name
	case strings.HasPrefix(typ, "aws:s3/bucket") && !strings.HasPrefix(typ, "aws:s3/bucketObject"): // and the parts of a bucket
		return name
	}
	return unknownID
}
