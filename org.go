package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// Organization is the accounts of the platform and, except with organization.mode none, the organization that
// they belong to.
type Organization struct {
	pulumi.ResourceState

	ID         pulumi.StringOutput // o-…; empty with organization.mode none
	Accounts   []scope.Account     // training first, then sorted by name
	Training   scope.Account       // the account that holds data, cluster and runs
	Management *Management         // nil with organization.mode none
}

// Management is the account that owns the organization, its guardrails and its budgets.
type Management struct {
	ID       pulumi.StringOutput            // 12 digits
	Provider *aws.Provider                  // with the deployment's credentials, in the platform's region
	OUs      map[string]pulumi.StringOutput // ids of the OUs, by the name that accounts use
	Ready    []pulumi.Resource              // organization, OUs and accounts: further changes of the organization depend on them
}

// accountIDs returns the id of each account by name.
func (o *Organization) accountIDs() pulumi.StringMap {
	ids := pulumi.StringMap{}
	for _, account := range o.Accounts {
		ids[account.Name] = account.ID
	}
	return ids
}

// account returns the account of a name that the settings have checked.
func (o *Organization) account(name string) scope.Account {
	i := slices.IndexFunc(o.Accounts, func(a scope.Account) bool { return a.Name == name })
	return o.Accounts[i]
}

type OrganizationArgs struct {
	Settings  settings.Organization
	CIAccount string   // name of the account of the CI roles; empty without any
	Objects   []string // ARNs of the objects in the training account whose headers a preview reads
}

// newOrganization creates or looks up the organization, creates its OUs and accounts, and gives each account a
// provider that waits until the account's role can be assumed.
func newOrganization(ctx *pulumi.Context, name string, s scope.Scope, args OrganizationArgs) (*Organization, error) {
	cfg := args.Settings
	org := &Organization{ID: pulumi.String("").ToStringOutput()}
	if err := ctx.RegisterComponentResource("llm:platform:Organization", name, org); err != nil {
		return nil, err
	}
	b := orgBuilder{ctx: ctx, name: name, scope: s, cfg: cfg, component: org}
	var found membership
	if cfg.Mode != settings.None {
		var err error
		if found, err = b.organization(); err != nil {
			return nil, err
		}
		org.ID, org.Management = found.id, found.management
	}
	var previous *organizations.Account // AWS creates one account at a time and answers ConcurrentModification otherwise
	for _, name := range accountNames(cfg.Accounts) {
		account, created, err := b.account(name, found, previous)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		if created != nil {
			previous = created
			org.Management.Ready = append(org.Management.Ready, created)
		}
		org.Accounts = append(org.Accounts, account)
	}
	if err := b.previewRoles(org, args); err != nil {
		return nil, err
	}
	org.Training = org.account(settings.TrainingAccount)
	return org, ctx.RegisterResourceOutputs(org, pulumi.Map{"id": org.ID})
}

// accountNames returns the names in the order in which the accounts are created: that of training first, since nearly everything
// is in it.
func accountNames(accounts map[string]settings.Account) []string {
	names := slices.Sorted(maps.Keys(accounts))
	if i := slices.Index(names, settings.TrainingAccount); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, settings.TrainingAccount)
	}
	return names
}

type orgBuilder struct {
	ctx       *pulumi.Context
	name      string
	scope     scope.Scope
	cfg       settings.Organization
	component pulumi.Resource
}

// membership is what an account needs of its organization. It is the zero value with organization.mode none.
type membership struct {
	id         pulumi.StringOutput
	management *Management
	root       pulumi.StringOutput                           // id of the organization's root
	existing   *organizations.LookupOrganizationResultOutput // the adopted organization; nil for one that the stack creates
}

const serviceControlPolicy = "SERVICE_CONTROL_POLICY"

// organization creates the organization or looks it up, with the provider of its management account and its OUs.
func (b orgBuilder) organization() (membership, error) {
	caller, err := b.caller()
	if err != nil {
		return membership{}, err
	}
	args := &aws.ProviderArgs{
		Region:      pulumi.String(b.scope.Region),
		DefaultTags: aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(b.scope.Tags)},
	}
	if b.cfg.ManagementAccountID != "" {
		args.AllowedAccountIds = pulumi.StringArray{caller}
	}
	provider, err := aws.NewProvider(b.ctx, b.name+"-management", args, pulumi.Parent(b.component))
	if err != nil {
		return membership{}, err
	}
	var m membership
	if b.cfg.Mode == settings.Adopt {
		m = b.adopted(provider, caller)
	} else if m, err = b.created(provider); err != nil {
		return membership{}, err
	}
	return m, b.ous(m)
}

// caller returns the account of the credentials, or an error if organization.managementAccountId is another. It has a
// provider of its own, because the management account's refuses other accounts without naming the setting.
func (b orgBuilder) caller() (pulumi.StringOutput, error) {
	provider, err := aws.NewProvider(b.ctx, b.name+"-caller", &aws.ProviderArgs{Region: pulumi.String(b.scope.Region)}, pulumi.Parent(b.component))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return provider.URN().ApplyT(func(pulumi.URN) (string, error) {
		found, err := aws.GetCallerIdentity(b.ctx, &aws.GetCallerIdentityArgs{}, pulumi.Parent(b.component), pulumi.Provider(provider))
		if err != nil {
			return "", fmt.Errorf("credentials: %w", advice.With(err))
		}
		if desired := b.cfg.ManagementAccountID; desired != "" && desired != found.AccountId {
			return "", fmt.Errorf("organization.managementAccountId: must be the account of the credentials, got %s, but they belong to account %s; use credentials of the management account, or correct the key", desired, found.AccountId)
		}
		return found.AccountId, nil
	}).(pulumi.StringOutput), nil
}

// created creates the organization. One stack creates it; the others adopt it. It is never deleted, since AWS
// requires that all of its accounts are closed or removed first.
func (b orgBuilder) created(provider *aws.Provider) (membership, error) {
	organization, err := organizations.NewOrganization(b.ctx, b.name+"-organization", &organizations.OrganizationArgs{
		FeatureSet:                 pulumi.String("ALL"),
		EnabledPolicyTypes:         pulumi.ToStringArray([]string{serviceControlPolicy}),
		AwsServiceAccessPrincipals: pulumi.ToStringArray(b.cfg.TrustedServices),
	}, pulumi.Parent(b.component), pulumi.Provider(provider), b.scope.Keep(true))
	if err != nil {
		return membership{}, err
	}
	return membership{
		id:   organization.ID().ToStringOutput(),
		root: organization.Roots.Index(pulumi.Int(0)).Id().Elem(),
		management: &Management{
			ID: organization.MasterAccountId, Provider: provider,
			OUs: map[string]pulumi.StringOutput{}, Ready: []pulumi.Resource{organization},
		},
	}, nil
}

// adopted looks up the organization that the credentials belong to. Importing it as a resource would make an
// update disable every trusted service and policy type that the program does not list, for the whole company.
func (b orgBuilder) adopted(provider *aws.Provider, caller pulumi.StringOutput) membership {
	checked := pulumi.All(provider.URN(), caller).ApplyT(func(args []any) (organizations.LookupOrganizationResult, error) {
		found, err := organizations.LookupOrganization(b.ctx, pulumi.Parent(b.component), pulumi.Provider(provider))
		if err != nil {
			return organizations.LookupOrganizationResult{}, fmt.Errorf("organization.mode adopt: %w", advice.With(err))
		}
		// Only the look-up knows the figures. It answers in a preview too, so that the warning is always shown.
		if warning := accountQuota(*found, b.cfg.Accounts); warning != "" {
			if err := b.ctx.Log.Warn(warning, &pulumi.LogArgs{Resource: b.component}); err != nil {
				return *found, err
			}
		}
		return *found, checkAdopted(*found, args[1].(string))
	}).(organizations.LookupOrganizationResultOutput)
	return membership{
		id:         checked.Id(),
		root:       checked.Roots().Index(pulumi.Int(0)).Id(),
		existing:   &checked,
		management: &Management{ID: checked.MasterAccountId(), Provider: provider, OUs: map[string]pulumi.StringOutput{}},
	}
}

// checkAdopted returns an error if accounts cannot be created in an existing organization, or guardrails cannot
// be attached. caller is the account of the credentials.
func checkAdopted(found organizations.LookupOrganizationResult, caller string) error {
	if caller != found.MasterAccountId {
		return fmt.Errorf("organization %s: the credentials belong to account %s, but accounts are created from the management account %s: use credentials of that account", found.Id, caller, found.MasterAccountId)
	}
	if found.FeatureSet != "ALL" {
		return fmt.Errorf("organization %s: the feature set is %s, but guardrails require ALL: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_org_support-all-features.html", found.Id, found.FeatureSet)
	}
	if len(found.Roots) == 0 {
		return fmt.Errorf("organization %s: cannot read the organization root: missing permission organizations:ListRoots", found.Id)
	}
	for _, kind := range found.Roots[0].PolicyTypes {
		if kind.Type == serviceControlPolicy && kind.Status == "ENABLED" {
			return nil
		}
	}
	return fmt.Errorf("organization %s: service control policies are disabled; enable them once: aws organizations enable-policy-type --root-id %s --policy-type %s", found.Id, found.Roots[0].Id, serviceControlPolicy)
}
