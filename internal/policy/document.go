// Package policy builds AWS policy documents (IAM, resource and service control policies) as typed values and
// marshals them to JSON, so that no policy is ever concatenated from strings.
package policy

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Document is one policy document.
type Document []Statement

// Statement is one statement of a document. Empty fields are omitted.
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

// Effect says whether a statement allows or denies the requests that it matches.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Conditions maps an operator to condition keys, and these to the accepted values.
type Conditions map[string]map[string]Values

// Values is a list that is marshalled as AWS returns it: one element without brackets.
type Values []string

// MarshalJSON writes a single element as a string, and any other number of elements as an array.
func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// Principals are the identities that a resource policy applies to.
type Principals struct {
	AWS       Values `json:",omitempty"` // account ids, role or user ARNs
	Service   Values `json:",omitempty"` // service principals, for example sagemaker.amazonaws.com
	Federated Values `json:",omitempty"` // identity provider ARNs
	Any       bool   `json:"-"`          // whoever it is, as endpoint policies write it; excludes the others
}

// MarshalJSON writes Any as AWS's documentation of endpoint policies demands.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
func (p Principals) MarshalJSON() ([]byte, error) {
	if p.Any {
		return json.Marshal("*")
	}
	type plain Principals
	return json.Marshal(plain(p))
}

// everyone returns all callers, authenticated or not, for use with Deny.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous
func everyone() *Principals { return &Principals{AWS: []string{"*"}} }

// service returns one AWS service by its principal.
func service(principal string) *Principals { return &Principals{Service: []string{principal}} }

// JSON returns the document in AWS's form. Equal documents have equal bytes, so that an unchanged policy shows no
// diff.
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

// RoleARN returns the ARN of a role without a path.
func RoleARN(partition, account, role string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, account, role)
}

// PolicyARN returns the ARN of a managed policy: of one in the account by its name, with its path, or the ARN itself.
func PolicyARN(partition, account, policy string) string {
	if strings.HasPrefix(policy, "arn:") {
		return policy
	}
	return fmt.Sprintf("arn:%s:iam::%s:policy/%s", partition, account, policy)
}
