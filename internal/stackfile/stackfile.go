// Package stackfile reads Pulumi.yaml and the stacks' files as the engine does, so
// that tests can hand the program what the engine would hand it.
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

// Keys is the project's name and the keys that the Pulumi.yaml in a folder declares,
// by path, as "storage.encryption".
func Keys(folder string) (project string, keys map[string]Key, err error) {
	var file struct {
		Name   string
		Config map[string]Key
	}
	err = read(filepath.Join(folder, "Pulumi.yaml"), &file)
	return file.Name, file.Config, err
}

// Own is what a stack's file says, by top-level key without the project's namespace.
func Own(folder, stack string) (map[string]any, error) {
	project, _, err := Keys(folder)
	if err != nil {
		return nil, err
	}
	var file struct{ Config map[string]any }
	if err := read(filepath.Join(folder, "Pulumi."+stack+".yaml"), &file); err != nil {
		return nil, err
	}
	own := map[string]any{}
	for key, value := range file.Config {
		if name, ok := strings.CutPrefix(key, project+":"); ok {
			own[name] = value
		}
	}
	return own, nil
}

// Tree is a stack's configuration with the defaults of Pulumi.yaml where its file
// says nothing.
func Tree(folder, stack string) (map[string]any, error) {
	_, keys, err := Keys(folder)
	if err != nil {
		return nil, err
	}
	tree, err := Own(folder, stack)
	if err != nil {
		return nil, err
	}
	return tree, Default(tree, keys)
}

// Values is what the engine hands the program for a stack: Tree as Text.
func Values(folder, stack string) (map[string]string, error) {
	tree, err := Tree(folder, stack)
	if err != nil {
		return nil, err
	}
	return Text(tree)
}

// Default puts the defaults of the declared keys where a configuration says nothing.
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

// Set puts a value at a path, as "storage.encryption", or with nil removes what is there.
func Set(tree map[string]any, path string, value any) {
	parts := strings.Split(path, ".")
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

// Get is the value at a path, as "storage.encryption", of objects within objects; nil where there is none.
func Get(tree map[string]any, path string) any {
	var value any = tree
	for _, step := range strings.Split(path, ".") {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	return value
}

// Text writes top-level values as the engine does.
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

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
