package run

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"
)

// MaxScriptBytes is how much all scripts may have together: a ConfigMap takes 1 MiB
// (https://kubernetes.io/docs/concepts/configuration/configmap/), and their paths
// and their checksums are in it too.
const MaxScriptBytes = 1<<20 - 64<<10

// SumsFile is the last file that is delivered. It lists the digest of every other,
// so it changes with each of them, and the commit that wrote it has them all.
// `sha256sum -c SHA256SUMS` checks it.
const SumsFile = "SHA256SUMS"

// Script is one file.
type Script struct {
	Path    string // within the folder, with slashes
	Content string // text, UTF-8
}

// Key is the script's key in a ConfigMap, which may not have a slash.
func (s Script) Key() string { return strings.ReplaceAll(s.Path, "/", "..") }

// Scripts is the files of a run, by path.
type Scripts []Script

var scriptPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)

// ReadScripts reads the files of a folder and of those in it, but not what is hidden,
// compiled or a test. Its error names every file that cannot be delivered.
func ReadScripts(folder fs.FS) (Scripts, error) {
	var scripts Scripts
	var faults []error
	keys := map[string]string{}
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && skipped(entry):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		script := Script{name, string(content)}
		switch other, taken := keys[script.Key()]; {
		case name == SumsFile:
			faults = append(faults, fmt.Errorf("%s: is written by the platform: remove it", name))
		case !scriptPath.MatchString(name) || strings.Contains(name, ".."):
			faults = append(faults, fmt.Errorf("%s: use letters, digits, and single dots, hyphens and underscores in its name", name))
		case taken:
			faults = append(faults, fmt.Errorf("%s: would be one with %s in a ConfigMap: rename one", name, other))
		case !utf8.Valid(content):
			faults = append(faults, fmt.Errorf("%s: is no text: put data into a bucket and binaries into the image", name))
		}
		keys[script.Key()] = name
		scripts = append(scripts, script)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if size := scripts.size(); size > MaxScriptBytes {
		faults = append(faults, fmt.Errorf("%d bytes in all, more than the %d that a ConfigMap takes: put libraries into the image", size, MaxScriptBytes))
	}
	if len(scripts) == 0 {
		faults = append(faults, errors.New("no file"))
	}
	return scripts, errors.Join(faults...)
}

// skipped says whether a file or folder is none that a run needs.
func skipped(entry fs.DirEntry) bool {
	name := entry.Name()
	if strings.HasPrefix(name, ".") || name == "__pycache__" {
		return true
	}
	if entry.IsDir() {
		return name == "test" || name == "tests"
	}
	base := strings.TrimSuffix(name, path.Ext(name))
	return path.Ext(name) == ".pyc" || name == "conftest.py" || strings.HasPrefix(base, "test_") || strings.HasSuffix(base, "_test")
}

func (s Scripts) size() int {
	total := 0
	for _, script := range s {
		total += len(script.Path) + len(script.Content)
	}
	return total
}

// Sums is the content of SumsFile.
func (s Scripts) Sums() string {
	lines := make([]string, 0, len(s))
	for _, script := range s {
		sum := sha256.Sum256([]byte(script.Content))
		lines = append(lines, fmt.Sprintf("%s  %s\n", hex.EncodeToString(sum[:]), script.Path))
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i][64:] < lines[j][64:] })
	return strings.Join(lines, "")
}

// Digest is one hash of all paths and contents, in hexadecimal digits.
func (s Scripts) Digest() string {
	sum := sha256.Sum256([]byte(s.Sums()))
	return hex.EncodeToString(sum[:])
}
