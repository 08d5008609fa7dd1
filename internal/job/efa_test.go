package job

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
		locked  int    // KiB that the container may lock
		want    int
	}{
		{"all devices", devices, 2, opens, 64, 0},
		{"one missing", devices, 3, opens, 64, ExitEFA},
		{"no device plugin", devices + "/none", 1, opens, 64, ExitEFA},
		{"devices that do not open", devices, 2, fails, 64, ExitEFA},
		{"image without libfabric", devices, 2, "", 64, ExitEFA},
		{"little locked memory", devices, 2, opens, 32, ExitEFA},
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
			limited := []string{"sh", "-c", `ulimit -l "$1"; shift; exec "$@"`, "limited", strconv.Itoa(c.locked)}
			command := append(limited, checkEFACommand(c.folder, c.devices, 64)...)
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

// The check that a pod runs asks for more than the 8 MiB that containers get by default, and for no more than nodepool
// allows, 1 PiB.
func TestCheckEFAAsksForLockedMemory(t *testing.T) {
	command := full(t).Job().Spec.Template.Spec.InitContainers[0].Command
	if kib, err := strconv.Atoi(command[len(command)-1]); err != nil || kib <= 8<<10 || kib > 1<<40 {
		t.Errorf("asks for %d KiB: %v", kib, err)
	}
}
