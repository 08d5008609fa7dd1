package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// report returns the errors as one, sorted by key, or nil. What could not be read is reported once: errors of
// validation about it, its parts or what it is a part of are left out.
func report(stack string, unread, invalid field.ErrorList) error {
	all := slices.Clone(unread)
	for _, err := range invalid {
		if !overlaps(unread, err.Field) {
			all = append(all, err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	plural := "s"
	if len(all) == 1 {
		plural = ""
	}
	lines := []string{fmt.Sprintf("invalid configuration for stack %s: %d error%s; nothing was created", stack, len(all), plural)}
	for _, err := range all {
		lines = append(lines, fmt.Sprintf("  %s: %s", err.Field, describe(err)))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// describe renders an error: what is wrong, the value, then what to do. In the detail of a value that is invalid, a
// semicolon separates what it must be from what to do.
func describe(err *field.Error) string {
	switch err.Type {
	case field.ErrorTypeForbidden:
		return err.Detail
	case field.ErrorTypeRequired:
		if err.Detail == "" {
			return "is required"
		}
		return "is required; " + err.Detail
	case field.ErrorTypeDuplicate:
		return fmt.Sprintf("repeats %s; list it once", spell(err.BadValue))
	default:
		must, way, ok := strings.Cut(err.Detail, "; ")
		if ok {
			way = "; " + way
		}
		return fmt.Sprintf("%s, got %s%s", must, spell(err.BadValue), way)
	}
}

// overlaps reports whether one of the errors is about a key, a part of it or what it is a part of.
func overlaps(errs field.ErrorList, key string) bool {
	return slices.ContainsFunc(errs, func(err *field.Error) bool { return within(err.Field, key) || within(key, err.Field) })
}

// mentions reports whether one of the errors is about a key or a part of it.
func mentions(errs field.ErrorList, key *field.Path) bool {
	return slices.ContainsFunc(errs, func(err *field.Error) bool { return within(err.Field, key.String()) })
}

// within reports whether a key is another or a part of it.
func within(key, other string) bool {
	rest, ok := strings.CutPrefix(key, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// spell returns a value as the user wrote it, or its beginning. Secrets are hidden.
func spell(value any) string {
	if _, secret := value.(SecretText); secret {
		return hidden
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	const longest = 100
	whole := strings.TrimSpace(text.String())
	if runes := []rune(whole); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return whole
}

// suggest returns "; did you mean …?" with the nearest of the names, or nothing if none is near.
func suggest(name string, names []string) string {
	if best := nearest(name, names); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}

// suggestion is suggest as a sentence after another, " Did you mean …?".
func suggestion(name string, names []string) string {
	if best := nearest(name, names); best != "" {
		return fmt.Sprintf(" Did you mean %s?", best)
	}
	return ""
}

// nearest returns the nearest of the names, or nothing if none is near. Of two that are equally near, a common
// beginning decides: p5.24xlarge is nearer to p5.4xlarge than to g5.24xlarge.
func nearest(name string, names []string) string {
	const least = 0.5 // half of the letters are the same
	best, score := "", 0.0
	for _, candidate := range names {
		if strings.HasPrefix(candidate, name+".") { // ecr is nearer to ecr.api than to ec2
			return candidate
		}
	}
	for _, candidate := range names {
		if s := levenshtein.Match(strings.ToLower(name), strings.ToLower(candidate), nil); s > score {
			best, score = candidate, s
		}
	}
	if score < least {
		return ""
	}
	return best
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
