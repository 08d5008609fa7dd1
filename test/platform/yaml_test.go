package platform

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"llm-platform/test/engine/enginetest"
)

// A value that YAML rewrites is refused with the way, wherever text is expected; quoted, it arrives as written. The
// engine decides what the program gets to see of it.
func TestValuesSurviveYAML(t *testing.T) {
	t.Parallel()
	cloud, s := enginetest.Open(t, "dev")
	alone(t, s)
	written := map[string]string{
		"VERSION": "1.10", "NAME": "007", "MASK": "0755", "HEX": "0x1F", "RATE": "1e-4", "DATE": "2026-01-01",
		"TIME": "2001-12-14t21:59:43.10-05:00", "BIG": "12345678901234567890", "DEBUG": "true", "PLAIN": "8",
	}
	as := func(style yaml.Style) map[string]any {
		values := map[string]any{}
		for name, text := range written {
			values[name] = &yaml.Node{Kind: yaml.ScalarNode, Value: text, Style: style}
		}
		return values
	}
	set(t, s, "training.environment", as(0))
	set(t, s, "cluster.pools.gpu.labels", map[string]any{"wave": 815})
	_, message := enginetest.Fail(t, s, "preview")
	for name := range written {
		if want := "training.environment." + name + ": must be a string, got "; !strings.Contains(message, want) {
			t.Errorf("no %q in\n%s", want, message)
		}
	}
	if !strings.Contains(message, "cluster.pools.gpu.labels.wave: must be a string, got 815; quote it") {
		t.Error(message)
	}

	set(t, s, "cluster.pools.gpu.labels", nil)
	set(t, s, "training.environment", as(yaml.DoubleQuotedStyle))
	enginetest.Run(t, s, "up")
	job := named(cloud, "kubernetes:batch/v1:Job", "training-job-")[0]
	for name, text := range written {
		if got := variable(cloud, job, name); got != text {
			t.Errorf("%s arrives as %q, written %q", name, got, text)
		}
	}

	// The same with the CLI, which writes a boolean or a number where the text looks like one.
	cli := func(args ...string) {
		t.Helper()
		if _, err := s.CLI(t.Context(), append([]string{"config", "set", "--path"}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	cli("training.environment.FLAG", "true")
	if _, message := enginetest.Fail(t, s, "preview"); !strings.Contains(message, "pulumi config set --path --type string training.environment.FLAG") {
		t.Errorf("no way out in %s", message)
	}
	cli("--type", "string", "training.environment.FLAG", "true")
	enginetest.Run(t, s, "up")
	job = named(cloud, "kubernetes:batch/v1:Job", "training-job-")[0]
	if got := variable(cloud, job, "FLAG"); got != "true" {
		t.Errorf("FLAG is %q", got)
	}
}
