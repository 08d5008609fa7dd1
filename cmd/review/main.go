// Command review reads the output of `pulumi preview --json`, from a file or its standard input, and writes a review in
// Markdown, the gravest changes first:
//
//	pulumi preview --json | go run ./cmd/review
//
// It exits with 2 if a resource that holds data would be deleted or replaced, and with 1 if the preview failed or cannot be
// read. Flags: -steps FILE also writes the steps of the preview, without values of properties. -same FILE compares with the
// steps of another preview instead, and -unchanged with no steps: both list what differs and then exit with 2.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"llm-platform/internal/report"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes.
const (
	fine    = 0
	bad     = 1 // input, or a preview that failed
	refused = 2 // data would be lost, or the steps differ
)

func run(args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("review", flag.ContinueOnError)
	flags.SetOutput(errs)
	steps := flags.String("steps", "", "write the steps to `FILE`")
	same := flags.String("same", "", "compare with the steps in `FILE`")
	unchanged := flags.Bool("unchanged", false, "list what would change")
	if err := flags.Parse(args); err != nil {
		return bad
	}
	code, err := review(flags.Args(), *steps, *same, *unchanged, in, out)
	if err != nil {
		fmt.Fprintln(errs, "review:", err)
		return bad
	}
	return code
}

func review(files []string, steps, same string, unchanged bool, in io.Reader, out io.Writer) (int, error) {
	if len(files) > 1 {
		return bad, fmt.Errorf("takes one file, got %d", len(files))
	}
	p, err := read(files, in)
	if err != nil {
		return bad, err
	}
	if steps != "" {
		if err := write(steps, p); err != nil {
			return bad, err
		}
	}
	if same != "" || unchanged {
		return compare(p, same, out)
	}
	if _, err := io.WriteString(out, p.Markdown()); err != nil {
		return bad, err
	}
	switch {
	case len(p.Errors()) > 0:
		return bad, errors.New("the preview failed")
	case len(p.Lost()) > 0:
		return refused, nil
	}
	return fine, nil
}

// compare lists how a preview differs from the one in a file; without a file, from one without steps.
func compare(p report.Preview, file string, out io.Writer) (int, error) {
	if failed := p.Errors(); len(failed) > 0 {
		return bad, fmt.Errorf("the preview failed: %s", strings.Join(failed, "; "))
	}
	var reviewed report.Preview
	if file != "" {
		var err error
		if reviewed, err = read([]string{file}, nil); err != nil {
			return bad, err
		}
		if failed := reviewed.Errors(); len(failed) > 0 {
			return bad, fmt.Errorf("%s: the preview failed: %s", file, strings.Join(failed, "; "))
		}
	}
	differences := report.Differences(reviewed, p)
	for _, line := range differences {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return bad, err
		}
	}
	if len(differences) > 0 {
		return refused, nil
	}
	return fine, nil
}

func read(files []string, in io.Reader) (report.Preview, error) {
	if len(files) == 0 {
		return report.Read(in)
	}
	file, err := os.Open(files[0])
	if err != nil {
		return report.Preview{}, err
	}
	defer file.Close()
	p, err := report.Read(file)
	if err != nil {
		return report.Preview{}, fmt.Errorf("%s: %w", files[0], err)
	}
	return p, nil
}

func write(file string, p report.Preview) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
