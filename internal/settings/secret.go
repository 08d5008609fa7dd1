package settings

import (
	"fmt"
	"io"
	"reflect"
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
