package main

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/runtime"

	"llm-platform/internal/cluster"
	"llm-platform/internal/job"
	"llm-platform/internal/kubeobject"
	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// Training is the namespace that runs share, and the run in it. Its Outputs are empty without a run, but for RoleARN.
type Training struct {
	pulumi.ResourceState

	RunName       string              // also of the Kubernetes Job
	CheckpointURL pulumi.StringOutput // s3://bucket/runs/<run>/
	ArtifactURL   pulumi.StringOutput // s3://bucket/runs/<run>/
	RoleARN       pulumi.StringOutput // of the pods of all runs; empty in an existing cluster, where its owner grants permissions
	Namespace     pulumi.Resource     // that runs share
	Ready         []pulumi.Resource   // the Job of the run
}

// TrainingArgs are what newTraining needs. All are required.
type TrainingArgs struct {
	Settings settings.Training
	Account  scope.Account
	Cluster  *Cluster
	Storage  *Storage
	Branch   *GitBranch
	Scripts  job.Scripts
}

// newTraining creates the namespace with what runs share in it, and starts the run if the stack has one. It waits
// until Kubernetes has accepted the Job, not until a pod runs.
func newTraining(ctx *pulumi.Context, name string, s scope.Scope, args TrainingArgs) (*Training, error) {
	empty := pulumi.String("").ToStringOutput()
	component := &Training{CheckpointURL: empty, ArtifactURL: empty, RoleARN: empty}
	providers := pulumi.Providers(args.Account.Provider, args.Cluster.Provider)
	if err := ctx.RegisterComponentResource("llm:platform:Training", name, component, providers); err != nil {
		return nil, err
	}
	var runs []job.Run
	if args.Settings.Enabled {
		pool, ok := args.Cluster.Pools[args.Settings.Pool]
		if !ok {
			return nil, fmt.Errorf("training.pool: the cluster has no pool %q, only %s",
				args.Settings.Pool, strings.Join(slices.Sorted(maps.Keys(args.Cluster.Pools)), ", "))
		}
		runs = append(runs, job.New(args.Settings, s.Region, pool, args.Scripts, args.Cluster.Managed))
	}
	b := trainingBuilder{ctx: ctx, name: name, scope: s, args: args, component: component}
	ready := slices.Concat(args.Cluster.Ready, args.Storage.Ready)
	if args.Cluster.Managed {
		role, err := cluster.NewPodRole(ctx, s, args.Account, name, b.podRole(settings.RunServiceAccounts))
		if err != nil {
			return nil, fmt.Errorf("role: %w", err)
		}
		b.podsRole, component.RoleARN = role, role.Arn
		ready = append(slices.Clip(ready), role.Ready...)
	}
	ready, err := b.namespace(runs, ready)
	if err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	for _, run := range runs {
		registered, err := b.run(run, ready)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", run.Name(), err)
		}
		component.Ready = append(component.Ready, registered)
		component.RunName = run.Name()
		component.CheckpointURL = in(args.Storage.Checkpoints, run.OutputURI)
		component.ArtifactURL = in(args.Storage.Artifacts, run.OutputURI)
	}
	return component, ctx.RegisterResourceOutputs(component, pulumi.Map{"runName": pulumi.String(component.RunName)})
}

type trainingBuilder struct {
	ctx       *pulumi.Context
	name      string
	scope     scope.Scope
	args      TrainingArgs
	component *Training
	podsRole  scope.Role // of the pods of all runs; none in an existing cluster
}

// podRole describes the role of the pods of all runs, which gives them their data, and the service accounts that have it.
func (b trainingBuilder) podRole(serviceAccount string) cluster.PodRoleArgs {
	store := b.args.Storage
	permissions := pulumi.All(store.Dataset.ARN, store.Checkpoints.ARN, store.Artifacts.ARN, store.Keys).ApplyT(func(known []any) (string, error) {
		read, write := []string{known[0].(string)}, []string{known[1].(string), known[2].(string)}
		return policy.Training(read, write, settings.RunsPrefix, settings.TrainingServiceAccount, known[3].([]string)).JSON()
	}).(pulumi.StringOutput)
	return cluster.PodRoleArgs{
		Cluster:        b.args.Cluster.Name,
		Namespace:      settings.TrainingNamespace,
		ServiceAccount: serviceAccount,
		Description:    "Assumed by the training pods",
		Permissions:    permissions,
		Parent:         b.component,
	}
}

// namespace creates the namespace with its quotas, network policy and secrets, and returns what a pod needs before it
// starts. In an existing cluster, its owner decides what pods may reach: there is no network policy of this program, and one service
// account to which he has granted access to the data. On destroy the namespace is deleted before the nodes, the data and the role, and waits for its last pod, so that a run
// has the time and the permissions to save a checkpoint.
func (b trainingBuilder) namespace(runs []job.Run, ready []pulumi.Resource) ([]pulumi.Resource, error) {
	namespace, err := kubeobject.New(b.ctx, b.name+"-namespace", job.Namespace(b.args.Settings.GraceSeconds), nil,
		pulumi.Parent(b.component), pulumi.DependsOn(ready))
	if err != nil {
		return nil, err
	}
	b.component.Namespace = namespace
	inNamespace := pulumi.Composite(pulumi.Parent(b.component), pulumi.DependsOn([]pulumi.Resource{namespace}))
	objects := map[string]runtime.Object{"services": job.ServicesQuota()}
	if b.args.Cluster.Managed {
		objects["traffic"] = job.NetworkPolicy()
	} else {
		objects["account"] = job.SharedServiceAccount()
	}
	if quota := job.Quota(b.args.Cluster.Pools, runs...); quota != nil {
		objects["quota"] = quota
	}
	if len(b.args.Settings.Secrets) > 0 {
		values := map[string]string{}
		for name, value := range b.args.Settings.Secrets {
			values[name] = value.Reveal()
		}
		objects["secret"] = job.Secret(values)
	}
	ready = slices.Clip(ready)
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		registered, err := kubeobject.New(b.ctx, b.name+"-"+name, objects[name], nil, inNamespace)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ready = append(ready, registered)
	}
	return ready, nil
}

// account creates the run's service account with its role, and returns what its pods wait for: one that starts before it has
// the role acts as its node. Both are deleted after the run's last pod has ended: see run.
func (b trainingBuilder) account(run job.Run, ready []pulumi.Resource) ([]pulumi.Resource, error) {
	if !run.OwnAccount {
		return nil, nil
	}
	name := run.Name()
	account, err := kubeobject.New(b.ctx, b.name+"-account-"+name, run.ServiceAccount(), nil, pulumi.Parent(b.component), pulumi.DependsOn(ready))
	if err != nil {
		return nil, err
	}
	association, err := cluster.NewPodIdentity(b.ctx, b.name+"-identity-"+name, b.podsRole, b.podRole(name))
	return []pulumi.Resource{account, association}, err
}

// run starts a run. The logical names of its objects contain the run's name: an update leaves a run that has started
// alone, whatever the platform has learned since, and any other run is another Job, which a preview shows as one Job
// created and one deleted. While both exist, the quota and one pod per node keep them from sharing accelerators; the
// new pods start as the old ones, with their checkpoints saved, end.
//
// The Job belongs to the ConfigMap. Pulumi does not wait for a Job's deletion, but for a ConfigMap's, which Kubernetes delays until
// the Job's last pod has ended. What pods need to save a checkpoint is deleted later.
//
// The Job is neither protected nor retained: what it has learned is in the checkpoints, and a forgotten Job would
// occupy the most expensive nodes.
func (b trainingBuilder) run(run job.Run, ready []pulumi.Resource) (pulumi.Resource, error) {
	name, commit := run.Name(), b.args.Branch.Commit
	account, err := b.account(run, ready)
	if err != nil {
		return nil, fmt.Errorf("service account: %w", err)
	}
	ready = slices.Concat(ready, account)
	options := pulumi.Composite(pulumi.Parent(b.component), pulumi.DependsOn(ready))
	// A run keeps the data that it has started with, even if its scripts are found in another commit later, because
	// another committer has changed the branch. Other scripts are another run.
	configMap, err := kubeobject.New(b.ctx, b.name+"-scripts-"+name, run.ConfigMap(), pulumi.Map{"data": pulumi.Map{
		job.DatasetURI:    in(b.args.Storage.Dataset, run.DatasetURI),
		job.CheckpointURI: in(b.args.Storage.Checkpoints, run.OutputURI),
		job.ArtifactURI:   in(b.args.Storage.Artifacts, run.OutputURI),
		job.ResumeFromURI: in(b.args.Storage.Checkpoints, run.ResumeURI),
		job.ScriptCommit:  commit,
	}}, options, pulumi.IgnoreChanges([]string{"data"}))
	if err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	service, err := kubeobject.New(b.ctx, b.name+"-service-"+name, run.Service(), nil, options)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	registered, err := kubeobject.New(b.ctx, b.name+"-job-"+name, run.Job(), pulumi.Map{
		"metadata": pulumi.Map{"labels": pulumi.Map{job.CommitLabel: commit}, "ownerReferences": pulumi.Array{pulumi.Map{
			"apiVersion": pulumi.String("v1"), "kind": pulumi.String("ConfigMap"), "name": pulumi.String(name), "uid": configMap.UID(),
			"blockOwnerDeletion": pulumi.Bool(true),
		}}},
	}, options, pulumi.DependsOn([]pulumi.Resource{configMap, service}), pulumi.IgnoreChanges(startedFields()))
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	return registered, nil
}

// startedFields lists the Job fields that are frozen once a run has started. Not listed: the deadline and the labels,
// which Kubernetes lets us update. `suspend` belongs to a queueing system such as Kueue.
//
// Of the template it lists only the spec: an update copies ignored fields from the cluster, and the provider fails on
// the template's labels with a hyphen, which Kubernetes adds
// (https://github.com/pulumi/pulumi-kubernetes/issues/3376). It would replace the Job, and end the run, with the
// second change of deadline or commit.
func startedFields() []string {
	return []string{
		"spec.completionMode", "spec.completions", "spec.parallelism", "spec.backoffLimitPerIndex", "spec.maxFailedIndexes",
		"spec.podReplacementPolicy", "spec.podFailurePolicy", "spec.template.spec", "spec.suspend",
	}
}

// in returns the URI of a place in a bucket.
func in(bucket *Bucket, uri func(bucket string) string) pulumi.StringOutput {
	return bucket.Name.ApplyT(uri).(pulumi.StringOutput)
}

// scriptFiles is the folder of the scripts. all: also embeds names that start with an underscore, for example
// __init__.py; job.ReadScripts skips hidden files.
//
//go:embed all:scripts
var scriptFiles embed.FS

// readScripts returns the scripts that are built into the program.
func readScripts() (job.Scripts, error) {
	folder, err := fs.Sub(scriptFiles, "scripts")
	if err != nil {
		return nil, err
	}
	scripts, err := job.ReadScripts(folder)
	if err != nil {
		return nil, fmt.Errorf("folder scripts: %w", err)
	}
	return scripts, nil
}
