package job

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

var update = flag.Bool("update", false, "write the golden manifests")

// The golden manifests are what a reviewer of the Job reads: all objects of a run that uses everything there is, of
// one with the least, in an existing cluster, and of one without accelerators. Each run is called train-RUN in them. To write them:
// go test ./internal/job -run TestManifests -update
func TestManifests(t *testing.T) {
	plain := Run{
		Prefix: "train", Region: "us-west-2", Pool: pool(t, "g6.12xlarge"), Nodes: 1, Image: "i:1", Command: []string{"c"},
		GraceSeconds: 60, Scripts: Scripts{{"train.py", "a"}},
	}
	processors := plain
	machine, err := accelerator.LookupProcessor("m7i.large")
	if err != nil {
		t.Fatal(err)
	}
	processors.Pool = nodepool.NewFacts("cpu", settings.Pool{
		Type: machine, VolumeGB: 200, TaintKey: settings.PoolLabel, TaintValue: "cpu",
	}, true)
	processors.OwnAccount = true
	for name, run := range map[string]Run{"full": full(t), "plain": plain, "processors": processors} {
		objects := []runtime.Object{Namespace(run.GraceSeconds), ServicesQuota()}
		if run.OwnAccount {
			objects = append(objects, NetworkPolicy(), run.ServiceAccount())
		} else {
			objects = append(objects, SharedServiceAccount())
		}
		if quota := Quota(map[string]nodepool.Facts{run.Pool.Name: run.Pool}, run); quota != nil {
			objects = append(objects, quota)
		}
		if len(run.Secrets) > 0 {
			objects = append(objects, Secret(map[string]string{"HF_TOKEN": "hf-not-a-token"}))
		}
		objects = append(objects, run.ConfigMap(), run.Service(), run.Job())
		compare(t, filepath.Join("testdata", name+".golden"), strings.ReplaceAll(manifest(t, objects), run.Name(), "train-RUN"))
	}
}

// manifest returns objects as YAML documents, without their empty status.
func manifest(t *testing.T, objects []runtime.Object) string {
	t.Helper()
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	for _, object := range objects {
		encoded, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(encoded, &tree); err != nil {
			t.Fatal(err)
		}
		delete(tree, "status")
		if err := encoder.Encode(tree); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (if that is intended: go test ./internal/job -run TestManifests -update); got:\n%s", file, got)
	}
}

// Every variable is set once, the user's value replaces the platform's, and the ones that are only known after
// deployment are keys of the run's ConfigMap.
func TestEnvironment(t *testing.T) {
	run := full(t)
	run.Environment = map[string]string{"NCCL_DEBUG": "INFO", "FI_PROVIDER": "tcp", "MODE": "x"}
	env := map[string]corev1.EnvVar{}
	for _, v := range run.environment() {
		if _, twice := env[v.Name]; twice {
			t.Errorf("%s is set twice", v.Name)
		}
		env[v.Name] = v
	}
	for name, want := range map[string]string{
		"PET_NNODES": "2", "PET_NPROC_PER_NODE": "8", "PET_MASTER_ADDR": run.Name() + "-0." + run.Name(), "PET_MASTER_PORT": "29500",
		"PET_SHUTDOWN_TIMEOUT": "285", "RUN_NAME": run.Name(), "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2",
		"NCCL_DEBUG": "INFO", "FI_PROVIDER": "tcp", "MODE": "x", "NCCL_SOCKET_IFNAME": "^lo", "ACCELERATOR": "nvidia",
	} {
		if env[name].Value != want {
			t.Errorf("%s is %q, want %q", name, env[name].Value, want)
		}
	}
	for _, name := range []string{"DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI", "RESUME_FROM_URI", "SCRIPT_COMMIT"} {
		from := env[name].ValueFrom
		if from == nil || from.ConfigMapKeyRef == nil || from.ConfigMapKeyRef.Name != run.Name() || from.ConfigMapKeyRef.Key != name {
			t.Errorf("%s comes from %+v, not from the run's ConfigMap", name, from)
		}
	}
	for _, name := range run.Secrets {
		from := env[name].ValueFrom
		if from == nil || from.SecretKeyRef == nil || from.SecretKeyRef.Name != Secret(nil).Name || from.SecretKeyRef.Key != name {
			t.Errorf("%s comes from %+v, not from the Secret", name, from)
		}
	}
}

// Libraries are configured for what the nodes have, and for nothing else.
func TestNetwork(t *testing.T) {
	for _, c := range []struct {
		kind     accelerator.Kind
		efa      int
		nccl, fi bool
	}{
		{accelerator.NVIDIA, 0, true, false},
		{accelerator.NVIDIA, 32, true, true},
		{accelerator.Neuron, 8, false, true},
		{accelerator.None, 0, false, false},
	} {
		var names []string
		plugin := ""
		for _, v := range network(nodepool.Facts{Type: accelerator.Type{Kind: c.kind}, EFA: c.efa}) {
			names = append(names, v.Name)
			if v.Name == "NCCL_NET" {
				plugin = v.Value
			}
		}
		if (plugin == "AWS Libfabric") != (c.nccl && c.fi) {
			t.Errorf("%q with %d EFA interfaces: NCCL uses %q", c.kind, c.efa, plugin)
		}
		if slices.Contains(names, "TORCH_FR_BUFFER_SIZE") != c.nccl {
			t.Errorf("%q: no traces of hanging collectives: %v", c.kind, names)
		}
		if slices.Contains(names, "NCCL_SOCKET_IFNAME") != c.nccl || slices.Contains(names, "FI_PROVIDER") != c.fi {
			t.Errorf("%q with %d EFA interfaces: %v", c.kind, c.efa, names)
		}
	}
}

// The namespace takes what its runs need of each accelerator, and nothing without a run.
func TestQuota(t *testing.T) {
	gpu, neuron := pool(t, "p5.48xlarge"), pool(t, "trn1.32xlarge")
	neuron.Name = "neuron"
	pools := map[string]nodepool.Facts{"gpu": gpu, "neuron": neuron}
	const nvidia, neurons = "requests.nvidia.com/gpu", "requests.aws.amazon.com/neuron"
	for _, c := range []struct {
		name  string
		pools map[string]nodepool.Facts
		runs  []Run
		want  map[string]string
	}{
		{"no run", pools, nil, map[string]string{nvidia: "0", neurons: "0"}},
		{"one run", pools, []Run{{Pool: gpu, Nodes: 2}}, map[string]string{nvidia: "16", neurons: "0"}},
		{
			"three runs", pools, []Run{{Pool: gpu, Nodes: 2}, {Pool: gpu, Nodes: 1}, {Pool: neuron, Nodes: 1}},
			map[string]string{nvidia: "24", neurons: "16"},
		},
		{"no accelerators", map[string]nodepool.Facts{"cpu": {}}, []Run{{Nodes: 4}}, nil},
	} {
		got := map[string]string{}
		if quota := Quota(c.pools, c.runs...); quota != nil {
			for name, hard := range quota.Spec.Hard {
				got[string(name)] = hard.String()
			}
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: quota is %v, want %v", c.name, got, c.want)
		}
	}
}

// A leak of memory or disk is a failure that counts, and no eviction of the node's: every container has a limit on
// memory that the node has, and every volume in it a size.
func TestLimits(t *testing.T) {
	processors := full(t)
	machine, err := accelerator.LookupProcessor("m7i.large")
	if err != nil {
		t.Fatal(err)
	}
	processors.Pool = nodepool.NewFacts("cpu", settings.Pool{Type: machine, VolumeGB: 200}, true)
	for name, run := range map[string]Run{"GPUs": full(t), "processors": processors} {
		spec := run.Job().Spec.Template.Spec
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			limit, request := c.Resources.Limits.Memory(), c.Resources.Requests.Memory()
			if limit.IsZero() || limit.Cmp(*request) < 0 || limit.Value() > int64(run.Pool.Type.MemoryGiB)<<30 {
				t.Errorf("%s: %s may use %s, requests %s", name, c.Name, limit, request)
			}
			if _, limited := c.Resources.Limits[corev1.ResourceCPU]; limited {
				t.Errorf("%s: %s is throttled", name, c.Name)
			}
		}
		onDisk, volumes := int64(0), 0
		for _, volume := range spec.Volumes {
			if volume.EmptyDir == nil {
				continue
			}
			volumes++
			if volume.EmptyDir.SizeLimit == nil || volume.EmptyDir.SizeLimit.IsZero() {
				t.Errorf("%s: volume %s has no size", name, volume.Name)
			} else if volume.EmptyDir.Medium == corev1.StorageMediumDefault {
				onDisk += volume.EmptyDir.SizeLimit.Value()
			}
		}
		if volumes != 3 || onDisk == 0 || onDisk > int64(run.Pool.DiskGB)*1_000_000_000*3/4 {
			t.Errorf("%s: %d volumes take %d bytes of a disk of %d GB", name, volumes, onDisk, run.Pool.DiskGB)
		}
	}
}

// A pod on nodes without accelerators requests none, starts one process, and tolerates the pool's taint.
func TestProcessors(t *testing.T) {
	machine, err := accelerator.LookupProcessor("m7i.large")
	if err != nil {
		t.Fatal(err)
	}
	run := full(t)
	run.Pool = nodepool.NewFacts("cpu", settings.Pool{Type: machine, VolumeGB: 200, TaintKey: settings.PoolLabel, TaintValue: "cpu"}, true)
	spec := run.Job().Spec.Template.Spec
	if len(spec.InitContainers) > 0 {
		t.Errorf("it has init containers %v", spec.InitContainers)
	}
	env := map[string]string{}
	for _, variable := range spec.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	if env["PET_NPROC_PER_NODE"] != "1" || env["ACCELERATOR"] != "none" {
		t.Errorf("%s processes, accelerator %q", env["PET_NPROC_PER_NODE"], env["ACCELERATOR"])
	}
	for name := range spec.Containers[0].Resources.Limits {
		if name != corev1.ResourceMemory {
			t.Errorf("it requests %s", name)
		}
	}
	if len(spec.Tolerations) != 1 || spec.Tolerations[0].Key != settings.PoolLabel || spec.Tolerations[0].Value != "cpu" || spec.NodeSelector[settings.PoolLabel] != "cpu" {
		t.Errorf("selects %v, tolerates %v", spec.NodeSelector, spec.Tolerations)
	}
}

// The container toolkit writes into /etc/nvidia of each container with GPUs before it starts. A mount there, or above,
// would stop the container: https://github.com/awslabs/amazon-eks-ami/issues/2790
func TestNothingMountsEtc(t *testing.T) {
	spec := full(t).Job().Spec.Template.Spec
	seen := 0
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, mount := range c.VolumeMounts {
			seen++
			if strings.HasPrefix("/etc/nvidia/", strings.TrimSuffix(mount.MountPath, "/")+"/") || strings.HasPrefix(mount.MountPath, "/etc/nvidia") {
				t.Errorf("%s mounts %s", c.Name, mount.MountPath)
			}
		}
	}
	if seen == 0 {
		t.Fatal("no mount: this test tests nothing")
	}
}

func TestDeadline(t *testing.T) {
	run := full(t)
	if got := *run.Job().Spec.ActiveDeadlineSeconds; got != 72*3600 {
		t.Errorf("deadline is %d s", got)
	}
	run.DeadlineHours = 0
	if got := run.Job().Spec.ActiveDeadlineSeconds; got != nil {
		t.Errorf("deadline is %d s without one", *got)
	}
}

// Both containers run without privileges and cannot write to their image.
func TestPodSecurity(t *testing.T) {
	spec := full(t).Job().Spec.Template.Spec
	containers := slices.Concat(spec.InitContainers, spec.Containers)
	if len(containers) != 2 {
		t.Fatalf("%d containers, want the EFA check and the training", len(containers))
	}
	for _, c := range containers {
		s := c.SecurityContext
		if !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: security context is %+v", c.Name, s)
		}
		if !strings.HasPrefix(c.Image, "registry.example.com/") {
			t.Errorf("%s: image is %s", c.Name, c.Image)
		}
	}
	if !*spec.SecurityContext.RunAsNonRoot || *spec.AutomountServiceAccountToken {
		t.Errorf("pod: %+v", spec.SecurityContext)
	}
}
