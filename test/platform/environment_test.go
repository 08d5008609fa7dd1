package platform

import (
	"strings"
	"testing"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// Credentials that stand in the environment only are not in the state, nor encrypted: whoever may decrypt the state would have
// those of whoever ran the last update. A token that an earlier release put there leaves it with the next update.
func TestCredentialsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"github", "gitlab"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			planted := map[string]string{}
			for _, name := range []string{"GITHUB_TOKEN", "GITLAB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "KUBECONFIG"} {
				planted[name] = "PLANTED-" + name
			}
			_, s := enginetest.OpenWith(t, engine.Options{Stack: "dev", Env: planted})
			set(t, s, "git.provider", server)
			set(t, s, "ci", nil) // a repository of GitHub
			count := func() int {
				t.Helper()
				state, err := s.CLI(t.Context(), "stack", "export", "--show-secrets")
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(state, "pulumi:providers:"+server) {
					t.Fatalf("no provider of %s in the state: this test tests nothing", server)
				}
				return strings.Count(state, "PLANTED")
			}
			secret(t, s, "git.token", "PLANTED-of-an-earlier-release")
			enginetest.Run(t, s, "up")
			if count() == 0 {
				t.Error("git.token is not in the state: this test tests nothing")
			}
			set(t, s, "git.token", nil)
			enginetest.Expect(t, "an up that takes the token from the environment", enginetest.Run(t, s, "up"), "update pulumi:providers:"+server+" git-"+server)
			if n := count(); n > 0 {
				t.Errorf("the state has %d credentials of the environment", n)
			}
		})
	}
}
