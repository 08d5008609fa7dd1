package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Verbs returns what Run can do.
func Verbs() []string { return []string{"preview", "up", "refresh", "destroy"} }

// arguments returns the CLI's arguments of a verb. A destroy previews first, as it does by hand: a protected resource
// then refuses the whole destroy; without, what precedes it in the order would already be deleted.
func arguments(verb string) []string {
	switch verb {
	case "up", "refresh":
		return []string{verb, "--yes", "--skip-preview"}
	case "destroy":
		return []string{verb, "--yes"}
	}
	return []string{verb}
}

// Result is what the engine reported of one run.
type Result struct {
	Steps       []Step // in the order in which they began
	Diagnostics []apitype.DiagnosticEvent
	Outputs     map[string]any // of the stack; secrets are hidden
}

// Step is one operation of a run on one resource.
type Step struct {
	// StepEventMetadata holds operation, type, URN, the differing properties, and the resource's id, provider,
	// protection, inputs and outputs before and after. The operation of a refresh is what it found: "same", "update"
	// or "delete".
	apitype.StepEventMetadata
	Failed bool
}

// Name returns the resource's logical name.
func (s Step) Name() string { return resource.URN(s.URN).Name() }

// String returns, for example, "create aws:s3/bucketV2:BucketV2 dataset".
func (s Step) String() string { return fmt.Sprintf("%s %s %s", s.Op, s.Type, s.Name()) }

// Changed returns the steps that change something, without the stack itself, which is created with the first resource.
func (r Result) Changed() []Step {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(s Step) bool {
		return s.Op == apitype.OpSame || s.Op == apitype.OpRefresh || s.Type == string(resource.RootStackType)
	})
}

// Changes returns Changed as sorted text, "operation type name".
func (r Result) Changes() []string {
	var all []string
	for _, s := range r.Changed() {
		all = append(all, s.String())
	}
	slices.Sort(all)
	return all
}

// Errors returns the messages of the diagnostics of severity error.
func (r Result) Errors() []string {
	var messages []string
	for _, d := range r.Diagnostics {
		if d.Severity == "error" {
			messages = append(messages, strings.TrimSpace(uncolored.Replace(d.Message)))
		}
	}
	return messages
}

// uncolored removes the color directives that the engine leaves in messages.
var uncolored = strings.NewReplacer("<{%reset%}>", "", "<{%fg 1%}>", "", "<{%fg 3%}>", "")

// RunError is returned for a run that failed. The CLI has printed the cause to Options.Out.
type RunError struct {
	Verb   string
	Result Result // what was reported until then
	err    error
}

func (e *RunError) Error() string {
	if messages := e.Result.Errors(); len(messages) > 0 {
		return e.Verb + ": " + strings.Join(messages, "; ")
	}
	return e.Verb + ": " + e.err.Error()
}

func (e *RunError) Unwrap() error { return e.err }

// Run runs preview, up, refresh or destroy. Cancelling ctx kills the CLI as SIGKILL does. If the engine ends with an
// error, it is a *RunError.
func (s *Stack) Run(ctx context.Context, verb string) (Result, error) {
	if !slices.Contains(Verbs(), verb) {
		return Result{}, fmt.Errorf("unknown verb %q: must be one of %s", verb, strings.Join(Verbs(), ", "))
	}
	if verb == "up" && !s.options.Placeholders {
		if err := s.fillPlaceholders(); err != nil {
			return Result{}, err
		}
	}
	events := filepath.Join(s.folder, "events")
	if err := os.Remove(events); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, err
	}
	color := "never"
	if s.options.Color {
		color = "always"
	}
	args := append(arguments(verb), "--non-interactive", "--event-log", events, "--color", color)
	if s.options.Diff {
		args = append(args, "--diff")
	}
	cmd := exec.CommandContext(ctx, s.options.Tools.Pulumi, args...)
	cmd.Dir, cmd.Env = filepath.Join(s.folder, "project"), s.env
	cmd.Stdout, cmd.Stderr = s.options.Out, s.options.Out
	cmd.Cancel = func() error { return killTree(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second // for what a killed CLI leaves behind
	runErr := cmd.Run()
	result, err := readEvents(events)
	switch {
	case runErr != nil:
		return result, &RunError{verb, result, runErr}
	case err != nil:
		return result, fmt.Errorf("%s: events: %w", verb, err)
	}
	return result, nil
}

// readEvents reads the CLI's event log, a line of JSON for each event. The last line of a CLI that was killed may be
// cut off, and one that ended early wrote none.
func readEvents(file string) (Result, error) {
	var result Result
	events, err := os.Open(file)
	if err != nil {
		return result, err
	}
	defer events.Close()
	steps := map[string]int{} // operation and URN -> index into result.Steps
	for decoder := json.NewDecoder(events); decoder.More(); {
		var event apitype.EngineEvent
		if err := decoder.Decode(&event); err != nil {
			return result, err
		}
		result.add(event, steps)
	}
	return result, nil
}

func (r *Result) add(e apitype.EngineEvent, steps map[string]int) {
	switch {
	case e.ResourcePreEvent != nil:
		m := e.ResourcePreEvent.Metadata
		steps[string(m.Op)+m.URN] = len(r.Steps)
		r.Steps = append(r.Steps, Step{StepEventMetadata: m})
	case e.ResOutputsEvent != nil:
		m := e.ResOutputsEvent.Metadata
		i, ok := steps[string(m.Op)+m.URN]
		if !ok { // a refresh begins as "refresh" and ends as what it found
			if i, ok = steps[string(apitype.OpRefresh)+m.URN]; !ok {
				return
			}
		}
		r.Steps[i].StepEventMetadata = m
		if m.Type == string(resource.RootStackType) && m.New != nil && len(m.New.Outputs) > 0 {
			r.Outputs = m.New.Outputs
		}
	case e.ResOpFailedEvent != nil:
		m := e.ResOpFailedEvent.Metadata
		if i, ok := steps[string(m.Op)+m.URN]; ok {
			r.Steps[i].Failed = true
		}
	case e.DiagnosticEvent != nil:
		r.Diagnostics = append(r.Diagnostics, *e.DiagnosticEvent)
	}
}
