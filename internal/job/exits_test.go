package job

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
)

// The scripts end with the codes that the Job knows, under the same names, and with no others.
func TestExitsAreThoseOfTheScripts(t *testing.T) {
	source, err := os.ReadFile("../../scripts/exits.py")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)EXIT_CODES = \{(.*?)\n\}`).FindSubmatch(source)
	if table == nil {
		t.Fatal("scripts/exits.py has no EXIT_CODES")
	}
	scripts, want := map[string]string{}, map[string]string{"done": "0"}
	for _, entry := range regexp.MustCompile(`"([a-z ]+)": (\d+)`).FindAllSubmatch(table[1], -1) {
		scripts[string(entry[1])] = string(entry[2])
	}
	for _, exit := range Exits() {
		want[exit.Name] = strconv.Itoa(int(exit.Code))
	}
	if !maps.Equal(scripts, want) {
		t.Errorf("scripts/exits.py has %v, Exits has %v", scripts, want)
	}
}

// Each exit code has the outcome in the Job that Exits says.
func TestFailurePolicy(t *testing.T) {
	actions := map[int32]batchv1.PodFailurePolicyAction{}
	rules := failurePolicy().Rules
	for _, rule := range rules {
		if rule.OnExitCodes == nil {
			continue
		}
		for _, code := range rule.OnExitCodes.Values {
			if before, twice := actions[code]; twice {
				t.Errorf("%d: %s and %s", code, before, rule.Action)
			}
			actions[code] = rule.Action
		}
	}
	want := map[Outcome]batchv1.PodFailurePolicyAction{
		Fatal: batchv1.PodFailurePolicyActionFailJob, Ignored: batchv1.PodFailurePolicyActionIgnore, Counted: "",
	}
	for _, exit := range Exits() {
		if actions[exit.Code] != want[exit.Outcome] {
			t.Errorf("%d (%s): the Job does %q, want %q", exit.Code, exit.Name, actions[exit.Code], want[exit.Outcome])
		}
		delete(actions, exit.Code)
	}
	if len(actions) > 0 {
		t.Errorf("codes that Exits does not list: %v", actions)
	}
	if rules[0].OnPodConditions == nil {
		t.Error("a lost node's pod is judged by its exit code first")
	}
}

// docs/training.md lists every exit code with its meaning and outcome.
func TestExitsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/training.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, exit := range Exits() {
		row := fmt.Sprintf("| %d | %s | %s | %s |", exit.Code, exit.Name, exit.Meaning, exit.Outcome)
		if !slices.Contains(lines, row) {
			t.Errorf("docs/training.md lacks the line\n%s", row)
		}
	}
}
