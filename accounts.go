package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	account.Org, account.Trusted = b.trusted(account, m)
	account.Role = b.assumableRole(account.ID, created != nil)
	account.Acting = account.Role
	if b.ctx.DryRun() && b.cfg.PreviewRoleName != "" {
		account.Acting = b.readableRole(account)
	}
	var err error
	if account.Provider, err = b.accountProvider(account); err != nil {
		return account, nil, err
	}
	if created != nil {
		if err := b.blockPublicAccess(account); err != nil {
			return account, nil, err
		}
	}
	return account, created, b.resourceGroup(account)
}

// trusted returns whose principals may use an account's buckets and keys: those of the organization and of the account, or
// without an organization those of all accounts of the stack.
func (b orgBuilder) trusted(account scope.Account, m membership) (org pulumi.StringOutput, accounts pulumi.StringArray) {
	if m.management != nil {
		return m.id, pulumi.StringArray{account.ID}
	}
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Accounts)) {
		accounts = append(accounts, pulumi.String(b.cfg.Accounts[name].ID))
	}
	return pulumi.String("").ToStringOutput(), accounts
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

// readableRole returns the role that a preview assumes: the one that deploys, or the read-only one if that is denied to
// the credentials. The preview of whoever may deploy is thus the one that their update shows; with the read-only role,
// it also shows an update of the account's provider, whose role is one of its inputs.
func (b orgBuilder) readableRole(account scope.Account) pulumi.StringOutput {
	return pulumi.All(account.ID, account.Role).ApplyT(func(args []any) (string, error) {
		session, silent := awsprobe.Session{Region: b.scope.Region, Role: args[1].(string)}, func(string) {}
		err := session.AwaitRole(b.ctx.Context(), 0, silent)
		if err == nil || !awsprobe.Denied(err) {
			return session.Role, err
		}
		session.Role = policy.RoleARN(b.scope.Partition, args[0].(string), b.cfg.PreviewRoleName)
		if err := session.AwaitRole(b.ctx.Context(), 0, silent); err != nil {
			return "", fmt.Errorf("organization.previewRoleName: neither it nor organization.roleName can be assumed; pulumi up creates a role whose name begins with %s-, any other must exist in the account: %w", b.scope.Prefix, err)
		}
		return session.Role, nil
	}).(pulumi.StringOutput)
}

// previewRoles creates the read-only role in every account if its name is one of the stack's. It trusts the management
// account, and the CI preview role in the account of that name.
func (b orgBuilder) previewRoles(org *Organization, args OrganizationArgs) error {
	if !strings.HasPrefix(b.cfg.PreviewRoleName, b.scope.Prefix+"-") {
		return nil
	}
	empty := pulumi.String("").ToStringOutput()
	management, ci := empty, empty
	if org.Management != nil {
		management = org.Management.ID
	}
	if args.CIAccount != "" {
		ci = org.account(args.CIAccount).ID
	}
	for _, account := range org.Accounts {
		document := policy.Describe(nil)
		if account.Name == settings.TrainingAccount {
			document = policy.Describe(args.Objects)
		}
		permissions, err := document.JSON()
		if err != nil {
			return err
		}
		_, err = b.scope.NewRole(b.ctx, b.name+"-preview-"+account.Name, scope.RoleArgs{
			Name:        b.cfg.PreviewRoleName,
			Description: "Previews assume this role, read-only",
			Trust: pulumi.All(management, ci).ApplyT(func(ids []any) (string, error) {
				return policy.PreviewTrust(b.scope.Partition, ids[0].(string), ids[1].(string), b.scope.Prefix+"-").JSON()
			}).(pulumi.StringOutput),
			Permissions: pulumi.String(permissions),
			Account:     account.ID,
			Parent:      b.component,
			Provider:    account.Provider,
		})
		if err != nil {
			return fmt.Errorf("preview role in account %s: %w", account.Name, err)
		}
	}
	return nil
}

// copiedObjects returns the ARNs of the objects of an existing bucket that the stack copies. Their ETags are looked up in
// every preview, for which S3 asks for the permission to read them.
func copiedObjects(s scope.Scope, cfg settings.Storage) []string {
	var objects []string
	for _, desired := range cfg.Copies {
		if cfg.SourceBucket != "" {
			objects = append(objects, fmt.Sprintf("arn:%s:s3:::%s/%s", s.Partition, cfg.SourceBucket, desired.Source))
		}
	}
	slices.Sort(objects)
	return objects
}

// accountProvider creates the provider that works in an account, or fails.
func (b orgBuilder) accountProvider(account scope.Account) (*aws.Provider, error) {
	args := &aws.ProviderArgs{
		Region:            pulumi.String(b.scope.Region),
		AllowedAccountIds: pulumi.StringArray{account.ID},
		DefaultTags:       aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(b.scope.Tags)},
	}
	if b.cfg.RoleName != "" {
		args.AssumeRole = aws.ProviderAssumeRoleArgs{RoleArn: account.Acting, SessionName: pulumi.String(b.scope.Project)}
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
