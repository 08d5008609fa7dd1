package settings

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
)

// How a stack stands to the organization.
const (
	Create = "create" // makes it
	Adopt  = "adopt"  // finds it, makes accounts in it
	None   = "none"   // works in accounts that are there, in no organization that it knows of
)

// TrainingAccount is the name of the account that holds the data, the cluster and
// the Job. Every stack has it; the others are the team's to choose.
const TrainingAccount = "training"

// Organization is the settings of the organization and its accounts.
type Organization struct {
	Mode                string             `json:"mode"`                // Create, Adopt or None
	ManagementAccountID string             `json:"managementAccountId"` // 12 digits; the credentials must belong to it. Empty: not checked
	TrustedServices     []string           `json:"trustedServices"`     // service principals with trusted access; Create only
	OrganizationalUnits []string           `json:"organizationalUnits"` // organizational units under the root
	Accounts            map[string]Account `json:"accounts"`            // by name, as "training"
	EmailTemplate       string             `json:"emailTemplate"`       // of accounts to be made, with {stack} and {account}
	RoleName            string             `json:"roleName"`            // role that the program assumes in each account. Empty: none, the credentials as they are
}

// Account is one member account.
type Account struct {
	Name               string `json:"name"`               // name of the account in AWS; default llm-<stack>-<name>
	Email              string `json:"email"`              // root user's address, for an account to be made
	OrganizationalUnit string `json:"organizationalUnit"` // organizational unit: one of Units, or an id (ou-…)
	ID                 string `json:"id"`                 // of an account that exists: it is used, not made
}

// AccountNames is the names of the accounts, sorted.
func (o Organization) AccountNames() []string { return names(o.Accounts) }

// has says whether there is an account of that name, or is a fault already that there
// is none.
func (o Organization) has(name string) bool {
	_, ok := o.Accounts[name]
	return ok || name == TrainingAccount
}

var (
	unitID      = regexp.MustCompile(`^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$`)
	accountName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)
	unitName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _-]{0,127}$`)
	roleName    = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{1,64}$`)
)

func (o *Organization) check(f *faults, stack string) {
	f.choice("organization.mode", o.Mode, Create, Adopt, None)
	checkAccount(f, "organization.managementAccountId", o.ManagementAccountID)
	if o.RoleName == "" && o.Mode != None {
		f.add("organization.roleName", "is empty, but accounts of an organization are entered by a role: name it, or set organization.mode to none")
	}
	if o.RoleName != "" && !roleName.MatchString(o.RoleName) {
		f.add("organization.roleName", "%q is not a role's name: 1 to 64 letters, digits and +=,.@_-", o.RoleName)
	}
	o.checkTrusted(f)
	o.checkUnits(f)
	o.complete(stack)
	o.checkAccounts(f)
}

func (o *Organization) checkTrusted(f *faults) {
	const key = "organization.trustedServices"
	for i, service := range o.TrustedServices {
		switch {
		case slices.Contains(o.TrustedServices[:i], service):
			f.add(key, "%s is listed twice: name it once", service)
		case !slices.Contains(trustable, service):
			f.add(key, "%q is not a service that an organization can trust (AWS would answer \"unrecognized service principal\")%s; all of them: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services_list.html", service, suggest(service, trustable))
		}
	}
}

func (o *Organization) checkUnits(f *faults) {
	const key = "organization.organizationalUnits"
	for i, name := range o.OrganizationalUnits {
		if !unitName.MatchString(name) {
			f.add(key, "%q is not a unit's name: letters, digits, spaces, _ and -, a letter first", name)
		}
		for _, other := range o.OrganizationalUnits[:i] {
			if strings.EqualFold(name, other) {
				f.add(key, "%q is there twice: name it once", name)
			}
		}
	}
}

// complete fills in what an account's entry may leave out.
func (o *Organization) complete(stack string) {
	for name, account := range o.Accounts {
		if account.Name == "" {
			account.Name = "llm-" + stack + "-" + name
		}
		if account.Email == "" && account.ID == "" {
			account.Email = strings.NewReplacer("{stack}", stack, "{account}", name).Replace(o.EmailTemplate)
		}
		o.Accounts[name] = account
	}
}

func (o *Organization) checkAccounts(f *faults) {
	const key = "organization.accounts"
	if _, ok := o.Accounts[TrainingAccount]; !ok {
		f.add(key, "has no account %q, which holds the data and the cluster", TrainingAccount)
	}
	all := o.AccountNames()
	for i, name := range all {
		at, account := key+"."+name, o.Accounts[name]
		if !accountName.MatchString(name) {
			f.add(at, "%q is not a name: 1 to 20 lower-case letters, digits and hyphens, a letter first", name)
		}
		if account.ID == "" {
			o.checkMade(f, at, name, account)
		} else {
			o.checkUsed(f, at, account)
		}
		for _, other := range all[:i] {
			same := o.Accounts[other]
			if account.ID != "" && account.ID == same.ID {
				f.add(at+".id", "%s is also the id of %s: give each its own account", account.ID, other)
			}
			if account.Email != "" && strings.EqualFold(account.Email, same.Email) {
				f.add(at+".email", "%q is also the address of %s, and AWS takes an address once: put {account} into organization.emailTemplate", account.Email, other)
			}
			if account.Name == same.Name {
				f.add(at+".name", "%q is also the title of %s", account.Name, other)
			}
		}
	}
}

// checkUsed checks an account that exists already.
func (o *Organization) checkUsed(f *faults, at string, account Account) {
	checkAccount(f, at+".id", account.ID)
	if account.Email != "" {
		f.add(at+".email", "goes with an account to be made, but %s.id says that it exists: remove one of them", at)
	}
	if account.OrganizationalUnit != "" {
		f.add(at+".organizationalUnit", "is where an account to be made goes, but %s.id says that it exists, and it stays where it is: remove one of them", at)
	}
	if account.ID == o.ManagementAccountID && o.Mode != None {
		f.add(at+".id", "%s is the management account, which guardrails do not bind: workloads belong in a member account", account.ID)
	}
}

// checkMade checks an account that is to be made.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_CreateAccount.html
func (o *Organization) checkMade(f *faults, at, name string, account Account) {
	if o.Mode == None {
		f.add(at+".id", "is missing: without an organization (organization.mode is none) accounts cannot be made, only used")
		return
	}
	if len(account.Name) > 50 {
		f.add(at+".name", "%q is longer than AWS's 50 characters", account.Name)
	}
	if account.OrganizationalUnit != "" && f.read("organization.organizationalUnits") && !slices.Contains(o.OrganizationalUnits, account.OrganizationalUnit) && !unitID.MatchString(account.OrganizationalUnit) {
		f.add(at+".organizationalUnit", "%q is neither in organization.organizationalUnits nor a unit's id (ou-…)%s", account.OrganizationalUnit, suggest(account.OrganizationalUnit, o.OrganizationalUnits))
	}
	if account.Email == "" {
		f.add("organization.emailTemplate", "is empty, and account %s has neither an email nor an id: set it, as aws+{stack}-{account}@your.company", name)
		return
	}
	address, err := mail.ParseAddress(account.Email)
	if err != nil || address.Address != account.Email || len(account.Email) < 6 || len(account.Email) > 64 ||
		strings.ContainsAny(account.Email, "{} ") || !strings.Contains(account.Email[strings.LastIndex(account.Email, "@")+1:], ".") {
		f.add(at+".email", "%q (its own, or from organization.emailTemplate with {stack} and {account} filled in) is not an address that AWS takes: name@domain of 6 to 64 characters", account.Email)
	}
}
