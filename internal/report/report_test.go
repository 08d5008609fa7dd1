package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata")

// load reads a preview that the engine has reported of an edit; TestRecords in test/edits renews it.
func load(t *testing.T, name string) Preview {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The review of every recorded preview. To write them: go test ./internal/report -update
func TestMarkdown(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d previews (%v): this test tests little", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		got, golden := load(t, name).Markdown(), strings.TrimSuffix(file, ".json")+".md"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// What is lost in the recorded previews: no edit but these loses anything.
func TestLost(t *testing.T) {
	lost := map[string][]string{
		"own-source-removed": {"storage-sample", "storage-source"},
		"branch":             {"git-branch-training/dev"},
		"notebook-removed":   {"sagemaker-notebook"},
		"container-insights": {"cluster-insights-application", "cluster-insights-dataplane", "cluster-insights-host", "cluster-insights-performance"},
	}
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		var got []string
		for _, s := range load(t, name).Lost() {
			got = append(got, s.Name())
		}
		slices.Sort(got)
		if !slices.Equal(got, lost[name]) {
			t.Errorf("%s: %v, want %v", name, got, lost[name])
		}
	}
}

const bucket = `{"op": "delete", "urn": "urn:pulumi:dev::p::llm:platform:Storage$aws:s3/bucketV2:BucketV2::b", "oldState": {%}}`

// One step, with what is said of it.
func TestSteps(t *testing.T) {
	job := `{"op": "%", "urn": "urn:pulumi:dev::p::kubernetes:batch/v1:Job::train"}`
	group := `{"op": "update", "urn": "urn:pulumi:dev::p::aws:eks/nodeGroup:NodeGroup::pool-gpu", "diffReasons": ["%"]}`
	for name, c := range map[string]struct {
		step string
		lost bool
		says []string // and not what follows a minus
	}{
		"deleted":           {strings.Replace(bucket, "%", "", 1), true, []string{"Data is lost: 1 resource", "| delete | BucketV2 `b` | all objects"}},
		"retained":          {strings.Replace(bucket, "%", `"retainOnDelete": true`, 1), false, []string{"Nothing that holds data", "In the stack only, since they are retained with their data: delete BucketV2 `b`.", "-Data is lost"}},
		"only read":         {strings.Replace(bucket, "%", `"external": true`, 1), false, []string{"-Data is lost"}},
		"replaced":          {strings.Replace(strings.Replace(bucket, "%", "", 1), `"delete"`, `"replace"`, 1), true, []string{"| replace | BucketV2 `b`"}},
		"discarded":         {strings.Replace(strings.Replace(bucket, "%", "", 1), `"delete"`, `"discard"`, 1), false, []string{"No other changes"}},
		"updated":           {strings.Replace(strings.Replace(bucket, "%", "", 1), `"delete"`, `"update"`, 1), false, []string{"1 other change", "- update BucketV2 `b`"}},
		"run ended":         {strings.Replace(job, "%", "delete", 1), false, []string{"- delete Job `train`: ends the run"}},
		"run started":       {strings.Replace(job, "%", "create", 1), false, []string{"-Interruptions", "- create Job `train`"}},
		"pool rolled":       {strings.Replace(group, "%", "launchTemplate.version", 1), false, []string{"pool-gpu` (launchTemplate): replaces its nodes"}},
		"pool labelled":     {strings.Replace(group, "%", "labels.a", 1), false, []string{"-Interruptions", "- update NodeGroup `pool-gpu` (labels)"}},
		"hostile property":  {strings.Replace(group, "%", "<b>|x", 1), false, []string{`&lt;b&gt;\|x`}},
		"backtick in names": {strings.Replace(strings.Replace(bucket, "%", "", 1), "::b", "::b`<i>", 1), true, []string{"`b'<i>`"}},
	} {
		p, err := Read(strings.NewReader(`{"steps": [` + c.step + `]}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := p.Markdown()
		if lost := len(p.Lost()) > 0; lost != c.lost {
			t.Errorf("%s: lost %v", name, lost)
		}
		for _, text := range c.says {
			if absent, no := strings.CutPrefix(text, "-"); no && text[1] != ' ' && strings.Contains(got, absent) ||
				(!no || text[1] == ' ') && !strings.Contains(got, text) {
				t.Errorf("%s: %q in\n%s", name, text, got)
			}
		}
	}
}

// The gravest comes first.
func TestOrder(t *testing.T) {
	p := load(t, "own-source-removed")
	p.Diagnostics = append(p.Diagnostics, load(t, "new").Diagnostics...)
	got, last := p.Markdown(), -1
	for _, heading := range []string{"## Preview of stack dev", "Data is lost", "### Interruptions", "### Cost", "<details>", "What the program says"} {
		at := strings.Index(got, heading)
		if at <= last {
			t.Errorf("%q at %d, after %d", heading, at, last)
		}
		last = at
	}
}

func TestCosts(t *testing.T) {
	running := func(op, old, news string) string {
		return `{"op": "` + op + `", "urn": "urn:pulumi:dev::p::pulumi:index:Stash::running"` + old + news + `}`
	}
	state := func(key, facts string) string { return `, "` + key + `": {"inputs": {"input": {` + facts + `}}}` }
	dear, cheap := `"cost.initial": "110.914", "cost.maximum": "221.000", "cost.region": "us-east-1"`, `"cost.initial": "1.456", "cost.maximum": "1.456", "cost.region": "us-east-1"`
	for name, c := range map[string]struct {
		step string
		says string
	}{
		"more":         {running("update", state("oldState", cheap), state("newState", dear)), "| initial nodes | 1.456 | 110.914 | +109.458 | +79904 |"},
		"less":         {running("update", state("oldState", dear), state("newState", cheap)), "| all pools at maxNodes | 221.000 | 1.456 | -219.544 | -160267 |"},
		"another fact": {running("update", state("oldState", cheap+`, "run": "a"`), state("newState", cheap)), "### Cost\n\nNo change."},
		"new stack":    {running("create", "", state("newState", cheap)), "| initial nodes | 0.000 | 1.456 | +1.456 | +1063 |"},
		"destroyed":    {running("delete", state("oldState", cheap), ""), "| initial nodes | 1.456 | 0.000 | -1.456 | -1063 |"},
		"not kept":     {running("update", state("oldState", `"run": "a"`), state("newState", cheap)), "| initial nodes | none known | 1.456 |"},
		"unknown":      {running("create", "", state("newState", cheap+`, "cost.unknown": "pool gpu: spot prices vary"`)), "since the price is unknown: pool gpu: spot prices vary."},
		"another step": {strings.Replace(bucket, "%", "", 1), "### Cost\n\nNo change."},
	} {
		p, err := Read(strings.NewReader(`{"steps": [` + c.step + `]}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.Markdown(); !strings.Contains(got, c.says) {
			t.Errorf("%s: %q not in\n%s", name, c.says, got)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", "{}", "Previewing update", `{"steps": []}`, `{"diagnostics": [{"severity": "warning", "message": "a"}]}`} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "pulumi preview --json") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A preview without changes names its stack.
func TestNoChange(t *testing.T) {
	p, err := Read(strings.NewReader(`{"steps": [{"op": "same", "urn": "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"}], "changeSummary": {"same": 9}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := p.Markdown()
	for _, text := range []string{"## Preview of stack dev\n", "Nothing that holds data", "No change.", "No other changes, 9 unchanged."} {
		if !strings.Contains(got, text) {
			t.Errorf("%q not in\n%s", text, got)
		}
	}
}

// A message cannot end its code block.
func TestFence(t *testing.T) {
	p, err := Read(strings.NewReader(`{"diagnostics": [{"severity": "error", "message": "error: a\n~~~~\n# b"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Markdown(); strings.Count(got, "~~~~") != 2 || !strings.Contains(got, "# b\n~~~~") || strings.Contains(got, "error: a") {
		t.Error(got)
	}
}

// Steps that were written can be read again, and are the same; they hold no inputs of resources.
func TestWrittenAndRead(t *testing.T) {
	const report = `{"steps": [{"op": "create", "urn": "urn:pulumi:dev::p::aws:ec2/vpc:Vpc::v", "newState": {"inputs": {"cidrBlock": "10.9.0.0/16"}}}]}`
	p, err := Read(strings.NewReader(report))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil || bytes.Contains(text, []byte("10.9")) || !bytes.Contains(text, []byte(`"digest"`)) {
		t.Fatalf("%s %v", text, err)
	}
	again, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := Differences(p, again); got != nil {
		t.Error(got)
	}
}

func TestDifferences(t *testing.T) {
	vpc := func(op, inputs string) string {
		return `{"op": "` + op + `", "urn": "urn:pulumi:dev::p::aws:ec2/vpc:Vpc::v", "newState": {"inputs": {` + inputs + `}}}`
	}
	provider := func(property string) string {
		return `{"op": "update", "urn": "urn:pulumi:dev::p::pulumi:providers:aws::m", "diffReasons": ["` + property + `"], "newState": {"inputs": {}}}`
	}
	read := func(steps ...string) Preview {
		p, err := Read(strings.NewReader(`{"steps": [` + strings.Join(steps, ",") + `], "changeSummary": {"same": 1}}`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	create := vpc("create", `"a": "1"`)
	named := func(name string) string { return vpc("create", `"n": "`+name+`", "__defaults": ["n"]`) }
	refers := func(name string) string {
		return strings.Replace(vpc("create", `"policy": "to `+name+`/x"`), "::v", "::w", 1)
	}
	for name, c := range map[string]struct {
		reviewed, fresh Preview
		differ          int
	}{
		"same":                    {read(create), read(create), 0},
		"none":                    {read(), read(), 0},
		"one more":                {read(), read(create), 1},
		"one fewer":               {read(create), read(), 1},
		"another operation":       {read(create), read(vpc("update", `"a": "1"`)), 2},
		"another input":           {read(create), read(vpc("create", `"a": "2"`)), 2},
		"another nested input":    {read(vpc("create", `"a": [{"b": 1}]`)), read(vpc("create", `"a": [{"b": 2}]`)), 2},
		"another random name":     {read(vpc("create", `"n": "v-1", "__defaults": ["n"]`)), read(vpc("create", `"n": "v-2", "__defaults": ["n"]`)), 0},
		"refers to a random name": {read(named("v-01234ab"), refers("v-01234ab")), read(named("v-98765cd"), refers("v-98765cd")), 0},
		"refers to another name":  {read(named("v-01234ab"), refers("v-01234ab")), read(named("v-98765cd"), refers("w-98765cd")), 2},
		"a name that was given":   {read(vpc("create", `"n": "v-1", "__defaults": []`)), read(vpc("create", `"n": "v-2", "__defaults": []`)), 2},
		"no longer retained":      {read(strings.Replace(bucket, "%", `"retainOnDelete": true`, 1)), read(strings.Replace(bucket, "%", "", 1)), 2},
		"another role":            {read(), read(provider("assumeRoles[0].roleArn")), 0},
		"another region":          {read(), read(provider("region")), 1},
	} {
		if got := Differences(c.reviewed, c.fresh); len(got) != c.differ {
			t.Errorf("%s: %q", name, got)
		}
	}
}
