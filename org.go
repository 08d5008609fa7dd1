package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/resourcegroups"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
	"llm-platform/internal/probe"
	"llm-platform/internal/settings"
)

// Organization is the accounts of the platform, and the organization around them.
type Organization struct {
	pulumi.ResourceState

	ID         pulumi.StringOutput // o-…; empty where the stack knows no organization
	Accounts   []*Account          // sorted by name
	Training   *Account            // the one of them that holds data, cluster and Job
	Management *Management         // nil where the stack knows no organization
}

// Management is the account that organization, guardrails and budgets are kept in.
type Management struct {
	ID       pulumi.StringOutput            // 12 digits
	Provider *aws.Provider                  // of the credentials, in the platform's region
	Units    map[string]pulumi.StringOutput // ids of the units that the stack made, by name
	Ready    []pulumi.Resource              // depend on these before changing anything else of the organization
}

// Account is one AWS account and the way into it.
type Account struct {
	Name     string              // as in the configuration
	ID       pulumi.StringOutput // 12 digits
	ARN      pulumi.StringOutput // of the account in its organization; without one, of its root principal
	Role     pulumi.StringOutput // ARN of the role that the program assumes there, or empty
	Provider *aws.Provider       // in the platform's region; works in this account or fails
}

// accountIDs is the id of each account by name.
func (o *Organization) accountIDs() pulumi.StringMap {
	ids := pulumi.StringMap{}
	for _, account := range o.Accounts {
		ids[account.Name] = account.ID
	}
	return ids
}

// account is the account with that name; the settings vouch that there is one.
func (o *Organization) account(name string) *Account {
	for _, account := range o.Accounts {
		if account.Name == name {
			return account
		}
	}
	return nil
}

// newOrganization makes or finds the organization, makes its units and accounts, and
// gives each account a provider that waits until the account can be entered.
func newOrganization(ctx *pulumi.Context, name string, cfg settings.Settings, opts ...pulumi.ResourceOption) (*Organization, error) {
	org := &Organization{}
	if err := ctx.RegisterComponentResource("llm:platform:Organization", name, org, opts...); err != nil {
		return nil, err
	}
	b := &orgBuilder{ctx: ctx, name: name, cfg: cfg, org: org}
	if err := b.organization(); err != nil {
		return nil, err
	}
	if err := b.units(); err != nil {
		return nil, err
	}
	var previous *organizations.Account
	for _, name := range slices.Sorted(maps.Keys(cfg.Organization.Accounts)) {
		wanted := cfg.Organization.Accounts[name]
		account := &Account{Name: name}
		var err error
		if wanted.ID == "" {
			previous, err = b.makeAccount(account, wanted, previous)
		} else {
			b.useAccount(account, wanted)
		}
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		if err := b.enter(account, wanted); err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		org.Accounts = append(org.Accounts, account)
		if name == settings.TrainingAccount {
			org.Training = account
		}
	}
	return org, ctx.RegisterResourceOutputs(org, pulumi.Map{"id": org.ID})
}

// orgBuilder is what the steps of newOrganization share.
type orgBuilder struct {
	ctx  *pulumi.Context
	name string
	cfg  settings.Settings
	org  *Organization

	management pulumi.ResourceOrInvokeOption                 // the management account's provider
	root       pulumi.StringOutput                           // id of the organization's root
	found      *organizations.LookupOrganizationResultOutput // the adopted organization
	unit       map[string]*organizations.OrganizationalUnit  // by name
}

func (b *orgBuilder) organization() error {
	wanted := b.cfg.Organization
	if wanted.Mode == settings.None {
		b.org.ID = pulumi.String("").ToStringOutput()
		return nil
	}
	args := &aws.ProviderArgs{
		Region:      pulumi.String(b.cfg.Region),
		DefaultTags: aws.ProviderDefaultTagsArgs{Tags: defaultTags(b.ctx, b.cfg)},
	}
	if wanted.ManagementAccountID != "" {
		args.AllowedAccountIds = pulumi.ToStringArray([]string{wanted.ManagementAccountID})
	}
	provider, err := aws.NewProvider(b.ctx, b.name+"-management", args, pulumi.Parent(b.org))
	if err != nil {
		return err
	}
	b.management = pulumi.Provider(provider)
	b.org.Management = &Management{Provider: provider, Units: map[string]pulumi.StringOutput{}}
	if wanted.Mode == settings.Adopt {
		b.adopt()
		return nil
	}
	// Only one stack may make the organization; the others adopt it. It is never
	// deleted: AWS would want all its accounts gone first.
	made, err := organizations.NewOrganization(b.ctx, b.name+"-organization", &organizations.OrganizationArgs{
		FeatureSet:                 pulumi.String("ALL"),
		EnabledPolicyTypes:         pulumi.ToStringArray([]string{serviceControlPolicy}),
		AwsServiceAccessPrincipals: pulumi.ToStringArray(wanted.TrustedServices),
	}, pulumi.Parent(b.org), b.management, kept(b.cfg, true))
	if err != nil {
		return err
	}
	b.org.ID = made.ID().ToStringOutput()
	b.org.Management.ID = made.MasterAccountId
	b.org.Management.Ready = append(b.org.Management.Ready, made)
	b.root = made.Roots.Index(pulumi.Int(0)).Id().Elem()
	return nil
}

const serviceControlPolicy = "SERVICE_CONTROL_POLICY"

// adopt finds the organization that the credentials belong to. It is looked up and
// not imported: as a resource, an update would switch off every trusted service and
// policy type that the program does not list, for the whole company.
func (b *orgBuilder) adopt() {
	found := organizations.LookupOrganizationOutput(b.ctx, pulumi.Parent(b.org), b.management)
	caller := aws.GetCallerIdentityOutput(b.ctx, aws.GetCallerIdentityOutputArgs{}, pulumi.Parent(b.org), b.management)
	checked := pulumi.All(found, caller.AccountId()).ApplyT(func(args []any) (organizations.LookupOrganizationResult, error) {
		organization := args[0].(organizations.LookupOrganizationResult)
		return organization, checkAdopted(organization, args[1].(string))
	}).(organizations.LookupOrganizationResultOutput)
	b.found = &checked
	b.org.ID = checked.Id()
	b.org.Management.ID = checked.MasterAccountId()
	b.root = checked.Roots().Index(pulumi.Int(0)).Id()
}

// checkAdopted says what keeps accounts from being made, or guardrails from being
// attached, in an organization that was found.
func checkAdopted(found organizations.LookupOrganizationResult, caller string) error {
	if caller != found.MasterAccountId {
		return fmt.Errorf("organization %s: these credentials belong to account %s, but accounts are made from its management account %s: use that one's credentials", found.Id, caller, found.MasterAccountId)
	}
	if found.FeatureSet != "ALL" {
		return fmt.Errorf("organization %s: has feature set %s, and guardrails need ALL: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_org_support-all-features.html", found.Id, found.FeatureSet)
	}
	if len(found.Roots) == 0 {
		return fmt.Errorf("organization %s: its root is not to be seen: the credentials need organizations:ListRoots", found.Id)
	}
	for _, kind := range found.Roots[0].PolicyTypes {
		if kind.Type == serviceControlPolicy && kind.Status == "ENABLED" {
			return nil
		}
	}
	return fmt.Errorf("organization %s: service control policies are off; switch them on once: aws organizations enable-policy-type --root-id %s --policy-type %s", found.Id, found.Roots[0].Id, serviceControlPolicy)
}

func (b *orgBuilder) units() error {
	b.unit = map[string]*organizations.OrganizationalUnit{}
	if b.cfg.Organization.Mode == settings.None {
		return nil
	}
	for _, name := range b.cfg.Organization.OrganizationalUnits {
		// Kept, because a unit that holds accounts cannot be deleted, and they stay.
		unit, err := organizations.NewOrganizationalUnit(b.ctx, b.name+"-unit-"+name, &organizations.OrganizationalUnitArgs{
			Name:     pulumi.String(name),
			ParentId: b.root,
		}, pulumi.Parent(b.org), b.management, kept(b.cfg, true))
		if err != nil {
			return fmt.Errorf("unit %s: %w", name, err)
		}
		b.unit[name] = unit
		b.org.Management.Units[name] = unit.ID().ToStringOutput()
		b.org.Management.Ready = append(b.org.Management.Ready, unit)
	}
	return nil
}

// makeAccount makes an account, after the one before it: AWS makes one at a time and
// answers ConcurrentModification otherwise.
func (b *orgBuilder) makeAccount(account *Account, wanted settings.Account, previous *organizations.Account) (*organizations.Account, error) {
	parent := b.root
	if unit, ok := b.unit[wanted.OrganizationalUnit]; ok {
		parent = unit.ID().ToStringOutput()
	} else if wanted.OrganizationalUnit != "" {
		parent = pulumi.String(wanted.OrganizationalUnit).ToStringOutput()
	}
	opts := []pulumi.ResourceOption{
		pulumi.Parent(b.org), b.management, kept(b.cfg, true),
		// Each of these would replace the account, that is, make another one. AWS
		// renames accounts and changes addresses only by hand.
		pulumi.IgnoreChanges([]string{"email", "name", "roleName", "iamUserAccessToBilling"}),
	}
	if previous != nil {
		opts = append(opts, pulumi.DependsOn([]pulumi.Resource{previous}))
	}
	made, err := organizations.NewAccount(b.ctx, b.name+"-account-"+account.Name, &organizations.AccountArgs{
		Name:            pulumi.String(wanted.Name),
		Email:           pulumi.String(wanted.Email),
		RoleName:        pulumi.String(b.cfg.Organization.RoleName),
		ParentId:        parent,
		CloseOnDeletion: pulumi.Bool(false),
	}, opts...)
	if err != nil {
		return nil, err
	}
	account.ID = made.ID().ToStringOutput()
	account.ARN = made.Arn
	b.org.Management.Ready = append(b.org.Management.Ready, made)
	return made, nil
}

// useAccount takes an account that exists. Adopting its organization, it must be in it.
func (b *orgBuilder) useAccount(account *Account, wanted settings.Account) {
	account.ID = pulumi.String(wanted.ID).ToStringOutput()
	account.ARN = pulumi.Sprintf("arn:%s:iam::%s:root", catalog.Partition(b.cfg.Region), account.ID)
	if b.found == nil {
		return
	}
	account.ARN = b.found.ApplyT(func(organization organizations.LookupOrganizationResult) (string, error) {
		for _, member := range organization.Accounts {
			if member.Id == wanted.ID {
				return member.Arn, nil
			}
		}
		return "", fmt.Errorf("organization.accounts.%s.id: account %s is not in organization %s: invite it first, or correct the id", account.Name, wanted.ID, organization.Id)
	}).(pulumi.StringOutput)
}

// How long to wait until an account can be entered. In a new one it takes some tens
// of seconds; one that exists is either open or not.
const (
	patienceWithNew = 5 * time.Minute
	patienceWithOld = 0 * time.Second
)

// enter gives an account its provider and its resource group.
func (b *orgBuilder) enter(account *Account, wanted settings.Account) error {
	args := &aws.ProviderArgs{
		Region:            pulumi.String(b.cfg.Region),
		AllowedAccountIds: pulumi.StringArray{account.ID},
		DefaultTags:       aws.ProviderDefaultTagsArgs{Tags: defaultTags(b.ctx, b.cfg)},
	}
	account.Role = pulumi.String("").ToStringOutput()
	if role := b.cfg.Organization.RoleName; role != "" {
		patience := patienceWithOld
		if wanted.ID == "" {
			patience = patienceWithNew
		}
		account.Role = b.open(account.ID, role, patience)
		args.AssumeRole = aws.ProviderAssumeRoleArgs{
			RoleArn:     account.Role,
			SessionName: pulumi.String(b.ctx.Project()),
		}
	}
	var err error
	account.Provider, err = aws.NewProvider(b.ctx, b.name+"-provider-"+account.Name, args, pulumi.Parent(b.org))
	if err != nil {
		return err
	}
	query, err := groupQuery(b.ctx.Project(), b.cfg.Stack)
	if err != nil {
		return err
	}
	_, err = resourcegroups.NewGroup(b.ctx, b.name+"-group-"+account.Name, &resourcegroups.GroupArgs{
		Description:   pulumi.Sprintf("Everything that stack %s of %s made in this account", b.cfg.Stack, b.ctx.Project()),
		ResourceQuery: resourcegroups.GroupResourceQueryArgs{Query: pulumi.String(query), Type: pulumi.String("TAG_FILTERS_1_0")},
	}, pulumi.Parent(b.org), pulumi.Provider(account.Provider))
	return err
}

// open is the ARN of an account's role once it can be assumed. Waiting here and not
// in the provider, which fails at the first denial, lets one up make an account and
// build in it. A preview asks nothing.
func (b *orgBuilder) open(id pulumi.StringOutput, role string, patience time.Duration) pulumi.StringOutput {
	return id.ApplyT(func(id string) (string, error) {
		if id == "" {
			return "", errors.New("account without an id")
		}
		session := probe.Session{Region: b.cfg.Region, Role: policy.RoleARN(catalog.Partition(b.cfg.Region), id, role)}
		if b.ctx.DryRun() {
			return session.Role, nil
		}
		return session.Role, session.AwaitRole(b.ctx.Context(), patience, func(message string) {
			// A lost progress message is no reason to stop.
			_ = b.ctx.Log.Info(message, &pulumi.LogArgs{Resource: b.org})
		})
	}).(pulumi.StringOutput)
}

// groupQuery selects by the default tags what one stack has made.
// https://docs.aws.amazon.com/ARG/latest/userguide/gettingstarted-query.html
func groupQuery(project, stack string) (string, error) {
	type filter struct {
		Key    string
		Values []string
	}
	text, err := json.Marshal(struct {
		ResourceTypeFilters []string
		TagFilters          []filter
	}{
		[]string{"AWS::AllSupported"},
		[]filter{{"Project", []string{project}}, {"Environment", []string{stack}}},
	})
	return string(text), err
}
