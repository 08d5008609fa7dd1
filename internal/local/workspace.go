// Package local runs a Pulumi program with the real engine against nothing real: a throwaway backend, no
// plugin (but those that Options name), no network, and an environment from which nothing of the user's reaches
// the engine.
package local

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

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"llm-platform/internal/stackfile"
)

// Options say what to run.
type Options struct {
	Project string            // the folder with Pulumi.yaml
	Program string            // the built program (see BuildProgram)
	Stack   string            // the stack whose Pulumi.<stack>.yaml there is used
	Tools   Tools             // see FindTools
	Env     map[string]string // added to the engine's and the program's environment
	Plugins string            // folder of downloaded provider plugins; empty: none but those that Env brings
	Out     io.Writer         // what the CLI prints; nil for nowhere
	Color   bool              // print colors
	Diff    bool              // print the properties that change
}

// Workspace is a copy of a project with one stack, in a temporary folder.
type Workspace struct {
	Notes []string // what differs from the project's own files, for the user to know

	options Options
	folder  string
	stack   auto.Stack
}

// Open copies the project's settings and makes the stack. Close it after use.
func Open(ctx context.Context, options Options) (*Workspace, error) {
	if options.Out == nil {
		options.Out = io.Discard
	}
	if err := CheckStack(options.Project, options.Stack); err != nil {
		return nil, err
	}
	settings, err := os.ReadFile(filepath.Join(options.Project, "Pulumi."+options.Stack+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("stack %q: %w", options.Stack, err)
	}
	stack, err := readStackFile(settings)
	if err != nil {
		return nil, fmt.Errorf("file Pulumi.%s.yaml: %w", options.Stack, err)
	}
	definition, err := os.ReadFile(filepath.Join(options.Project, "Pulumi.yaml"))
	if err != nil {
		return nil, fmt.Errorf("project: %w", err)
	}
	project, err := throwawayProject(definition, options.Project, options.Program)
	if err != nil {
		return nil, fmt.Errorf("file Pulumi.yaml: %w", err)
	}
	folder, err := os.MkdirTemp("", "llm-platform-")
	if err != nil {
		return nil, err
	}
	w := &Workspace{options: options, folder: folder}
	if len(stack.secrets) > 0 {
		w.Notes = append(w.Notes, fmt.Sprintf("the secrets of Pulumi.%s.yaml cannot be read without its owner's key; each is %q here: %s",
			options.Stack, placeholder, strings.Join(stack.secrets, ", ")))
	}
	if err := w.create(ctx, project, stack); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Workspace) create(ctx context.Context, project map[string]any, stack stackFile) error {
	for _, name := range []string{"project", "state", "home"} {
		if err := os.Mkdir(filepath.Join(w.folder, name), 0o700); err != nil {
			return err
		}
	}
	if w.options.Plugins != "" {
		home := filepath.Join(w.folder, "home", ".pulumi")
		if err := os.Mkdir(home, 0o700); err != nil {
			return err
		}
		if err := os.Symlink(w.options.Plugins, filepath.Join(home, "plugins")); err != nil {
			return err
		}
	}
	if err := writeYAML(filepath.Join(w.folder, "project", "Pulumi.yaml"), project); err != nil {
		return err
	}
	if err := writeYAML(w.settings(), stack.content); err != nil {
		return err
	}
	env, err := w.environment(ctx)
	if err != nil {
		return err
	}
	workspace, err := auto.NewLocalWorkspace(ctx,
		auto.WorkDir(filepath.Join(w.folder, "project")),
		auto.PulumiHome(filepath.Join(w.folder, "home", ".pulumi")),
		auto.Pulumi(command{path: w.options.Tools.Pulumi, version: w.options.Tools.Version, env: env}))
	if err != nil {
		return err
	}
	if w.stack, err = auto.NewStack(ctx, w.options.Stack, workspace); err != nil {
		return err
	}
	secrets := auto.ConfigMap{}
	for _, path := range stack.secrets {
		secrets[path] = auto.ConfigValue{Value: placeholder, Secret: true}
	}
	if len(secrets) == 0 {
		return nil
	}
	return w.stack.SetAllConfigWithOptions(ctx, secrets, &auto.ConfigOptions{Path: true})
}

// Close removes the workspace, state and all.
func (w *Workspace) Close() error { return os.RemoveAll(w.folder) }

// settings is the stack file of the copy.
func (w *Workspace) settings() string {
	return filepath.Join(w.folder, "project", "Pulumi."+w.options.Stack+".yaml")
}

// Set gives a configuration path, as "llm-platform:storage.logDays", a value of any YAML shape from the next
// run on; nil takes it away.
func (w *Workspace) Set(path string, value any) error {
	content, err := readYAML(w.settings())
	if err != nil {
		return fmt.Errorf("stack settings: %w", err)
	}
	config, _ := content["config"].(map[string]any)
	if config == nil {
		config = map[string]any{}
	}
	stackfile.Set(config, path, value)
	content["config"] = config
	return writeYAML(w.settings(), content)
}

// SetSecret gives a configuration path a secret value, as `pulumi config set --secret --path` does.
func (w *Workspace) SetSecret(ctx context.Context, path, value string) error {
	return w.stack.SetConfigWithOptions(ctx, path, auto.ConfigValue{Value: value, Secret: true}, &auto.ConfigOptions{Path: true})
}

// Tee has what the CLI prints from now on written to out too.
func (w *Workspace) Tee(out io.Writer) { w.options.Out = io.MultiWriter(w.options.Out, out) }

// Stack is the Automation API's view of the stack, for what Run does not cover: the
// lock that a killed engine leaves, the state's import. Its Export decrypts secrets.
func (w *Workspace) Stack() auto.Stack { return w.stack }

// State is the stack's state file as it lies on disk, secrets encrypted.
func (w *Workspace) State() ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(w.folder, "state", ".pulumi", "stacks", "*", w.options.Stack+".json"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("state of %s: %d files (%v)", w.options.Stack, len(files), err)
	}
	return os.ReadFile(files[0])
}

// environment is all that the engine gets. The user's variables stay outside: with AWS_*, KUBECONFIG, GITHUB_*
// or PULUMI_* a run could reach their accounts. HOME is empty for the same reason; the Go caches, which lie
// there, are named.
func (w *Workspace) environment(ctx context.Context) ([]string, error) {
	home := filepath.Join(w.folder, "home")
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		// Without metadata: the backend writes that beside each file, not at once, and an engine killed meanwhile
		// leaves half a file, for which the whole state is refused ("failed to load checkpoint: EOF").
		"PULUMI_BACKEND_URL=file://" + filepath.ToSlash(filepath.Join(w.folder, "state")) + "?metadata=skip",
		"PULUMI_CONFIG_PASSPHRASE=throwaway",
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
		"GOFLAGS=" + goFlags(),
	}
	if w.options.Tools.pinned {
		// Not a language host that happens to be on PATH, but the one that was built with this CLI.
		env = append(env, "PULUMI_IGNORE_AMBIENT_PLUGINS=true", programVariable+"="+w.options.Program)
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
	for name, value := range w.options.Env {
		env = append(env, name+"="+value)
	}
	return env, nil
}

// command is the CLI with an environment of its own; the Automation API's own command hands down the caller's.
type command struct {
	path    string
	version semver.Version
	env     []string
}

// Version implements auto.PulumiCommand.
func (c command) Version() semver.Version { return c.version }

// Run implements auto.PulumiCommand. Cancelling ctx kills the CLI as SIGKILL does.
func (c command) Run(ctx context.Context, folder string, stdin io.Reader, out, errs []io.Writer, env []string, args ...string) (string, string, int, error) {
	cmd := exec.CommandContext(ctx, c.path, append([]string{"--non-interactive"}, args...)...)
	cmd.Dir = folder
	cmd.Env = append(append(append([]string{}, c.env...), env...), "PULUMI_AUTOMATION_API=true")
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout = io.MultiWriter(append(out, &stdout)...)
	cmd.Stderr = io.MultiWriter(append(errs, &stderr)...)
	cmd.WaitDelay = 5 * time.Second // for what a killed CLI leaves behind
	err := cmd.Run()
	code := -1
	if cmd.ProcessState != nil {
		code = cmd.ProcessState.ExitCode()
	}
	return stdout.String(), stderr.String(), code, err
}
