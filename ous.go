package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
	"llm-platform/internal/settings"
)

// ous sets the ids of the OUs: it creates those with a name below the root, and takes the existing ones by id. They are
// retained: an OU that holds accounts cannot be deleted, and accounts are retained.
func (b orgBuilder) ous(m membership) error {
	options := []pulumi.ResourceOption{pulumi.Parent(b.component), pulumi.Provider(m.management.Provider), b.scope.Keep(true)}
	if b.cfg.Mode == settings.Adopt {
		absent, err := b.ctx.RegisterResourceHook(b.name+"-unit-absent", b.requireAbsentOU(m.management), &pulumi.ResourceHookOptions{OnDryRun: true})
		if err != nil {
			return fmt.Errorf("hook: %w", err)
		}
		options = append(options, pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{absent}}))
	}
	for _, name := range slices.Sorted(maps.Keys(b.cfg.OrganizationalUnits)) {
		desired := b.cfg.OrganizationalUnits[name]
		if desired.ID != "" {
			m.management.OUs[name] = pulumi.String(desired.ID).ToStringOutput()
			continue
		}
		ou, err := organizations.NewOrganizationalUnit(b.ctx, b.name+"-unit-"+name, &organizations.OrganizationalUnitArgs{
			Name:     pulumi.String(desired.Name),
			ParentId: m.root,
		}, options...)
		if err != nil {
			return fmt.Errorf("OU %s: %w", name, err)
		}
		m.management.OUs[name] = ou.ID().ToStringOutput()
		m.management.Ready = append(m.management.Ready, ou)
	}
	return nil
}

// requireAbsentOU returns the hook that runs before an OU is created in an adopted organization, and only then. AWS
// refuses a second OU of the same name below the root; this tells it in the preview, with the id of the first.
func (b orgBuilder) requireAbsentOU(management *Management) pulumi.ResourceHookFunction {
	return func(args *pulumi.ResourceHookArgs) error {
		name, root := args.NewInputs["name"], args.NewInputs["parentId"]
		if !name.IsString() || !root.IsString() {
			return nil // of an organization that is still to be looked up
		}
		found, err := organizations.GetOrganizationalUnits(b.ctx, &organizations.GetOrganizationalUnitsArgs{ParentId: root.StringValue()}, pulumi.Provider(management.Provider))
		if err != nil {
			return fmt.Errorf("OU %s: %w", name.StringValue(), advice.With(err))
		}
		for _, child := range found.Children {
			if strings.EqualFold(child.Name, name.StringValue()) {
				return fmt.Errorf("organization.organizationalUnits: OU %s exists (%s), and this stack has not created it, perhaps since it was destroyed; list %s in place of the name, or rename the OU", child.Name, child.Id, child.Id)
			}
		}
		return nil
	}
}
