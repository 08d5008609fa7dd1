package policy

import (
	"fmt"
	"slices"
)

// ControlPolicy is one service control policy.
type ControlPolicy struct {
	Name     string // short and lasting, as "regions"
	Document Document
}

// Limits of AWS Organizations. It counts characters, white space included where it is
// sent, which ours is not. In May 2026 AWS is said to have doubled both; the smaller
// ones hold everywhere.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const (
	MaxCharacters = 5120 // of one service control policy
	maxAttached   = 5    // service control policies directly attached to one root, unit or account

	// MaxGuardrails leaves room for FullAWSAccess, without which everything is
	// forbidden, and for the kill switch, which AWS attaches to the account itself.
	MaxGuardrails = maxAttached - 2
)

// split divides policies that are too large: "regions", "regions-2" and so on. Its
// error says that one statement alone is too large, or that all do not fit on one target.
func split(policies []ControlPolicy, most int) ([]ControlPolicy, error) {
	var all []ControlPolicy
	for _, whole := range policies {
		name, part, parts := whole.Name, Document{}, 1
		for _, statement := range whole.Document {
			larger := append(slices.Clone(part), statement)
			size, err := characters(larger)
			if err != nil {
				return nil, err
			}
			if size <= MaxCharacters {
				part = larger
				continue
			}
			if len(part) > 0 {
				all = append(all, ControlPolicy{name, part})
				parts++
				name = fmt.Sprintf("%s-%d", whole.Name, parts)
			}
			part = Document{statement}
			if size, err = characters(part); err != nil {
				return nil, err
			}
			if size > MaxCharacters {
				return nil, fmt.Errorf("service control policy %s: statement %s alone has %d characters, and AWS takes %d: list fewer values", whole.Name, statement.Sid, size, MaxCharacters)
			}
		}
		all = append(all, ControlPolicy{name, part})
	}
	if len(all) > most {
		return nil, fmt.Errorf("service control policies: %d are needed, and one target takes %d beside FullAWSAccess and the kill switch: list fewer values", len(all), most)
	}
	return all, nil
}

func characters(d Document) (int, error) {
	text, err := d.JSON()
	return len(text), err
}
