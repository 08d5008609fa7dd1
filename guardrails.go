package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

type GuardrailArgs struct {
	Enabled      bool
	Controls     policy.Guardrails
	Settings     settings.Organization
	Organization *Organization
}

// newGuardrails creates the service control policies and attaches them to every OU of the stack and to every account
// outside of these, never to the root: the rest of the organization is not ours. It returns what the next change of
// the organization must wait for.
func newGuardrails(ctx *pulumi.Context, name string, s scope.Scope, args GuardrailArgs) ([]pulumi.Resource, error) {
	org := args.Organization
	switch {
	case org.Management == nil && args.Enabled:
		return nil, ctx.Log.Warn("guardrails: skipped because organization.mode is none; set guardrails.enabled to false to silence this warning", nil)
	case org.Management == nil:
		return nil, nil
	case !args.Enabled:
		return org.Management.Ready, nil
	}
	policies, err := args.Controls.Policies()
	if err != nil {
		return nil, err
	}
	guardrails := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("llm:platform:Guardrails", name, guardrails, pulumi.Providers(org.Management.Provider)); err != nil {
		return nil, err
	}
	// One after another: Organizations answers ConcurrentModification to concurrent changes. A destroy detaches in
	// reverse order, so a policy is attached nowhere when it is deleted.
	before := org.Management.Ready
	ids := map[string]pulumi.IDOutput{}
	for _, p := range policies {
		content := org.Training.ID.ApplyT(func(id string) (string, error) { return args.Controls.For(id).JSON(p.Name) }).(pulumi.StringOutput)
		control, err := newControlPolicy(ctx, name+"-"+p.Name, "Guardrails of "+s.Project+" "+s.Stack, content,
			pulumi.Parent(guardrails), pulumi.DependsOn(before))
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", p.Name, err)
		}
		ids[p.Name] = control.ID()
		before = []pulumi.Resource{control}
	}
	for _, target := range guardrailTargets(args.Settings, org) {
		for _, p := range policies {
			attachment, err := organizations.NewPolicyAttachment(ctx, fmt.Sprintf("%s-%s-%s", name, target.name, p.Name), &organizations.PolicyAttachmentArgs{
				PolicyId: ids[p.Name],
				TargetId: target.id,
			}, pulumi.Parent(guardrails), pulumi.DependsOn(before))
			if err != nil {
				return nil, fmt.Errorf("policy %s on %s: %w", p.Name, target.name, err)
			}
			before = []pulumi.Resource{attachment}
		}
	}
	return append(slices.Clone(org.Management.Ready), before...), ctx.RegisterResourceOutputs(guardrails, pulumi.Map{})
}

func newControlPolicy(ctx *pulumi.Context, name, description string, content pulumi.StringInput, opts ...pulumi.ResourceOption) (*organizations.Policy, error) {
	return organizations.NewPolicy(ctx, name, &organizations.PolicyArgs{
		Description: pulumi.String(description),
		Type:        pulumi.String(serviceControlPolicy),
		Content:     content,
	}, opts...)
}

type guardrailTarget struct {
	name string // part of the attachments' logical names
	id   pulumi.StringOutput
}

// guardrailTargets returns the OUs and accounts to attach guardrails to, sorted by name.
func guardrailTargets(cfg settings.Organization, org *Organization) []guardrailTarget {
	var targets []guardrailTarget
	// The id of an OU or an account may be known from the configuration; the organization's is known only after it has
	// been found to accept guardrails.
	found := func(id pulumi.StringOutput) pulumi.StringOutput {
		return pulumi.All(id, org.ID).ApplyT(func(ids []any) string { return ids[0].(string) }).(pulumi.StringOutput)
	}
	for ou, id := range org.Management.OUs {
		targets = append(targets, guardrailTarget{"unit-" + ou, found(id)})
	}
	for _, account := range org.Accounts {
		if _, covered := org.Management.OUs[cfg.Accounts[account.Name].OrganizationalUnit]; covered {
			continue
		}
		targets = append(targets, guardrailTarget{"account-" + account.Name, found(account.ID)})
	}
	slices.SortFunc(targets, func(a, b guardrailTarget) int { return strings.Compare(a.name, b.name) })
	return targets
}
