package settings

import (
	"net/mail"
	"regexp"
	"slices"
)

// How the kill switch is thrown; None has none.
const (
	Manual    = "manual"    // someone approves it in the Budgets console
	Automatic = "automatic" // at once
)

// Budget is the settings of the accounts' monthly budgets.
type Budget struct {
	MonthlyUSD        map[string]int `json:"monthlyUSD"`        // by account name; those left out have no budget
	ActualPercents    []int          `json:"actualPercents"`    // of the budget: tell when so much is spent
	ForecastPercents  []int          `json:"forecastPercents"`  // of the budget: tell when so much will be spent by the month's end
	Emails            []string       `json:"emails"`            // whom to tell
	SNSTopicARN       string         `json:"snsTopicArn"`       // topic to tell; its policy must let budgets.amazonaws.com publish
	KillSwitch        string         `json:"killSwitch"`        // None, Manual or Automatic
	KillSwitchPercent int            `json:"killSwitchPercent"` // of the budget, spent: stop new accelerated instances
}

// Accounts is the names of the accounts with a budget, sorted.
func (b Budget) Accounts() []string { return names(b.MonthlyUSD) }

// Limits of AWS Budgets.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
const (
	maxNotifications = 10 // of a budget
	maxEmails        = 10 // of a notification, beside one SNS topic
)

var topicARN = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)

func (b *Budget) check(f *faults, organization Organization) {
	f.choice("budget.killSwitch", b.KillSwitch, None, Manual, Automatic)
	f.between("budget.killSwitchPercent", b.KillSwitchPercent, 1, 1000, "percent")
	b.checkPercents(f)
	b.checkSubscribers(f)
	for _, name := range b.Accounts() {
		at := "budget.monthlyUSD." + name
		if !organization.has(name) {
			f.add(at, "there is no account %q in organization.accounts%s", name, suggest(name, organization.AccountNames()))
		}
		f.between(at, b.MonthlyUSD[name], 1, 1_000_000_000, "USD")
	}
	if len(b.MonthlyUSD) == 0 {
		return
	}
	if len(b.Emails) == 0 && b.SNSTopicARN == "" {
		f.add("budget.emails", "is empty, and so is budget.snsTopicArn: a budget must tell somebody")
	}
	// manual is the default, and the program warns that there is none.
	if b.KillSwitch == Automatic && organization.Mode == None {
		f.add("budget.killSwitch", "automatic needs an organization, whose policies stop instances, and organization.mode is none: set it to none")
	}
}

func (b *Budget) checkPercents(f *faults) {
	for key, percents := range map[string][]int{"budget.actualPercents": b.ActualPercents, "budget.forecastPercents": b.ForecastPercents} {
		for i, percent := range percents {
			f.between(key, percent, 1, 1000, "percent")
			if slices.Contains(percents[:i], percent) {
				f.add(key, "%d is listed twice: name it once", percent)
			}
		}
	}
	switch n := len(b.ActualPercents) + len(b.ForecastPercents); {
	case n == 0 && len(b.MonthlyUSD) > 0:
		f.add("budget.actualPercents", "is empty, and so is budget.forecastPercents: a budget must tell at some point")
	case n > maxNotifications:
		f.add("budget.actualPercents", "with budget.forecastPercents there are %d thresholds, and AWS takes %d for a budget", n, maxNotifications)
	}
}

func (b *Budget) checkSubscribers(f *faults) {
	if len(b.Emails) > maxEmails {
		f.add("budget.emails", "%d are too many: AWS takes %d; use a list's address or budget.snsTopicArn", len(b.Emails), maxEmails)
	}
	for i, email := range b.Emails {
		if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
			f.add("budget.emails", "%q is not an e-mail address", email)
		}
		if slices.Contains(b.Emails[:i], email) {
			f.add("budget.emails", "%q is listed twice: name it once", email)
		}
	}
	if b.SNSTopicARN != "" && !topicARN.MatchString(b.SNSTopicARN) {
		f.add("budget.snsTopicArn", "%q is not the ARN of a standard SNS topic (arn:…:sns:region:account:name)", b.SNSTopicARN)
	}
}
