// Command local runs the program with the Pulumi engine against the simulator: a preview, or a stack's whole life,
// without an AWS account. `make preview` and `make up` call it; with other verbs, from the folder test:
//
//	go run ./cmd/local [-stack dev] [-diff] preview|up|refresh|destroy ...
//
// The verbs run in this order against one simulated cloud and one backend, which are deleted afterwards. Without a
// verb it builds what a verb needs. What the stack takes to exist exists beforehand: see engine.Assume.
//
// With -edited FILE the stack is up before the first verb, and the verbs run with FILE in place of its stack file, which
// shows what an edit does to a standing stack. Without a verb it is then a preview.
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
	switch err := run(context.Background(), *project, *stack, *edited, *diff, flags.Args()); {
	case errors.As(err, &failed):
		fmt.Fprintf(os.Stderr, "local: %s failed\n", failed.Verb) // the CLI has printed why
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, project, stack, edited string, diff bool, verbs []string) error {
	project, err := filepath.Abs(project)
	if err != nil {
		return err
	}
	if edited != "" {
		if _, err := os.Stat(edited); err != nil {
			return err
		}
		if len(verbs) == 0 {
			verbs = []string{"preview"}
		}
	}
	if err := engine.CheckStack(project, stack); err != nil { // before minutes of building
		return err
	}
	tools, err := engine.Build(ctx, project, os.Stderr)
	if err != nil || len(verbs) == 0 {
		return err
	}
	cloud := simcloud.New()
	settings, err := stackfile.Tree(project, stack)
	if err != nil {
		return err
	}
	if err := engine.Assume(cloud, settings); err != nil {
		return err
	}
	if edited != "" {
		content, err := stackfile.TreeOf(project, edited)
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
		Project: project, Stack: stack, Tools: tools, Env: cloud.Env(), Out: os.Stdout, Color: terminal, Diff: diff,
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	for _, note := range s.Notes {
		fmt.Fprintln(os.Stderr, "note:", note)
	}
	of := ""
	if edited != "" {
		if err := verb(ctx, s, "up", stack); err != nil {
			return err
		}
		if err := s.Edit(ctx, edited); err != nil {
			return err
		}
		of = " edited by " + edited
	}
	for _, name := range verbs {
		if err := verb(ctx, s, name, stack+of); err != nil {
			return err
		}
	}
	return nil
}

// verb runs a verb below a heading.
func verb(ctx context.Context, s *engine.Stack, name, stack string) error {
	fmt.Printf("== pulumi %s, stack %s, simulator\n", name, stack)
	_, err := s.Run(ctx, name)
	return err
}
