package platform

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// Two stacks share an organization. One that comes back after a destroy finds its OUs, which are retained: the preview
// says so, and takes them by id.
func TestTwoStacksInOneOrganization(t *testing.T) {
	cloud, dev := enginetest.Open(t, "dev")
	enginetest.Run(t, dev, "up")
	prod := enginetest.OpenIn(t, cloud, "prod")
	enginetest.Run(t, prod, "preview")
	enginetest.Run(t, prod, "up")
	enginetest.Expect(t, "a second up of prod", enginetest.Run(t, prod, "up")) // its own OUs exist by now
	enginetest.Expect(t, "another up of dev", enginetest.Run(t, dev, "up"))
	units := map[string]string{}
	for _, r := range cloud.Resources() {
		if r.Type == "aws:organizations/organizationalUnit:OrganizationalUnit" {
			units[r.Inputs["name"].(string)] = r.ID
		}
	}
	for _, name := range []string{"llm-dev-workloads", "llm-dev-infrastructure", "llm-prod-workloads", "llm-prod-infrastructure"} {
		if units[name] == "" || len(units) != 4 {
			t.Fatalf("OUs are %v, without %s", units, name)
		}
	}

	enginetest.Run(t, dev, "destroy")
	const logs = "/aws/eks/llm-platform-dev/cluster" // which EKS creates again after the destroy (docs/troubleshooting.md)
	if !cloud.Remove("aws:cloudwatch/logGroup:LogGroup", logs) {
		t.Errorf("no log group %s is left", logs)
	}
	set(t, dev, "organization.mode", "adopt")
	accounts := map[string]any{}
	for _, r := range cloud.Resources() {
		if name, own := strings.CutPrefix(r.Name, "org-account-"); own && strings.HasPrefix(r.Inputs["name"].(string), "llm-dev-") {
			accounts[name] = map[string]any{"id": r.ID}
		}
	}
	set(t, dev, "organization.accounts", accounts)
	for _, verb := range []string{"preview", "up"} {
		_, message := enginetest.Fail(t, dev, verb)
		refused := func(name string) bool { // the engine stops at the first, which is either
			return strings.Contains(message, "OU "+name+" exists ("+units[name]+"), and this stack has not created it") &&
				strings.Contains(message, "list "+units[name]+" in place of the name")
		}
		if !refused("llm-dev-workloads") && !refused("llm-dev-infrastructure") {
			t.Errorf("%s beside OUs of those names: %s", verb, message)
		}
	}
	set(t, dev, "organization.organizationalUnits", []any{units["llm-dev-workloads"], units["llm-dev-infrastructure"]})
	enginetest.Run(t, dev, "preview")
	enginetest.Run(t, dev, "up")
	enginetest.Expect(t, "a second up with existing OUs", enginetest.Run(t, dev, "up"))
	attached := map[string]bool{}
	for _, r := range cloud.Resources() {
		if r.Type == "aws:organizations/policyAttachment:PolicyAttachment" {
			attached[r.Inputs["targetId"].(string)] = true
		}
	}
	if !attached[units["llm-dev-workloads"]] || !attached[units["llm-dev-infrastructure"]] {
		t.Errorf("guardrails are attached to %v", attached)
	}
}

// Credentials of another account than the configured one, and keys that the program does not read, change nothing.
func TestWrongCredentialsAreRefused(t *testing.T) {
	cloud, w := enginetest.Open(t, "dev")
	set(t, w, "organization.managementAccountId", "222222222222")
	for _, verb := range []string{"preview", "up"} {
		_, message := enginetest.Fail(t, w, verb)
		if want := "organization.managementAccountId: must be the account of the credentials, got 222222222222, but they belong to account " + simcloud.ManagementAccount; !strings.Contains(message, want) {
			t.Errorf("%s: %s", verb, message)
		}
	}
	set(t, w, "organization.managementAccountId", simcloud.ManagementAccount)
	if err := w.Set("aws:profile", "theirs"); err != nil {
		t.Fatal(err)
	}
	if _, message := enginetest.Fail(t, w, "up"); !strings.Contains(message, "aws:profile: is ignored") || !strings.Contains(message, "AWS_PROFILE") {
		t.Errorf("aws:profile: %s", message)
	}
	if made := cloud.Resources(); len(made) > 0 {
		t.Errorf("made %v", made)
	}
}

// Whoever may not assume the administrator's role previews with the read-only one, which the stack creates.
func TestPreviewRole(t *testing.T) {
	const administrator = "OrganizationAccountAccessRole"
	cloud, w := enginetest.Open(t, "dev", func(c *simcloud.Cloud) { c.DenyRole(administrator, true) })
	set(t, w, "organization.previewRoleName", "llm-platform-{stack}-preview")
	enginetest.Run(t, w, "preview") // without accounts yet, there is no role to assume
	cloud.DenyRole(administrator, false)
	enginetest.Run(t, w, "up")
	enginetest.Expect(t, "a preview by whoever deploys", enginetest.Run(t, w, "preview"))
	enginetest.Expect(t, "a second up", enginetest.Run(t, w, "up"))

	cloud.DenyRole(administrator, true)
	// The role is one of the providers' inputs, and a provider cannot have others in a preview without showing it.
	providers := []string{
		"update pulumi:providers:aws org-provider-deployment", "update pulumi:providers:aws org-provider-testing", "update pulumi:providers:aws org-provider-training",
	}
	enginetest.Expect(t, "a preview without the administrator's role", enginetest.Run(t, w, "preview"), providers...)
	set(t, w, "storage.logDays", 60)
	enginetest.Expect(t, "a preview of an edit", enginetest.Run(t, w, "preview"),
		append(slices.Clone(providers), "update aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 storage-logs-lifecycle")...)
	out, err := w.CLI(context.Background(), "preview", "--refresh", "--run-program")
	if err != nil || !strings.Contains(out, "storage-logs-lifecycle") {
		t.Errorf("a preview with a refresh: %v\n%s", err, out)
	}
	set(t, w, "organization.previewRoleName", "")
	if _, message := enginetest.Fail(t, w, "preview"); !strings.Contains(message, "cannot assume IAM role") {
		t.Errorf("a preview without any role: %s", message)
	}
	cloud.DenyRole("ReadOnly", true)
	set(t, w, "organization.previewRoleName", "ReadOnly")
	if _, message := enginetest.Fail(t, w, "preview"); !strings.Contains(message, "neither it nor organization.roleName can be assumed") {
		t.Errorf("a preview with a role that does not exist: %s", message)
	}
}

// On destroy the program does not run, so its hook cannot say what to do about a refusal, unless it is asked to.
func TestAdviceOnDestroy(t *testing.T) {
	refuse := false
	_, w := enginetest.Open(t, "dev", func(c *simcloud.Cloud) {
		c.OnCall = func(call simcloud.Call) error {
			if refuse && call.Op == "delete" && call.Name == "storage-dataset-policy" {
				return errDenied
			}
			return nil
		}
	})
	alone(t, w)
	set(t, w, "training.enabled", false)
	set(t, w, "git.provider", "none")
	enginetest.Run(t, w, "up")
	refuse = true
	const advice = "The identity lacks a permission"
	if _, message := enginetest.Fail(t, w, "destroy"); !strings.Contains(message, errDenied.Error()) || strings.Contains(message, advice) {
		t.Errorf("destroy: %s", message)
	}
	if _, err := w.CLI(context.Background(), "destroy", "--run-program", "--yes", "--skip-preview"); err == nil || !strings.Contains(err.Error(), advice) {
		t.Errorf("destroy --run-program: %v", err)
	}
}

var errDenied = errors.New("AccessDenied: refused")
