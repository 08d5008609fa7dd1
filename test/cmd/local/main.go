// Command local runs the program with the Pulumi engine against the simulator: a preview, or a stack's whole life,
// without an AWS account. `make preview` and `make up` call it; with other verbs, from the folder test:
//
//	go run ./cmd/local [-stack dev] [-diff] [-report FILE] preview|up|refresh|destroy ...
//
// The verbs run in this order against one simulated cloud and one backend, which are deleted afterwards. Without a
// verb it builds what a verb needs. What the stack takes to exist exists beforehand: see engine.Assume.
//
// With -edited FILE the stack is up before the first verb, and the verbs run with FILE in place of its stack file, which
// shows what an edit does to a standing stack. Without a verb it is then a preview. -from FILE is the other way round: the
// stack is up with FILE, and the verbs run with its own stack file.
//
// -report FILE writes what `pulumi preview --json` prints, after the verbs, for cmd/review. A preview that fails has a
// report too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/simcloud"
)

func main() {
	flags := flag.NewFlagSet("local", flag.ExitOnError) // without those that Pulumi's packages add to the default set
	stack := flags.String("stack", "dev", "stack whose Pulumi.<stack>.yaml is used")
	project := flags.String("project", "..", "folder of Pulumi.yaml and the program")
	edited := flags.String("edited", "", "stack file to use after the stack is up with its own")
	from := flags.String("from", "", "stack file with which the stack is up beforehand")
	report := flags.String("report", "", "file to write `pulumi preview --json` to, after the verbs")
	diff := flags.Bool("diff", false, "print the properties that change")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: local [flags] %s ...\n", strings.Join(engine.Verbs(), "|"))
		flags.PrintDefaults()
	}
	_ = flags.Parse(os.Args[1:]) // exits on an error
	// A terminal sends Ctrl-C to the CLI too, which ends its run in good order; then this command ends.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	for _, verb := range flags.Args() {
		if !slices.Contains(engine.Verbs(), verb) {
			fmt.Fprintf(os.Stderr, "local: unknown verb %q\n", verb)
			flags.Usage()
			os.Exit(2)
		}
	}
	var failed *engine.RunError
	switch err := run(context.Background(), options{*project, *stack, *from, *edited, *report, *diff, flags.Args()}); {
	case errors.As(err, &failed):
		fmt.Fprintf(os.Stderr, "local: %s failed\n", failed.Verb) // the CLI has printed why
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

type options struct {
	project, stack       string
	from, edited, report string // files, or ""
	diff                 bool
	verbs                []string
}

// files returns the stack files of the standing stack and of the verbs, or of the verbs only, first "".
func (o options) files() (standing, desired string, err error) {
	own := filepath.Join(o.project, "Pulumi."+o.stack+".yaml")
	switch {
	case o.from != "" && o.edited != "":
		return "", "", errors.New("-from and -edited exclude each other")
	case o.from != "":
		standing, desired = o.from, own
	case o.edited != "":
		standing, desired = own, o.edited
	default:
		return "", own, nil
	}
	_, err = os.Stat(o.from + o.edited)
	return standing, desired, err
}

func run(ctx context.Context, o options) error {
	project, err := filepath.Abs(o.project)
	if err != nil {
		return err
	}
	o.project = project
	standing, desired, err := o.files()
	if err != nil {
		return err
	}
	if o.edited != "" && len(o.verbs) == 0 {
		o.verbs = []string{"preview"}
	}
	if err := engine.CheckStack(project, o.stack); err != nil { // before minutes of building
		return err
	}
	tools, err := engine.Build(ctx, project, os.Stderr)
	if err != nil || len(o.verbs) == 0 && o.report == "" {
		return err
	}
	cloud := simcloud.New()
	settings, err := stackfile.Tree(project, o.stack)
	if err != nil {
		return err
	}
	if err := engine.Assume(cloud, settings); err != nil {
		return err
	}
	if standing != "" {
		content, err := stackfile.TreeOf(project, o.from+o.edited)
		if err != nil {
			return err
		}
		engine.AssumeObjects(cloud, content)
	}
	stop, err := cloud.Start()
	if err != nil {
		return err
	}
	defer stop()
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	s, err := engine.Open(ctx, engine.Options{
		Project: project, Stack: o.stack, Tools: tools, Env: cloud.Env(), Out: os.Stdout, Color: terminal, Diff: o.diff,
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	for _, note := range s.Notes {
		fmt.Fprintln(os.Stderr, "note:", note)
	}
	of := ""
	if standing != "" {
		if err := s.Edit(ctx, standing); err != nil {
			return err
		}
		if err := verb(ctx, s, "up", o.stack); err != nil {
			return err
		}
		if err := s.Edit(ctx, desired); err != nil {
			return err
		}
		of = " edited by " + desired
	}
	for _, name := range o.verbs {
		if err := verb(ctx, s, name, o.stack+of); err != nil {
			return err
		}
	}
	if o.report == "" {
		return nil
	}
	text, err := s.CLI(ctx, "preview", "--json")
	if text == "" {
		return err
	}
	return os.WriteFile(o.report, []byte(text), 0o600)
}

// verb runs a verb below a heading.
func verb(ctx context.Context, s *engine.Stack, name, stack string) error {
	fmt.Printf("== pulumi %s, stack %s, simulator\n", name, stack)
	_, err := s.Run(ctx, name)
	return err
}
