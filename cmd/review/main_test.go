package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	vpc    = `{"op": "create", "urn": "urn:pulumi:dev::p::aws:ec2/vpc:Vpc::v", "newState": {"inputs": {"cidrBlock": "10.0.0.0/16"}}}`
	other  = `{"op": "create", "urn": "urn:pulumi:dev::p::aws:ec2/vpc:Vpc::v", "newState": {"inputs": {"cidrBlock": "10.9.0.0/16"}}}`
	bucket = `{"op": "delete", "urn": "urn:pulumi:dev::p::aws:s3/bucketV2:BucketV2::b", "oldState": {}}`
	none   = `{"op": "same", "urn": "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"}`
	failed = `{"diagnostics": [{"severity": "error", "message": "error: refused"}]}`
)

func steps(all ...string) string { return `{"steps": [` + strings.Join(all, ",") + `]}` }

// try runs the command on a report, from standard input and from a file.
func try(t *testing.T, report string, flags ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = run(flags, strings.NewReader(report), &stdout, &stderr)
	file := filepath.Join(t.TempDir(), "report")
	if err := os.WriteFile(file, []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	var fromFile strings.Builder
	if again := run(append(flags, file), strings.NewReader("not read"), &fromFile, &strings.Builder{}); again != code || fromFile.String() != stdout.String() {
		t.Errorf("from a file: %d\n%s", again, fromFile.String())
	}
	return code, stdout.String(), stderr.String()
}

func TestReview(t *testing.T) {
	for name, c := range map[string]struct {
		report    string
		code      int
		out, errs string
	}{
		"nothing lost": {steps(vpc), 0, "Nothing that holds data", ""},
		"no change":    {steps(none), 0, "Nothing that holds data", ""},
		"lost":         {steps(vpc, bucket), 2, "Data is lost", ""},
		"failed":       {failed, 1, "### The preview failed", "review: the preview failed"},
		"no report":    {"Previewing update (dev)", 1, "", "not the output of `pulumi preview --json`"},
		"empty":        {"", 1, "", "not the output of `pulumi preview --json`"},
	} {
		code, out, errs := try(t, c.report)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: %d\n%s\n%s", name, code, out, errs)
		}
	}
}

// An update does what was reviewed, or it is refused with what differs.
func TestSame(t *testing.T) {
	reviewed := filepath.Join(t.TempDir(), "steps.json")
	if code, _, errs := try(t, steps(vpc, bucket), "-steps", reviewed); code != 2 {
		t.Fatalf("%d %s", code, errs)
	}
	for name, c := range map[string]struct {
		report string
		code   int
		out    string
	}{
		"the same":      {steps(bucket, vpc), 0, ""},
		"another input": {steps(other, bucket), 2, "planned, and not reviewed: create Vpc `v`"},
		"one fewer":     {steps(vpc), 2, "reviewed, and not planned: delete BucketV2 `b`"},
		"none":          {steps(none), 2, "reviewed, and not planned"},
		"failed":        {failed, 1, ""},
	} {
		code, out, errs := try(t, c.report, "-same", reviewed)
		if code != c.code || !strings.Contains(out, c.out) || (c.out == "") != (out == "") {
			t.Errorf("%s: %d\n%s\n%s", name, code, out, errs)
		}
	}
	if code, _, errs := try(t, steps(vpc), "-same", reviewed+".missing"); code != 1 || !strings.Contains(errs, "missing") {
		t.Errorf("no file: %d %s", code, errs)
	}
}

// Steps of a preview without any can be compared too.
func TestSameOfNone(t *testing.T) {
	reviewed := filepath.Join(t.TempDir(), "steps.json")
	report := `{"steps": [` + none + `], "changeSummary": {"same": 3}}`
	if code, _, errs := try(t, report, "-steps", reviewed); code != 0 {
		t.Fatal(errs)
	}
	if code, out, errs := try(t, report, "-same", reviewed); code != 0 || out != "" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, _, _ := try(t, steps(vpc), "-same", reviewed); code != 2 {
		t.Errorf("a step more: %d", code)
	}
}

func TestUnchanged(t *testing.T) {
	for name, c := range map[string]struct {
		report string
		code   int
	}{"unchanged": {steps(none), 0}, "changed": {steps(none, vpc), 2}, "failed": {failed, 1}} {
		if code, out, _ := try(t, c.report, "-unchanged"); code != c.code || (code == 2) != strings.Contains(out, "create Vpc `v`") {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"a", "b"}, {"-nonsense"}, {filepath.Join(t.TempDir(), "missing")}} {
		var errs strings.Builder
		if code := run(args, strings.NewReader(""), &strings.Builder{}, &errs); code != 1 || errs.Len() == 0 {
			t.Errorf("%v: %d %q", args, code, errs.String())
		}
	}
}
