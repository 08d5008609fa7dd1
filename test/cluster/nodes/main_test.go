// Package nodes tests training runs on real nodes: a Kubernetes control plane, kubelets and containerds on this machine, and
// the registered Job, whose pods are restricted containers with real ranks and an emulator of S3.
package nodes

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	labs "llm-platform/test/lab"
)

// first is the number of the first node, which no other cluster on this machine has.
func first() int { return lab.nodes.First }

func s3Port() int { return 5559 + first() }

// s3Endpoint is where pods reach S3.
func s3Endpoint() string { return fmt.Sprintf("http://%s:%d", lab.nodes.Host(), s3Port()) }

// lab is the cluster of all tests, which run one after the other.
var lab *cluster

type cluster struct {
	dir        string
	python     labs.Python
	nodes      *labs.Nodes
	plane      *labs.Plane
	images     []string
	client     kubernetes.Interface
	dynamic    dynamic.Interface
	mapper     *restmapper.DeferredDiscoveryRESTMapper
	s3         *exec.Cmd
	identities atomic.Int64 // how often pods got credentials
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "real-nodes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lab = &cluster{dir: dir}
	began := time.Now()
	defer lab.stop()
	if err := lab.start(); err != nil {
		fmt.Fprintf(os.Stderr, "real nodes: %v\n", err)
		return 1
	}
	fmt.Printf("control plane and S3 ready in %.1f s\n", time.Since(began).Seconds())
	return m.Run()
}

func (c *cluster) start() error {
	var err error
	if c.nodes, err = labs.ReserveNodes("../../.."); err != nil {
		return err
	}
	if c.python, err = labs.TrainingPython(); err != nil {
		return err
	}
	if err := c.startPlane(); err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	if err := c.startS3(); err != nil {
		return fmt.Errorf("S3: %w", err)
	}
	if err := c.startIdentity(); err != nil {
		return fmt.Errorf("Pod Identity: %w", err)
	}
	env := append(c.python.Environment(), "AWS_ENDPOINT_URL="+s3Endpoint(), "OMP_NUM_THREADS=1")
	c.images, err = c.nodes.Images(c.dir, image, env)
	return err
}

// background starts a process that ends with this one.
func (c *cluster) background(name string, env []string, command ...string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	process := exec.Command(command[0], command[1:]...)
	process.Stdout, process.Stderr, process.Env = log, log, append(os.Environ(), env...)
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return process, process.Start()
}

func (c *cluster) startPlane() (err error) {
	if c.plane, err = labs.StartPlane(background, labs.PlaneOptions{Kube: kube(), Dir: c.dir}); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.plane.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.client.Discovery()))
	return nil
}

// startS3 starts the emulator on every address, with the buckets and the sample. Pods reach it at an address that no lost node
// takes away.
func (c *cluster) startS3() (err error) {
	if c.s3, err = c.background("s3", nil, c.python.Path, "-m", "moto.server", "-H", "0.0.0.0", "-p", fmt.Sprint(s3Port())); err != nil {
		return err
	}
	sample, err := os.ReadFile("../../../sample/corpus.txt")
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if err = s3Put("dataset", nil); err == nil {
			break
		} else if time.Now().After(deadline) {
			return err
		}
	}
	for _, put := range []struct {
		path string
		body []byte
	}{{"checkpoints", nil}, {"artifacts", nil}, {"dataset/corpus.txt", sample}} {
		if err := s3Put(put.path, put.body); err != nil {
			return err
		}
	}
	return nil
}

func s3Put(path string, body []byte) error {
	request, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://127.0.0.1:%d/%s", s3Port(), path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("PUT %s: %s", path, response.Status)
	}
	return nil
}

// image is the name in the manifests. The test's image has no Python: each container sees this machine's.
const image = "registry.example.com/train:1"

func kube() string { return labs.KubePath("../../..") }

// node stops or loses a node, by its number, or starts one with the images.
func (c *cluster) node(number int, env []string, arguments ...string) error {
	index := number - first()
	switch {
	case len(arguments) == 1 && arguments[0] == "stop":
		return c.nodes.Stop(c.plane, index)
	case len(arguments) == 1 && arguments[0] == "lose":
		return c.nodes.Lose(c.plane, index)
	}
	return c.nodes.Start(c.plane, index, append([]string{"MOUNTS=" + c.python.Mounts}, env...), arguments...)
}

func (c *cluster) stop() {
	if c.nodes != nil {
		_ = c.nodes.Release(c.plane)
	}
	if c.plane != nil {
		c.plane.Stop()
	}
	if c.s3 != nil && c.s3.Process != nil {
		_ = syscall.Kill(-c.s3.Process.Pid, syscall.SIGKILL)
		_ = c.s3.Wait()
	}
	if os.Getenv("KEEP") == "" {
		_ = os.RemoveAll(c.dir)
	}
}

var (
	background = context.Background()
	options    = metav1.CreateOptions{}
)
