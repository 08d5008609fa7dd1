// Package policy writes AWS policy documents (IAM, resource and service control
// policies) as typed values and marshals them to JSON, so that no policy is
// ever put together from strings.
package policy

import (
	"encoding/json"
	"fmt"
)

// Document is one policy document.
type Document []Statement

// Statement is one statement of a document. Empty fields are left out.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type Statement struct {
	Sid         string      `json:",omitempty"`
	Effect      Effect      //
	Principal   *Principals `json:",omitempty"`
	Action      Values      `json:",omitempty"`
	NotAction   Values      `json:",omitempty"`
	Resource    Values      `json:",omitempty"`
	NotResource Values      `json:",omitempty"`
	Condition   Conditions  `json:",omitempty"`
}

// Effect is what a statement does with the requests that it matches.
type Effect string

// The two effects there are.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Conditions is operator, then condition key, then the accepted values.
type Conditions map[string]map[string]Values

// Values is a list that is written as AWS itself writes it back: one element without
// brackets.
type Values []string

// MarshalJSON writes one element as a string and any other number as an array.
func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// Principals says whom a resource policy is about.
type Principals struct {
	AWS       Values `json:",omitempty"` // account ids, role or user ARNs
	Service   Values `json:",omitempty"` // service principals, as "sagemaker.amazonaws.com"
	Federated Values `json:",omitempty"` // identity provider ARNs
}

// Everyone is every caller, signed in or not. Use it with Deny.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous
func Everyone() *Principals { return &Principals{AWS: []string{"*"}} }

// Service is one AWS service, by its principal.
func Service(principal string) *Principals { return &Principals{Service: []string{principal}} }

// JSON is the document as AWS takes it. The bytes depend on the document alone,
// so that an unchanged policy is no change.
func (d Document) JSON() (string, error) {
	text, err := json.Marshal(struct {
		Version   string
		Statement []Statement
	}{"2012-10-17", d})
	if err != nil {
		return "", fmt.Errorf("policy document: %w", err)
	}
	return string(text), nil
}

// RoleARN is the ARN of a role without a path.
func RoleARN(partition, account, role string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, account, role)
}
