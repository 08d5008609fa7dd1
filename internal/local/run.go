package local

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Verbs are what Run can do.
func Verbs() []string { return []string{"preview", "up", "refresh", "destroy"} }

// Result is what the engine told of one run.
type Result struct {
	Changes     []Change // one for each step, in the order they began
	Diagnostics []apitype.DiagnosticEvent
	Outputs     map[string]any // of the stack; secrets are hidden
}

// Change is a step on one resource.
type Change struct {
	// StepEventMetadata is the engine's account: operation, type, URN, the differing properties, and the
	// resource's id, provider, protection, inputs and outputs before and after. The operation of a refresh is
	// what it found: "same", "update" or "delete".
	apitype.StepEventMetadata
	Failed bool
}

// Name is the resource's logical name.
func (c Change) Name() string { return resource.URN(c.URN).Name() }

// String is like "create aws:s3/bucketV2:BucketV2 dataset".
func (c Change) String() string { return fmt.Sprintf("%s %s %s", c.Op, c.Type, c.Name()) }

// Changed are the steps that are more than "same" or the like: all that a reviewer would ask about. The
// stack itself, which is created with the first resource, is left out.
func (r Result) Changed() []Change {
	return slices.DeleteFunc(slices.Clone(r.Changes), func(c Change) bool {
		return c.Op == apitype.OpSame || c.Op == apitype.OpRefresh || c.Type == string(resource.RootStackType)
	})
}

// Errors are the messages of the diagnostics of severity error.
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

// Failed is the error of a run that the engine ended with one. What it says has been printed on Options.Out.
type Failed struct {
	Verb   string
	Result Result
	err    error
}

func (f *Failed) Error() string {
	if messages := f.Result.Errors(); len(messages) > 0 {
		return f.Verb + ": " + strings.Join(messages, "; ")
	}
	return f.Verb + ": " + f.err.Error()
}

func (f *Failed) Unwrap() error { return f.err }

// Run runs preview, up, refresh or destroy. If the engine ends with an error, that is a *Failed; the result
// holds what was told until then.
func (w *Workspace) Run(ctx context.Context, verb string) (Result, error) {
	stream := make(chan events.EngineEvent)
	var result Result
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		steps := map[string]int{} // operation and URN -> index into result.Changes
		for e := range stream {
			result.add(e, steps)
		}
	}()
	err := w.run(ctx, verb, stream)
	patience := 5 * time.Second
	if ctx.Err() != nil {
		patience = 100 * time.Millisecond
	}
	select {
	case <-collected:
	case <-time.After(patience): // the CLI ended before it sent events, or was killed, and nobody closes the stream
		close(stream)
		<-collected
	}
	if err != nil {
		return result, &Failed{verb, result, err}
	}
	return result, nil
}

func (w *Workspace) run(ctx context.Context, verb string, stream chan<- events.EngineEvent) (err error) {
	color := "never"
	if w.options.Color {
		color = "always"
	}
	out := []io.Writer{w.options.Out}
	switch verb {
	case "preview":
		options := []optpreview.Option{optpreview.EventStreams(stream), optpreview.ProgressStreams(out...), optpreview.ErrorProgressStreams(out...), optpreview.Color(color)}
		if w.options.Diff {
			options = append(options, optpreview.Diff())
		}
		_, err = w.stack.Preview(ctx, options...)
	case "up":
		options := []optup.Option{optup.EventStreams(stream), optup.ProgressStreams(out...), optup.ErrorProgressStreams(out...), optup.Color(color)}
		if w.options.Diff {
			options = append(options, optup.Diff())
		}
		_, err = w.stack.Up(ctx, options...)
	case "refresh":
		_, err = w.stack.Refresh(ctx, optrefresh.EventStreams(stream), optrefresh.ProgressStreams(out...), optrefresh.ErrorProgressStreams(out...), optrefresh.Color(color))
	case "destroy":
		// As the CLI does by hand, and the Automation API does not: a preview first. A protected resource then
		// refuses the whole destroy; without, what comes before it in the order would be gone by then.
		if _, err = w.stack.PreviewDestroy(ctx, optdestroy.ProgressStreams(out...), optdestroy.ErrorProgressStreams(out...), optdestroy.Color(color)); err != nil {
			return err
		}
		_, err = w.stack.Destroy(ctx, optdestroy.EventStreams(stream), optdestroy.ProgressStreams(out...), optdestroy.ErrorProgressStreams(out...), optdestroy.Color(color))
	default:
		err = fmt.Errorf("no verb %q; there is: %s", verb, strings.Join(Verbs(), ", "))
	}
	return err
}

func (r *Result) add(e events.EngineEvent, steps map[string]int) {
	switch {
	case e.ResourcePreEvent != nil:
		m := e.ResourcePreEvent.Metadata
		steps[string(m.Op)+m.URN] = len(r.Changes)
		r.Changes = append(r.Changes, Change{StepEventMetadata: m})
	case e.ResOutputsEvent != nil:
		m := e.ResOutputsEvent.Metadata
		i, ok := steps[string(m.Op)+m.URN]
		if !ok { // a refresh begins as one, and ends as what it found
			if i, ok = steps[string(apitype.OpRefresh)+m.URN]; !ok {
				return
			}
		}
		r.Changes[i].StepEventMetadata = m
		if m.Type == string(resource.RootStackType) && m.New != nil && len(m.New.Outputs) > 0 {
			r.Outputs = m.New.Outputs
		}
	case e.ResOpFailedEvent != nil:
		m := e.ResOpFailedEvent.Metadata
		if i, ok := steps[string(m.Op)+m.URN]; ok {
			r.Changes[i].Failed = true
		}
	case e.DiagnosticEvent != nil:
		r.Diagnostics = append(r.Diagnostics, *e.DiagnosticEvent)
	}
}
