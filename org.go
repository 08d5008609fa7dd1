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

	"llm-platform/internal/awsprobe"
	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// Organization is the accounts of the platform and, except with organization.mode none, the organization that
// they belong to.
type Organization struct {
	pulumi.ResourceState

	ID         pulumi.StringOutput // o-…; empty with organization.mode none
	Accounts   []scope.Account     // sorted by name
	Training   scope.Account       // the account that holds data, cluster and runs
	Management *Management         // nil with organization.mode none
}

// Management is the account that owns the organization, its guardrails and its budgets.
type Management struct {
	ID       pulumi.StringOutput            // 12 digits
	Provider *aws.Provider                  // with the deployment's credentials, in the platform's region
	OUs      map[string]pulumi.StringOutput // ids of the OUs that the stack created, by name
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

// newOrganization creates or looks up the organization, creates its OUs and accounts, and gives each account a
// provider that waits until the account's role can be assumed.
func newOrganization(ctx *pulumi.Context, name string, s scope.Scope, cfg settings.Organization) (*Organization, error) {
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
	for _, name := range slices.Sorted(maps.Keys(cfg.Accounts)) {
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
	org.Training = org.account(settings.TrainingAccount)
	return org, ctx.RegisterResourceOutputs(org, pulumi.Map{"id": org.ID})
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
	args := &aws.ProviderArgs{
		Region:      pulumi.String(b.scope.Region),
		DefaultTags: aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(b.scope.Tags)},
	}
	if b.cfg.ManagementAccountID != "" {
		args.AllowedAccountIds = pulumi.ToStringArray([]string{b.cfg.ManagementAccountID})
	}
	provider, err := aws.NewProvider(b.ctx, b.name+"-management", args, pulumi.Parent(b.component))
	if err != nil {
		return membership{}, err
	}
	var m membership
	if b.cfg.Mode == settings.Adopt {
		m = b.adopted(provider)
	} else if m, err = b.created(provider); err != nil {
		return membership{}, err
	}
	ous, err := b.createOUs(m.root, provider)
	if err != nil {
		return membership{}, err
	}
	for name, ou := range ous {
		m.management.OUs[name] = ou.ID().ToStringOutput()
	}
	for _, name := range b.cfg.OrganizationalUnits {
		m.management.Ready = append(m.management.Ready, ous[name])
	}
	return m, nil
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
func (b orgBuilder) adopted(provider *aws.Provider) membership {
	found := organizations.LookupOrganizationOutput(b.ctx, pulumi.Parent(b.component), pulumi.Provider(provider))
	caller := aws.GetCallerIdentityOutput(b.ctx, aws.GetCallerIdentityOutputArgs{}, pulumi.Parent(b.component), pulumi.Provider(provider))
	checked := pulumi.All(found, caller.AccountId()).ApplyT(func(args []any) (organizations.LookupOrganizationResult, error) {
		organization := args[0].(organizations.LookupOrganizationResult)
		// Only the look-up knows the figures. It answers in a preview too, so that the warning is always shown.
		if warning := accountQuota(organization, b.cfg.Accounts); warning != "" {
			if err := b.ctx.Log.Warn(warning, &pulumi.LogArgs{Resource: b.component}); err != nil {
				return organization, err
			}
		}
		return organization, checkAdopted(organization, args[1].(string))
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

// createOUs creates the OUs below the root, by name. They are retained: an OU that holds accounts cannot be
// deleted, and accounts are retained.
func (b orgBuilder) createOUs(root pulumi.StringOutput, provider *aws.Provider) (map[string]*organizations.OrganizationalUnit, error) {
	ous := map[string]*organizations.OrganizationalUnit{}
	for _, name := range b.cfg.OrganizationalUnits {
		ou, err := organizations.NewOrganizationalUnit(b.ctx, b.name+"-unit-"+name, &organizations.OrganizationalUnitArgs{
			Name:     pulumi.String(name),
			ParentId: root,
		}, pulumi.Parent(b.component), pulumi.Provider(provider), b.scope.Keep(true))
		if err != nil {
			return nil, fmt.Errorf("OU %s: %w", name, err)
		}
		ous[name] = ou
	}
	return ous, nil
}

// account creates an account after the previous one, or uses an existing one, and returns it with its provider.
// The second result is nil for an existing account.
func (b orgBuilder) account(name string, m membership, previous *organizations.Account) (scope.Account, *organizations.Account, error) {
	desired := b.cfg.Accounts[name]
	account := scope.Account{Name: name}
	var created *organizations.Account
	if desired.ID != "" {
		account.ID = pulumi.String(desired.ID).ToStringOutput()
		account.ARN = b.memberARN(name, desired.ID, m)
	} else {
		var err error
		if created, err = b.createAccount(name, desired, m, previous); err != nil {
			return account, nil, err
		}
		account.ID, account.ARN = created.ID().ToStringOutput(), created.Arn
	}
	account.Role = b.assumableRole(account.ID, created != nil)
	var err error
	if account.Provider, err = b.accountProvider(account); err != nil {
		return account, nil, err
	}
	return account, created, b.resourceGroup(account)
}

func (b orgBuilder) createAccount(name string, desired settings.Account, m membership, previous *organizations.Account) (*organizations.Account, error) {
	parent := m.root
	if ou, ok := m.management.OUs[desired.OrganizationalUnit]; ok {
		parent = ou
	} else if desired.OrganizationalUnit != "" {
		parent = pulumi.String(desired.OrganizationalUnit).ToStringOutput()
	}
	opts := []pulumi.ResourceOption{
		pulumi.Parent(b.component), pulumi.Provider(m.management.Provider), b.scope.Keep(true),
		// A change of any of these would replace the account, that is, create another one. AWS renames accounts
		// and changes their e-mail addresses only in the console.
		pulumi.IgnoreChanges([]string{"email", "name", "roleName", "iamUserAccessToBilling"}),
	}
	if previous != nil {
		opts = append(opts, pulumi.DependsOn([]pulumi.Resource{previous}))
	}
	return organizations.NewAccount(b.ctx, b.name+"-account-"+name, &organizations.AccountArgs{
		Name:            pulumi.String(desired.Name),
		Email:           pulumi.String(desired.Email),
		RoleName:        pulumi.String(b.cfg.RoleName),
		ParentId:        parent,
		CloseOnDeletion: pulumi.Bool(false),
	}, opts...)
}

// memberARN returns the ARN of an existing account. In an adopted organization the account must be a member.
func (b orgBuilder) memberARN(name, id string, m membership) pulumi.StringOutput {
	if m.existing == nil {
		return pulumi.Sprintf("arn:%s:iam::%s:root", b.scope.Partition, id)
	}
	return m.existing.ApplyT(func(organization organizations.LookupOrganizationResult) (string, error) {
		for _, member := range organization.Accounts {
			if member.Id == id {
				return member.Arn, nil
			}
		}
		return "", fmt.Errorf("organization.accounts.%s.id: account %s is not in organization %s: invite it first, or correct the id", name, id, organization.Id)
	}).(pulumi.StringOutput)
}

// newAccountPatience is how long to wait until the role of a new account can be assumed, which takes some tens
// of seconds. The role of an existing account can be assumed at once or not at all.
const newAccountPatience = 5 * time.Minute

// assumableRole returns the ARN of an account's role once it can be assumed, or an empty string if none is to be
// assumed. Waiting here and not in the provider, which fails at the first denial, lets one up create an account
// and deploy into it. A preview does not ask AWS.
func (b orgBuilder) assumableRole(account pulumi.StringOutput, created bool) pulumi.StringOutput {
	if b.cfg.RoleName == "" {
		return pulumi.String("").ToStringOutput()
	}
	return account.ApplyT(func(id string) (string, error) {
		if id == "" {
			return "", errors.New("account without an id")
		}
		session := awsprobe.Session{Region: b.scope.Region, Role: policy.RoleARN(b.scope.Partition, id, b.cfg.RoleName)}
		if b.ctx.DryRun() {
			return session.Role, nil
		}
		patience := time.Duration(0)
		if created {
			patience = newAccountPatience
		}
		return session.Role, session.AwaitRole(b.ctx.Context(), patience, func(message string) {
			// A lost progress message is no reason to stop.
			_ = b.ctx.Log.Info(message, &pulumi.LogArgs{Resource: b.component})
		})
	}).(pulumi.StringOutput)
}

// accountProvider creates the provider that works in an account, or fails.
func (b orgBuilder) accountProvider(account scope.Account) (*aws.Provider, error) {
	args := &aws.ProviderArgs{
		Region:            pulumi.String(b.scope.Region),
		AllowedAccountIds: pulumi.StringArray{account.ID},
		DefaultTags:       aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(b.scope.Tags)},
	}
	if b.cfg.RoleName != "" {
		args.AssumeRole = aws.ProviderAssumeRoleArgs{RoleArn: account.Role, SessionName: pulumi.String(b.scope.Project)}
	}
	return aws.NewProvider(b.ctx, b.name+"-provider-"+account.Name, args, pulumi.Parent(b.component))
}

// resourceGroup creates the group that lists in the console what the stack has created in an account.
func (b orgBuilder) resourceGroup(account scope.Account) error {
	query, err := groupQuery(b.scope.Project, b.scope.Stack)
	if err != nil {
		return err
	}
	_, err = resourcegroups.NewGroup(b.ctx, b.name+"-group-"+account.Name, &resourcegroups.GroupArgs{
		Description:   pulumi.Sprintf("Everything that stack %s of %s created in this account", b.scope.Stack, b.scope.Project),
		ResourceQuery: resourcegroups.GroupResourceQueryArgs{Query: pulumi.String(query), Type: pulumi.String("TAG_FILTERS_1_0")},
	}, pulumi.Parent(b.component), pulumi.Provider(account.Provider))
	return err
}

// groupQuery returns the query that selects the resources of one stack by their default tags.
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
