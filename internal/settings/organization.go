package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Modes of the organization. With None the stack uses existing accounts and knows no organization.
const (
	Create = "create" // creates it
	Adopt  = "adopt"  // uses the existing one and creates accounts in it
)

// TrainingAccount is the name of the account with the data, the cluster and the training runs. It is always
// configured; the other names are the team's choice.
const TrainingAccount = "training"

// deploymentAccount is the name of the account of the CI roles by default, if there is one.
const deploymentAccount = "deployment"

// Organization describes the organization and its accounts.
type Organization struct {
	Mode                string             // Create, Adopt or None
	ManagementAccountID string             // 12 digits; credentials of another account are refused. Empty: not checked
	TrustedServices     []string           // service principals with trusted access; Create only
	Trail               bool               // a CloudTrail trail of the organization; Create only
	OrganizationalUnits map[string]Unit    // by the name that accounts use, for example workloads or ou-…
	Accounts            map[string]Account // by name, for example training
	RoleName            string             // role to assume in every account. Empty: none, the credentials are used as they are
	PreviewRoleName     string             // role that previews assume where RoleName is denied to them. Empty: none
	PermissionsBoundary string             // name, with its path, of a policy in every account, or ARN of an AWS managed one. Empty: none
}

// Unit is an OU: either an existing one, with ID, or one to create under the root, with Name.
type Unit struct {
	Name string // in AWS; empty for an existing one
	ID   string // ou-…; empty: it is created
}

// Account is one member account: either an existing one, with ID, or one to create, with Email.
type Account struct {
	Name               string // in AWS
	Email              string // of the root user of an account to create; empty for an existing one
	OrganizationalUnit string // a key of Organization.OrganizationalUnits or an OU id (ou-…); empty: the root
	ID                 string // of an existing account; empty: it is created
}

type rawOrganization struct {
	Mode                string                `json:"mode"`
	ManagementAccountID string                `json:"managementAccountId"`
	TrustedServices     []string              `json:"trustedServices"`
	Trail               bool                  `json:"trail"`
	OrganizationalUnits []string              `json:"organizationalUnits"`
	Accounts            map[string]rawAccount `json:"accounts"`
	EmailTemplate       string                `json:"emailTemplate"`
	RoleName            string                `json:"roleName"`
	PreviewRoleName     string                `json:"previewRoleName"`
	PermissionsBoundary string                `json:"permissionsBoundary"`
}

type rawAccount struct {
	Name               string `json:"name,omitempty"`  // default: llm-<stack>-<account>
	Email              string `json:"email,omitempty"` // default: organization.emailTemplate
	OrganizationalUnit string `json:"organizationalUnit,omitempty"`
	ID                 string `json:"id,omitempty"`
}

func (o rawOrganization) resolve(stack string) Organization {
	accounts := make(map[string]Account, len(o.Accounts))
	for name, account := range o.Accounts {
		accounts[name] = account.resolve(stack, name, o.EmailTemplate)
	}
	units := make(map[string]Unit, len(o.OrganizationalUnits))
	for _, name := range o.OrganizationalUnits {
		units[name] = Unit{Name: "llm-" + stack + "-" + name}
		if unitID.MatchString(name) {
			units[name] = Unit{ID: name}
		}
	}
	return Organization{
		Mode:                o.Mode,
		ManagementAccountID: o.ManagementAccountID,
		TrustedServices:     o.trustedServices(),
		Trail:               o.Trail,
		OrganizationalUnits: units,
		Accounts:            accounts,
		RoleName:            o.RoleName,
		PreviewRoleName:     strings.ReplaceAll(o.PreviewRoleName, "{stack}", stack),
		PermissionsBoundary: o.PermissionsBoundary,
	}
}

// trustedServices returns the service principals with trusted access. An organization trail needs CloudTrail's.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
func (o rawOrganization) trustedServices() []string {
	const cloudTrail = "cloudtrail.amazonaws.com"
	if !o.Trail || slices.Contains(o.TrustedServices, cloudTrail) {
		return o.TrustedServices
	}
	return append(slices.Clone(o.TrustedServices), cloudTrail)
}

func (a rawAccount) resolve(stack, name, emailTemplate string) Account {
	account := Account(a)
	if account.Name == "" {
		account.Name = "llm-" + stack + "-" + name
	}
	if account.Email == "" && account.ID == "" {
		account.Email = strings.NewReplacer("{stack}", stack, "{account}", name).Replace(emailTemplate)
	}
	return account
}

var (
	unitID   = regexp.MustCompile(`^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$`)
	unitName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _-]{0,99}$`) // AWS allows 128 characters, of which llm-<stack>- takes up to 25
	roleName = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{1,64}$`)
	// boundary matches the name of a managed policy with its path, or the ARN of one that AWS manages.
	boundary = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::aws:policy/)?([A-Za-z0-9+=,.@_-]+/){0,16}[A-Za-z0-9+=,.@_-]{1,128}$`)
)

func (o rawOrganization) validate(p *field.Path, resolved Organization, in input) field.ErrorList {
	errs := slices.Concat(
		choice(p.Child("mode"), o.Mode, Create, Adopt, None),
		account(p.Child("managementAccountId"), o.ManagementAccountID),
		optional(p.Child("roleName"), o.RoleName, roleName, "a role name of 1 to 64 letters, digits and +=,.@_-"),
		unique(p.Child("trustedServices"), o.TrustedServices),
		optional(p.Child("previewRoleName"), resolved.PreviewRoleName, roleName, "a role name of 1 to 64 letters, digits and +=,.@_-"),
		optional(p.Child("permissionsBoundary"), o.PermissionsBoundary, boundary,
			"the name of a managed policy that exists in every account, with its path, for example team/Boundary, or the ARN of an AWS managed policy"),
	)
	if o.ManagementAccountID == "" && o.Mode == Create {
		errs = append(errs, field.Required(p.Child("managementAccountId"),
			"organization.mode create turns the account of the credentials into a management account for good. "+
				"`aws sts get-caller-identity` prints its id"))
	}
	switch preview := p.Child("previewRoleName"); {
	case o.PreviewRoleName == "":
	case o.RoleName == "":
		errs = append(errs, field.Forbidden(preview, "has no effect with an empty organization.roleName; remove it"))
	case resolved.PreviewRoleName == o.RoleName:
		errs = append(errs, field.Invalid(preview, o.PreviewRoleName, "must differ from organization.roleName, which can change everything; use a read-only role"))
	}
	if o.RoleName == "" && o.Mode != None {
		errs = append(errs, field.Required(p.Child("roleName"),
			"the program assumes it in every account. To use the credentials as they are, set organization.mode to none"))
	}
	for i, service := range o.TrustedServices {
		errs = append(errs, trustedService(p.Child("trustedServices").Index(i), service)...)
	}
	units := p.Child("organizationalUnits")
	for i, name := range o.OrganizationalUnits {
		if strings.HasPrefix(name, "ou-") {
			errs = append(errs, match(units.Index(i), name, unitID, "an OU name, or the id of an existing OU, for example ou-ab12-34cd56ef")...)
		} else {
			errs = append(errs, match(units.Index(i), name, unitName,
				"an OU name of up to 100 letters, digits, spaces, _ and -, a letter first, or the id of an existing OU (ou-…)")...)
		}
		if slices.ContainsFunc(o.OrganizationalUnits[:i], func(other string) bool { return strings.EqualFold(name, other) }) {
			errs = append(errs, field.Duplicate(units.Index(i), name))
		}
	}
	return append(errs, o.validateAccounts(p, resolved.Accounts, in)...)
}

func (o rawOrganization) validateAccounts(p *field.Path, accounts map[string]Account, in input) field.ErrorList {
	var errs field.ErrorList
	names := slices.Sorted(maps.Keys(accounts))
	if !slices.Contains(names, TrainingAccount) {
		errs = append(errs, field.Required(p.Child("accounts", TrainingAccount),
			"this account holds the data and the cluster"))
	}
	for i, name := range names {
		at, account := entry(p.Child("accounts"), name), accounts[name]
		if !isName(name, 20) {
			errs = append(errs, field.Invalid(at, name,
				"must have a name of 1 to 20 lower-case letters, digits and hyphens, a letter first"))
		}
		if account.ID != "" {
			errs = append(errs, o.validateExisting(at, account)...)
		} else {
			errs = append(errs, o.validateNew(p, at, name, account, in)...)
		}
		for _, other := range names[:i] {
			same := accounts[other]
			if account.ID != "" && account.ID == same.ID {
				errs = append(errs, field.Invalid(at.Child("id"), account.ID, "must differ from the id of "+other))
			}
			if account.Email != "" && strings.EqualFold(account.Email, same.Email) {
				errs = append(errs, field.Invalid(at.Child("email"), account.Email,
					"must differ from the e-mail address of "+other+"; put {account} into organization.emailTemplate"))
			}
			if account.Name == same.Name {
				errs = append(errs, field.Invalid(at.Child("name"), account.Name, "must differ from the name of "+other))
			}
		}
	}
	return errs
}

func (o rawOrganization) validateExisting(at *field.Path, existing Account) field.ErrorList {
	errs := account(at.Child("id"), existing.ID)
	if existing.Email != "" {
		errs = append(errs, field.Forbidden(at.Child("email"),
			"cannot be combined with id, which refers to an existing account; remove one of them"))
	}
	if existing.OrganizationalUnit != "" {
		errs = append(errs, field.Forbidden(at.Child("organizationalUnit"),
			"cannot be combined with id, which refers to an existing account that stays where it is; remove one of them"))
	}
	if existing.ID == o.ManagementAccountID && o.Mode != None {
		errs = append(errs, field.Invalid(at.Child("id"), existing.ID,
			"must not be the management account, which guardrails do not apply to; use a member account"))
	}
	return errs
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_CreateAccount.html
func (o rawOrganization) validateNew(p, at *field.Path, name string, account Account, in input) field.ErrorList {
	if o.Mode == None {
		return field.ErrorList{field.Required(at.Child("id"), "organization.mode none uses existing accounts only")}
	}
	var errs field.ErrorList
	errs = append(errs, match(at.Child("name"), account.Name, accountName, "1 to 50 printable ASCII characters, which AWS requires")...)
	unit, units := account.OrganizationalUnit, p.Child("organizationalUnits")
	if unit != "" && in.read(units) && !slices.Contains(o.OrganizationalUnits, unit) && !unitID.MatchString(unit) {
		errs = append(errs, field.Invalid(at.Child("organizationalUnit"), unit,
			fmt.Sprintf("must be in %s or the id of an OU (ou-…)", units)+suggest(unit, o.OrganizationalUnits)))
	}
	if account.Email == "" {
		return append(errs, field.Required(p.Child("emailTemplate"),
			fmt.Sprintf("account %s has neither email nor id. Set it, for example to "+
				"aws+{stack}-{account}@example.com", name)))
	}
	return append(errs, validateAccountEmail(at.Child("email"), account.Email)...)
}

// knownAccount checks that an account is configured. The training account always is, or is reported already.
func knownAccount(p *field.Path, name string, o Organization, in input) field.ErrorList {
	accounts := field.NewPath("organization", "accounts")
	if _, ok := o.Accounts[name]; ok || name == TrainingAccount || !in.read(accounts) {
		return nil
	}
	return field.ErrorList{field.Invalid(p, name,
		"must be an account of "+accounts.String()+suggest(name, slices.Sorted(maps.Keys(o.Accounts))))}
}
