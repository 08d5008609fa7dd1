package nodes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var short = []string{
	"--steps=40", "--context=32", "--batch=2", "--log-every=10", "--save-every=20", "--warmup=5",
}

// TestFinished: a run ends with a published model and a complete Job. The same run again ends at once.
func TestFinished(t *testing.T) {
	threeNodes(t)
	for _, c := range []struct{ name, says string }{
		{"first", `{"event": "finished"`},
		{"again", "the run has published its model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began, before := time.Now(), lab.identities.Load()
			r := start(t, "processors", withArgs(short, nil))
			if reason, message := r.ends(t); !strings.HasPrefix(reason, "Complete") {
				r.dump(t)
				t.Fatalf("%s: %s", reason, message)
			}
			r.says(t, began, c.says)
			if lab.identities.Load() == before {
				t.Error("no pod asked for credentials of its service account")
			}
			fmt.Printf("%s: Job complete %.0f s after it was created\n", c.name, time.Since(began).Seconds())
		})
	}
}

// TestFatalExits: each exit code that rules out another try ends the Job at once, on real pods.
func TestFatalExits(t *testing.T) {
	threeNodes(t)
	for _, c := range []struct {
		code   int32
		says   string
		change func(kind string, object map[string]any)
	}{
		{10, "configuration: --context 4096: --model config.json has max_position_embeddings 512", withArgs(append(slices.Clone(short), "--context=4096"), nil)},
		{11, "dataset: DATASET_URI s3://dataset/: empty or too small", withArgs(append(slices.Clone(short), "--context=10000000"), nil)},
		{12, "no complete checkpoint there", func(kind string, object map[string]any) {
			withArgs(short, nil)(kind, object)
			if kind == "ConfigMap" {
				object["data"].(map[string]any)["RESUME_FROM_URI"] = "s3://checkpoints/runs/train-0123456789/"
				object["data"].(map[string]any)["CHECKPOINT_URI"] = "s3://checkpoints/runs/other/"
				object["data"].(map[string]any)["ARTIFACT_URI"] = "s3://artifacts/runs/other/"
			}
		}},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			began := time.Now()
			r := start(t, "processors", elsewhere(c.change))
			reason, message := r.ends(t)
			if reason != "FailedPodFailurePolicy" || !strings.Contains(message, fmt.Sprintf("exit code %d", c.code)) {
				r.dump(t)
				t.Errorf("%s: %s", reason, message)
			}
			r.says(t, began, c.says)
		})
	}
}

// elsewhere gives a run prefixes of its own, so that it does not find what another test has published.
func elsewhere(change func(string, map[string]any)) func(string, map[string]any) {
	return func(kind string, object map[string]any) {
		if kind == "ConfigMap" {
			for _, name := range []string{"CHECKPOINT_URI", "ARTIFACT_URI"} {
				data := object["data"].(map[string]any)
				data[name] = fmt.Sprintf("%s%d/", data[name], time.Now().UnixNano())
			}
		}
		change(kind, object)
	}
}

// TestNoProgress: three failures from one checkpoint, of whatever index, end the run with 17 and the reason.
func TestNoProgress(t *testing.T) {
	threeNodes(t)
	began := time.Now()
	r := start(t, "processors", elsewhere(withArgs(append(slices.Clone(endless), "--save-every=100000000"), nil)))
	for _, index := range []int{1, 2, 1} {
		at := r.says(t, began, fmt.Sprintf("on %d nodes", r.nodes))
		began = r.trains(t, at)
		killRanks(index)(t, r, nil)
	}
	reason, message := r.ends(t)
	if reason != "FailedPodFailurePolicy" || !strings.Contains(message, "exit code 17") {
		r.dump(t)
		t.Errorf("%s: %s", reason, message)
	}
	r.says(t, began, "progress: 3 failures from the checkpoint of step 0, none newer")
}

// TestCountedExits: without credentials a pod ends with 18, which counts; so does a missing accelerator with 15. Without
// retries, the Job then fails.
func TestCountedExits(t *testing.T) {
	threeNodes(t)
	for _, c := range []struct {
		code           int32
		manifest, says string
		change         func(kind string, object map[string]any)
	}{
		{18, "processors", "credentials: NoCredentialsError", func(kind string, object map[string]any) {
			if kind == "Job" {
				withoutIdentity(object)
				setArgs(object, short, map[string]string{"AWS_EC2_METADATA_DISABLED": "true"})
			}
		}},
		{15, "plain", "0 of 4 GPUs work", withArgs(short, map[string]string{"REPAIR_SECONDS": "1"})},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			if c.manifest == "plain" {
				gpuNodes(t)
			}
			began := time.Now()
			r := start(t, c.manifest, elsewhere(func(kind string, object map[string]any) {
				c.change(kind, object)
				if kind == "Job" {
					object["spec"].(map[string]any)["backoffLimitPerIndex"] = 0
					cut(object)
				}
			}))
			if reason, message := r.ends(t); reason != "FailedMaxFailedIndexesExceeded" && reason != "FailedFailedIndexes" {
				r.dump(t)
				t.Errorf("%s: %s", reason, message)
			}
			if codes := r.codes(t); !slices.Contains(codes, c.code) {
				t.Errorf("exit codes %v", codes)
			}
			r.says(t, began, c.says)
		})
	}
}

// TestNoEFA: without EFA devices, or locked memory for them, the init container ends the Job with 13.
func TestNoEFA(t *testing.T) {
	gpuNodes(t)
	r := start(t, "fabric", elsewhere(func(kind string, object map[string]any) {
		if kind == "Job" {
			cut(object)
		}
	}))
	if reason, message := r.ends(t); reason != "FailedPodFailurePolicy" || !strings.Contains(message, "exit code 13") {
		r.dump(t)
		t.Errorf("%s: %s", reason, message)
	}
}

// TestAdmission: the namespace of a run on GPUs refuses a pod beyond its quota, and a privileged one.
func TestAdmission(t *testing.T) {
	gpuNodes(t)
	r := start(t, "plain", elsewhere(func(kind string, object map[string]any) {
		if kind == "Job" {
			cut(object)
			podSpec(object)["containers"].([]any)[0].(map[string]any)["command"] = []any{"/bin/sleep", "1000"}
		}
	}))
	var all map[int]*corev1.Pod
	waitFor(t, "two pods that run", func() (err error) {
		if all, err = r.pods(); err == nil && (len(all) != 2 || all[0].Status.Phase != corev1.PodRunning || all[1].Status.Phase != corev1.PodRunning) {
			err = fmt.Errorf("%d pods", len(all))
		}
		return err
	})
	if all[0].Spec.NodeName == all[1].Spec.NodeName {
		t.Error("both pods are on one node")
	}
	for want, change := range map[string]func(*corev1.Pod){
		"exceeded quota":                 func(*corev1.Pod) {},
		`violates PodSecurity "restrict`: func(pod *corev1.Pod) { pod.Spec.HostNetwork = true },
	} {
		pod := &corev1.Pod{Spec: *all[0].Spec.DeepCopy()}
		pod.Name, pod.Spec.NodeName = "another", ""
		change(pod)
		if _, err := lab.client.CoreV1().Pods(namespace).Create(background, pod, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func threeNodes(t *testing.T) { nodesFor(t, cpuPool) }

// gpuNodes starts nodes with the labels, taints and resources of GPU nodes; there is no device behind the resources.
func gpuNodes(t *testing.T) {
	nodesFor(t, []string{
		"LABELS=llm-platform/pool=gpu,nvidia.com/gpu.present=true,vpc.amazonaws.com/efa.present=true", "TAINTS=nvidia.com/gpu=true:NoSchedule", "CAPACITY=nvidia.com/gpu=8,vpc.amazonaws.com/efa=32",
	})
}

func nodesFor(t *testing.T, env []string) {
	t.Helper()
	for index := range 3 {
		removeNode(t, first()+index)
	}
	addNodes(t, env, first(), first()+1, first()+2)
	t.Cleanup(func() {
		for index := range 3 {
			removeNode(t, first()+index)
		}
	})
}

// cut reduces the requests of a Job's containers to this machine.
func cut(job map[string]any) {
	for _, container := range containers(job) {
		resources := container["resources"].(map[string]any)
		for _, kind := range []string{"limits", "requests"} {
			sizes := resources[kind].(map[string]any)
			sizes["memory"] = "2Gi"
			if kind == "requests" {
				sizes["cpu"] = "500m"
			}
		}
	}
	for _, volume := range podSpec(job)["volumes"].([]any) {
		if empty, ok := volume.(map[string]any)["emptyDir"].(map[string]any); ok {
			empty["sizeLimit"] = "1Gi"
		}
	}
}
