// Package cluster tests the training Job on a real Kubernetes control plane, which is the command ../lab/kube. Nodes and kubelets
// are fakes here; package nodes has real ones. It submits what package job renders.
package cluster

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"llm-platform/test/lab"
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "control-plane-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	if shared, err = start(dir); err != nil {
		fmt.Fprintf(os.Stderr, "control plane: %v (logs in %s)\n", err, dir)
		return 1
	}
	fmt.Printf("control plane ready in %.1f s\n", time.Since(began).Seconds())
	return m.Run()
}

// shared is the control plane of all tests, which run one after the other.
var shared *controlPlane

type controlPlane struct {
	client   kubernetes.Interface
	dynamic  dynamic.Interface
	mapper   *restmapper.DeferredDiscoveryRESTMapper
	bound    corelisters.PodLister // pods that are bound to a node, as the kubelets see them
	warnings *warnings
}

// warnings collects the warnings of the API server.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	// Kubernetes warns about every headless Service, because of its own default.
	if text == "spec.SessionAffinity is ignored for headless services" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

// take returns the warnings and empties the list.
func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.list
	w.list = nil
	return taken
}

// start starts a control plane that ends with this process. The nodes have no heartbeat, so its absence must not count.
func start(dir string) (*controlPlane, error) {
	plane, err := lab.StartPlane(context.Background(), lab.PlaneOptions{Kube: lab.KubePath("../.."), Dir: dir, Grace: 24 * time.Hour})
	if err != nil {
		return nil, fmt.Errorf("%w: run `make test-cluster`", err)
	}
	p := &controlPlane{warnings: &warnings{}}
	if err := p.connect(plane.Kubeconfig); err != nil {
		return nil, fmt.Errorf("API server: %w", err)
	}
	if err := p.actAsKubelets(); err != nil {
		return nil, fmt.Errorf("kubelets: %w", err)
	}
	return p, nil
}

func (p *controlPlane) connect(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 1000, 2000
	encoded := rest.CopyConfig(config)
	encoded.ContentType = runtime.ContentTypeProtobuf // as the components use it
	if p.client, err = kubernetes.NewForConfig(encoded); err != nil {
		return err
	}
	strict := rest.CopyConfig(config)
	strict.WarningHandler = p.warnings
	if p.dynamic, err = dynamic.NewForConfig(strict); err != nil {
		return err
	}
	p.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(p.client.Discovery()))
	return nil
}
