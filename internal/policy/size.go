package policy

import (
	"fmt"
	"slices"
)

// ControlPolicy is one service control policy.
type ControlPolicy struct {
	Name     string // short and permanent, for example regions
	Document Document
}

// Limits of AWS Organizations. It counts all characters of a document; ours contain no white space. AWS doubled both on
// 2026-05-15, in the commercial, GovCloud and China partitions:
// https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/1119, read 2026-11-26.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const (
	MaxCharacters = 10240 // characters of one service control policy
	maxAttached   = 10    // service control policies directly attached to one root, OU or account

	// MaxGuardrails leaves room for FullAWSAccess, without which everything is denied, and for the kill switch,
	// which AWS Budgets attaches to the account.
	MaxGuardrails = maxAttached - 2
)

// split divides policies that are too large: regions, regions-2 and so on. It returns an error if a single statement
// is too large, or if more policies are needed than fit on one target.
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
				return nil, fmt.Errorf("service control policy %s: statement %s has %d characters, but AWS allows %d: list fewer values", whole.Name, statement.Sid, size, MaxCharacters)
			}
		}
		all = append(all, ControlPolicy{name, part})
	}
	if len(all) > most {
		return nil, fmt.Errorf("service control policies: %d are needed, but one target allows %d besides FullAWSAccess and the kill switch: list fewer values", len(all), most)
	}
	return all, nil
}

func characters(d Document) (int, error) {
	text, err := d.JSON()
	return len(text), err
}
