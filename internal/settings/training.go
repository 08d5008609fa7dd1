package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"llm-platform/internal/accelerator"
)

// Training describes the training run.
type Training struct {
	Enabled       bool                  `json:"enabled"`       // false: only the namespace is created
	Name          string                `json:"name"`          // prefix of run names
	Image         string                `json:"image"`         // by digest, or by a tag that names a version
	Command       []string              `json:"command"`       // replaces the entry point of the image
	Args          []string              `json:"args"`          // of the command
	Environment   map[string]string     `json:"environment"`   // variables of the container, besides the platform's
	Secrets       map[string]SecretText `json:"secrets"`       // likewise, from a Kubernetes Secret
	Pool          string                `json:"pool"`          // one of Cluster.Pools
	Nodes         int                   `json:"nodes"`         // with one pod each
	DatasetPrefix string                `json:"datasetPrefix"` // in the dataset bucket
	ResumeFrom    string                `json:"resumeFrom"`    // name of an earlier run to start from the last checkpoint of
	RunNumber     int                   `json:"runNumber"`     // a new number starts an otherwise identical run
	Retries       int                   `json:"retries"`       // of every pod; lost nodes do not count
	GraceSeconds  int                   `json:"graceSeconds"`  // from SIGTERM to SIGKILL, for a last checkpoint
	DeadlineHours int                   `json:"deadlineHours"` // 0: no deadline
}

var (
	runName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?-[0-9a-f]{10}$`)
	// secretLike matches the names that tokens and passwords usually have.
	secretLike = regexp.MustCompile(`(?i)(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS|(API|ACCESS|PRIVATE|SECRET)_?KEY)(_|$)`)
)

// platformVariables are set for every rank by the platform. Other values would make ranks disagree, or write where
// another run does.
var platformVariables = []string{
	"ACCELERATOR", "ACCELERATOR_BF16_TFLOPS", "ARTIFACT_URI", "AWS_DEFAULT_REGION", "AWS_REGION", "CHECKPOINT_URI", "DATASET_URI", "HOME",
	"NODE_NAME",
	"RESUME_FROM_URI", "RUN_NAME", "SCRIPT_COMMIT", "USER",
}

// shippedScript trains on NVIDIA's GPUs and on processors.
const shippedScript = "train.py"

// maxRunNodes keeps name and index of a pod within the 63 characters of a host name.
const maxRunNodes = 9999

// validate checks the run. clusterErrors are those of the cluster that it runs on.
func (t Training) validate(p *field.Path, cluster Cluster, clusterErrors field.ErrorList, in input) field.ErrorList {
	errs := slices.Concat(
		between(p.Child("nodes"), t.Nodes, 1, maxRunNodes),
		between(p.Child("runNumber"), t.RunNumber, 1, 1_000_000),
		between(p.Child("retries"), t.Retries, 0, 100),
		between(p.Child("graceSeconds"), t.GraceSeconds, 30, 3600),
		between(p.Child("deadlineHours"), t.DeadlineHours, 0, 24*365),
		keyPrefix(p.Child("datasetPrefix"), t.DatasetPrefix),
		optional(p.Child("resumeFrom"), t.ResumeFrom, runName,
			"the name of a run, for example train-0123456789; see the output runName of its deployment"),
		t.validateContainer(p),
		t.validateEnvironment(p, in),
	)
	if !isName(t.Name, 30) {
		errs = append(errs, field.Invalid(p.Child("name"), t.Name,
			"must be 1 to 30 lower-case letters, digits and hyphens, a letter first"))
	}
	if !t.Enabled {
		return errs
	}
	pools := field.NewPath("cluster", "pools")
	pool, ok := cluster.Pools[t.Pool]
	switch {
	case !ok && !mentions(clusterErrors, pools):
		errs = append(errs, field.Invalid(p.Child("pool"), t.Pool,
			"must be a pool of cluster.pools"+suggest(t.Pool, slices.Sorted(maps.Keys(cluster.Pools)))))
	case ok && pool.Type.Kind == accelerator.Neuron && slices.Contains(t.Command, shippedScript):
		errs = append(errs, field.Invalid(p.Child("command"), strings.Join(t.Command, " "),
			fmt.Sprintf("%s has no code for %s, the accelerator of cluster.pools.%s: name a script of yours, and an image with PyTorch for Neuron",
				shippedScript, pool.Type.Accelerator, t.Pool)))
	case !ok || cluster.Existing() || mentions(clusterErrors, entry(pools, t.Pool)):
	case t.Nodes > pool.MaxNodes && t.Nodes <= maxRunNodes:
		errs = append(errs, field.Invalid(p.Child("nodes"), t.Nodes,
			fmt.Sprintf("must be at most %d, maxNodes of cluster.pools.%s", pool.MaxNodes, t.Pool)))
	}
	return errs
}

func (t Training) validateContainer(p *field.Path) field.ErrorList {
	var errs field.ErrorList
	image, command := p.Child("image"), p.Child("command")
	if t.Image != "" {
		errs = validateImage(image, t.Image)
	} else if t.Enabled {
		errs = append(errs, field.Required(image,
			"deploy once with training.enabled false, which creates the repository (output imageRepositoryUrl), "+
				"push the image there, and name it by digest"))
	}
	if len(t.Command) == 0 {
		errs = append(errs, field.Required(command, "for example [python, train.py]"))
	} else if t.Command[0] == "" {
		errs = append(errs, field.Required(command.Index(0), "name the program to start"))
	}
	return slices.Concat(errs, noTokens(command, t.Command), noTokens(p.Child("args"), t.Args))
}

func (t Training) validateEnvironment(p *field.Path, in input) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(t.Environment)) {
		at := entry(p.Child("environment"), name)
		errs = append(errs, validateVariable(at, name)...)
		if secretLike.MatchString(name) {
			errs = append(errs, field.Forbidden(at,
				"looks like a secret, which the Job would show; run `pulumi config set --secret --path "+
					"training.secrets."+name+"` instead"))
		} else {
			errs = append(errs, noToken(at, t.Environment[name])...)
		}
		if _, both := t.Secrets[name]; both {
			errs = append(errs, field.Forbidden(at, "is also in training.secrets; remove one of them"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Secrets)) {
		at := entry(p.Child("secrets"), name)
		errs = append(errs, validateVariable(at, name)...)
		errs = append(errs, mustBeSecret(at, t.Secrets[name], in.secretKeys)...)
		if t.Secrets[name] == "" {
			errs = append(errs, field.Required(at, "run `pulumi config set --secret --path "+at.String()+"`, or remove it"))
		}
	}
	return errs
}

func validateVariable(p *field.Path, name string) field.ErrorList {
	switch {
	case len(validation.IsCIdentifier(name)) > 0:
		return field.ErrorList{field.Invalid(p, name, "must have a name of letters, digits and underscores")}
	case strings.HasPrefix(name, "PET_") || slices.Contains(platformVariables, name):
		return field.ErrorList{field.Forbidden(p, "is set by the platform; choose another name")}
	}
	return nil
}

// validateImage checks that the name of an image always means the same image: pods that start days apart must run the
// same code.
func validateImage(p *field.Path, image string) field.ErrorList {
	const way = "; use a digest, for example registry/name@sha256:… (64 hexadecimal digits), or the tag of a version"
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return field.ErrorList{field.Invalid(p, image, "must be an image reference ("+err.Error()+")"+way)}
	}
	if _, ok := named.(reference.Digested); ok {
		return nil
	}
	tagged, ok := named.(reference.Tagged)
	switch {
	case !ok:
		return field.ErrorList{field.Invalid(p, image, "must have a tag or a digest, since no tag means latest"+way)}
	case strings.Contains(strings.ToLower(tagged.Tag()), "latest") || !strings.ContainsAny(tagged.Tag(), "0123456789"):
		return field.ErrorList{field.Invalid(p, image, "must not have a tag that moves"+way)}
	}
	return nil
}
