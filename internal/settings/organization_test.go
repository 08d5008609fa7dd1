package settings

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"llm-platform/internal/stackfile"
)

// Pulumi's own keys are no fault.
func TestPulumiKeys(t *testing.T) {
	if _, err := Load("dev", with(t, "dev", map[string]any{"pulumi:tags": map[string]any{"a": "b"}, "pulumi:autonaming": "x"}), nil, token); err != nil {
		t.Error(err)
	}
}

// OUs are created with the stack's name in theirs, or taken by id.
func TestUnits(t *testing.T) {
	s, err := Load("dev", with(t, "dev", map[string]any{
		"organization.organizationalUnits": []any{"workloads", "ou-ab12-34cd56ef"},
		"organization.accounts": map[string]any{
			"training": map[string]any{"organizationalUnit": "workloads"}, "testing": map[string]any{"organizationalUnit": "ou-ab12-34cd56ef"},
		},
	}), nil, token)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Unit{"workloads": {Name: "llm-dev-workloads"}, "ou-ab12-34cd56ef": {ID: "ou-ab12-34cd56ef"}}
	if !reflect.DeepEqual(s.Organization.OrganizationalUnits, want) {
		t.Errorf("got %v, want %v", s.Organization.OrganizationalUnits, want)
	}
}

// A service that is not known to support trusted access is a warning, since AWS adds some every few weeks.
func TestUnknownTrustedService(t *testing.T) {
	s, err := Load("dev", with(t, "dev", map[string]any{"organization.trustedServices": []any{"q.amazonaws.com", "notifications.amazon.com", "clowdtrail.amazonaws.com"}}), nil, token)
	if err != nil {
		t.Fatal(err)
	}
	warnings := s.Organization.trustWarnings()
	if len(warnings) != 1 || !strings.Contains(warnings[0], "clowdtrail.amazonaws.com is not a service that this program knows") || !strings.Contains(warnings[0], "trusted access. Did you mean cloudtrail.amazonaws.com? If AWS") {
		t.Errorf("warnings: %q", warnings)
	}
	if s, err = Load("prod", with(t, "prod", nil), nil, token); err != nil || len(s.Organization.trustWarnings()) > 0 {
		t.Errorf("prod: %v, %v", err, s.Organization.trustWarnings())
	}
}

// The project's name in Pulumi.yaml is that by which settings know the stack's own roles.
func TestProjectName(t *testing.T) {
	var project struct {
		Name string `yaml:"name"`
	}
	if err := stackfile.Read(root+"/Pulumi.yaml", &project); err != nil || project.Name != projectName {
		t.Errorf("Pulumi.yaml has the name %q: %v", project.Name, err)
	}
}

// An organization trail needs trusted access of CloudTrail, listed or not.
func TestTrailIsTrusted(t *testing.T) {
	for _, c := range []struct {
		raw  rawOrganization
		want []string
	}{
		{rawOrganization{Trail: true, TrustedServices: []string{"sso.amazonaws.com"}}, []string{"sso.amazonaws.com", "cloudtrail.amazonaws.com"}},
		{rawOrganization{Trail: true, TrustedServices: []string{"cloudtrail.amazonaws.com"}}, []string{"cloudtrail.amazonaws.com"}},
		{rawOrganization{TrustedServices: []string{"sso.amazonaws.com"}}, []string{"sso.amazonaws.com"}},
	} {
		if got := c.raw.resolve("dev").TrustedServices; !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.raw, got, c.want)
		}
	}
}
