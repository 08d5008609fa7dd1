// Command recover helps after an update whose engine was killed. It reads the output of `pulumi stack export` and
// writes the file from which `pulumi import` takes over the resources that were being created:
//
//	pulumi stack export | go run ./cmd/recover > import.json
//
// docs/troubleshooting.md has the whole sequence of commands.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "recover:", err)
		os.Exit(1)
	}
}

func run(export io.Reader, out, notes io.Writer) error {
	pending, err := readPending(export)
	if err != nil {
		return err
	}
	file, err := importFile(pending)
	if err != nil {
		return err
	}
	if len(file.Resources) == 0 {
		fmt.Fprintln(notes, "recover: no create is pending; `pulumi refresh` is enough")
	}
	for i, r := range file.Resources {
		called := ""
		if name := physicalName(pending[i].Inputs); name != "" {
			called = ", named " + name
		}
		fmt.Fprintf(notes, "recover: %s (%s%s): if it exists, check its id in the file (%q); if not, remove it from the file\n", r.Name, r.Type, called, r.ID)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(file)
}
