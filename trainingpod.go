package main

import (
	"fmt"
	"strconv"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	runs "llm-platform/internal/run"
	"llm-platform/internal/settings"
)

const (
	homePath      = "/workspace"         // the pod's own scratch, on the node's local disks where it has some
	scriptsPath   = "/workspace/scripts" // the scripts, read-only
	commitKey     = "COMMIT"             // of the ConfigMap; no file of the pod
	secretName    = "training"           // of the Kubernetes Secret
	trainingLabel = "training"           // app.kubernetes.io/name of every training pod, of whichever run
)

// trainingBuilder is what the steps of newTraining share.
type trainingBuilder struct {
	ctx      *pulumi.Context
	name     string
	cfg      settings.Training
	region   string
	pool     Pool
	store    *Storage
	branch   *GitBranch
	scripts  runs.Scripts
	training *Training
	runName  string
	ready    []pulumi.Resource // what a pod needs before it starts
}

// namespace makes the namespace with its rules, service account, quota and secrets.
// Its removal waits for the last pod in it, and comes before that of the nodes, so that
// a destroy gives a run the time to save a checkpoint.
func (t *trainingBuilder) namespace() error {
	labels := pulumi.StringMap{"app.kubernetes.io/managed-by": pulumi.String("pulumi")}
	for _, mode := range []string{"enforce", "warn", "audit"} {
		labels["pod-security.kubernetes.io/"+mode] = pulumi.String("restricted")
	}
	namespace, err := corev1.NewNamespace(t.ctx, t.name+"-namespace", &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(settings.TrainingNamespace), Labels: labels,
			Annotations: pulumi.StringMap{"pulumi.com/timeoutSeconds": pulumi.String(strconv.Itoa(t.cfg.GraceSeconds + 300))},
		},
	}, pulumi.Parent(t.training), pulumi.DependsOn(t.ready))
	if err != nil {
		return err
	}
	within := []pulumi.ResourceOption{pulumi.Parent(t.training), pulumi.DependsOn([]pulumi.Resource{namespace})}
	account, err := corev1.NewServiceAccount(t.ctx, t.name+"-account", &corev1.ServiceAccountArgs{
		Metadata:                     t.metadata(settings.TrainingServiceAccount),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, within...)
	if err != nil {
		return fmt.Errorf("service account: %w", err)
	}
	t.ready = append(t.ready[:len(t.ready):len(t.ready)], account)
	if t.pool.Type.Count > 0 {
		quota, err := corev1.NewResourceQuota(t.ctx, t.name+"-quota", &corev1.ResourceQuotaArgs{
			Metadata: t.metadata("accelerators"),
			Spec: &corev1.ResourceQuotaSpecArgs{Hard: pulumi.StringMap{
				"requests." + t.pool.Type.ResourceName(): pulumi.String(strconv.Itoa(t.quota())),
			}},
		}, within...)
		if err != nil {
			return fmt.Errorf("quota: %w", err)
		}
		t.ready = append(t.ready, quota)
	}
	if len(t.cfg.Secrets) == 0 {
		return nil
	}
	values := pulumi.StringMap{}
	for name, value := range t.cfg.Secrets {
		values[name] = pulumi.String(value.Reveal())
	}
	secret, err := corev1.NewSecret(t.ctx, t.name+"-secret", &corev1.SecretArgs{
		Metadata: t.metadata(secretName), StringData: values,
	}, within...) // the SDK marks its data as secret
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	t.ready = append(t.ready, secret)
	return nil
}

// quota returns the number of accelerators that the namespace may use: those of the run.
func (t *trainingBuilder) quota() int {
	if !t.cfg.Enabled {
		return 0
	}
	return t.cfg.Nodes * t.pool.Type.Count
}

func (t *trainingBuilder) metadata(name string) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(name), Namespace: pulumi.String(settings.TrainingNamespace),
		Labels: pulumi.StringMap{"app.kubernetes.io/managed-by": pulumi.String("pulumi")},
	}
}

// run makes the scripts, the names that the ranks find each other by, and the Job.
// Each carries the run's identity in its name.
func (t *trainingBuilder) run() error {
	t.runName = t.identity().Name(t.cfg.Name)
	t.training.RunName = t.runName
	t.training.CheckpointURL = runURL(t.store.Checkpoints, t.runName)
	t.training.ArtifactURL = runURL(t.store.Artifacts, t.runName)
	own := func() *metav1.ObjectMetaArgs {
		return &metav1.ObjectMetaArgs{Name: pulumi.String(t.runName), Namespace: pulumi.String(settings.TrainingNamespace), Labels: t.labels()}
	}
	options := []pulumi.ResourceOption{pulumi.Parent(t.training), pulumi.DependsOn(t.ready)}

	data := pulumi.StringMap{commitKey: t.branch.Commit, runs.SumsFile: pulumi.String(t.scripts.Sums())}
	for _, script := range t.scripts {
		data[script.Key()] = pulumi.String(script.Content)
	}
	// What a run has begun with stays as it is, even if the commit is found again under
	// another hash. Another content is another run.
	scripts, err := corev1.NewConfigMap(t.ctx, t.name+"-scripts-"+t.runName, &corev1.ConfigMapArgs{
		Metadata: own(), Data: data, Immutable: pulumi.Bool(true),
	}, append(options, pulumi.IgnoreChanges([]string{"data"}))...)
	if err != nil {
		return fmt.Errorf("scripts: %w", err)
	}
	peers := own()
	peers.Annotations = unawaited() // its pods come later
	service, err := corev1.NewService(t.ctx, t.name+"-service-"+t.runName, &corev1.ServiceArgs{
		Metadata: peers,
		Spec: &corev1.ServiceSpecArgs{
			ClusterIP:                pulumi.String("None"), // a name for each pod, none for all
			Selector:                 t.labels(),
			PublishNotReadyAddresses: pulumi.Bool(true), // ranks look for rank 0 before it is ready
			Ports:                    corev1.ServicePortArray{corev1.ServicePortArgs{Name: pulumi.String("rendezvous"), Port: pulumi.Int(runs.MasterPort)}},
		},
	}, options...)
	if err != nil {
		return fmt.Errorf("service: %w", err)
	}
	job, err := t.job(scripts, service)
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	t.training.JobName = job.Metadata.Name().Elem()
	return nil
}

// unawaited lets an up go on as soon as the object is there: Pulumi would wait for a
// Job to be complete, and for a Service to have pods. Of a Job, its end is not waited
// for either (pulumi.com/waitFor would do that, but leaves an error in the state with
// each refresh).
func unawaited() pulumi.StringMap {
	return pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
}

// undisturbed asks autoscalers not to empty a node for their own ends.
func undisturbed() pulumi.StringMap {
	return pulumi.StringMap{
		"cluster-autoscaler.kubernetes.io/safe-to-evict": pulumi.String("false"),
		"karpenter.sh/do-not-disrupt":                    pulumi.String("true"),
	}
}

// failurePolicy says which failures count. The order matters: the first rule that
// fits decides, and a drained pod ends with whatever code its script makes of SIGTERM.
func failurePolicy() *batchv1.PodFailurePolicyArgs {
	return &batchv1.PodFailurePolicyArgs{Rules: batchv1.PodFailurePolicyRuleArray{
		batchv1.PodFailurePolicyRuleArgs{
			Action: pulumi.String("Ignore"),
			OnPodConditions: batchv1.PodFailurePolicyOnPodConditionsPatternArray{
				batchv1.PodFailurePolicyOnPodConditionsPatternArgs{Type: pulumi.String("DisruptionTarget"), Status: pulumi.String("True")},
			},
		},
		batchv1.PodFailurePolicyRuleArgs{
			Action:      pulumi.String("FailJob"),
			OnExitCodes: batchv1.PodFailurePolicyOnExitCodesRequirementArgs{Operator: pulumi.String("In"), Values: pulumi.ToIntArray(runs.FatalCodes())},
		},
	}}
}

func (t *trainingBuilder) deadline() pulumi.IntPtrInput {
	if t.cfg.DeadlineHours == 0 {
		return nil
	}
	return pulumi.Int(t.cfg.DeadlineHours * 3600)
}

// wholeNode is all accelerators and EFA devices of a node. Of its memory and its
// processors a quarter is left to the system's own pods; there is no limit on them,
// so that a data loader may take what is free.
func (t *trainingBuilder) wholeNode() *corev1.ResourceRequirementsArgs {
	limits := pulumi.StringMap{t.pool.Type.ResourceName(): pulumi.String(strconv.Itoa(t.pool.Type.Count))}
	if t.pool.EFA > 0 {
		limits["vpc.amazonaws.com/efa"] = pulumi.String(strconv.Itoa(t.pool.EFA))
	}
	requests := pulumi.StringMap{
		"cpu":    pulumi.String(strconv.Itoa(t.pool.Type.VCPU * 3 / 4)),
		"memory": pulumi.String(strconv.Itoa(t.pool.Type.MemoryGiB*3/4) + "Gi"),
	}
	for name, count := range limits {
		requests[name] = count
	}
	return &corev1.ResourceRequirementsArgs{Limits: limits, Requests: requests}
}

// checkEFA is a step before the training that refuses to start where EFA is not all
// there: without it the training runs on, many times slower, over TCP.
func (t *trainingBuilder) checkEFA() corev1.ContainerArray {
	if t.pool.EFA == 0 {
		return nil
	}
	return corev1.ContainerArray{corev1.ContainerArgs{
		Name:            pulumi.String("efa"),
		Image:           pulumi.String(t.cfg.Image),
		Command:         pulumi.ToStringArray(runs.CheckEFA("/dev/infiniband", t.pool.EFA)),
		Resources:       t.wholeNode(),
		SecurityContext: unprivileged(),
	}}
}

func (t *trainingBuilder) tolerations() corev1.TolerationArray {
	return corev1.TolerationArray{corev1.TolerationArgs{
		Key: pulumi.String(t.pool.TaintKey), Operator: pulumi.String("Equal"), Value: pulumi.String(t.pool.TaintValue), Effect: pulumi.String("NoSchedule"),
	}}
}

// onePerNode holds for pods of all runs: one that is still saving keeps its node.
func onePerNode() *corev1.AffinityArgs {
	return &corev1.AffinityArgs{PodAntiAffinity: &corev1.PodAntiAffinityArgs{
		RequiredDuringSchedulingIgnoredDuringExecution: corev1.PodAffinityTermArray{corev1.PodAffinityTermArgs{
			TopologyKey:   pulumi.String("kubernetes.io/hostname"),
			LabelSelector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{"app.kubernetes.io/name": pulumi.String(trainingLabel)}},
		}},
	}}
}

// volumes are the scripts, shared memory for the data loaders, and all else that a
// container may write to: its root is read-only.
func (t *trainingBuilder) volumes() corev1.VolumeArray {
	items := corev1.KeyToPathArray{corev1.KeyToPathArgs{Key: pulumi.String(runs.SumsFile), Path: pulumi.String(runs.SumsFile)}}
	for _, script := range t.scripts {
		items = append(items, corev1.KeyToPathArgs{Key: pulumi.String(script.Key()), Path: pulumi.String(script.Path)})
	}
	return corev1.VolumeArray{
		corev1.VolumeArgs{Name: pulumi.String("home"), EmptyDir: &corev1.EmptyDirVolumeSourceArgs{}},
		corev1.VolumeArgs{Name: pulumi.String("temporary"), EmptyDir: &corev1.EmptyDirVolumeSourceArgs{}},
		corev1.VolumeArgs{Name: pulumi.String("scripts"), ConfigMap: &corev1.ConfigMapVolumeSourceArgs{Name: pulumi.String(t.runName), Items: items, DefaultMode: pulumi.Int(0o444)}},
		corev1.VolumeArgs{Name: pulumi.String("shared-memory"), EmptyDir: &corev1.EmptyDirVolumeSourceArgs{
			Medium: pulumi.String("Memory"), SizeLimit: pulumi.Sprintf("%dGi", t.pool.Type.SharedMemoryGiB()),
		}},
	}
}

func mounts() corev1.VolumeMountArray {
	return corev1.VolumeMountArray{
		corev1.VolumeMountArgs{Name: pulumi.String("home"), MountPath: pulumi.String(homePath)},
		corev1.VolumeMountArgs{Name: pulumi.String("temporary"), MountPath: pulumi.String("/tmp")}, // torchrun's, and NCCL's traces
		corev1.VolumeMountArgs{Name: pulumi.String("scripts"), MountPath: pulumi.String(scriptsPath), ReadOnly: pulumi.Bool(true)},
		corev1.VolumeMountArgs{Name: pulumi.String("shared-memory"), MountPath: pulumi.String("/dev/shm")},
	}
}

// nobody is a user without rights, whom the pod's volumes belong to.
func nobody() *corev1.PodSecurityContextArgs {
	const user = 1000
	return &corev1.PodSecurityContextArgs{
		RunAsNonRoot: pulumi.Bool(true), RunAsUser: pulumi.Int(user), RunAsGroup: pulumi.Int(user), FsGroup: pulumi.Int(user),
		SeccompProfile: &corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
	}
}

// unprivileged drops every capability, as Pod Security "restricted" asks for, and has
// the image stay as it was built. EFA pins memory, for which some examples add
// IPC_LOCK: it has no effect for a user other than root, and no need, since the EKS
// images leave containers without a limit on locked memory
// (https://github.com/awslabs/amazon-eks-ami/pull/595).
func unprivileged() *corev1.SecurityContextArgs {
	return &corev1.SecurityContextArgs{
		AllowPrivilegeEscalation: pulumi.Bool(false),
		ReadOnlyRootFilesystem:   pulumi.Bool(true),
		Capabilities:             &corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
	}
}

// set is a variable with a known value.
func set(name string, value any) corev1.EnvVarArgs {
	return setTo(name, pulumi.String(fmt.Sprint(value)))
}

func setTo(name string, value pulumi.StringInput) corev1.EnvVarArgs {
	return corev1.EnvVarArgs{Name: pulumi.String(name), Value: value.ToStringOutput().ToStringPtrOutput()}
}

func field(path string) *corev1.EnvVarSourceArgs {
	return &corev1.EnvVarSourceArgs{FieldRef: &corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String(path)}}
}
