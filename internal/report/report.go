// Package report reads what `pulumi preview --json` reports and writes a review of it in Markdown, the gravest changes
// first.
package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Preview is what a review needs of the report. Written as JSON, it can be read again.
type Preview struct {
	Stack       string         `json:"stack,omitempty"` // name; "" of a preview that failed early
	Steps       []Step         `json:"steps"`
	Diagnostics []Diagnostic   `json:"diagnostics,omitempty"`
	Summary     map[string]int `json:"changeSummary,omitempty"` // resources by operation; "same" are unchanged
}

// Step is an operation on a resource. A replacement is one step.
type Step struct {
	Op   string   `json:"op"`
	URN  string   `json:"urn"`
	Diff []string `json:"diffReasons,omitempty"` // properties that differ
	Old  *State   `json:"oldState,omitempty"`    // nil of a resource that is created
	New  *State   `json:"newState,omitempty"`    // nil of a resource that is deleted

	// Digest is a hash of the new inputs, without those that the engine chooses at random. Secrets do not count: the
	// report has "[secret]" for all of them.
	Digest string `json:"digest,omitempty"`
}

// State is a resource before or after the step.
type State struct {
	Retain   bool           `json:"retainOnDelete,omitempty"`
	External bool           `json:"external,omitempty"` // read, not created by the stack
	Inputs   map[string]any `json:"inputs,omitempty"`   // kept of stashes only
}

// Diagnostic is a message of the program, a provider or the engine.
type Diagnostic struct {
	Severity string `json:"severity"` // info, warning or error
	Message  string `json:"message"`
}

const stashType = "pulumi:index:Stash"

// Read reads the report. It keeps no inputs of resources, so that the result can be shown to whoever may see the steps.
func Read(report io.Reader) (Preview, error) {
	var p Preview
	if err := json.NewDecoder(report).Decode(&p); err != nil {
		return Preview{}, fmt.Errorf("not the output of `pulumi preview --json`: %w", err)
	}
	if len(p.Steps) == 0 && len(p.Summary) == 0 && len(p.Errors()) == 0 {
		return Preview{}, errors.New("not the output of `pulumi preview --json`: no steps, no summary and no error")
	}
	if p.Stack == "" && len(p.Steps) > 0 {
		stack, _, _ := strings.Cut(p.Steps[0].URN, "::")
		p.Stack = strings.TrimPrefix(stack, "urn:pulumi:")
	}
	// A refresh reports what it looked at, and the engine what it only reads.
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool {
		return s.Type() == "pulumi:pulumi:Stack" || slices.Contains([]string{"same", "refresh", "read", "discard"}, s.Op)
	})
	random := randomNames(p.Steps)
	for i := range p.Steps {
		p.Steps[i].condense(random)
	}
	return p, nil
}

// condense replaces the inputs by their digest.
func (s *Step) condense(random *strings.Replacer) {
	if s.New != nil && s.Digest == "" {
		text, _ := json.Marshal(chosen(s.New.Inputs)) // decoded JSON can be encoded
		sum := sha256.Sum256([]byte(random.Replace(string(text))))
		s.Digest = hex.EncodeToString(sum[:8])
	}
	for _, state := range []*State{s.Old, s.New} {
		if state != nil && s.Type() != stashType {
			state.Inputs = nil
		}
	}
}

// randomNames replaces the names with a random suffix that the engine has chosen, wherever other resources refer to them.
func randomNames(steps []Step) *strings.Replacer {
	var pairs []string
	for _, s := range steps {
		if s.New == nil {
			continue
		}
		for _, key := range defaults(s.New.Inputs) {
			if name, ok := s.New.Inputs[key].(string); ok && randomSuffix.MatchString(name) {
				pairs = append(pairs, name, "*")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

var randomSuffix = regexp.MustCompile(`-[0-9a-f]{7,}$`)

// chosen returns a value without the inputs that neither the program nor a setting has chosen.
func chosen(value any) any {
	switch v := value.(type) {
	case map[string]any:
		left := defaults(v)
		kept := map[string]any{}
		for key, inner := range v {
			if key != "__defaults" && !slices.Contains(left, key) {
				kept[key] = chosen(inner)
			}
		}
		return kept
	case []any:
		var kept []any
		for _, inner := range v {
			kept = append(kept, chosen(inner))
		}
		return kept
	}
	return value
}

// defaults returns the inputs that the engine or the provider has chosen, names with a random suffix among them.
func defaults(inputs map[string]any) []string {
	var keys []string
	all, _ := inputs["__defaults"].([]any)
	for _, key := range all {
		if name, ok := key.(string); ok {
			keys = append(keys, name)
		}
	}
	return keys
}

// Errors returns the messages of errors. A preview that has one is not complete.
func (p Preview) Errors() []string { return p.messages("error") }

func (p Preview) messages(severity string) []string {
	var all []string
	for _, d := range p.Diagnostics {
		if text := strings.TrimSpace(d.Message); strings.HasPrefix(d.Severity, severity) && text != "" {
			all = append(all, strings.TrimSpace(strings.TrimPrefix(text, d.Severity+":")))
		}
	}
	return all
}

// Type returns the type of the resource, for example aws:s3/bucketV2:BucketV2.
func (s Step) Type() string {
	parts := strings.SplitN(s.URN, "::", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:]
}

// Name returns the logical name of the resource.
func (s Step) Name() string { return s.URN[strings.LastIndex(s.URN, "::")+len("::"):] }

// short returns the type without the package, for example BucketV2; of a provider, the whole type.
func (s Step) short() string {
	if strings.HasPrefix(s.Type(), "pulumi:providers:") {
		return s.Type()
	}
	return s.Type()[strings.LastIndex(s.Type(), ":")+1:]
}

// removes reports whether the step deletes the resource or replaces it by another one.
func (s Step) removes() bool { return s.Op == "delete" || s.Op == "replace" }
