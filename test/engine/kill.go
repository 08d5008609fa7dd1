package engine

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// killTree kills a process and all that it has started. The CLI's language host has a process group of its own and notices only
// after five minutes that its engine is dead. The CLI is stopped first, so that it saves nothing and starts nothing meanwhile.
func killTree(process *os.Process) error {
	_ = process.Signal(syscall.SIGSTOP) // fails if it has ended
	for _, pid := range descendants(process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // the same
	}
	return process.Kill()
}

// descendants returns the ids of the processes that a process has started, and of those that they have.
func descendants(pid int) []int {
	listed, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for line := range strings.Lines(string(listed)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			child, _ := strconv.Atoi(fields[0])
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], child)
		}
	}
	found := children[pid]
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}
