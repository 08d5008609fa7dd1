package job

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// pool returns the facts of a pool called gpu.
func pool(t *testing.T, instanceType string) nodepool.Facts {
	t.Helper()
	machine, err := accelerator.Lookup(instanceType)
	if err != nil {
		t.Fatal(err)
	}
	return nodepool.Facts{
		Name: "gpu", Type: machine, EFA: machine.EFAInterfaces, DiskGB: machine.InstanceStoreGB,
		Labels: map[string]string{settings.PoolLabel: "gpu"}, TaintKey: "nvidia.com/gpu", TaintValue: "true",
	}
}

// full returns a run that uses everything there is.
func full(t *testing.T) Run {
	return Run{
		Prefix: "train", Region: "us-west-2", Pool: pool(t, "p5en.48xlarge"), Nodes: 2,
		Image: "registry.example.com/train:1", Command: []string{"python", "train.py"}, Args: []string{"--steps=50"},
		Environment: map[string]string{"NCCL_DEBUG": "INFO", "A": "1"}, Secrets: []string{"HF_TOKEN", "API_KEY"},
		DatasetPrefix: "wiki/", ResumeFrom: "train-0123456789", Number: 1, Retries: 3, GraceSeconds: 300, DeadlineHours: 72, OwnAccount: true,
		Scripts: Scripts{{"lib/data.py", "b"}, {"train.py", "a"}},
	}
}

// differ returns a value of the same type that is different.
func differ(t *testing.T, value reflect.Value) reflect.Value {
	t.Helper()
	changed := reflect.New(value.Type()).Elem()
	switch value.Kind() {
	case reflect.String:
		changed.SetString(value.String() + "x")
	case reflect.Int:
		changed.SetInt(value.Int() + 1)
	case reflect.Bool:
		changed.SetBool(!value.Bool())
	case reflect.Slice:
		changed.Set(reflect.Append(value, reflect.New(value.Type().Elem()).Elem()))
	case reflect.Map:
		changed.Set(reflect.MakeMap(value.Type()))
		changed.SetMapIndex(reflect.ValueOf("OTHER"), reflect.ValueOf("2").Convert(value.Type().Elem()))
	default:
		t.Fatalf("this test cannot change a %s", value.Kind())
	}
	return changed
}

// Every field decides the name, or is listed here with the reason, so that a forgotten new field shows.
func TestEveryFieldIsInTheName(t *testing.T) {
	before := full(t).Name()
	names := map[string]string{}
	check := func(what string, run Run, inName bool) {
		t.Helper()
		name := run.Name()
		if (name != before) != inName {
			t.Errorf("another %s: the name is %s, and was %s", what, name, before)
		}
		if other, taken := names[name]; taken && inName {
			t.Errorf("another %s gives the name of another %s", what, other)
		}
		names[name] = what
	}
	everyField(t, full(t), map[string]string{
		"Region":        "the cluster moves with it",
		"DeadlineHours": "can change while the run goes on",
		"Pool":          "in parts, below",
	}, check)
	for what, c := range map[string]struct {
		change func(*nodepool.Facts)
		inName bool
	}{
		"pool":          {func(p *nodepool.Facts) { p.Name = "other" }, true},
		"instance type": {func(p *nodepool.Facts) { p.Type.Name = "p5e.48xlarge" }, true},
		"number of EFA": {func(p *nodepool.Facts) { p.EFA = 0 }, true},
		"label":         {func(p *nodepool.Facts) { p.Labels = map[string]string{"team": "research"} }, false},
		"disk":          {func(p *nodepool.Facts) { p.DiskGB++ }, false},
		"taint":         {func(p *nodepool.Facts) { p.TaintKey = "team" }, false},
	} {
		run := full(t)
		c.change(&run.Pool)
		check(what, run, c.inName)
	}
	script := full(t)
	script.Scripts = Scripts{{"lib/data.py", "b"}, {"train.py", "other"}}
	check("script", script, true)
}

// everyField calls check with a copy of a struct per field, in which that field is different, and with false for
// the fields of a list.
func everyField[T any](t *testing.T, value T, listed map[string]string, check func(field string, changed T, expected bool)) {
	t.Helper()
	for i := range reflect.TypeFor[T]().NumField() {
		field := reflect.TypeFor[T]().Field(i).Name
		_, isListed := listed[field]
		delete(listed, field)
		changed := value
		at := reflect.ValueOf(&changed).Elem().Field(i)
		if at.Kind() != reflect.Struct {
			at.Set(differ(t, at))
		} else if !isListed {
			t.Errorf("%s: this test cannot change a struct", field)
		}
		check(field, changed, !isListed)
	}
	for field := range listed {
		t.Errorf("there is no field %s: remove it from this test", field)
	}
}

func TestNameIsStable(t *testing.T) {
	first := full(t).Name()
	if !regexp.MustCompile(`^train-[0-9a-f]{10}$`).MatchString(first) {
		t.Errorf("name is %q", first)
	}
	for range 50 { // the order of a map's keys is random
		run := full(t)
		run.Environment = maps.Clone(run.Environment)
		slices.Reverse(run.Secrets)
		if run.Name() != first {
			t.Fatal("one run has two names")
		}
	}
	empty := Run{Command: []string{}, Args: []string{}, Secrets: []string{}, Environment: map[string]string{}}
	if empty.Name() != (Run{}).Name() {
		t.Error("absent and empty lists name two runs")
	}
	if a, b := (Run{Args: []string{"a b"}}), (Run{Args: []string{"a", "b"}}); a.Name() == b.Name() {
		t.Error("one argument and two arguments name one run")
	}
	// If this fails, the next update would replace every running training.
	existing := full(t)
	existing.OwnAccount = false
	for standing, name := range map[string]string{"train-20cfff8936": existing.Name(), "train-726515f80f": first} {
		if name != standing {
			t.Errorf("name is %s, and was %s: every running training would be replaced", name, standing)
		}
	}
}

// What a user configures for the training reaches the run, and so its name.
func TestNew(t *testing.T) {
	training := settings.Training{
		Name: "train", Image: "i:1", Command: []string{"c"}, Nodes: 1, RunNumber: 1,
		Secrets: map[string]settings.SecretText{"HF_TOKEN": "one"},
	}
	run := func(training settings.Training) Run {
		return New(training, "us-west-2", pool(t, "p5.48xlarge"), nil, true)
	}
	before := run(training).Name()
	everyField(t, training, map[string]string{
		"Enabled":       "whether there is a run at all",
		"Pool":          "reaches it as facts",
		"DeadlineHours": "can change while the run goes on",
	}, func(field string, changed settings.Training, inName bool) {
		if name := run(changed).Name(); (name != before) != inName {
			t.Errorf("another training.%s: the name is %s, and was %s", field, name, before)
		}
	})
	renewed := training
	renewed.Secrets = map[string]settings.SecretText{"HF_TOKEN": "two"}
	if run(renewed).Name() != before {
		t.Error("a renewed secret names another run")
	}
	training.DeadlineHours = 5
	if got := run(training); got.DeadlineHours != 5 || got.Region != "us-west-2" || got.Pool.Name != "gpu" {
		t.Errorf("run is %+v", got)
	}
}

func TestURIs(t *testing.T) {
	run := full(t)
	for want, got := range map[string]string{
		"s3://data/wiki/": run.DatasetURI("data"),
		"s3://checkpoints/runs/" + run.Name() + "/": run.OutputURI("checkpoints"),
		"s3://checkpoints/runs/train-0123456789/":   run.ResumeURI("checkpoints"),
		"": Run{}.ResumeURI("checkpoints"),
	} {
		if got != want {
			t.Errorf("URI is %q, want %q", got, want)
		}
	}
}
