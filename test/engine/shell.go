package engine

import "path/filepath"

// Folder returns the folder of the copied project, in which the CLI runs.
func (s *Stack) Folder() string { return filepath.Join(s.folder, "project") }

// Environ returns the environment of the CLI, for a shell that runs pulumi as a user does, but is not asked to confirm. HOME is
// an empty folder.
func (s *Stack) Environ() []string {
	return append(s.env[:len(s.env):len(s.env)], "PULUMI_SKIP_CONFIRMATIONS=true")
}
