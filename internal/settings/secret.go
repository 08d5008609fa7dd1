package settings

import (
	"fmt"
	"io"
	"reflect"
)

// SecretText is a value that nothing prints: not fmt, not JSON, no fault of a
// configuration. Whoever needs it converts it with Reveal, and marks what becomes of
// it as secret for Pulumi.
type SecretText string

const hidden = "[secret]"

// Reveal is the value itself.
func (s SecretText) Reveal() string { return string(s) }

// Format answers every verb of fmt.
func (s SecretText) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// MarshalText answers JSON and the like.
func (s SecretText) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// spellFor is spell, but for a value that stands where a secret may.
func spellFor(into reflect.Type, value any) string {
	if holdsSecret(into) {
		return "the value (not shown, as it may be secret)"
	}
	return spell(value)
}

func holdsSecret(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsSecret(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Map, reflect.Slice:
		return holdsSecret(t.Elem())
	default:
		return t == reflect.TypeFor[SecretText]()
	}
}
