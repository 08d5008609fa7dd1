package settings

import (
	"fmt"
	"maps"
	"net/mail"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// How the kill switch is activated; with None there is no kill switch.
const (
	manual    = "manual"    // after approval in the Budgets console
	Automatic = "automatic" // at once
)

// Budget describes the monthly budgets of the accounts.
type Budget struct {
	MonthlyUSD        map[string]int `json:"monthlyUSD"`        // by account name; the other accounts have no budget
	ActualPercents    []int          `json:"actualPercents"`    // of the budget: alert thresholds for actual spend
	ForecastPercents  []int          `json:"forecastPercents"`  // of the budget: alert thresholds for forecast spend
	Emails            []string       `json:"emails"`            // subscribers
	SNSTopicARN       string         `json:"snsTopicArn"`       // topic to notify; its policy must let budgets.amazonaws.com publish
	KillSwitch        string         `json:"killSwitch"`        // None, manual or Automatic
	KillSwitchPercent int            `json:"killSwitchPercent"` // of the budget, actual spend: deny new accelerated instances
}

// Limits of AWS Budgets.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
const (
	maxNotifications = 10 // of a budget
	maxEmails        = 10 // of a notification, besides one SNS topic
)

func (b Budget) validate(p *field.Path, organization Organization, in input) field.ErrorList {
	killSwitch := p.Child("killSwitch")
	errs := slices.Concat(
		choice(killSwitch, b.KillSwitch, None, manual, Automatic),
		between(p.Child("killSwitchPercent"), b.KillSwitchPercent, 1, 1000),
		b.validateThresholds(p),
		b.validateSubscribers(p),
	)
	for _, name := range slices.Sorted(maps.Keys(b.MonthlyUSD)) {
		at := entry(p.Child("monthlyUSD"), name)
		errs = append(errs, knownAccount(at, name, organization, in)...)
		errs = append(errs, between(at, b.MonthlyUSD[name], 1, 1_000_000_000)...)
	}
	// manual is the default; with it the program only warns that there is no kill switch.
	if len(b.MonthlyUSD) > 0 && b.KillSwitch == Automatic && organization.Mode == None {
		errs = append(errs, field.Invalid(killSwitch, b.KillSwitch,
			"must be none without an organization (organization.mode none)"))
	}
	return errs
}

func (b Budget) validateThresholds(p *field.Path) field.ErrorList {
	actual, forecast := p.Child("actualPercents"), p.Child("forecastPercents")
	errs := append(unique(actual, b.ActualPercents), unique(forecast, b.ForecastPercents)...)
	for i, percent := range b.ActualPercents {
		errs = append(errs, between(actual.Index(i), percent, 1, 1000)...)
	}
	for i, percent := range b.ForecastPercents {
		errs = append(errs, between(forecast.Index(i), percent, 1, 1000)...)
	}
	switch n := len(b.ActualPercents) + len(b.ForecastPercents); {
	case n == 0 && len(b.MonthlyUSD) > 0:
		errs = append(errs, field.Required(actual, fmt.Sprintf("a budget needs a threshold here or in %s", forecast)))
	case n > maxNotifications:
		errs = append(errs, field.Invalid(actual, n,
			fmt.Sprintf("must be at most %d thresholds together with %s", maxNotifications, forecast)))
	}
	return errs
}

func (b Budget) validateSubscribers(p *field.Path) field.ErrorList {
	emails, topic := p.Child("emails"), p.Child("snsTopicArn")
	errs := append(unique(emails, b.Emails), topicARN.optional(topic, b.SNSTopicARN)...)
	if n := len(b.Emails); n > maxEmails {
		errs = append(errs, field.Invalid(emails, n,
			fmt.Sprintf("must be at most %d e-mail addresses; use a mailing list or %s", maxEmails, topic)))
	}
	for i, email := range b.Emails {
		if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
			errs = append(errs, field.Invalid(emails.Index(i), email, "must be an e-mail address, name@domain"))
		}
	}
	if len(b.MonthlyUSD) > 0 && len(b.Emails) == 0 && b.SNSTopicARN == "" {
		errs = append(errs, field.Required(emails, fmt.Sprintf("a budget needs a subscriber here or in %s", topic)))
	}
	return errs
}
