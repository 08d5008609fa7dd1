// Command local runs the program with the real Pulumi engine against the simulated cloud: a preview, or a
// whole life, without an account.
//
//	go run ./cmd/local [-stack dev] [-diff] preview|up|refresh|destroy ...
//
// The verbs run in the order given, on one cloud and one backend, which are gone afterwards. Without a verb it
// builds what a verb would need. What exists in the cloud beforehand, as an organization to adopt, is in
// cmd/local/given/<stack>.yaml, if there is one (see simcloud.Load).
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

	"llm-platform/internal/local"
	"llm-platform/internal/simcloud"
)

func main() {
	stack := flag.String("stack", "dev", "the stack whose Pulumi.<stack>.yaml is used")
	project := flag.String("project", ".", "the folder with Pulumi.yaml and the Go program")
	given := flag.String("given", "", "what exists beforehand (default cmd/local/given/<stack>.yaml, if there)")
	diff := flag.Bool("diff", false, "print the properties that change")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: local [flags] %s ...\n", strings.Join(local.Verbs(), "|"))
		flag.PrintDefaults()
	}
	flag.Parse()
	// A terminal's Ctrl-C reaches the CLI too, which ends its run in good order; then this command ends.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	for _, verb := range flag.Args() {
		if !slices.Contains(local.Verbs(), verb) {
			fmt.Fprintf(os.Stderr, "local: no verb %q\n", verb)
			flag.Usage()
			os.Exit(2)
		}
	}
	if file := filepath.Join("cmd", "local", "given", *stack+".yaml"); *given == "" && exists(file) {
		*given = file
	}
	var failed *local.Failed
	switch err := run(context.Background(), *project, *stack, *given, *diff, flag.Args()); {
	case errors.As(err, &failed):
		fmt.Fprintf(os.Stderr, "local: %s failed\n", failed.Verb) // the CLI has said why
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, project, stack, given string, diff bool, verbs []string) error {
	project, err := filepath.Abs(project)
	if err != nil {
		return err
	}
	if err := local.CheckStack(project, stack); err != nil { // before minutes of building
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	tools, err := local.FindTools(ctx, root, os.Stderr)
	if err != nil {
		return err
	}
	program, err := local.ProgramPath(project)
	if err != nil {
		return err
	}
	if err := local.BuildProgram(ctx, project, program, os.Stderr); err != nil {
		return err
	}
	if len(verbs) == 0 {
		return nil
	}
	cloud := simcloud.New()
	if given != "" {
		if err := cloud.Load(given); err != nil {
			return fmt.Errorf("given: %w", err)
		}
	}
	stop, err := cloud.Start()
	if err != nil {
		return err
	}
	defer stop()
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	workspace, err := local.Open(ctx, local.Options{
		Project: project, Program: program, Stack: stack, Tools: tools, Env: cloud.Env(),
		Out: os.Stdout, Color: terminal, Diff: diff,
	})
	if err != nil {
		return err
	}
	defer func() { _ = workspace.Close() }()
	for _, note := range workspace.Notes {
		fmt.Fprintln(os.Stderr, "note:", note)
	}
	for _, verb := range verbs {
		fmt.Printf("== pulumi %s, stack %s, simulated cloud\n", verb, stack)
		if _, err := workspace.Run(ctx, verb); err != nil {
			return err
		}
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
