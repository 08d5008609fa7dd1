package settings

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
)

// Pulumi.yaml declares every key with the type that the program reads, a description and a default, and no other keys.
func TestEveryKeyIsDeclared(t *testing.T) {
	_, declared, err := stackfile.Keys(root)
	if err != nil {
		t.Fatal(err)
	}
	known := leaves("", reflect.TypeFor[raw]())
	if len(known) < 20 {
		t.Fatalf("only %d keys found: this test tests nothing", len(known))
	}
	if len(known) > 100 {
		t.Errorf("%d keys: drop or merge some, so that there are at most 100", len(known))
	}
	for key, want := range known {
		declaration, ok := declared[key]
		if !ok {
			t.Errorf("%s is read, but not declared in Pulumi.yaml", key)
			continue
		}
		got := declaration.Type
		if items := declaration.Items.Type; items != "" {
			got += " of " + items
		}
		if got != want {
			t.Errorf("%s: Pulumi.yaml declares type %s, and the program reads %s", key, got, want)
		}
		if declaration.Description == "" || declaration.Default == nil {
			t.Errorf("%s: Pulumi.yaml must have a description and a default", key)
		}
	}
	for key := range declared {
		if _, ok := known[key]; !ok && !strings.Contains(key, ":") { // with a colon: Pulumi's own
			t.Errorf("%s is declared in Pulumi.yaml, but not read", key)
		}
	}
}

// leaves returns the types, as Pulumi.yaml spells them, of the fields of a section by path. Maps and lists are leaves.
func leaves(prefix string, section reflect.Type) map[string]string {
	types := map[string]string{}
	for i := range section.NumField() {
		field := section.Field(i)
		path := strings.TrimPrefix(prefix+"."+field.Tag.Get("json"), ".")
		if field.Type.Kind() == reflect.Struct {
			maps.Copy(types, leaves(path, field.Type))
		} else {
			types[path] = typeName(field.Type)
		}
	}
	return types
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int:
		return "integer"
	case reflect.Bool:
		return "boolean"
	case reflect.Map:
		return "object"
	case reflect.Slice:
		return "array of " + typeName(t.Elem())
	default:
		return t.String()
	}
}

// Entries that the user names have no defaults in Pulumi.yaml: the resolver has them, and the descriptions name them.
func TestDefaultsOfEntriesAreDescribed(t *testing.T) {
	_, declared, err := stackfile.Keys(root)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Load("dev", with(t, "dev", and(pool(object{"instanceType": "trn1.32xlarge"}), object{
		"training.enabled":      false,
		"storage.transfers":     object{"all": object{}},
		"organization.accounts": object{"training": object{}},
	})), nil, token)
	if err != nil {
		t.Fatal(err)
	}
	pool, account := s.Cluster.Pools["gpu"], s.Organization.Accounts["training"]
	for key, wants := range map[string][]string{
		"cluster.pools": {
			fmt.Sprintf("nodes (initial number, default %d;", pool.Nodes),
			fmt.Sprintf("maxNodes (default: nodes, at least %d;", pool.MaxNodes), "default " + pool.Capacity + ")",
			fmt.Sprintf("volumeGB (default %d)", pool.VolumeGB), pool.TaintKey + "=" + pool.TaintValue,
		},
		"organization.accounts": {"default: " + strings.NewReplacer("dev", "<stack>", "training", "<account>").Replace(account.Name)},
	} {
		for _, want := range wants {
			if !strings.Contains(declared[key].Description, want) {
				t.Errorf("the description of %s does not contain %q", key, want)
			}
		}
	}
	if all := s.Storage.Transfers["all"]; all != (Transfer{}) {
		t.Errorf("a transfer of everything resolves to %+v", all)
	}
}

// A stack file must hold only what differs from Pulumi.yaml.
func TestStackFilesHoldOnlyDifferences(t *testing.T) {
	_, declared, err := stackfile.Keys(root)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]any{}
	if err := stackfile.Default(defaults, declared); err != nil {
		t.Fatal(err)
	}
	for _, stack := range []string{"dev", "prod"} {
		own, err := stackfile.Config(root, stack)
		if err != nil {
			t.Fatal(err)
		}
		if len(own) == 0 {
			t.Fatalf("%s: no settings: this test tests nothing", stack)
		}
		repeated(t, stack, own, defaults)
	}
}

func repeated(t *testing.T, path string, own, defaults map[string]any) {
	for name, value := range own {
		at := path + "." + name
		if section, ok := value.(map[string]any); ok {
			if deeper, ok := defaults[name].(map[string]any); ok {
				repeated(t, at, section, deeper)
				continue
			}
		}
		if reflect.DeepEqual(value, defaults[name]) {
			t.Errorf("%s repeats the default %v", at, value)
		}
	}
}
