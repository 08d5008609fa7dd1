// Package settings reads and validates a stack's configuration. It does not know Pulumi: the values arrive as text by
// key, as the engine passes them to the program after it has applied the defaults of Pulumi.yaml.
//
// Raw types hold what the user may write, with JSON tags; Settings and its sections hold what builders use, with
// everything filled in. A section in which nothing is left to be filled in has one type. Validation returns errors and
// changes nothing.
package settings

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Settings is the configuration of one stack. Load returns it valid and complete.
type Settings struct {
	Stack        string            // name of the stack, which is the environment
	Region       string            // AWS region of everything but organization and billing
	Tags         map[string]string // tags of every AWS resource, in addition to the platform's own
	Protect      bool              // Pulumi refuses to delete what holds data, money or accounts
	Organization Organization
	Storage      Storage
	SageMaker    SageMaker
	Guardrails   Guardrails
	Budget       Budget
	CI           CI
	Network      Network
	Cluster      Cluster
	Git          Git
	Training     Training
	Roles        Roles
}

// raw is the configuration as the user writes it.
type raw struct {
	Region       string            `json:"region"`
	Tags         map[string]string `json:"tags"`
	Protect      bool              `json:"protect"`
	Organization rawOrganization   `json:"organization"`
	Storage      rawStorage        `json:"storage"`
	SageMaker    SageMaker         `json:"sagemaker"`
	Guardrails   rawGuardrails     `json:"guardrails"`
	Budget       Budget            `json:"budget"`
	CI           rawCI             `json:"ci"`
	Network      rawNetwork        `json:"network"`
	Cluster      rawCluster        `json:"cluster"`
	Git          rawGit            `json:"git"`
	Training     Training          `json:"training"`
	Roles        Roles             `json:"roles"`
}

// input is what validation knows besides the values.
type input struct {
	stack       string
	secretKeys  []string            // keys whose values are secret, with all their parts
	environment func(string) string // looks up an environment variable
	unread      field.ErrorList     // errors about what could not be read
}

// read reports whether a key could be read with all its parts. Without that, do not compare other keys with it.
func (in input) read(p *field.Path) bool { return !overlaps(in.unread, p.String()) }

// Load reads the values of a stack, by top-level key without the project's namespace; keys of other namespaces have
// theirs, for example aws:region. Its error lists everything that is wrong: missing, mistyped, out of range and
// contradictory values, unknown keys with the nearest known one, and keys of namespaces that the program does not read.
// secretKeys are the keys whose values are secret, with all their parts; a value of type SecretText under another key is an error,
// and no error shows it. environment looks up variables; Load reads the Git tokens.
func Load(stack string, values map[string]string, secretKeys []string, environment func(string) string) (Settings, error) {
	r, unread := decode(values)
	s := r.resolve(stack)
	invalid := r.validate(s, input{stack, secretKeys, environment, unread})
	if err := report(stack, unread, invalid); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// resolve fills in what the user left out. It accepts any values; Load returns its result if they are valid.
func (r raw) resolve(stack string) Settings {
	organization := r.Organization.resolve(stack)
	network, git := r.Network.resolve(r.Region), r.Git.resolve(stack)
	return Settings{
		Stack:        stack,
		Region:       r.Region,
		Tags:         r.Tags,
		Protect:      r.Protect,
		Organization: organization,
		Storage:      r.Storage.resolve(),
		SageMaker:    r.SageMaker,
		Guardrails:   r.Guardrails.resolve(r.Region),
		Budget:       r.Budget,
		CI:           r.CI.resolve(stack, git, organization.Accounts),
		Network:      network,
		Cluster:      r.Cluster.resolve(r.Region, network),
		Git:          git,
		Training:     r.Training,
		Roles:        r.Roles,
	}
}

func (r raw) validate(s Settings, in input) field.ErrorList {
	var errs field.ErrorList
	// ECR refuses two hyphens in a row in a repository's name.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
	if !isName(s.Stack, 20) || strings.Contains(s.Stack, "--") {
		errs = append(errs, field.Invalid(field.NewPath("(stack)"), s.Stack,
			"must have a name of 1 to 20 lower-case letters, digits and single hyphens, a letter first; it is part of "+
				"the names of accounts, buckets and the image repository"))
	}
	cluster := r.Cluster.validate(field.NewPath("cluster"), s, in)
	return slices.Concat(errs,
		validateRegion(field.NewPath("region"), s.Region),
		validateOptIn(field.NewPath("region"), s),
		validateTags(field.NewPath("tags"), s.Tags),
		r.Organization.validate(field.NewPath("organization"), s.Organization, in),
		r.Storage.validate(field.NewPath("storage"), s.Storage),
		r.SageMaker.validate(field.NewPath("sagemaker"), s.Storage),
		r.Guardrails.validate(field.NewPath("guardrails"), s),
		r.Budget.validate(field.NewPath("budget"), s.Organization, in),
		r.CI.validate(field.NewPath("ci"), s, in),
		r.Network.validate(field.NewPath("network"), s.Region, in),
		r.validateOfferings(s, in),
		cluster,
		r.Git.validate(field.NewPath("git"), s.Git, in),
		r.Training.validate(field.NewPath("training"), s.Cluster, slices.Concat(cluster, in.unread), in),
		r.Roles.validate(field.NewPath("roles")),
	)
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)
