package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// faults is all that is wrong with a configuration, so that one message can say it.
type faults struct {
	list   []fault
	secret []string // top-level keys that have a secret somewhere, as the engine tells
	values int      // how many of them are values that could not be read; the checks come after
}

type fault struct{ key, text string }

// add notes what is wrong with a key, as "storage.copies.sample.source". What could
// not be read is not noted again: a check would only complain of what nobody wrote.
func (f *faults) add(key, format string, args ...any) {
	if f.read(key) {
		f.list = append(f.list, fault{key, fmt.Sprintf(format, args...)})
	}
}

// read says whether a key, with what it is part of and all its parts, could be read.
func (f *faults) read(key string) bool {
	return !slices.ContainsFunc(f.list[:f.values], func(unread fault) bool {
		return within(unread.key, key) || within(key, unread.key)
	})
}

// mentions says whether something in a section is at fault already.
func (f *faults) mentions(section string) bool {
	return slices.ContainsFunc(f.list, func(found fault) bool { return within(found.key, section) })
}

// within says whether a key is another or a part of it.
func within(key, other string) bool {
	rest, ok := strings.CutPrefix(key, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// mustBeSecret checks that a value was given with --secret. The engine says no more
// than which top-level keys have some secret in them, so of two values under one such
// key it cannot be told which one is.
func (f *faults) mustBeSecret(key string, value SecretText) {
	section, _, _ := strings.Cut(key, ".")
	if value != "" && !slices.Contains(f.secret, section) {
		f.add(key, "stands in plain text in the stack file: use `pulumi config set --secret --path %s`, and renew what has been there", key)
	}
}

// err is all faults as one error, by key, or nil.
func (f *faults) err(stack string) error {
	if len(f.list) == 0 {
		return nil
	}
	sort.SliceStable(f.list, func(i, j int) bool { return f.list[i].key < f.list[j].key })
	lines := []string{fmt.Sprintf("configuration of stack %s: %d to mend before anything is made (Pulumi.yaml describes every key)", stack, len(f.list))}
	for _, fault := range f.list {
		lines = append(lines, fmt.Sprintf("  %s: %s", fault.key, fault.text))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// decode fills the settings from the values of a stack: text by top-level key, with
// objects and arrays as JSON, as the engine hands them over. Unlike the decoders
// there are, it goes on after an error and tells unknown keys beside it.
func (f *faults) decode(values map[string]string, into *Settings) {
	raw := make(map[string]any, len(values))
	for key, text := range values {
		raw[key] = parse(text)
	}
	f.fill("", raw, reflect.ValueOf(into).Elem(), true)
	f.values = len(f.list)
}

// parse is the value that a text stands for: an object or array as such, anything
// else as the text.
func parse(text string) any {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // an account's id is no float
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return text
	}
	return value
}

// fill sets the target to what the value says. Fields of a section must all be there,
// since Pulumi.yaml has a default for each; fields of an entry that the user names,
// as an account, may be left out.
func (f *faults) fill(key string, value any, into reflect.Value, section bool) {
	switch into.Type() {
	case reflect.TypeFor[json.RawMessage]():
		text, err := json.Marshal(value)
		if err != nil {
			f.add(key, "cannot be read: %s", err)
		}
		into.SetBytes(text)
		return
	}
	switch into.Kind() {
	case reflect.Pointer: // what is left out is nil
		into.Set(reflect.New(into.Type().Elem()))
		f.fill(key, value, into.Elem(), section)
	case reflect.Struct:
		object, ok := value.(map[string]any)
		if !ok {
			f.add(key, "%s is not an object, as {name: value}", spellFor(into.Type(), value))
			return
		}
		f.fillStruct(key, object, into, section)
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			f.add(key, "%s is not an object, as {name: value}", spellFor(into.Type(), value))
			return
		}
		into.Set(reflect.MakeMapWithSize(into.Type(), len(object)))
		for name, part := range object {
			element := reflect.New(into.Type().Elem()).Elem()
			f.fill(join(key, name), part, element, false)
			into.SetMapIndex(reflect.ValueOf(name), element)
		}
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			f.add(key, "%s is not a list, as [one, two]", spellFor(into.Type(), value))
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
		for i, part := range list {
			f.fill(fmt.Sprintf("%s[%d]", key, i), part, into.Index(i), false)
		}
	default:
		f.fillScalar(key, value, into)
	}
}

func (f *faults) fillStruct(key string, object map[string]any, into reflect.Value, section bool) {
	fields := map[string]reflect.Value{}
	for i := range into.NumField() {
		if name := into.Type().Field(i).Tag.Get("json"); name != "-" {
			fields[name] = into.Field(i)
		}
	}
	for name, field := range fields {
		if part, ok := object[name]; ok {
			f.fill(join(key, name), part, field, section)
		} else if section {
			f.add(join(key, name), "has no value: set it, or leave it out of the stack file to get its default from Pulumi.yaml")
		}
	}
	for name := range object {
		if _, ok := fields[name]; ok {
			continue
		}
		if section && strings.Contains(name, ".") { // as `config set` without --path makes it
			f.add(join(key, name), "is one key with a dot in its name: use `pulumi config set --path`, or nest it in the stack file")
			continue
		}
		way := suggest(name, names(fields))
		if way == "" {
			way = fmt.Sprintf(": there is %s", strings.Join(names(fields), ", "))
		}
		f.add(join(key, name), "is unknown%s", way)
	}
}

// fillScalar also takes truth values and numbers that are written as text, as
// top-level ones always are, and text that looks like a number, as account ids do.
func (f *faults) fillScalar(key string, value any, into reflect.Value) {
	text, isText := value.(string)
	if number, ok := value.(json.Number); ok {
		text, isText = number.String(), true
	}
	switch into.Kind() {
	case reflect.String:
		if !isText {
			f.add(key, "%s is not a string: write one value", spellFor(into.Type(), value))
			return
		}
		if into.Type() == reflect.TypeFor[SecretText]() {
			text = strings.TrimSpace(text) // a file, or what was pasted, ends with a newline
		}
		if strings.TrimSpace(text) != text {
			f.add(key, "%s begins or ends with a space: remove it", spellFor(into.Type(), text))
		}
		into.SetString(text)
	case reflect.Int:
		number, err := strconv.Atoi(text)
		if err != nil {
			f.add(key, "%s is not a whole number", spell(value))
		}
		into.SetInt(int64(number))
	case reflect.Bool:
		truth, ok := value.(bool)
		if !ok && text != "true" && text != "false" {
			f.add(key, "%s is neither true nor false", spell(value))
		}
		into.SetBool(truth || text == "true")
	default:
		panic(fmt.Sprintf("settings: %s has kind %s, which configuration cannot fill", key, into.Kind()))
	}
}

// choice checks that a value is one of the options.
func (f *faults) choice(key, value string, options ...string) {
	if !slices.Contains(options, value) {
		f.add(key, "%q is not one of %s%s", value, strings.Join(options, ", "), suggest(value, options))
	}
}

// between checks a number of units.
func (f *faults) between(key string, value, min, max int, unit string) {
	if value < min || value > max {
		f.add(key, "%d is not a number of %s from %d to %d", value, unit, min, max)
	}
}

// suggest is ", did you mean …?" with the nearest of the names, if one is near.
func suggest(name string, names []string) string {
	best, distance := "", len(name)/2+1
	for _, candidate := range names {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(candidate), nil); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", best)
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// names is the keys of a map, sorted.
func names[V any](of map[string]V) []string {
	var all []string
	for name := range of {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

// spell is a value as the user wrote it, or its beginning.
func spell(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	const longest = 60
	if runes := []rune(string(text)); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(text)
}
