package engine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/stackfile"
)

// placeholder replaces every secret of a stack file but a kubeconfig, whose value only its owner's key decrypts.
const placeholder = "placeholder"

// kubeconfig replaces a secret kubeconfig, since a program may refuse what is none.
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: placeholder, cluster: {server: "https://placeholder.example.com"}}]
users: [{name: placeholder, user: {token: placeholder}}]
contexts: [{name: placeholder, context: {cluster: placeholder, user: placeholder}}]
current-context: placeholder
`

// placeholderFor returns what replaces the secret at a path.
func placeholderFor(path string) string {
	if strings.HasSuffix(path, "kubeconfig") {
		return kubeconfig
	}
	return placeholder
}

// throwawaySettings reads a stack's file and removes what ties it to its owner: the secrets provider and its
// keys, imported environments, and the secrets, whose paths it returns as `pulumi config set --path` takes them.
func throwawaySettings(file string) (content map[string]any, secrets []string, err error) {
	if err := stackfile.Read(file, &content); err != nil {
		return nil, nil, err
	}
	if content == nil {
		content = map[string]any{}
	}
	for _, key := range []string{"secretsprovider", "encryptedkey", "encryptionsalt", "environment"} {
		delete(content, key)
	}
	config, _ := content["config"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		namespace, name, found := strings.Cut(key, ":")
		if !found {
			namespace, name = "", key
		} else {
			namespace += ":"
		}
		config[key] = conceal(config[key], resource.PropertyPath{name}, func(at resource.PropertyPath) {
			secrets = append(secrets, namespace+at.String())
		})
	}
	return content, secrets, nil
}

// conceal replaces each {secure: …} in value and reports its path.
func conceal(value any, at resource.PropertyPath, report func(resource.PropertyPath)) any {
	switch v := value.(type) {
	case map[string]any:
		if _, secure := v["secure"]; secure && len(v) == 1 {
			report(at)
			return placeholder
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = conceal(v[key], append(slices.Clone(at), key), report)
		}
	case []any:
		for i := range v {
			v[i] = conceal(v[i], append(slices.Clone(at), i), report)
		}
	}
	return value
}

// throwawayProject returns the project's Pulumi.yaml for a folder elsewhere: the same program, already built, and the
// backend of the environment.
func throwawayProject(folder, program string) (map[string]any, error) {
	var project map[string]any
	if err := stackfile.Read(filepath.Join(folder, "Pulumi.yaml"), &project); err != nil {
		return nil, err
	}
	main, _ := project["main"].(string)
	project["main"] = filepath.Join(folder, main)
	project["runtime"] = map[string]any{"name": "go", "options": map[string]any{"binary": program}}
	delete(project, "backend")
	return project, nil
}

// CheckStack returns an error that lists the stacks with a file if this one has none.
func CheckStack(folder, stack string) error {
	if _, err := os.Stat(filepath.Join(folder, "Pulumi."+stack+".yaml")); err == nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(folder, "Pulumi.*.yaml"))
	var stacks []string
	for _, file := range files {
		stacks = append(stacks, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml"))
	}
	return fmt.Errorf("stack %q has no Pulumi.%s.yaml; existing stacks: %s", stack, stack, strings.Join(stacks, ", "))
}

// publicRange replaces a placeholder in cluster.publicCidrs before an update. It is allocated, unlike those for examples.
const publicRange = "198.41.0.0/24"

// fillIn replaces the ranges for examples that the shipped stack files have in cluster.publicCidrs, as a user must before
// an update. It reports whether it did.
func fillIn(content map[string]any) bool {
	filled := false
	config, _ := content["config"].(map[string]any)
	for key, value := range config {
		cluster, _ := value.(map[string]any)
		ranges, _ := cluster["publicCidrs"].([]any)
		for i, text := range ranges {
			example := fmt.Sprint(text)
			if strings.HasSuffix(key, ":cluster") && (strings.HasPrefix(example, "192.0.2.") || strings.HasPrefix(example, "198.51.100.") || strings.HasPrefix(example, "203.0.113.")) {
				ranges[i], filled = publicRange, true
			}
		}
	}
	return filled
}
