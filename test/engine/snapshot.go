package engine

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"llm-platform/internal/stackfile"
)

// Snapshot is a stack at rest: the content of its settings and its state, by path in the workspace.
type Snapshot map[string]string

// Snapshot returns the stack as it is, to open copies of it with Options.From. It excludes the history of updates.
func (s *Stack) Snapshot() (Snapshot, error) {
	snapshot := Snapshot{}
	add := func(path string) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(s.folder, path)
		snapshot[filepath.ToSlash(name)] = string(content)
		return err
	}
	if err := add(s.settingsFile()); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	backend := filepath.Join(s.folder, "state", ".pulumi")
	err := filepath.WalkDir(backend, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && filepath.Dir(path) == backend && entry.Name() != "stacks":
			return fs.SkipDir // backups, history, locks
		case entry.IsDir() || strings.HasSuffix(path, ".bak") || strings.HasSuffix(path, ".attrs"):
			return nil
		}
		return add(path)
	})
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return snapshot, nil
}

// restore writes a snapshot into a workspace that has no stack yet.
func (s *Stack) restore(snapshot Snapshot) error {
	for name, content := range snapshot {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("snapshot: %s is outside of the workspace", name)
		}
		path := filepath.Join(s.folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Edit replaces the stack's settings by those of a file, from the next run on. Its secrets become placeholders, and so
// do the ranges for examples if an update has filled them in before.
func (s *Stack) Edit(ctx context.Context, file string) error {
	settings, secrets, err := throwawaySettings(file)
	if err != nil {
		return err
	}
	var present map[string]any
	if err := stackfile.Read(s.settingsFile(), &present); err != nil {
		return fmt.Errorf("stack settings: %w", err)
	}
	if salt, ok := present["encryptionsalt"]; ok {
		settings["encryptionsalt"] = salt
	}
	if s.filled {
		fillIn(settings)
	}
	if err := stackfile.Write(s.settingsFile(), settings); err != nil {
		return err
	}
	return s.setSecrets(ctx, secrets)
}
