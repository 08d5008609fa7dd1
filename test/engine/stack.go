// Package engine runs a Pulumi program with the Pulumi CLI in a throwaway workspace: a local backend, no provider
// plugins but those that Options name, no network, and an environment that keeps the user's credentials and
// configuration away from the engine.
//
// It calls the CLI itself rather than the Automation API, which adds three calls (outputs, outputs with secrets,
// history) to every update, each of which derives the passphrase's key again.
package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"llm-platform/internal/stackfile"
)

// Options say what to run.
type Options struct {
	Project string            // folder of Pulumi.yaml
	Stack   string            // the stack whose Pulumi.<stack>.yaml is used
	Tools   Tools             // see Build
	Env     map[string]string // added to the environment of the engine and the program
	Plugins string            // folder of downloaded provider plugins; empty: none but those that Env names
	Save    bool              // save the state after each step, not only after each run: for an engine that may be killed
	Out     io.Writer         // receives what the CLI prints; nil discards it
	Color   bool              // print colors
	Diff    bool              // print the properties that change

	Placeholders bool // leave the placeholders of the stack's file in place for an update, which refuses them

	From Snapshot // opens the stack as it was then, instead of a new one; nil: a new one
}

// Stack is a copy of a project with one stack, in a temporary folder.
type Stack struct {
	Notes []string // how the copy differs from the project's own files, for the user

	options Options
	folder  string
	env     []string
	filled  bool // an update has filled in placeholders
}

// Open copies the project's settings and creates the stack. Close it after use.
func Open(ctx context.Context, options Options) (*Stack, error) {
	if options.Out == nil {
		options.Out = io.Discard
	}
	if err := CheckStack(options.Project, options.Stack); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "llm-platform-")
	if err != nil {
		return nil, err
	}
	s := &Stack{options: options, folder: folder}
	if err := s.create(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stack) create(ctx context.Context) error {
	for _, name := range []string{"project", "state", "home/.pulumi"} {
		if err := os.MkdirAll(filepath.Join(s.folder, name), 0o700); err != nil {
			return err
		}
	}
	if s.options.Plugins != "" {
		if err := os.Symlink(s.options.Plugins, filepath.Join(s.folder, "home", ".pulumi", "plugins")); err != nil {
			return err
		}
	}
	project, err := throwawayProject(s.options.Project, s.options.Tools.Program)
	if err != nil {
		return err
	}
	if err := stackfile.Write(filepath.Join(s.folder, "project", "Pulumi.yaml"), project); err != nil {
		return err
	}
	if s.env, err = s.environment(ctx); err != nil {
		return err
	}
	if s.options.From != nil {
		return s.restore(s.options.From)
	}
	settings, secrets, err := throwawaySettings(filepath.Join(s.options.Project, "Pulumi."+s.options.Stack+".yaml"))
	if err != nil {
		return err
	}
	if err := stackfile.Write(s.settingsFile(), settings); err != nil {
		return err
	}
	if _, err := s.CLI(ctx, "stack", "init", s.options.Stack); err != nil {
		return err
	}
	return s.setSecrets(ctx, secrets)
}

// setSecrets sets the paths of secrets to placeholders, and notes which.
func (s *Stack) setSecrets(ctx context.Context, secrets []string) error {
	if len(secrets) == 0 {
		return nil
	}
	s.Notes = append(s.Notes, fmt.Sprintf("the secrets of Pulumi.%s.yaml can only be decrypted with its owner's key; here they are placeholders: %s",
		s.options.Stack, strings.Join(secrets, ", ")))
	args := []string{"config", "set-all", "--path"}
	for _, path := range secrets {
		args = append(args, "--secret", path+"="+placeholderFor(path))
	}
	_, err := s.CLI(ctx, args...)
	return err
}

// fillPlaceholders replaces what an update refuses in the stack's settings, and says so.
func (s *Stack) fillPlaceholders() error {
	var content map[string]any
	if err := stackfile.Read(s.settingsFile(), &content); err != nil {
		return fmt.Errorf("stack settings: %w", err)
	}
	if !fillIn(content) {
		return nil
	}
	s.filled = true
	if s.options.Out != nil {
		fmt.Fprintln(s.options.Out, "cluster.publicCidrs has a placeholder, which an update refuses; here it is "+publicRange)
	}
	return stackfile.Write(s.settingsFile(), content)
}

// Close removes the workspace with its state.
func (s *Stack) Close() error { return os.RemoveAll(s.folder) }

// settingsFile returns the path of the copy's Pulumi.<stack>.yaml.
func (s *Stack) settingsFile() string {
	return filepath.Join(s.folder, "project", "Pulumi."+s.options.Stack+".yaml")
}

// Set sets a configuration path, for example `llm-platform:storage.logDays`, to a value of any YAML type from the
// next run on; nil removes it.
func (s *Stack) Set(path string, value any) error {
	var content map[string]any
	if err := stackfile.Read(s.settingsFile(), &content); err != nil {
		return fmt.Errorf("stack settings: %w", err)
	}
	config, _ := content["config"].(map[string]any)
	if config == nil {
		config = map[string]any{}
	}
	stackfile.Set(config, path, value)
	content["config"] = config
	return stackfile.Write(s.settingsFile(), content)
}

// SetSecret sets a configuration path to a secret value, as `pulumi config set --secret --path` does.
func (s *Stack) SetSecret(ctx context.Context, path, value string) error {
	_, err := s.CLI(ctx, "config", "set", "--path", "--secret", "--", path, value)
	return err
}

// Tee copies what the CLI prints from now on to out too.
func (s *Stack) Tee(out io.Writer) { s.options.Out = io.MultiWriter(s.options.Out, out) }

// State returns the content of the stack's state file, in which secrets are encrypted.
func (s *Stack) State() ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(s.folder, "state", ".pulumi", "stacks", "*", s.options.Stack+".json"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("state of %s: %d files (%v)", s.options.Stack, len(files), err)
	}
	return os.ReadFile(files[0])
}

// environment returns all variables that the engine gets. The user's own stay out: with AWS_*, KUBECONFIG, GITHUB_*
// or PULUMI_* a run could reach their accounts. HOME is an empty folder for the same reason, so the Go caches below
// the user's HOME are named.
func (s *Stack) environment(ctx context.Context) ([]string, error) {
	path := os.Getenv("PATH")
	if s.options.Tools.pinned { // the CLI's own language host is found first; an older one there links the program in every run
		path = filepath.Dir(s.options.Tools.Pulumi) + string(os.PathListSeparator) + path
	}
	env := []string{
		"PATH=" + path,
		"HOME=" + filepath.Join(s.folder, "home"),
		// Without metadata: the backend writes it beside each file, later, and an engine that is killed in between
		// leaves half a file, for which the whole state is refused ("failed to load checkpoint: EOF").
		"PULUMI_BACKEND_URL=file://" + filepath.ToSlash(filepath.Join(s.folder, "state")) + "?metadata=skip",
		"PULUMI_STACK=" + s.options.Stack, // of a snapshot, none is selected
		"PULUMI_CONFIG_PASSPHRASE=throwaway",
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
		"PULUMI_DEBUG_COMMANDS=true", // allows --event-log
		"GOFLAGS=" + goFlags(),
	}
	if !s.options.Save {
		env = append(env, "PULUMI_SKIP_CHECKPOINTS=true") // more than half the time of a first update
	}
	if s.options.Tools.pinned {
		// Not a language host that happens to be on PATH, but the one that was built with this CLI.
		env = append(env, "PULUMI_IGNORE_AMBIENT_PLUGINS=true")
	}
	caches := []string{"GOENV", "GOPATH", "GOCACHE", "GOMODCACHE"}
	answer, err := exec.CommandContext(ctx, "go", append([]string{"env"}, caches...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	for i, value := range strings.Split(strings.TrimSuffix(string(answer), "\n"), "\n") {
		env = append(env, caches[i]+"="+value)
	}
	for _, name := range []string{"TMPDIR", "LANG", "TERM", "GOROOT", "GOPROXY", "GONOSUMDB", "GOSUMDB", "GOTOOLCHAIN"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range s.options.Env {
		env = append(env, name+"="+value)
	}
	return env, nil
}

// CLI runs a pulumi command in the workspace and returns its standard output, also with an error; `pulumi stack export`
// and the like, which Run does not cover. Cancelling ctx kills the CLI as SIGKILL does.
func (s *Stack) CLI(ctx context.Context, args ...string) (stdout string, err error) {
	cmd := exec.CommandContext(ctx, s.options.Tools.Pulumi, append([]string{"--non-interactive"}, args...)...)
	cmd.Dir = filepath.Join(s.folder, "project")
	cmd.Env = s.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Cancel = func() error { return killTree(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second // for what a killed CLI leaves behind
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("pulumi %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()+out.String()))
	}
	return out.String(), nil
}
