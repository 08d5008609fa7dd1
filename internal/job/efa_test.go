package job

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The check runs as it would in a pod, with folders in place of /dev/infiniband.
func TestCheckEFA(t *testing.T) {
	tools := t.TempDir()
	devices := t.TempDir()
	for _, name := range []string{"uverbs0", "uverbs1", "rdma_cm"} {
		if err := os.WriteFile(filepath.Join(devices, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const opens, fails = `[ "$1 $2" = "-p efa" ]`, "exit 61"
	for _, c := range []struct {
		name    string
		folder  string
		devices int
		fiInfo  string // script; empty: none in the image
		want    int
	}{
		{"all devices", devices, 2, opens, 0},
		{"one missing", devices, 3, opens, ExitEFA},
		{"no device plugin", devices + "/none", 1, opens, ExitEFA},
		{"devices that do not open", devices, 2, fails, ExitEFA},
		{"image without libfabric", devices, 2, "", ExitEFA},
	} {
		t.Run(c.name, func(t *testing.T) {
			tool := filepath.Join(tools, "fi_info")
			if err := os.Remove(tool); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if c.fiInfo != "" {
				if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+c.fiInfo), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			command := checkEFACommand(c.folder, c.devices)
			process := exec.Command(command[0], command[1:]...)
			process.Env = []string{"PATH=" + tools + ":/usr/bin:/bin"}
			output, err := process.CombinedOutput()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := process.ProcessState.ExitCode(); got != c.want {
				t.Errorf("exit code %d, want %d: %s", got, c.want, output)
			}
		})
	}
}
