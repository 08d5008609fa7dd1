package run

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"llm-platform/internal/accelerator"
)

func identity() Identity {
	return Identity{
		Image: "i:1", Command: []string{"c"}, Args: []string{"a"}, Environment: map[string]string{"A": "1", "B": "2"}, Secrets: []string{"S"},
		Nodes: 2, Pool: "gpu", InstanceType: "p5.48xlarge", EFA: 32, Dataset: "d/", ResumeFrom: "train-0123456789", Scripts: "ab", Retries: 3, GraceSeconds: 300, Queue: "q", Counter: 1,
	}
}

// Every field is part of the name, so that a field that is added and forgotten shows.
func TestEveryFieldNamesTheRun(t *testing.T) {
	name := identity().Name("train")
	if !regexp.MustCompile(`^train-[0-9a-f]{10}$`).MatchString(name) {
		t.Fatalf("name is %q", name)
	}
	seen := map[string]string{name: "nothing"}
	fields := reflect.TypeFor[Identity]()
	for i := range fields.NumField() {
		changed := identity()
		field := reflect.ValueOf(&changed).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString(field.String() + "x")
		case reflect.Int:
			field.SetInt(field.Int() + 1)
		case reflect.Slice:
			field.Set(reflect.ValueOf([]string{"other"}))
		case reflect.Map:
			field.Set(reflect.ValueOf(map[string]string{"A": "2", "B": "2"}))
		default:
			t.Fatalf("%s: this test cannot change a %s", fields.Field(i).Name, field.Kind())
		}
		got := changed.Name("train")
		if other, taken := seen[got]; taken {
			t.Errorf("changing %s gives the name of changing %s", fields.Field(i).Name, other)
		}
		seen[got] = fields.Field(i).Name
	}
}

func TestNameIsStable(t *testing.T) {
	first := identity().Name("train")
	for range 50 { // maps are walked in another order each time
		if identity().Name("train") != first {
			t.Fatal("the same run has two names")
		}
	}
	empty := Identity{Command: []string{}, Args: []string{}, Secrets: []string{}, Environment: map[string]string{}}
	if empty.Name("a") != (Identity{}).Name("a") {
		t.Error("absent and empty lists name two runs")
	}
	// Where this changes, every running training is replaced by the next up.
	if got, want := identity().Name("train"), "train-b1d7948c5d"; got != want {
		t.Errorf("name is %s, and was %s: every running training would be replaced", got, want)
	}
	if a, b := (Identity{Args: []string{"a b"}}), (Identity{Args: []string{"a", "b"}}); a.Name("x") == b.Name("x") {
		t.Error("one argument and two name one run")
	}
}

func TestExits(t *testing.T) {
	seen := map[int]bool{}
	for _, exit := range Exits() {
		if seen[exit.Code] || exit.Name == "" || exit.Meaning == "" {
			t.Errorf("%+v is twice or says nothing", exit)
		}
		seen[exit.Code] = true
		if exit.Fatal && (exit.Code < 3 || exit.Code > 125) {
			t.Errorf("%d is also what shells and signals end with; retrying it must not be forbidden", exit.Code)
		}
	}
	if got := FatalCodes(); !reflect.DeepEqual(got, []int{10, 11, 12, 13}) {
		t.Errorf("fatal codes are %v", got)
	}
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestReadScripts(t *testing.T) {
	scripts, err := ReadScripts(fstest.MapFS{
		"train.py": file("a"), "lib/data.py": file("b"), "requirements.txt": file("c"),
		"test_train.py": file("x"), "train_test.py": file("x"), "conftest.py": file("x"), "tests/a.py": file("x"),
		".hidden": file("x"), ".venv/a.py": file("x"), "__pycache__/train.cpython.pyc": file("x"), "old.pyc": file("x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Scripts{{"lib/data.py", "b"}, {"requirements.txt", "c"}, {"train.py", "a"}}
	if !reflect.DeepEqual(scripts, want) {
		t.Errorf("scripts are %v", scripts)
	}
	if key := scripts[0].Key(); key != "lib..data.py" {
		t.Errorf("key is %s", key)
	}
	lines := strings.Split(strings.TrimSpace(scripts.Sums()), "\n")
	if len(lines) != 3 || lines[2] != "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  train.py" {
		t.Errorf("sums are %q", lines)
	}
	for _, other := range []Scripts{{{"train.py", "b"}}, {{"train.p", "ya"}}, {{"train.py", "a"}, {"b.py", ""}}} {
		if (Scripts{{"train.py", "a"}}).Digest() == other.Digest() {
			t.Errorf("%v has the digest of another", other)
		}
	}
}

func TestBadScripts(t *testing.T) {
	for want, folder := range map[string]fstest.MapFS{
		"no file":                      {"tests/a.py": file("x")},
		"SHA256SUMS: is written by":    {"SHA256SUMS": file("x")},
		"model.bin: is no text":        {"model.bin": file("\xff\xfe")},
		"a b.py: use letters":          {"a b.py": file("x")},
		"a..b.py: use letters":         {"a..b.py": file("x")},
		"more than the 983040":         {"big.txt": file(strings.Repeat("x", MaxScriptBytes))},
		"bytes in all":                 {"a.txt": file(strings.Repeat("x", MaxScriptBytes/2)), "b.txt": file(strings.Repeat("x", MaxScriptBytes/2))},
		"put libraries into the image": {"big.txt": file(strings.Repeat("x", 1<<20))},
	} {
		if _, err := ReadScripts(folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func TestOwnScriptsAreGood(t *testing.T) {
	if _, err := ReadScripts(os.DirFS("../../scripts")); err != nil {
		t.Error(err)
	}
}

func TestNetwork(t *testing.T) {
	find := func(vars []Variable, name string) string {
		for _, v := range vars {
			if v.Name == name {
				return v.Value
			}
		}
		return ""
	}
	nvidia := accelerator.Type{Kind: accelerator.NVIDIA}
	if vars := Network(nvidia, 0); find(vars, "FI_PROVIDER") != "" || find(vars, "NCCL_SOCKET_IFNAME") != "^lo" {
		t.Errorf("without EFA: %v", vars)
	}
	if vars := Network(nvidia, 32); find(vars, "FI_PROVIDER") != "efa" {
		t.Errorf("with EFA: %v", vars)
	}
	for _, v := range Network(accelerator.Type{Kind: accelerator.Neuron}, 8) {
		if strings.Contains(v.Name, "NCCL") {
			t.Errorf("Neuron is told %s", v.Name)
		}
	}
}

// The check runs as it would in a pod, with folders in place of /dev/infiniband.
func TestCheckEFA(t *testing.T) {
	tools := t.TempDir()
	device := t.TempDir()
	for _, name := range []string{"uverbs0", "uverbs1", "rdma_cm"} {
		if err := os.WriteFile(filepath.Join(device, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(folder string, devices int, fiInfo string) int {
		tool := filepath.Join(tools, "fi_info")
		os.Remove(tool)
		if fiInfo != "" {
			if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+fiInfo), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		command := CheckEFA(folder, devices)
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = []string{"PATH=" + tools + ":/usr/bin:/bin"}
		output, err := cmd.CombinedOutput()
		t.Logf("%s %d: %s", folder, devices, output)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			t.Fatal(err)
		}
		return 0
	}
	works, fails := `[ "$1 $2" = "-p efa" ]`, "exit 61"
	for _, c := range []struct {
		name    string
		folder  string
		devices int
		fiInfo  string
		want    int
	}{
		{"all there", device, 2, works, 0},
		{"one missing", device, 3, works, ExitEFA},
		{"no device plugin", device + "/none", 1, works, ExitEFA},
		{"devices that do not open", device, 2, fails, ExitEFA},
		{"image without libfabric", device, 2, "", ExitEFA},
	} {
		if got := check(c.folder, c.devices, c.fiInfo); got != c.want {
			t.Errorf("%s (%s): exit code %s, want %d", c.name, c.folder, strconv.Itoa(got), c.want)
		}
	}
}

// The scripts end with the codes that the Job acts on. (13 is the init container's.)
func TestScriptsKnowTheExits(t *testing.T) {
	text, err := os.ReadFile("../../scripts/train.py")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^EXIT_CODES = \{(.*)\}$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("no EXIT_CODES in train.py; this test tests nothing")
	}
	theirs := map[string]string{}
	for _, entry := range regexp.MustCompile(`"(\w+)": (\d+)`).FindAllSubmatch(line[1], -1) {
		theirs[string(entry[1])] = string(entry[2])
	}
	ours := map[string]string{}
	for _, exit := range Exits() {
		if exit.Code != ExitEFA {
			ours[exit.Name] = strconv.Itoa(exit.Code)
		}
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("the Job acts on %v, and the scripts end with %v", ours, theirs)
	}
}
