package enginetest

import (
	"context"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/simcloud"
)

// OpenIn opens a stack of the repository against a cloud that has started, in which there may be other stacks.
func OpenIn(t testing.TB, cloud *simcloud.Cloud, stack string) *engine.Stack {
	t.Helper()
	repository, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	s, err := engine.Open(context.Background(), engine.Options{
		Project: repository, Stack: stack, Tools: tools, Env: cloud.Env(), Out: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
