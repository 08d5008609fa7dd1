package job

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestReadScripts(t *testing.T) {
	scripts, err := ReadScripts(fstest.MapFS{
		"train.py": file("a"), "lib/data.py": file("b"), "lib/__init__.py": file(""),
		"test_train.py": file("x"), "train_test.py": file("x"), "conftest.py": file("x"), "tests/a.py": file("x"),
		".hidden": file("x"), ".venv/a.py": file("x"), "__pycache__/train.cpython.pyc": file("x"), "old.pyc": file("x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Scripts{{"lib/__init__.py", ""}, {"lib/data.py", "b"}, {"train.py", "a"}}
	if !reflect.DeepEqual(scripts, want) {
		t.Errorf("scripts are %v", scripts)
	}
	if key := scripts[1].Key(); key != "lib..data.py" {
		t.Errorf("key is %s", key)
	}
	lines := strings.Split(strings.TrimSpace(scripts.Sums()), "\n")
	if len(lines) != 3 || lines[2] != "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  train.py" {
		t.Errorf("sums are %q", lines)
	}
	for _, other := range []Scripts{{{"train.py", "b"}}, {{"train.p", "ya"}}, {{"train.py", "a"}, {"b.py", ""}}} {
		if (Scripts{{"train.py", "a"}}).Digest() == other.Digest() {
			t.Errorf("%v has the digest of other scripts", other)
		}
	}
}

func TestRefusedScripts(t *testing.T) {
	for want, folder := range map[string]fstest.MapFS{
		"no script found":                  {"tests/a.py": file("x")},
		"SHA256SUMS: the platform writes":  {"SHA256SUMS": file("x")},
		"DATASET_URI: the platform writes": {"DATASET_URI": file("x")},
		"model.bin: not UTF-8 text":        {"model.bin": file("\xff\xfe")},
		"a b.py: only letters":             {"a b.py": file("x")},
		"a..b.py: only letters":            {"a..b.py": file("x")},
		"a ConfigMap holds 983040":         {"big.txt": file(strings.Repeat("x", maxScriptBytes))},
		"total size: 983050 bytes":         {"a.txt": file(strings.Repeat("x", maxScriptBytes/2)), "b.txt": file(strings.Repeat("x", maxScriptBytes/2))},
		"put libraries into the image":     {"big.txt": file(strings.Repeat("x", 1<<20))},
		"a large tokenizer into a bucket":  {"tokenizer/tokenizer.json": file(strings.Repeat("x", 1<<20))},
		"put data into a bucket":           {"lib/model.bin": file("\xff"), "train.py": file("x")},
	} {
		if _, err := ReadScripts(folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func TestShippedScriptsAreAccepted(t *testing.T) {
	if _, err := ReadScripts(os.DirFS("../../scripts")); err != nil {
		t.Error(err)
	}
}
