package settings

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// scheduleCharacters is the pattern of API_TaskSchedule; a schedule has at most 256 characters.
// https://docs.aws.amazon.com/datasync/latest/userguide/API_TaskSchedule.html, read 2026-11-26
var scheduleCharacters = regexp.MustCompile(`^[a-zA-Z0-9 _*?,|^/#()+-]{1,256}$`)

var rateExpression = regexp.MustCompile(`^rate\(([1-9][0-9]{0,4}) (hour|hours|day|days)\)$`)

// unsigned matches a number without a sign.
var unsigned = regexp.MustCompile(`^[0-9]+$`)

// cronField describes one field of a cron expression.
type cronField struct {
	name        string
	least, most int
	names       []string       // for the numbers from least on, for example JAN
	special     *regexp.Regexp // what else an element may be
}

// cronFields are the fields of EventBridge's cron expressions, which DataSync uses.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html, read 2026-11-26
func cronFields() []cronField {
	return []cronField{
		{name: "minute", most: 59},
		{name: "hour", most: 23},
		{name: "day of month", least: 1, most: 31, special: regexp.MustCompile(`^(L|L-([0-2]?[0-9]|30)|LW|[0-9]{1,2}W)$`)},
		{name: "month", least: 1, most: 12, names: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")},
		{name: "day of week", least: 1, most: 7, names: strings.Fields("SUN MON TUE WED THU FRI SAT"),
			special: regexp.MustCompile(`^(L|[1-7]L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#[1-5])$`)},
		{name: "year", least: 1970, most: 2199},
	}
}

// validateSchedule checks a schedule of DataSync, which starts a task at most once an hour.
// https://docs.aws.amazon.com/datasync/latest/userguide/task-scheduling.html, read 2026-11-26
func validateSchedule(p *field.Path, text string) field.ErrorList {
	invalid := func(must string) field.ErrorList { return field.ErrorList{field.Invalid(p, text, must)} }
	if text == "" {
		return nil
	}
	inner, isCron := strings.CutPrefix(text, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	rate := rateExpression.FindStringSubmatch(text)
	switch {
	case !scheduleCharacters.MatchString(text), rate == nil && !(isCron && closed):
		return invalid("must be rate(1 hour), rate(N hours), rate(N days) or cron(minute hour day-of-month month day-of-week year)" +
			"; DataSync starts a task at most once an hour")
	case rate != nil:
		if (rate[1] == "1") == strings.HasSuffix(rate[2], "s") {
			return invalid("must be singular for 1 and plural for more, for example rate(1 hour) or rate(2 hours)")
		}
		return nil
	}
	parts, fields := strings.Fields(inner), cronFields()
	if len(parts) != len(fields) {
		return invalid("must have six fields, cron(minute hour day-of-month month day-of-week year); for example cron(0 3 * * ? *) " +
			"is every day at 3:00 UTC")
	}
	if !unsigned.MatchString(parts[0]) {
		return invalid("must have one number for the minute; DataSync starts a task at most once an hour")
	}
	if (parts[2] == "?") == (parts[4] == "?") {
		return invalid("must have ? for either the day of month or the day of week, and only one of them")
	}
	for i, part := range parts {
		if !fields[i].accepts(part) {
			return invalid("must have a valid " + fields[i].name + ", which " + strconv.Quote(part) + " is not")
		}
	}
	return nil
}

// accepts reports whether a field has a valid value: elements separated by commas.
func (f cronField) accepts(value string) bool {
	if value == "*" {
		return true
	}
	if value == "?" { // the caller has checked that it is in one place
		return f.special != nil
	}
	for _, element := range strings.Split(value, ",") {
		if f.special != nil && f.special.MatchString(element) {
			continue
		}
		of, step, stepped := strings.Cut(element, "/")
		if stepped && (!unsigned.MatchString(step) || strings.Trim(step, "0") == "") {
			return false
		}
		from, to, ranged := strings.Cut(of, "-")
		if stepped && of == "*" {
			continue
		}
		first, known := f.number(from)
		if !known {
			return false
		}
		if last, known := f.number(to); ranged && (!known || last < first) {
			return false
		}
	}
	return true
}

// number returns the number that a text is or names, and whether the field may have it.
func (f cronField) number(text string) (int, bool) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.least + i, true
	}
	n, err := strconv.Atoi(text)
	return n, unsigned.MatchString(text) && err == nil && n >= f.least && n <= f.most
}
