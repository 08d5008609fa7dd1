// Package cluster tests the training Job on a real Kubernetes control plane: API server, controller manager, scheduler
// and etcd of the Kubernetes modules. Nodes and kubelets are fakes. It submits what package job renders.
package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// components are run as this binary under the component's name: they share package-level state, so a process cannot
// contain two of them.
var components = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if component, ok := components[os.Args[1]]; ok {
			command := component()
			command.SetArgs(os.Args[2:])
			if err := command.Execute(); err != nil {
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(runTests(m))
}

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
	// Kubernetes 1.34 warns about every headless Service, because of its own default.
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

func start(dir string) (*controlPlane, error) {
	keys, err := newKeys(dir)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	etcd, err := startEtcd(filepath.Join(dir, "etcd"))
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := keys.writeKubeconfig(kubeconfig, fmt.Sprintf("https://127.0.0.1:%d", port)); err != nil {
		return nil, err
	}
	err = launch(dir, "kube-apiserver",
		"--etcd-servers="+etcd, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file="+keys.servingCert, "--tls-private-key-file="+keys.servingKey, "--client-ca-file="+keys.caCert,
		"--service-account-key-file="+keys.serviceAccountPub, "--service-account-signing-key-file="+keys.serviceAccountKey,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC", "--allow-privileged=true", "--enable-priority-and-fairness=false")
	if err != nil {
		return nil, err
	}
	p := &controlPlane{warnings: &warnings{}}
	if err := p.connect(kubeconfig); err != nil {
		return nil, fmt.Errorf("API server: %w", err)
	}
	// The nodes have no heartbeat, so its absence must not count. The components' request limits (by default 20 and 50
	// per second) are raised: otherwise a thousand pods would wait for nothing else.
	err = launch(dir, "kube-controller-manager",
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--use-service-account-credentials=false",
		"--service-account-private-key-file="+keys.serviceAccountKey, "--root-ca-file="+keys.caCert,
		"--controllers=*,-node-ipam-controller,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
		"--node-monitor-grace-period=24h", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
	if err != nil {
		return nil, err
	}
	err = launch(dir, "kube-scheduler",
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
	if err != nil {
		return nil, err
	}
	if err := p.actAsKubelets(); err != nil {
		return nil, fmt.Errorf("kubelets: %w", err)
	}
	return p, nil
}

// launch starts a component that ends with this process.
func launch(dir, component string, args ...string) error {
	log, err := os.Create(filepath.Join(dir, component+".log"))
	if err != nil {
		return err
	}
	command := exec.Command(os.Args[0], append([]string{component}, args...)...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command.Start()
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
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		_, err := p.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(context.Background())
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func startEtcd(dir string) (string, error) {
	config := embed.NewConfig()
	config.Dir, config.LogLevel, config.UnsafeNoFsync = dir, "error", true
	var urls []url.URL
	for range 2 {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		urls = append(urls, url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = urls[:1], urls[:1]
	config.ListenPeerUrls, config.AdvertisePeerUrls = urls[1:], urls[1:]
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	select {
	case <-server.Server.ReadyNotify():
		return urls[0].String(), nil
	case <-time.After(time.Minute):
		return "", fmt.Errorf("not ready after a minute")
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
