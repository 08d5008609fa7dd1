package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// newGuardrails makes the service control policies and attaches them to every unit
// that the stack made and to every account that is in none of those, never to the
// root: what else is in the organization is not ours. The training account may start
// the given instance types, those of its pools.
func newGuardrails(ctx *pulumi.Context, name string, cfg settings.Settings, org *Organization, pools []string) error {
	if !cfg.Guardrails.Enabled {
		return nil
	}
	if org.Management == nil {
		return ctx.Log.Warn("guardrails: there are none, since organization.mode is none; set guardrails.enabled to false to say that this is meant", nil)
	}
	wanted := policy.NewGuardrails(cfg.Organization.RoleName, cfg.Guardrails.ExemptRoles, cfg.Guardrails.Regions,
		slices.Concat(cfg.Guardrails.InstanceTypes, pools), cfg.Guardrails.SageMakerInstanceTypes)
	policies, err := wanted.Policies()
	if err != nil {
		return err
	}
	guardrails := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("llm:platform:Guardrails", name, guardrails, pulumi.Providers(org.Management.Provider)); err != nil {
		return err
	}
	// One after another: Organizations answers ConcurrentModification to changes that
	// cross. So the last attached is the first that a destroy detaches, and a policy
	// is deleted when it is attached to nothing.
	before := slices.Clone(org.Management.Ready)
	made := map[string]pulumi.IDOutput{}
	for i, p := range policies {
		content := org.Training.ID.ApplyT(func(id string) (string, error) {
			known := wanted
			known.TrainingAccount = id
			filled, err := known.Policies()
			if err != nil {
				return "", err
			}
			return filled[i].Document.JSON()
		}).(pulumi.StringOutput)
		control, err := newControlPolicy(ctx, name+"-"+p.Name, "Guardrails of "+ctx.Project()+" "+cfg.Stack, content,
			pulumi.Parent(guardrails), pulumi.DependsOn(before))
		if err != nil {
			return fmt.Errorf("policy %s: %w", p.Name, err)
		}
		made[p.Name] = control.ID()
		before = []pulumi.Resource{control}
	}
	for _, target := range guardrailTargets(cfg, org) {
		for _, p := range policies {
			attachment, err := organizations.NewPolicyAttachment(ctx, fmt.Sprintf("%s-%s-%s", name, target.name, p.Name), &organizations.PolicyAttachmentArgs{
				PolicyId: made[p.Name],
				TargetId: target.id,
			}, pulumi.Parent(guardrails), pulumi.DependsOn(before))
			if err != nil {
				return fmt.Errorf("policy %s on %s: %w", p.Name, target.name, err)
			}
			before = []pulumi.Resource{attachment}
		}
	}
	org.Management.Ready = append(org.Management.Ready, before...)
	return ctx.RegisterResourceOutputs(guardrails, pulumi.Map{})
}

func newControlPolicy(ctx *pulumi.Context, name, description string, content pulumi.StringInput, opts ...pulumi.ResourceOption) (*organizations.Policy, error) {
	return organizations.NewPolicy(ctx, name, &organizations.PolicyArgs{
		Description: pulumi.String(description),
		Type:        pulumi.String(serviceControlPolicy),
		Content:     content,
	}, opts...)
}

type guardrailTarget struct {
	name string // as in a logical name
	id   pulumi.StringOutput
}

// guardrailTargets is what to attach guardrails to, sorted by name.
func guardrailTargets(cfg settings.Settings, org *Organization) []guardrailTarget {
	var targets []guardrailTarget
	for _, unit := range cfg.Organization.OrganizationalUnits {
		targets = append(targets, guardrailTarget{"unit-" + unit, org.Management.Units[unit]})
	}
	for _, account := range org.Accounts {
		if slices.Contains(cfg.Organization.OrganizationalUnits, cfg.Organization.Accounts[account.Name].OrganizationalUnit) {
			continue
		}
		// An account's id may be known from the configuration; the organization's is
		// known once it was seen that it takes guardrails.
		id := pulumi.All(account.ID, org.ID).ApplyT(func(ids []any) string { return ids[0].(string) }).(pulumi.StringOutput)
		targets = append(targets, guardrailTarget{"account-" + account.Name, id})
	}
	slices.SortFunc(targets, func(a, b guardrailTarget) int { return strings.Compare(a.name, b.name) })
	return targets
}
