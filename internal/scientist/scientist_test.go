package scientist

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

var update = flag.Bool("update", false, "write the example of docs/outputs.md")

func example() Platform {
	bucket := func(name string) string { return "s3://llm-platform-prod-storage-" + name + "-0a1b2c3/" }
	return Platform{
		Region: "us-west-2", Account: "111122223333", Role: "arn:aws:iam::111122223333:role/llm-platform-prod-roles-scientist-0a1b2c3",
		Dataset: bucket("dataset"), Checkpoints: bucket("checkpoints"), Artifacts: bucket("artifacts"),
		ImageRepository: ImageRepository{
			URL:      "111122223333.dkr.ecr.us-west-2.amazonaws.com/llm-platform-prod-image-repository-0a1b2c3",
			PushRole: "arn:aws:iam::111122223333:role/llm-platform-prod-roles-push-0a1b2c3",
		},
		Cluster: Cluster{Name: "llm-platform-prod", Namespace: "training"},
		Runs: map[string]Run{"train": {
			Enabled: true, Name: "train-0123456789", Pool: "gpu", Nodes: 2,
			Checkpoints: bucket("checkpoints") + "runs/train-0123456789/", Artifacts: bucket("artifacts") + "runs/train-0123456789/",
			Commit: "89abcdef0123456789abcdef0123456789abcdef",
		}},
		Branch: Branch{Name: "training/prod", URL: "https://github.com/example/training-scripts/tree/training/prod"},
	}.WithCommands("prod")
}

// The example in docs/outputs.md is an output of this program.
func TestExample(t *testing.T) {
	const file, start, end = "../../docs/outputs.md", "```json\n", "```\n"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(example()); err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(doc), start)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no example", file)
	}
	want := before + start + text.String() + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(doc) {
		t.Errorf("%s does not show\n%s; run this test with -update", file, text.String())
	}
}

// The example, and an output without anything, are as the schema says. The schema allows no other key, and requires each.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.Compile("../../docs/data-scientist.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := example().Value()
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("the example: %v", err)
	}
	for _, leaf := range leaves(value) {
		broken, err := example().Value()
		if err != nil {
			t.Fatal(err)
		}
		at, names := broken, strings.Split(leaf, ".")
		for _, name := range names[:len(names)-1] {
			at = at[name].(map[string]any)
		}
		delete(at, names[len(names)-1])
		if schema.Validate(broken) == nil {
			t.Errorf("the schema does not require %s", leaf)
		}
		at[names[len(names)-1]], at["more"] = "", ""
		if schema.Validate(broken) == nil {
			t.Errorf("the schema allows more beside %s", leaf)
		}
	}
}

// What is not there has no command, and the same keys as what is.
func TestNothingThere(t *testing.T) {
	bare := Platform{Cluster: Cluster{Namespace: "training"}, Runs: map[string]Run{"train": {Pool: "gpu", Nodes: 1}}}.WithCommands("solo")
	if bare.Commands != (Commands{}) || bare.Runs["train"].Commands != (RunCommands{}) {
		t.Errorf("commands for what is not there: %+v", bare)
	}
	value, err := bare.Value()
	if err != nil {
		t.Fatal(err)
	}
	full, err := example().Value()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := leaves(value), leaves(full); len(want) < 25 || !slices.Equal(got, want) {
		t.Errorf("without a run and a cluster the output has\n%v\nwith them\n%v", got, want)
	}
}

// No command has a hole, and each is one line.
func TestCommands(t *testing.T) {
	p := example()
	for _, commands := range []any{p.Commands, p.Runs["train"].Commands} {
		v := reflect.ValueOf(commands)
		for i := range v.NumField() {
			command := v.Field(i).String()
			if command == "" || strings.Contains(command, "  ") || strings.ContainsAny(command, "\n%") {
				t.Errorf("%s: %q", v.Type().Field(i).Name, command)
			}
		}
	}
}

func leaves(value map[string]any) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(value)) {
		inner, ok := value[key].(map[string]any)
		if !ok {
			all = append(all, key)
		}
		for _, leaf := range leaves(inner) {
			all = append(all, key+"."+leaf)
		}
	}
	return all
}
