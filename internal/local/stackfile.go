package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"gopkg.in/yaml.v3"
)

// placeholder stands for every secret of a stack file: the value can only be read with its owner's key.
const placeholder = "placeholder"

// stackFile is the content of a Pulumi.<stack>.yaml, fit for a throwaway stack.
type stackFile struct {
	content map[string]any
	secrets []string // configuration paths, as "pulumi config set --path" takes them, that hold a placeholder
}

// readStackFile reads the stack's settings and takes out what ties them to their owner: the secrets provider
// and its keys, imported environments, and the secrets themselves.
func readStackFile(data []byte) (stackFile, error) {
	f := stackFile{content: map[string]any{}}
	if err := yaml.Unmarshal(data, &f.content); err != nil {
		return f, err
	}
	for _, key := range []string{"secretsprovider", "encryptedkey", "encryptionsalt", "environment"} {
		delete(f.content, key)
	}
	config, ok := f.content["config"].(map[string]any)
	if !ok {
		config = map[string]any{}
	}
	f.content["config"] = config
	for _, key := range sortedKeys(config) {
		project, name, found := strings.Cut(key, ":")
		if !found {
			project, name = "", key
		} else {
			project += ":"
		}
		config[key] = f.conceal(config[key], project, resource.PropertyPath{name})
	}
	return f, nil
}

// conceal replaces each {secure: ...} in value and notes its path.
func (f *stackFile) conceal(value any, project string, at resource.PropertyPath) any {
	switch v := value.(type) {
	case map[string]any:
		if _, secure := v["secure"]; secure && len(v) == 1 {
			f.secrets = append(f.secrets, project+at.String())
			return placeholder
		}
		for _, key := range sortedKeys(v) {
			v[key] = f.conceal(v[key], project, append(slices.Clone(at), key))
		}
	case []any:
		for i := range v {
			v[i] = f.conceal(v[i], project, append(slices.Clone(at), i))
		}
	}
	return value
}

// throwawayProject is the project's Pulumi.yaml for a folder elsewhere: the same program, already built, and
// no backend but the environment's.
func throwawayProject(data []byte, folder, binary string) (map[string]any, error) {
	project := map[string]any{}
	if err := yaml.Unmarshal(data, &project); err != nil {
		return nil, err
	}
	main, _ := project["main"].(string)
	project["main"] = filepath.Join(folder, main)
	project["runtime"] = map[string]any{"name": "go", "options": map[string]any{"binary": binary}}
	delete(project, "backend")
	return project, nil
}

// ProgramPath is where the program of the project in folder is built: the build target that its Pulumi.yaml
// names, which a plain "pulumi up" uses too, or bin/<project name>.
func ProgramPath(folder string) (string, error) {
	project, err := readYAML(filepath.Join(folder, "Pulumi.yaml"))
	if err != nil {
		return "", fmt.Errorf("project: %w", err)
	}
	if runtime, ok := project["runtime"].(map[string]any); ok {
		if options, ok := runtime["options"].(map[string]any); ok {
			if target, ok := options["buildTarget"].(string); ok {
				return filepath.Join(folder, target), nil
			}
		}
	}
	return filepath.Join(folder, "bin", fmt.Sprint(project["name"])), nil
}

// CheckStack returns an error that lists the stacks that do have a file, if this one has none.
func CheckStack(folder, stack string) error {
	if _, err := os.Stat(filepath.Join(folder, "Pulumi."+stack+".yaml")); err != nil {
		return fmt.Errorf("stack %q: no Pulumi.%s.yaml; there is: %s", stack, stack, strings.Join(stacks(folder), ", "))
	}
	return nil
}

// stacks lists the stacks that have a file in the folder.
func stacks(folder string) []string {
	files, _ := filepath.Glob(filepath.Join(folder, "Pulumi.*.yaml"))
	names := []string{}
	for _, file := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml"))
	}
	slices.Sort(names)
	return names
}

func readYAML(path string) (map[string]any, error) {
	content := map[string]any{}
	data, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(data, &content)
	}
	return content, err
}

func writeYAML(path string, content map[string]any) error {
	data, err := yaml.Marshal(content)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, data, 0o600)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
