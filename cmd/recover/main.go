// Command recover helps after an update whose engine was killed. It reads what `pulumi stack export` prints and
// writes the file with which `pulumi import` takes up what was being created:
//
//	pulumi stack export | go run ./cmd/recover > import.json
//
// README.md has the whole sequence.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"llm-platform/internal/recovery"
)

func main() {
	if err := run(os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "recover:", err)
		os.Exit(1)
	}
}

func run(export io.Reader, out, notes io.Writer) error {
	text, err := io.ReadAll(export)
	if err != nil {
		return err
	}
	file, err := recovery.Pending(text)
	if err != nil {
		return err
	}
	if len(file.Resources) == 0 {
		fmt.Fprintln(notes, "recover: no create is pending; `pulumi refresh` does the rest")
	}
	for _, r := range file.Resources {
		name := ""
		if r.Called != "" {
			name = ", called " + r.Called
		}
		fmt.Fprintf(notes, "recover: %s (%s%s): if it is there, give its id in the file (now %q); if not, strike it\n", r.Name, r.Type, name, r.ID)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(file)
}
