package settings

import (
	"fmt"
	"io"
	"reflect"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SecretText is a value that is never printed: not by fmt, not as JSON, not in an error about the configuration. Who
// needs the value calls Reveal, and marks what is derived from it as a Pulumi secret.
type SecretText string

const hidden = "[secret]"

// Reveal returns the value itself.
func (s SecretText) Reveal() string { return string(s) }

// Format answers every verb of fmt.
func (s SecretText) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// MarshalText answers JSON and similar encoders.
func (s SecretText) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// holdsSecret reports whether values of a type may contain a SecretText.
func holdsSecret(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsSecret(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Map, reflect.Slice, reflect.Pointer:
		return holdsSecret(t.Elem())
	default:
		return t == reflect.TypeFor[SecretText]()
	}
}

// SecretKeys returns the keys whose values are secret. reported are the top-level keys with a secret somewhere in them, which is all
// that the engine tells; file is the stack file, where a secret has the key secure in place of its value. What the file does not
// have may come from elsewhere, and counts as secret.
func SecretKeys(project string, reported []string, values map[string]string, file []byte) []string {
	var stack struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(file, &stack); err != nil {
		return reported // the engine has read another file
	}
	var keys []string
	for _, key := range reported {
		keys = append(keys, secretKeys(field.NewPath(key), parse(values[key]), stack.Config[project+":"+key])...)
	}
	return keys
}

// secretKeys returns the keys of a value that are not in plain text in the file.
func secretKeys(p *field.Path, value, inFile any) []string {
	if text, ok := inFile.(string); ok {
		inFile = parse(text)
	}
	written, isMap := inFile.(map[string]any)
	if _, secure := written["secure"]; inFile == nil || secure && len(written) == 1 {
		return []string{p.String()}
	}
	parts, ok := value.(map[string]any)
	if !ok || !isMap {
		return nil
	}
	var keys []string
	for name, part := range parts {
		keys = append(keys, secretKeys(entry(p, name), part, written[name])...)
	}
	return keys
}
