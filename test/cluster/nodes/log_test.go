package nodes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// line is a line of a pod's log.
type line struct {
	at    time.Time
	index int
	text  string
}

// log returns the lines of all pods that run or ran on nodes that exist, in the order of their times.
func (r *run) log() []line {
	files, _ := filepath.Glob(filepath.Join(r.dir, "node-*/logs", namespace+"_"+r.name+"-*/*/*.log"))
	var lines []line
	name := regexp.MustCompile(regexp.QuoteMeta(r.name) + `-(\d+)-`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		match := name.FindStringSubmatch(file)
		if err != nil || match == nil {
			continue
		}
		index, _ := strconv.Atoi(match[1])
		for _, entry := range strings.Split(string(text), "\n") {
			if parts := strings.SplitN(entry, " ", 4); len(parts) == 4 {
				if at, err := time.Parse(time.RFC3339Nano, parts[0]); err == nil {
					lines = append(lines, line{at, index, parts[3]})
				}
			}
		}
	}
	sort.SliceStable(lines, func(a, b int) bool { return lines[a].at.Before(lines[b].at) })
	return lines
}

// stepped is how the line of a step begins.
const stepped = `{"event": "step"`

// trains waits until a step is logged after a moment, and returns when.
func (r *run) trains(t *testing.T, after time.Time) time.Time {
	t.Helper()
	var at time.Time
	waitFor(t, "training to step", func() error {
		if reason, message := r.ended(t); reason != "" {
			r.dump(t)
			t.Fatalf("the Job has ended: %s: %s", reason, message)
		}
		for _, l := range r.log() {
			if l.at.After(after) && strings.HasPrefix(l.text, stepped) {
				at = l.at
				return nil
			}
		}
		return fmt.Errorf("no step")
	})
	return at
}

// says waits until a line that contains a text is logged after a moment, and returns when.
func (r *run) says(t *testing.T, after time.Time, text string) time.Time {
	t.Helper()
	var at time.Time
	waitFor(t, fmt.Sprintf("%q", text), func() error {
		for _, l := range r.log() {
			if l.at.After(after) && strings.Contains(l.text, text) {
				at = l.at
				return nil
			}
		}
		return fmt.Errorf("not logged")
	})
	return at
}

func (r *run) dump(t *testing.T) {
	t.Helper()
	lines := r.log()
	for _, l := range lines[max(0, len(lines)-80):] {
		t.Logf("%s %d %s", l.at.Format("15:04:05.0"), l.index, l.text)
	}
}
