// Package stackfile reads Pulumi.yaml and the stack files (Pulumi.<stack>.yaml) as the engine does, so that tests can
// pass the program the configuration that the engine would pass.
package stackfile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// Key is one configuration key as Pulumi.yaml declares it.
type Key struct {
	Type        string
	Items       struct{ Type string } // of an array
	Description string
	Default     any
	Value       any // of keys that belong to Pulumi or a provider
}

// Keys returns the project's name and the keys that the Pulumi.yaml in a folder declares, by path, for example
// `storage.encryption`.
func Keys(folder string) (project string, keys map[string]Key, err error) {
	var file struct {
		Name   string
		Config map[string]Key
	}
	err = Read(filepath.Join(folder, "Pulumi.yaml"), &file)
	return file.Name, file.Config, err
}

// Config returns the configuration of a stack's file, by top-level key without the project's namespace.
func Config(folder, stack string) (map[string]any, error) {
	return configOf(folder, filepath.Join(folder, "Pulumi."+stack+".yaml"))
}

func configOf(folder, path string) (map[string]any, error) {
	project, _, err := Keys(folder)
	if err != nil {
		return nil, err
	}
	var file struct{ Config map[string]any }
	if err := Read(path, &file); err != nil {
		return nil, err
	}
	config := map[string]any{}
	for key, value := range file.Config {
		if name, ok := strings.CutPrefix(key, project+":"); ok {
			config[name] = value
		}
	}
	return config, nil
}

// Tree returns a stack's configuration with the defaults of Pulumi.yaml for the keys that its file leaves out.
func Tree(folder, stack string) (map[string]any, error) {
	return TreeOf(folder, filepath.Join(folder, "Pulumi."+stack+".yaml"))
}

// TreeOf is Tree of a stack file anywhere.
func TreeOf(folder, path string) (map[string]any, error) {
	_, keys, err := Keys(folder)
	if err != nil {
		return nil, err
	}
	tree, err := configOf(folder, path)
	if err != nil {
		return nil, err
	}
	return tree, Default(tree, keys)
}

// Values returns what the engine passes to the program for a stack with some paths set or, with nil, removed: Tree as
// Text.
func Values(folder, stack string, set map[string]any) (map[string]string, error) {
	tree, err := Tree(folder, stack)
	if err != nil {
		return nil, err
	}
	for path, value := range set {
		Set(tree, path, value)
	}
	return Text(tree)
}

// Default adds the defaults of the declared keys that a configuration leaves out.
func Default(tree map[string]any, keys map[string]Key) error {
	var paths []string
	for path, key := range keys {
		if !strings.Contains(path, ":") && key.Default != nil {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	for _, path := range paths {
		at := tree
		parts := strings.Split(path, ".")
		for _, part := range parts[:len(parts)-1] {
			if at[part] == nil {
				at[part] = map[string]any{}
			}
			deeper, ok := at[part].(map[string]any)
			if !ok {
				return fmt.Errorf("%s: %s is not an object", path, part)
			}
			at = deeper
		}
		if last := parts[len(parts)-1]; at[last] == nil {
			at[last] = keys[path].Default
		}
	}
	return nil
}

// Names returns the names in a path, as `pulumi config set --path` takes it: `storage.encryption`, or with a name in quotes
// if it contains a dot, `cluster.instanceTypes["p5.48xlarge"].count`.
func Names(path string) []string {
	var names []string
	for path != "" {
		if quoted, ok := strings.CutPrefix(path, `["`); ok {
			name, rest, _ := strings.Cut(quoted, `"]`)
			names, path = append(names, name), strings.TrimPrefix(rest, ".")
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		names, path = append(names, path[:end]), strings.TrimPrefix(path[end:], ".")
	}
	return names
}

// Set sets the value at a path (see Names); nil removes it.
func Set(tree map[string]any, path string, value any) {
	parts := Names(path)
	for _, part := range parts[:len(parts)-1] {
		deeper, ok := tree[part].(map[string]any)
		if !ok {
			deeper = map[string]any{}
			tree[part] = deeper
		}
		tree = deeper
	}
	if last := parts[len(parts)-1]; value == nil {
		delete(tree, last)
	} else {
		tree[last] = value
	}
}

// Get returns the value at a path of nested objects (see Names); nil if there is none.
func Get(tree map[string]any, path string) any {
	var value any = tree
	for _, step := range Names(path) {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	return value
}

// Text formats top-level values as the engine does: objects and lists as JSON.
func Text(tree map[string]any) (map[string]string, error) {
	values := map[string]string{}
	for name, value := range tree {
		switch value.(type) {
		case map[string]any, []any:
			text, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			values[name] = string(text)
		default:
			values[name] = fmt.Sprint(value)
		}
	}
	return values, nil
}

// Read reads a YAML file.
func Read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Write writes a YAML file that only the user can read.
func Write(path string, content any) error {
	text, err := yaml.Marshal(content)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, text, 0o600)
}
