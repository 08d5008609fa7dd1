package settings

import (
	"regexp"
	"slices"
	"strings"
)

// What the platform runs.
const (
	TrainingJob = "job"
	NoTraining  = "none" // the namespace stands ready, and nothing runs
)

// Training is the settings of the training run.
type Training struct {
	Enabled         bool                  `json:"enabled"`         // TrainingJob or NoTraining
	Name            string                `json:"name"`            // what the names of runs begin with
	Image           string                `json:"image"`           // by digest or by a tag that is never moved
	Command         []string              `json:"command"`         // instead of the image's entry point
	Args            []string              `json:"args"`            // after the command
	Environment     map[string]string     `json:"environment"`     // of the training container, beside and before the platform's own
	Secrets         map[string]SecretText `json:"secrets"`         // likewise, by name, through a Kubernetes Secret
	Pool            string                `json:"pool"`            // node pool that it runs on
	Nodes           int                   `json:"nodes"`           // pods, one on each node
	DatasetPrefix   string                `json:"datasetPrefix"`   // in the dataset bucket
	ResumeFrom      string                `json:"resumeFrom"`      // name of an earlier run whose last checkpoint this one starts from
	RunNumber       int                   `json:"runNumber"`       // counter: a new number trains anew what is otherwise the same
	Retries         int                   `json:"retries"`         // how often each rank is tried again; lost nodes do not count
	GraceSeconds    int                   `json:"graceSeconds"`    // from SIGTERM to SIGKILL, s: time for a last checkpoint
	DeadlineHours   int                   `json:"deadlineHours"`   // after which the Job is ended, h; 0: never
	MaxAccelerators int                   `json:"maxAccelerators"` // that all pods of the namespace may take together; 0: what the run takes
	Queue           string                `json:"queue"`           // Kueue LocalQueue that admits the Job. Empty: it starts at once
	Smoke           bool                  `json:"smoke"`           // also run one pod that lists its accelerator
}

// SecretNames is the names of the secrets, sorted.
func (t Training) SecretNames() []string { return names(t.Secrets) }

// EnvironmentNames is the names of the variables, sorted.
func (t Training) EnvironmentNames() []string { return names(t.Environment) }

var (
	runPrefix    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$`)
	runName      = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?-[0-9a-f]{10}$`)
	labelName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests, less upper case in a registry's name
	imageName = regexp.MustCompile(`^[a-z0-9]+([._:/-]+[a-z0-9]+)*$`)
	imageTag  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digest    = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// secretLike are the names that tokens and passwords go by.
	secretLike = regexp.MustCompile(`(?i)(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS|(API|ACCESS|PRIVATE|SECRET)_?KEY)(_|$)`)
)

// platformVariables are what the platform tells every rank; to change one would make
// the ranks disagree, or write where another run does.
var platformVariables = []string{
	"ARTIFACT_URI", "AWS_DEFAULT_REGION", "AWS_REGION", "CHECKPOINT_URI", "DATASET_URI", "HOME", "RESUME_FROM_URI", "RUN_NAME", "SCRIPT_COMMIT", "USER",
}

// maxNodes keeps name and index of a pod within the 63 characters of a host name.
const maxNodes = 9999

func (t *Training) check(f *faults, c Cluster) {
	if !runPrefix.MatchString(t.Name) {
		f.add("training.name", "%q is not a name: 1 to 30 lower-case letters, digits and hyphens, a letter first", t.Name)
	}
	f.between("training.nodes", t.Nodes, 1, maxNodes, "nodes")
	f.between("training.runNumber", t.RunNumber, 1, 1_000_000, "runs")
	f.between("training.retries", t.Retries, 0, 100, "retries")
	f.between("training.graceSeconds", t.GraceSeconds, 30, 3600, "seconds")
	f.between("training.deadlineHours", t.DeadlineHours, 0, 24*365, "hours")
	f.between("training.maxAccelerators", t.MaxAccelerators, 0, 1_000_000, "accelerators")
	checkKey(f, "training.datasetPrefix", t.DatasetPrefix, false)
	if t.ResumeFrom != "" && !runName.MatchString(t.ResumeFrom) {
		f.add("training.resumeFrom", "%q is not the name of a run, as train-0123456789 (the output runName of the up that started it)", t.ResumeFrom)
	}
	if t.Queue != "" && !labelName.MatchString(t.Queue) {
		f.add("training.queue", "%q is not the name of a LocalQueue: lower-case letters, digits and hyphens", t.Queue)
	}
	if !resourceName.MatchString(t.Pool) {
		f.add("training.pool", "%q is not the name of a pool: 1 to 40 lower-case letters, digits and hyphens", t.Pool)
	} else if pool, ok := c.Pools[t.Pool]; (t.Enabled || t.Smoke) && !ok && !f.mentions("cluster.pools") {
		f.add("training.pool", "cluster.pools has no %q%s", t.Pool, suggest(t.Pool, c.PoolNames()))
	} else if needed := t.Nodes * pool.Type.Count; t.Enabled && t.MaxAccelerators > 0 && needed > t.MaxAccelerators {
		f.add("training.maxAccelerators", "%d are fewer than the %d of %d nodes with %d each", t.MaxAccelerators, needed, t.Nodes, pool.Type.Count)
	} else if t.Enabled && !c.Given() && pool.MaxNodes > 0 && t.Nodes > pool.MaxNodes && t.Nodes <= maxNodes {
		f.add("training.nodes", "%d are more than cluster.pools.%s has at most (maxNodes %d)", t.Nodes, t.Pool, pool.MaxNodes)
	}
	t.checkContainer(f)
	t.checkEnvironment(f)
}

func (t *Training) checkContainer(f *faults) {
	if t.Image != "" {
		checkImage(f, "training.image", t.Image)
	} else if t.Enabled || t.Smoke {
		f.add("training.image", "is missing: an up with training.enabled false and training.smoke false makes the repository (output imageRepositoryUrl); push there what image/Dockerfile builds, and name it by its digest")
	}
	if len(t.Command) == 0 {
		f.add("training.command", "is empty: the program that starts the training, as [python, train.py]")
	} else if t.Command[0] == "" {
		f.add("training.command[0]", "is empty: the program that starts the training")
	}
}

func (t *Training) checkEnvironment(f *faults) {
	for _, name := range t.EnvironmentNames() {
		at := "training.environment." + name
		checkVariable(f, at, name)
		if secretLike.MatchString(name) {
			f.add(at, "looks like a secret, and would be readable in the Job: use `pulumi config set --secret --path training.secrets.%s`", name)
		}
		if _, both := t.Secrets[name]; both {
			f.add(at, "is also in training.secrets: remove one")
		}
	}
	for _, name := range t.SecretNames() {
		at := "training.secrets." + name
		checkVariable(f, at, name)
		if t.Secrets[name] == "" {
			f.add(at, "is empty: use `pulumi config set --secret --path %s`, or remove it", at)
		}
		f.mustBeSecret(at, t.Secrets[name])
	}
}

func checkVariable(f *faults, at, name string) {
	switch {
	case !variableName.MatchString(name):
		f.add(at, "%q is not the name of a variable: letters, digits and underscores", name)
	case strings.HasPrefix(name, "PET_") || slices.Contains(platformVariables, name):
		f.add(at, "is set by the platform itself: choose another name")
	}
}

// checkImage checks that an image is named so that it stays the same: pods that start
// days apart must run the same code.
func checkImage(f *faults, key, image string) {
	const way = "name it by digest, as registry/name:version@sha256:…, or by a version's tag"
	name, sum, byDigest := strings.Cut(image, "@")
	tag := ""
	if at := strings.LastIndex(name, ":"); at > strings.LastIndex(name, "/") {
		name, tag = name[:at], name[at+1:]
	}
	switch {
	case !imageName.MatchString(name) || strings.Contains(name, "://"):
		f.add(key, "%q is not an image: %s", image, way)
	case byDigest && !digest.MatchString(sum):
		f.add(key, "%q has no whole digest: sha256: and 64 hexadecimal digits", image)
	case tag != "" && !imageTag.MatchString(tag):
		f.add(key, "%q has a tag that is none", image)
	case byDigest:
	case tag == "":
		f.add(key, "%q has neither tag nor digest, which means latest: %s", image, way)
	case strings.Contains(strings.ToLower(tag), "latest") || !strings.ContainsAny(tag, "0123456789"):
		f.add(key, "%q has a tag that moves: %s", image, way)
	}
}
