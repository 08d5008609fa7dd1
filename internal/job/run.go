// Package job renders a training run as Kubernetes objects: its name, its scripts, the environment of its ranks,
// the Job, and the namespace that all runs of a stack share. It decides everything from plain values, so that a
// test takes milliseconds. What is only known after deployment (bucket names, the commit) reaches the pods through
// the run's ConfigMap, so that the Job itself is complete in a preview.
package job

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// Run describes one training run. It must come from checked settings: nothing here is validated again.
//
// Every field decides the run's name (see Name) unless its comment says that it does not.
type Run struct {
	Prefix        string         // first part of the name, for example train
	Region        string         // AWS region of the buckets; not in the name, since the cluster moves with it
	Pool          nodepool.Facts // its nodes; name, instance type and EFA are in the name, labels and taint are not
	Nodes         int            // ranks, one on each node
	Image         string         // by digest or by a tag that never moves
	Command       []string
	Args          []string
	Environment   map[string]string // of the user, in addition to the platform's
	Secrets       []string          // environment variables from the namespace's Secret; values are not in the name
	DatasetPrefix string            // in the dataset bucket; empty: all of it
	ResumeFrom    string            // name of the earlier run whose last checkpoint this one starts from; empty: none
	Scripts       Scripts
	Number        int // counter: a higher number re-runs an otherwise identical training
	Retries       int // of each rank
	GraceSeconds  int // from SIGTERM to SIGKILL, s
	DeadlineHours int // after which the Job is ended, h; 0: never; not in the name, since it can change while the run goes on
	// OwnAccount: its pods have a service account of its name, by which it may write its own checkpoints and models only.
	// Otherwise they have settings.TrainingServiceAccount, to which the owner of an existing cluster grants access.
	OwnAccount bool
}

// New returns the run that the settings describe, on a pool of the cluster. managed says that the stack creates the cluster.
func New(training settings.Training, region string, pool nodepool.Facts, scripts Scripts, managed bool) Run {
	return Run{
		Prefix:        training.Name,
		Region:        region,
		Pool:          pool,
		Nodes:         training.Nodes,
		Image:         training.Image,
		Command:       training.Command,
		Args:          training.Args,
		Environment:   training.Environment,
		Secrets:       slices.Sorted(maps.Keys(training.Secrets)),
		DatasetPrefix: training.DatasetPrefix,
		ResumeFrom:    training.ResumeFrom,
		Scripts:       scripts,
		Number:        training.RunNumber,
		Retries:       training.Retries,
		GraceSeconds:  training.GraceSeconds,
		DeadlineHours: training.DeadlineHours,
		OwnAccount:    managed,
	}
}

// Name returns the run's name: the prefix and ten hexadecimal digits of a hash, for example train-5f0c2ab91e. It
// names the Job, its Service, its ConfigMap, its service account and the prefix of its checkpoints. Two runs have the same name if and
// only if they are the same: an update never touches a run that has started, and any other run is another Job.
// With ten digits, a collision among a thousand runs has a probability of one in two million.
func (r Run) Name() string {
	// JSON has exactly one text for a value: struct fields in order, the keys of maps sorted. An absent list or map
	// means the same to a container as an empty one. A field added later needs omitempty: otherwise every run that
	// does not use it is renamed, and every running training replaced.
	identity := struct {
		Image        string
		Command      []string
		Args         []string
		Environment  map[string]string
		Secrets      []string
		Nodes        int
		Pool         string
		InstanceType string
		EFA          int
		Dataset      string
		ResumeFrom   string
		Scripts      string
		Retries      int
		GraceSeconds int
		Counter      int
		OwnAccount   bool `json:",omitempty"`
	}{
		Image: r.Image, Command: present(r.Command), Args: present(r.Args),
		Environment: map[string]string{}, Secrets: present(slices.Sorted(slices.Values(r.Secrets))),
		Nodes: r.Nodes, Pool: r.Pool.Name, InstanceType: r.Pool.Type.Name, EFA: r.Pool.EFA,
		Dataset: r.DatasetPrefix, ResumeFrom: r.ResumeFrom, Scripts: r.Scripts.Digest(),
		Retries: r.Retries, GraceSeconds: r.GraceSeconds, Counter: r.Number, OwnAccount: r.OwnAccount,
	}
	if len(r.Environment) > 0 {
		identity.Environment = r.Environment
	}
	text, err := json.Marshal(identity)
	if err != nil {
		panic(fmt.Sprintf("job: strings and numbers always marshal: %v", err))
	}
	sum := sha256.Sum256(text)
	return r.Prefix + "-" + hex.EncodeToString(sum[:])[:10]
}

func present(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Accelerators returns how many accelerators the run takes.
func (r Run) Accelerators() int { return r.Nodes * r.Pool.Type.Count }

// DatasetURI returns the URI of the training data in the dataset bucket: s3://bucket/prefix.
func (r Run) DatasetURI(bucket string) string { return "s3://" + bucket + "/" + r.DatasetPrefix }

// OutputURI returns the URI under which the run writes in a bucket: s3://bucket/runs/<run>/.
func (r Run) OutputURI(bucket string) string { return runURI(bucket, r.Name()) }

// ResumeURI returns the URI of the earlier run's checkpoints in the checkpoint bucket, or "" if there is none.
func (r Run) ResumeURI(bucket string) string {
	if r.ResumeFrom == "" {
		return ""
	}
	return runURI(bucket, r.ResumeFrom)
}

func runURI(bucket, run string) string {
	return "s3://" + bucket + "/" + settings.RunsPrefix + run + "/"
}
