// Command kube runs a Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, with fake
// nodes if -nodes names some. The kubelet and the DNS server of real nodes (../node) are this binary too, and so is kubectl.
// The components share package-level state, so each is this binary run again under its name. When it has written
// DIR/kubeconfig and DIR/ready, it serves until it is stopped.
//
//	kube -dir DIR [-port 6443] [-grace 40s] [-nodes 'system=2:m6i.large,gpu=4:p5.48xlarge'] [-review URL]
//
// With -review, whoever the URL answers a TokenReview for may sign in with a bearer token; without, only the kubeconfig's key.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var components = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"dns":                     newDNSCommand,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func main() {
	if len(os.Args) > 1 {
		if component, ok := components[os.Args[1]]; ok {
			os.Args = os.Args[1:] // kubectl reads them for its plugins
			command := component()
			command.SetArgs(os.Args[1:])
			if err := command.Execute(); err != nil {
				os.Exit(1)
			}
			return
		}
	}
	dir := flag.String("dir", "", "folder for keys, data and the kubeconfig")
	grace := flag.Duration("grace", 0, "time without a heartbeat until a node is not ready; 0: Kubernetes' default")
	port := flag.Int("port", 0, "of the API server; 0: a free one")
	nodes := flag.String("nodes", "", "pools of fake nodes: NAME=COUNT:INSTANCE_TYPE, comma-separated")
	review := flag.String("review", "", "URL that answers TokenReviews")
	flag.Parse()
	if *dir == "" {
		log.Fatal("-dir is required")
	}
	pools, err := parsePools(*nodes)
	if err != nil {
		log.Fatalf("-nodes: %v", err)
	}
	keys, err := newKeys(*dir)
	if err != nil {
		log.Fatalf("keys: %v", err)
	}
	etcd, err := startEtcd(filepath.Join(*dir, "etcd"))
	if err != nil {
		log.Fatalf("etcd: %v", err)
	}
	if *port == 0 {
		if *port, err = freePort(); err != nil {
			log.Fatal(err)
		}
	}
	endpoint := fmt.Sprintf("https://127.0.0.1:%d", *port)
	kubeconfig := filepath.Join(*dir, "kubeconfig")
	if err := keys.writeKubeconfig(kubeconfig, endpoint); err != nil {
		log.Fatalf("kubeconfig: %v", err)
	}
	var tokens []string
	if *review != "" {
		file := filepath.Join(*dir, "review")
		if err := writeWebhook(file, *review); err != nil {
			log.Fatalf("review: %v", err)
		}
		tokens = []string{"--authentication-token-webhook-config-file=" + file, "--authentication-token-webhook-version=v1",
			"--authentication-token-webhook-cache-ttl=0s"}
	}
	go run("kube-apiserver", append(tokens,
		"--etcd-servers="+etcd, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", *port),
		"--tls-cert-file="+keys.servingCert, "--tls-private-key-file="+keys.servingKey, "--client-ca-file="+keys.caCert,
		"--service-account-key-file="+keys.serviceAccountPub, "--service-account-signing-key-file="+keys.serviceAccountKey,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC", "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate="+keys.adminCertFile, "--kubelet-client-key="+keys.adminKeyFile, "--enable-priority-and-fairness=false")...)
	client, err := waitForAPI(kubeconfig)
	if err != nil {
		log.Fatalf("API server: %v", err)
	}
	monitor := []string{}
	if *grace > 0 {
		monitor = append(monitor, "--node-monitor-grace-period="+grace.String())
	}
	// The components' request limits (by default 20 and 50 per second) are raised: otherwise a thousand pods would wait for
	// nothing else.
	go run("kube-controller-manager", append(monitor,
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--use-service-account-credentials=false",
		"--service-account-private-key-file="+keys.serviceAccountKey, "--root-ca-file="+keys.caCert,
		"--controllers=*,-node-ipam-controller,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
		"--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")...)
	go run("kube-scheduler",
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
	if err := addNodes(context.Background(), client, pools); err != nil {
		log.Fatalf("nodes: %v", err)
	}
	if len(pools) > 0 {
		go keepNodesAlive(context.Background(), client)
		go actAsKubelets(context.Background(), client)
	}
	if err := os.WriteFile(filepath.Join(*dir, "ready"), nil, 0o600); err != nil {
		log.Fatal(err)
	}
	log.Printf("control plane ready at %s", endpoint)
	select {}
}

// run runs a component until it ends, which it should not, and ends with this process.
func run(component string, args ...string) {
	command := exec.Command(os.Args[0], append([]string{component}, args...)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log.Fatalf("%s: %v", component, command.Run())
}

func startEtcd(dir string) (string, error) {
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	clientPort, err := freePort()
	if err != nil {
		return "", err
	}
	peerPort, err := freePort()
	if err != nil {
		return "", err
	}
	client := url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", clientPort)}
	peer := url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", peerPort)}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	select {
	case <-server.Server.ReadyNotify():
		return client.String(), nil
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

func waitForAPI(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(context.Background())
		if err == nil {
			return client, nil
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
}

// writeWebhook writes the file, in the shape of a kubeconfig, that points the API server at a URL for TokenReviews.
func writeWebhook(file, url string) error {
	return os.WriteFile(file, fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "w", "cluster": {"server": %q}}],
"contexts": [{"name": "w", "context": {"cluster": "w", "user": "w"}}], "current-context": "w", "users": [{"name": "w", "user": {}}]}
`, url), 0o600)
}
