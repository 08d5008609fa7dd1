package job

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxScriptBytes limits paths and contents of all scripts together. A ConfigMap holds 1 MiB
// (https://kubernetes.io/docs/concepts/configuration/configmap/); 64 KiB of it are for keys, checksums and URIs.
const maxScriptBytes = 1<<20 - 64<<10

// SumsFile is the file that is committed last. It lists the SHA-256 digest of every other file, so it changes
// whenever one of them does, and the commit that wrote it has them all. `sha256sum -c SHA256SUMS` checks it.
const SumsFile = "SHA256SUMS"

// Environment variables that are only known after deployment. They are keys of the run's ConfigMap, and the
// container reads each by reference.
const (
	DatasetURI    = "DATASET_URI"     // Run.DatasetURI of the dataset bucket
	CheckpointURI = "CHECKPOINT_URI"  // Run.OutputURI of the checkpoint bucket
	ArtifactURI   = "ARTIFACT_URI"    // Run.OutputURI of the artifact bucket
	ResumeFromURI = "RESUME_FROM_URI" // Run.ResumeURI of the checkpoint bucket
	ScriptCommit  = "SCRIPT_COMMIT"   // hash of the Git commit that has the scripts; empty without a branch
)

// deployed lists the variables that come from the run's ConfigMap.
func deployed() []string {
	return []string{ScriptCommit, DatasetURI, CheckpointURI, ArtifactURI, ResumeFromURI}
}

// Script is one file that a pod runs.
type Script struct {
	Path    string // relative to the folder, with slashes
	Content string // UTF-8 text
}

// Key returns the script's key in a ConfigMap, where slashes are not allowed. No two scripts share one, because
// ReadScripts refuses a path with two dots in a row.
func (s Script) Key() string { return strings.ReplaceAll(s.Path, "/", "..") }

// Scripts are the files of a run, in the order of their paths.
type Scripts []Script

var scriptPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)

// ReadScripts reads the files of a folder and its subfolders, except hidden files, compiled Python and tests. The
// error lists every file that a ConfigMap or a branch cannot carry.
func ReadScripts(folder fs.FS) (Scripts, error) {
	var scripts Scripts
	var faults []error
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
		switch {
		case name == SumsFile || slices.Contains(deployed(), name):
			faults = append(faults, fmt.Errorf("%s: the platform writes a file or key of this name: rename yours", name))
		case !scriptPath.MatchString(name) || strings.Contains(name, ".."):
			faults = append(faults, fmt.Errorf("%s: only letters, digits, _, - and single dots are allowed in a path", name))
		case !utf8.Valid(content):
			faults = append(faults, fmt.Errorf("%s: not UTF-8 text: put data into a bucket and binaries into the image", name))
		}
		scripts = append(scripts, Script{name, string(content)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if size := scripts.size(); size > maxScriptBytes {
		faults = append(faults, fmt.Errorf(
			"total size: %d bytes, but a ConfigMap holds %d: put libraries into the image, and a large tokenizer into a bucket "+
				"(train.py --tokenizer)", size, maxScriptBytes))
	}
	if len(scripts) == 0 {
		faults = append(faults, errors.New("no script found"))
	}
	return scripts, errors.Join(faults...)
}

// skipped reports whether a run does not need a file or folder.
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

// Sums returns the content of SumsFile.
func (s Scripts) Sums() string {
	var sums strings.Builder
	for _, script := range slices.SortedFunc(slices.Values(s), func(a, b Script) int { return strings.Compare(a.Path, b.Path) }) {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(script.Content)), script.Path)
	}
	return sums.String()
}

// Digest returns one SHA-256 hash of all paths and contents, in hexadecimal digits.
func (s Scripts) Digest() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s.Sums()))) }
