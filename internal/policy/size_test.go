package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// usual is guardrails of a usual size.
func usual() Guardrails {
	return Guardrails{
		Prefix: "llm-platform-abcdefghijklmnopqrst-", DeployRole: "OrganizationAccountAccessRole", Regions: []string{"us-west-2"}, TrainingAccount: AnyAccount,
		InstanceTypes: []string{"g6.xlarge", "p5.48xlarge"}, SageMakerTypes: []string{"ml.g6.xlarge", "ml.p5.48xlarge"},
	}
}

func TestGuardrailsFit(t *testing.T) {
	many := usual()
	for i := range 60 {
		many.InstanceTypes = append(many.InstanceTypes, fmt.Sprintf("p%d.48xlarge", 100+i))
		many.SageMakerTypes = append(many.SageMakerTypes, fmt.Sprintf("ml.p%d.48xlarge", 100+i))
	}
	for name, g := range map[string]Guardrails{"usual": usual(), "many types": many} {
		policies, err := g.Policies()
		if err != nil {
			t.Fatal(err)
		}
		if len(policies) == 0 || len(policies) > MaxGuardrails {
			t.Errorf("%s: %d policies", name, len(policies))
		}
		for _, p := range policies {
			text, err := p.Document.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > MaxCharacters {
				t.Errorf("%s: %s has %d characters", name, p.Name, len(text))
			}
			t.Logf("%s: %s has %d characters", name, p.Name, len(text))
		}
	}
	text, err := usual().KillSwitch().JSON()
	if err != nil || len(text) > MaxCharacters {
		t.Errorf("kill switch: %d characters, %v", len(text), err)
	}
}

// Accounts' ids are all as long as AnyAccount, so the split is known without them.
func TestSplitDoesNotDependOnTheAccount(t *testing.T) {
	known := usual()
	known.TrainingAccount = "123456789012"
	a, err := usual().Policies()
	if err != nil {
		t.Fatal(err)
	}
	b, err := known.Policies()
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if a[i].Name != b[i].Name || len(a[i].Document) != len(b[i].Document) {
			t.Errorf("%s became %s", a[i].Name, b[i].Name)
		}
	}
}

func TestSplit(t *testing.T) {
	sized := func(sid string, n int) Statement {
		return Statement{Sid: sid, Effect: Deny, Action: []string{strings.Repeat("a", n)}, Resource: []string{"*"}}
	}
	got, err := split([]ControlPolicy{{"one", Document{sized("A", 4000), sized("B", 4000), sized("C", 4000), sized("D", 8000)}}, {"two", Document{sized("E", 10)}}}, 9)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range got {
		var sids []string
		for _, s := range p.Document {
			sids = append(sids, s.Sid)
		}
		names = append(names, p.Name+":"+strings.Join(sids, ""))
	}
	if want := "one:AB one-2:C one-3:D two:E"; strings.Join(names, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(names, " "), want)
	}
	if _, err := split([]ControlPolicy{{"one", Document{sized("A", 11000)}}}, 9); err == nil || !strings.Contains(err.Error(), "statement A has") {
		t.Errorf("a statement that is too large: %v", err)
	}
	if _, err := split([]ControlPolicy{{"one", Document{sized("A", 10000), sized("B", 10000)}}}, 1); err == nil || !strings.Contains(err.Error(), "2 are needed") {
		t.Errorf("too many policies: %v", err)
	}
	// Exactly as large as AWS takes, and one character more.
	frame := Document{sized("A", 0)}
	size, _ := characters(frame)
	if _, err := split([]ControlPolicy{{"one", Document{sized("A", MaxCharacters-size)}}}, 1); err != nil {
		t.Errorf("%d characters: %v", MaxCharacters, err)
	}
	if _, err := split([]ControlPolicy{{"one", Document{sized("A", MaxCharacters-size+1)}}}, 1); err == nil {
		t.Errorf("%d characters: taken", MaxCharacters+1)
	}
}

// endsInWildcard matches the actions that service control policies have always accepted.
var endsInWildcard = regexp.MustCompile(`^(\*|[a-z0-9-]+:[A-Za-z0-9]*\*?)$`)

// Every statement but the root user's leaves the deploying role alone, or the program
// could lock itself out.
func TestEveryGuardrailExemptsTheDeployingRole(t *testing.T) {
	policies, err := usual().Policies()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range policies {
		for _, s := range p.Document {
			seen++
			if s.Effect != Deny {
				t.Errorf("%s: %s: a guardrail only denies", p.Name, s.Sid)
			}
			for _, action := range slices.Concat(s.Action, s.NotAction) {
				if !endsInWildcard.MatchString(action) {
					t.Errorf("%s: %s: %s has a wildcard before its end", p.Name, s.Sid, action)
				}
			}
			exempt := s.Condition["ArnNotLike"]["aws:PrincipalArn"]
			if s.Sid == "NoRootUser" {
				continue
			}
			if s.Sid == "BucketPoliciesStay" {
				exempt = exempt[:len(exempt)-1] // and root sessions
			}
			if len(exempt) != 1 || exempt[0] != "arn:*:iam::*:role/OrganizationAccountAccessRole" {
				t.Errorf("%s: %s exempts %v", p.Name, s.Sid, exempt)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("%d statements; this test tests nothing", seen)
	}
}

// The order in a configuration, and saying something twice, change no policy.
func TestOrderIsNoChange(t *testing.T) {
	a, b := usual(), usual()
	a.Regions, b.Regions = []string{"us-west-2", "eu-west-1"}, []string{"eu-west-1", "us-west-2", "eu-west-1"}
	b.InstanceTypes = []string{"p5.48xlarge", "g6.xlarge"}
	if one, other := text(t, a), text(t, b); one != other {
		t.Errorf("%s\n%s", one, other)
	}
}

func text(t *testing.T, g Guardrails) string {
	t.Helper()
	policies, err := g.Policies()
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(policies)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}
