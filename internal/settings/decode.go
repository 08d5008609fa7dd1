package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// decode reads the values of a stack: text by top-level key, with objects and arrays as JSON, as the engine passes
// them. It goes on after an error. What could not be read has its zero value.
func decode(values map[string]string) (raw, field.ErrorList) {
	var d decoder
	var r raw
	tree := make(map[string]any, len(values))
	for key, text := range values {
		if namespace, name, foreign := strings.Cut(key, ":"); foreign {
			d.errors = append(d.errors, foreignKey(namespace, name)...)
		} else {
			tree[key] = parse(text)
		}
	}
	d.object(nil, tree, reflect.ValueOf(&r).Elem(), true)
	return r, d.errors
}

// parse returns the value that a text stands for: an object or array as such, anything else as the text.
func parse(text string) any {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // an account id is not a float
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return text
	}
	return value
}

// decoder fills Go values and collects what cannot be read. It is strict: keys are spelled exactly as in the JSON
// tags, unknown keys are errors, and so are missing keys unless their tag says omitempty. No library does all of
// this, suggests the nearest key and keeps secrets out of its errors.
type decoder struct{ errors field.ErrorList }

func (d *decoder) wrong(p *field.Path, into reflect.Type, value any, must string) {
	if holdsSecret(into) {
		value = SecretText("")
	}
	d.errors = append(d.errors, field.TypeInvalid(p, value, must))
}

// fill sets into to the value. declared says that Pulumi.yaml declares the key, so that it has a default there.
func (d *decoder) fill(p *field.Path, value any, into reflect.Value, declared bool) {
	if value == nil { // in YAML, a key with nothing after it
		d.errors = append(d.errors, field.Required(p, "it has no value in the stack file: write one ({} for an object without fields), or remove the key"))
		return
	}
	switch into.Kind() {
	case reflect.Pointer: // nil if left out
		into.Set(reflect.New(into.Type().Elem()))
		d.fill(p, value, into.Elem(), declared)
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			d.object(p, object, into, declared)
		} else {
			d.wrong(p, into.Type(), value, "must be an object, for example {name: value}")
		}
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			d.wrong(p, into.Type(), value, "must be an object, for example {name: value}")
			return
		}
		into.Set(reflect.MakeMapWithSize(into.Type(), len(object)))
		for name, part := range object {
			element := reflect.New(into.Type().Elem()).Elem()
			d.fill(entry(p, name), part, element, false)
			into.SetMapIndex(reflect.ValueOf(name), element)
		}
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			d.wrong(p, into.Type(), value, "must be a list, for example [one, two]")
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
		for i, part := range list {
			d.fill(p.Index(i), part, into.Index(i), false)
		}
	default:
		d.scalar(p, value, into)
	}
}

func (d *decoder) object(p *field.Path, object map[string]any, into reflect.Value, declared bool) {
	known := map[string]bool{}
	for i := range into.NumField() {
		name, option, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		known[name] = true
		part, ok := object[name]
		switch {
		case ok:
			d.fill(p.Child(name), part, into.Field(i), declared)
		case option == "omitempty":
		case declared:
			d.errors = append(d.errors, field.Required(p.Child(name),
				"set it, or remove it from the stack file to get the default of Pulumi.yaml"))
		default:
			d.errors = append(d.errors, field.Required(p.Child(name), ""))
		}
	}
	for name := range object {
		switch {
		case known[name]:
		case declared && strings.Contains(name, "."): // from `config set` without --path
			d.errors = append(d.errors, field.Forbidden(p.Child(name),
				"is one key with a dot in its name; use `pulumi config set --path`, or nest it in the stack file"))
		default:
			way := removedKeys[name]
			if way == "" {
				way = suggest(name, sortedKeys(known))
			}
			if way == "" {
				way = "; must be one of " + strings.Join(sortedKeys(known), ", ")
			}
			d.errors = append(d.errors, field.Forbidden(p.Child(name), "unknown key"+way))
		}
	}
}

// removedKeys says what to do about keys of earlier releases.
var removedKeys = map[string]string{"minNodes": "; the minimum of every pool is 0: remove it"}

// scalar also accepts booleans and numbers that are written as text, as top-level ones always are. Text must be written
// as text: YAML has rewritten an unquoted number, so that 007 and 7 are the same here. The exception is an account id,
// which `pulumi config set --path` writes unquoted and which loses nothing but leading zeros, and then a digit.
func (d *decoder) scalar(p *field.Path, value any, into reflect.Value) {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	if isNumber {
		text = number.String()
	}
	switch into.Kind() {
	case reflect.String:
		_, isBool := value.(bool)
		switch {
		case isNumber && !accountID.MatchString(text), isBool, rewrittenTime.MatchString(text):
			d.wrong(p, into.Type(), value, "must be a string; quote it in the stack file, where YAML rewrites a number or a "+
				"date that is not quoted (007 becomes 7), or use `pulumi config set --path --type string "+p.String()+"`")
			return
		case !isText && !isNumber:
			d.wrong(p, into.Type(), value, "must be a string")
			return
		}
		if into.Type() == reflect.TypeFor[SecretText]() {
			text = strings.TrimSpace(text) // a file, or what was pasted, ends with a newline
		}
		if strings.TrimSpace(text) != text {
			d.wrong(p, into.Type(), text, "must not begin or end with a space")
		}
		into.SetString(text)
	case reflect.Int:
		number, err := strconv.Atoi(text)
		switch {
		case errors.Is(err, strconv.ErrRange):
			d.wrong(p, into.Type(), value, "must be a number of fewer digits")
		case err != nil:
			d.wrong(p, into.Type(), value, "must be a whole number")
		default:
			into.SetInt(int64(number))
		}
	case reflect.Float64:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			d.wrong(p, into.Type(), value, "must be a number")
			return
		}
		into.SetFloat(number)
	case reflect.Bool:
		truth, ok := value.(bool)
		if !ok && text != "true" && text != "false" {
			d.wrong(p, into.Type(), value, "must be true or false")
		}
		into.SetBool(truth || text == "true")
	default:
		panic(fmt.Sprintf("settings: %s has kind %s, which configuration cannot fill", p, into.Kind()))
	}
}

// rewrittenTime matches what a YAML date or time becomes, which the engine reads as a time and formats with Go's
// time.Time.String.
var rewrittenTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+$`)

// entry returns the path of an entry that the user named, as `pulumi config set --path` takes it.
func entry(p *field.Path, name string) *field.Path {
	if name == "" || strings.ContainsAny(name, `.[]"`) {
		return p.Key(strconv.Quote(name))
	}
	return p.Child(name)
}
