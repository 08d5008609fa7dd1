package settings

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// tokens match secrets in the forms that their issuers gave them so that they are found.
var tokens = []struct {
	kind    string
	pattern *regexp.Regexp
}{
	{"a token of Hugging Face", regexp.MustCompile(`\bhf_[A-Za-z0-9]{20,}`)},
	{"a token of GitHub", regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`)},
	{"a token of GitLab", regexp.MustCompile(`\bgl(pat|ptt|dt|rt)-[A-Za-z0-9_-]{20,}`)},
	{"an access key of AWS", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)},
	{"a token of Slack", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{"an API key", regexp.MustCompile(`(^|[^A-Za-z0-9_-])(sk-[A-Za-z0-9_-]{32,}|nvapi-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{35})`)},
	{"a token of Pulumi", regexp.MustCompile(`\bpul-[0-9a-f]{40}\b`)},
	{"a signed token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a URL with a password", regexp.MustCompile(`[a-z]://[^/\s:@]+:[^/\s:@$]+@`)},
}

// secretOption matches options whose value is a secret. Options of tokenizers, for example --eos-token, are none.
var secretOption = regexp.MustCompile(`(?i)^--?([a-z0-9]+[-_])*(password|passwd|secret|credentials|(api|access|auth|private|secret|hf|hub|bearer)[-_]?(key|token))$`)

// fromVariable matches what Kubernetes replaces by a variable of the container, and values that are no secrets.
var fromVariable = regexp.MustCompile(`^(\$\([A-Za-z_][A-Za-z0-9_]*\)|[Tt]rue|[Ff]alse)?$`)

// noToken checks that a value holds no secret in plain text. Its error does not show the value.
func noToken(p *field.Path, value string) field.ErrorList {
	for _, token := range tokens {
		if token.pattern.MatchString(value) {
			return field.ErrorList{field.Forbidden(p, fmt.Sprintf("contains %s, which the stack file and the Job would show; %s", token.kind, useSecrets))}
		}
	}
	return nil
}

const useSecrets = "revoke it, run `pulumi config set --secret --path training.secrets.NAME` with a new one, and read the variable NAME, or write $(NAME) here"

// noTokens checks the words of a command.
func noTokens(p *field.Path, words []string) field.ErrorList {
	var errs field.ErrorList
	for i, word := range words {
		if found := noToken(p.Index(i), word); found != nil {
			errs = append(errs, found...)
			continue
		}
		option, value, joined := strings.Cut(word, "=")
		if !joined && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			value = words[i+1]
		}
		if secretOption.MatchString(option) && !fromVariable.MatchString(value) {
			errs = append(errs, field.Forbidden(p.Index(i), fmt.Sprintf("%s has a value that looks like a secret, which the stack file and the Job would show; %s", option, useSecrets)))
		}
	}
	return errs
}
