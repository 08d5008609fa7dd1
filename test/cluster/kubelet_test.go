package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
)

// machine is the capacity of a node. The figures are from EC2's type tables.
type machine struct{ cpu, memory, gpu, efa string }

var machines = map[string]machine{
	"m6i.large":     {"2", "8Gi", "", ""},
	"g6.12xlarge":   {"48", "180Gi", "4", "1"},
	"p5.48xlarge":   {"192", "1900Gi", "8", "32"},
	"p5en.48xlarge": {"192", "1900Gi", "8", "16"},
}

// addNodes creates fake nodes of one type, with the labels and the taint of a GPU pool, and deletes them after the test.
func addNodes(t *testing.T, instanceType string, count int) {
	t.Helper()
	ctx := context.Background()
	m, pool := machines[instanceType], "gpu"
	if m.gpu == "" {
		pool = "system"
	}
	capacity := corev1.ResourceList{
		"cpu": resource.MustParse(m.cpu), "memory": resource.MustParse(m.memory),
		"pods": resource.MustParse("110"), "ephemeral-storage": resource.MustParse("200Gi"),
	}
	var taints []corev1.Taint
	if m.gpu != "" {
		capacity["nvidia.com/gpu"] = resource.MustParse(m.gpu)
		capacity["vpc.amazonaws.com/efa"] = resource.MustParse(m.efa)
		taints = []corev1.Taint{{Key: "nvidia.com/gpu", Value: "true", Effect: corev1.TaintEffectNoSchedule}}
	}
	status, err := json.Marshal(map[string]any{"status": corev1.NodeStatus{Capacity: capacity, Allocatable: capacity, Conditions: []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Fake", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	nodes := shared.client.CoreV1().Nodes()
	forEach(t, count, func(i int) error {
		name := fmt.Sprintf("%s-%d", pool, i)
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name, "llm-platform/pool": pool}},
			Spec:       corev1.NodeSpec{Taints: taints},
		}
		if _, err := nodes.Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return err
		}
		// A patch, because the node controllers write to a new node at the same time.
		_, err := nodes.Patch(ctx, name, types.StrategicMergePatchType, status, metav1.PatchOptions{}, "status")
		return err
	})
	t.Cleanup(func() {
		forEach(t, count, func(i int) error {
			return nodes.Delete(ctx, fmt.Sprintf("%s-%d", pool, i), metav1.DeleteOptions{})
		})
	})
	waitFor(t, "nodes without the taint of new ones", func() error {
		list, err := nodes.List(ctx, metav1.ListOptions{LabelSelector: "llm-platform/pool=" + pool})
		if err != nil {
			return err
		}
		for _, node := range list.Items {
			for _, taint := range node.Spec.Taints {
				if strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
					return fmt.Errorf("%s has %s", node.Name, taint.Key)
				}
			}
		}
		return nil
	})
}

// forEach calls do with 0 to count-1, in sixteen goroutines.
func forEach(t *testing.T, count int, do func(i int) error) {
	t.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
}

// actAsKubelets starts every pod that is bound to a node: it is then running and not ready, like a rank that looks for
// rank 0. It ends every pod that is deleted, like a rank that saves a checkpoint on SIGTERM. Any other end is up to the
// tests.
//
// It watches, as kubelets do: listing a thousand pods repeatedly would slow down the control plane whose speed
// TestThousandRanks measures.
func (p *controlPlane) actAsKubelets() error {
	bound := func(options *metav1.ListOptions) { options.FieldSelector = "spec.nodeName!=" }
	factory := informers.NewSharedInformerFactoryWithOptions(p.client, 0, informers.WithTweakListOptions(bound))
	p.bound = factory.Core().V1().Pods().Lister()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]())
	add := func(object any) { queue.Add(cache.MetaObjectToName(object.(*corev1.Pod))) }
	handler := cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, object any) { add(object) }}
	if _, err := factory.Core().V1().Pods().Informer().AddEventHandler(handler); err != nil {
		return err
	}
	var addresses atomic.Int64
	for range 16 {
		go func() {
			for {
				name, _ := queue.Get()
				err := p.attend(name, &addresses)
				switch {
				case err == nil || apierrors.IsNotFound(err):
					queue.Forget(name)
				case !apierrors.IsConflict(err):
					fmt.Fprintf(os.Stderr, "kubelet of %s: %v\n", name, err)
					fallthrough
				default:
					queue.AddRateLimited(name)
				}
				queue.Done(name)
			}
		}()
	}
	factory.Start(nil)
	factory.WaitForCacheSync(nil)
	return nil
}

// attend starts or ends a pod, if it is due.
func (p *controlPlane) attend(name cache.ObjectName, addresses *atomic.Int64) error {
	pod, err := p.bound.Pods(name.Namespace).Get(name.Name)
	switch {
	case err != nil:
		return err
	case pod.DeletionTimestamp != nil:
		return p.terminate(context.Background(), pod)
	case pod.Status.Phase == corev1.PodPending && pod.Status.PodIP == "":
		n := addresses.Add(1)
		return p.run(context.Background(), pod.DeepCopy(), fmt.Sprintf("10.%d.%d.%d", 100+n>>16, n>>8&255, n&255))
	}
	return nil
}

func (p *controlPlane) run(ctx context.Context, pod *corev1.Pod, address string) error {
	now := metav1.Now()
	pod.Status.Phase, pod.Status.StartTime, pod.Status.HostIP = corev1.PodRunning, &now, "192.0.2.1"
	pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"})
	pod.Status.ContainerStatuses = statuses(pod.Spec.Containers, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}})
	_, err := p.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

// terminate ends a deleted pod as a kubelet does: first its containers, then the pod.
func (p *controlPlane) terminate(ctx context.Context, pod *corev1.Pod) error {
	if pod.Status.Phase == corev1.PodPending || pod.Status.Phase == corev1.PodRunning {
		if err := p.finish(ctx, pod.Namespace, pod.Name, 143, false); err != nil {
			return err
		}
	}
	now := int64(0)
	return p.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
}

// finish ends a pod's containers, or its init containers, with an exit code.
func (p *controlPlane) finish(ctx context.Context, namespace, name string, code int32, initial bool) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		pod, err := p.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		pod.Status.Phase = corev1.PodSucceeded
		if code != 0 {
			pod.Status.Phase = corev1.PodFailed
		}
		now := metav1.Now()
		ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: now, FinishedAt: now}}
		if initial {
			pod.Status.InitContainerStatuses = statuses(pod.Spec.InitContainers, ended)
			pod.Status.ContainerStatuses = statuses(pod.Spec.Containers, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}})
		} else {
			pod.Status.ContainerStatuses = statuses(pod.Spec.Containers, ended)
		}
		_, err = p.client.CoreV1().Pods(namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err
	})
}

func statuses(containers []corev1.Container, state corev1.ContainerState) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, c := range containers {
		all = append(all, corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: state})
	}
	return all
}
