package platform

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// A killed engine leaves no language host and no program behind.
func TestKilledEngineLeavesNoProcess(t *testing.T) {
	t.Parallel()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var folder string
	var once sync.Once
	before := 0
	_, s := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(simcloud.Call) error {
			once.Do(func() { before = len(processes(t, folder)); kill() })
			return nil
		}
	})
	folder = filepath.Dir(s.Folder())
	if _, err := s.Run(ctx, "up"); err == nil {
		t.Fatal("the engine was not killed; this test tests nothing")
	}
	if before < 3 {
		t.Fatalf("only %d processes before the kill: the CLI, its language host and the program should be there", before)
	}
	if left := processes(t, folder); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// processes returns the commands of the processes whose environment names a folder. Linux has them in /proc.
func processes(t *testing.T, folder string) (commands []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(files) == 0 {
		t.Skip("no /proc")
	}
	for _, file := range files {
		environment, err := os.ReadFile(file) // a zombie has none
		if err == nil && bytes.Contains(environment, []byte(folder)) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return commands
}
