package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	runs "llm-platform/internal/run"
	"llm-platform/internal/settings"
)

// Training is the namespace for training on the cluster, and the run in it.
type Training struct {
	pulumi.ResourceState

	RunName       string              // identity of the run; empty if nothing runs
	JobName       pulumi.StringOutput // of the Kubernetes Job, which is the run's name; empty if nothing runs
	CheckpointURL pulumi.StringOutput // s3://bucket/runs/<run>/; empty if nothing runs
	ArtifactURL   pulumi.StringOutput // likewise
}

// newTraining makes the namespace and what belongs to it, and starts the run if the
// stack wants one. It waits for nothing that runs: the Job is there when it is accepted.
func newTraining(ctx *pulumi.Context, name string, cfg settings.Settings, cluster *Cluster, store *Storage, branch *GitBranch, scripts runs.Scripts, opts ...pulumi.ResourceOption) (*Training, error) {
	none := pulumi.String("").ToStringOutput()
	training := &Training{JobName: none, CheckpointURL: none, ArtifactURL: none}
	if err := ctx.RegisterComponentResource("llm:platform:Training", name, training, append(opts, pulumi.Providers(cluster.Provider))...); err != nil {
		return nil, err
	}
	pool, ok := cluster.Pools[cfg.Training.Pool]
	if !ok && cfg.Training.Enabled {
		return nil, fmt.Errorf("training.pool: the cluster has no pool %q, but %s", cfg.Training.Pool, strings.Join(slices.Sorted(maps.Keys(cluster.Pools)), ", "))
	}
	t := &trainingBuilder{ctx: ctx, name: name, cfg: cfg.Training, region: cfg.Region, pool: pool, store: store, branch: branch, scripts: scripts, training: training}
	t.ready = cluster.Ready
	if err := t.namespace(); err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	if cfg.Training.Enabled {
		if err := t.run(); err != nil {
			return nil, fmt.Errorf("run: %w", err)
		}
	}
	return training, ctx.RegisterResourceOutputs(training, pulumi.Map{"jobName": training.JobName})
}

// job is the run itself: as many pods as nodes, numbered from 0, which find each
// other by name. A pod that ends in failure is replaced by one of the same number,
// until its retries are used up or its exit code says that trying again cannot help;
// then all of them end. Drained and lost nodes do not count.
//
// The run's identity is in Pulumi's name too. So an up leaves a run that has started
// alone, whatever the platform has learnt since (ignored changes would be kept from the
// next run as well, were it the same resource), and another run is another Job: preview
// shows one more and one less. For the moment that both are there, the quota and one
// pod per node keep them from sharing or doubling accelerators; the new pods start as
// the old ones, checkpoint saved, let go.
//
// It is neither protected nor kept on destroy: what it has learnt is in the
// checkpoints, and a Job that nobody knows of would hold what costs most.
func (t *trainingBuilder) job(after ...pulumi.Resource) (*batchv1.Job, error) {
	container := corev1.ContainerArgs{
		Name:            pulumi.String("train"),
		Image:           pulumi.String(t.cfg.Image),
		Command:         pulumi.ToStringArray(t.cfg.Command),
		Args:            pulumi.ToStringArray(t.cfg.Args),
		WorkingDir:      pulumi.String(scriptsPath),
		Env:             t.environment(),
		Resources:       t.wholeNode(),
		SecurityContext: unprivileged(),
		VolumeMounts:    mounts(),
	}
	return batchv1.NewJob(t.ctx, t.name+"-job-"+t.runName, &batchv1.JobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name:        pulumi.String(t.runName),
			Namespace:   pulumi.String(settings.TrainingNamespace),
			Labels:      t.jobLabels(),
			Annotations: unawaited(),
		},
		Spec: &batchv1.JobSpecArgs{
			CompletionMode:        pulumi.String("Indexed"),
			Completions:           pulumi.Int(t.cfg.Nodes),
			Parallelism:           pulumi.Int(t.cfg.Nodes),
			BackoffLimitPerIndex:  pulumi.Int(t.cfg.Retries),
			MaxFailedIndexes:      pulumi.Int(0),           // without one of them the others wait for ever
			PodReplacementPolicy:  pulumi.String("Failed"), // never two pods of one number
			PodFailurePolicy:      failurePolicy(),
			ActiveDeadlineSeconds: t.deadline(),
			// No ttlSecondsAfterFinished: a Job that is gone would be run again by the next up.
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: t.labels(), Annotations: undisturbed()},
				Spec: &corev1.PodSpecArgs{
					RestartPolicy:                 pulumi.String("Never"), // so that the Job, not the node, decides
					Subdomain:                     pulumi.String(t.runName),
					ServiceAccountName:            pulumi.String(settings.TrainingServiceAccount),
					AutomountServiceAccountToken:  pulumi.Bool(false), // Pod Identity brings a token of its own
					EnableServiceLinks:            pulumi.Bool(false),
					TerminationGracePeriodSeconds: pulumi.Int(t.cfg.GraceSeconds),
					SecurityContext:               nobody(),
					NodeSelector:                  pulumi.ToStringMap(t.pool.Labels),
					Tolerations:                   t.tolerations(),
					Affinity:                      onePerNode(),
					InitContainers:                t.checkEFA(),
					Containers:                    corev1.ContainerArray{container},
					Volumes:                       t.volumes(),
				},
			},
		},
	}, pulumi.Parent(t.training), pulumi.DependsOn(append(after, t.ready...)), pulumi.IgnoreChanges(started()))
}

// started is what of a Job is decided when it starts. That leaves the deadline and the
// labels, which Kubernetes lets change, and is Kueue's to say in suspend.
//
// Of the template it is the spec alone: an update takes ignored fields over from the
// cluster, and the provider then trips over labels with a hyphen that Kubernetes adds to
// the template (https://github.com/pulumi/pulumi-kubernetes/issues/3376). It would
// replace the Job, and end the run, with the second deadline or commit that it is given.
func started() []string {
	return []string{
		"spec.completionMode", "spec.completions", "spec.parallelism", "spec.backoffLimitPerIndex", "spec.maxFailedIndexes",
		"spec.podReplacementPolicy", "spec.podFailurePolicy", "spec.template.spec", "spec.suspend",
	}
}

// environment is what each rank is told. torchrun takes its arguments from the PET_
// variables, by the contract of Kubeflow's Trainer
// (https://github.com/kubeflow/trainer/blob/master/pkg/constants/constants.go).
func (t *trainingBuilder) environment() corev1.EnvVarArray {
	env := corev1.EnvVarArray{
		set("PET_NNODES", t.cfg.Nodes),
		set("PET_NPROC_PER_NODE", t.pool.Type.Processes),
		corev1.EnvVarArgs{Name: pulumi.String("PET_NODE_RANK"), ValueFrom: field("metadata.annotations['batch.kubernetes.io/job-completion-index']")},
		set("PET_MASTER_ADDR", fmt.Sprintf("%s-0.%s", t.runName, t.runName)),
		set("PET_MASTER_PORT", runs.MasterPort),
		set("PET_MAX_RESTARTS", 0),                         // a rank that failed leaves its pod, so that the Job counts it
		set("PET_SHUTDOWN_TIMEOUT", t.cfg.GraceSeconds-15), // seconds to save, and some to end in
		set("RUN_NAME", t.runName),
		set("AWS_REGION", t.region),
		set("AWS_DEFAULT_REGION", t.region), // boto3 reads no other
		corev1.EnvVarArgs{Name: pulumi.String("SCRIPT_COMMIT"), ValueFrom: &corev1.EnvVarSourceArgs{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelectorArgs{Name: pulumi.String(t.runName), Key: pulumi.String(commitKey)},
		}},
		setTo("DATASET_URI", pulumi.Sprintf("s3://%s/%s", t.store.Dataset.Name, t.cfg.DatasetPrefix)),
		setTo("CHECKPOINT_URI", t.training.CheckpointURL),
		setTo("ARTIFACT_URI", t.training.ArtifactURL),
		setTo("RESUME_FROM_URI", t.resumeFrom()),
		set("HOME", homePath), // the user has none in the image
		set("USER", "training"),
	}
	for _, name := range slices.Sorted(maps.Keys(t.cfg.Secrets)) {
		env = append(env, corev1.EnvVarArgs{Name: pulumi.String(name), ValueFrom: &corev1.EnvVarSourceArgs{
			SecretKeyRef: &corev1.SecretKeySelectorArgs{Name: pulumi.String(secretName), Key: pulumi.String(name)},
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(t.cfg.Environment)) {
		env = append(env, set(name, t.cfg.Environment[name]))
	}
	for _, fact := range runs.Network(t.pool.Type, t.pool.EFA) {
		if _, overridden := t.cfg.Environment[fact.Name]; !overridden {
			env = append(env, set(fact.Name, fact.Value))
		}
	}
	return env
}

// identity is what the run's name stands for.
func (t *trainingBuilder) identity() runs.Identity {
	return runs.Identity{
		Image: t.cfg.Image, Command: t.cfg.Command, Args: t.cfg.Args,
		Environment: t.cfg.Environment, Secrets: slices.Sorted(maps.Keys(t.cfg.Secrets)),
		Nodes: t.cfg.Nodes, Pool: t.pool.Name, InstanceType: t.pool.Type.Name, EFA: t.pool.EFA,
		Dataset: t.cfg.DatasetPrefix, ResumeFrom: t.cfg.ResumeFrom,
		Retries: t.cfg.Retries, GraceSeconds: t.cfg.GraceSeconds,
		Scripts: t.scripts.Digest(), Counter: t.cfg.RunNumber,
	}
}

// resumeFrom is where the earlier run keeps its checkpoints, or nothing.
func (t *trainingBuilder) resumeFrom() pulumi.StringInput {
	if t.cfg.ResumeFrom == "" {
		return pulumi.String("")
	}
	return runURL(t.store.Checkpoints, t.cfg.ResumeFrom)
}

// runURL is where a run writes in a bucket.
func runURL(bucket *Bucket, runName string) pulumi.StringOutput {
	return pulumi.Sprintf("s3://%s/%s%s/", bucket.Name, settings.RunsPrefix, runName)
}

// jobLabels are those of the Job. The commit may be found again under another hash
// when somebody else wrote to the branch; labels are changed in place, the run goes on.
func (t *trainingBuilder) jobLabels() pulumi.StringMap {
	labels := t.labels()
	labels["llm-platform/script-commit"] = t.branch.Commit
	return labels
}

// labels are those of all that belongs to the run.
func (t *trainingBuilder) labels() pulumi.StringMap {
	return pulumi.StringMap{
		"app.kubernetes.io/name":       pulumi.String(trainingLabel),
		"app.kubernetes.io/instance":   pulumi.String(t.runName),
		"app.kubernetes.io/managed-by": pulumi.String("pulumi"),
	}
}
