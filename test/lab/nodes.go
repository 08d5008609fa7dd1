package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// NodesPerLab is the largest number of real nodes of one lab.
const NodesPerLab = 9

// Nodes is the network of a lab's real nodes, which no other lab on this machine has: numbers of nodes, their addresses and
// bridges, and an address of the machine that no lost node takes away.
type Nodes struct {
	First int // number of the first node, which is part of its name and addresses

	script string
	lock   *os.File
}

// ReserveNodes reserves numbers of nodes until Release, or until this process ends. repository is its root.
func ReserveNodes(repository string) (*Nodes, error) {
	if err := missing(); err != nil {
		return nil, err
	}
	script, err := filepath.Abs(filepath.Join(repository, "test", "lab", "node"))
	if err != nil {
		return nil, err
	}
	for first := 1; first < 250; first += NodesPerLab + 1 {
		lock, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("llm-platform-nodes-%d.lock", first)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			lock.Close()
			continue
		}
		n := &Nodes{First: first, script: script, lock: lock}
		if err := n.addHost(); err != nil {
			return nil, errors.Join(err, n.Release(nil))
		}
		return n, nil
	}
	return nil, errors.New("all numbers of nodes are in use by other labs")
}

// missing returns what this machine lacks to have nodes.
func missing() error {
	if os.Geteuid() != 0 {
		return errors.New("real nodes need root: kubelets create cgroups, network namespaces and mounts")
	}
	for _, tool := range []string{"containerd", "ctr", "runc", "ip", "jq", "kubectl", "/bin/busybox", "/usr/lib/cni/bridge"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("real nodes need %s: apt-get install containerd runc containernetworking-plugins busybox-static iproute2 jq kubernetes-client", tool)
		}
	}
	return nil
}

// Host returns the address of this machine in the network of the pods.
func (n *Nodes) Host() string { return fmt.Sprintf("10.244.%d.1", n.First-1) }

// Bridge returns the name of the interface that has it.
func (n *Nodes) Bridge() string { return fmt.Sprintf("llmhost%d", n.First) }

func (n *Nodes) addHost() error {
	_ = exec.Command("ip", "link", "delete", n.Bridge()).Run() // of a lab that was killed
	for _, command := range []string{
		"link add " + n.Bridge() + " type bridge", "addr add " + n.Host() + "/24 dev " + n.Bridge(), "link set " + n.Bridge() + " up",
	} {
		if output, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, output)
		}
	}
	return nil
}

// Start starts the index-th node, from 0, of a control plane. env are LABELS, TAINTS, CAPACITY and MOUNTS of the script node;
// images are the files of Images.
func (n *Nodes) Start(plane *Plane, index int, env []string, images ...string) error {
	return n.run(plane, index, env, images...)
}

// Lose cuts the network of the index-th node and kills it, as when the machine disappears.
func (n *Nodes) Lose(plane *Plane, index int) error { return n.run(plane, index, nil, "lose") }

// Stop ends the pods of the index-th node and the node. It is no error if it does not exist.
func (n *Nodes) Stop(plane *Plane, index int) error { return n.run(plane, index, nil, "stop") }

// Name returns the name of the index-th node.
func (n *Nodes) Name(index int) string { return fmt.Sprintf("node-%d", n.First+index) }

func (n *Nodes) run(plane *Plane, index int, env []string, arguments ...string) error {
	log, err := os.OpenFile(filepath.Join(plane.Dir, "nodes.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(n.script, append([]string{plane.Dir, plane.kube, fmt.Sprint(n.First + index)}, arguments...)...)
	command.Stdout, command.Stderr, command.Env = log, log, append(os.Environ(), env...)
	if err := command.Run(); err != nil {
		return fmt.Errorf("node %s: %w: see %s", n.Name(index), err, log.Name())
	}
	return nil
}

// Release stops all nodes of a control plane, which may be nil, and gives the numbers back.
func (n *Nodes) Release(plane *Plane) error {
	var errs []error
	if plane != nil {
		for index := range NodesPerLab {
			if _, err := os.Stat(filepath.Join(plane.Dir, n.Name(index))); err == nil {
				errs = append(errs, n.Stop(plane, index))
			}
		}
	}
	_ = exec.Command("ip", "link", "delete", n.Bridge()).Run()
	return errors.Join(append(errs, n.lock.Close())...)
}

// Images writes the images of a cluster to files in a folder: the one that kubelets need for every pod, and one with a shell and an
// environment. Whatever else its containers need they see of this machine: MOUNTS of Start.
func (n *Nodes) Images(folder, name string, env []string) ([]string, error) {
	pause, image := filepath.Join(folder, "pause.tar"), filepath.Join(folder, "image.tar")
	if err := n.image("docker.io/test/pause:1", pause, env, "/bin/sleep", "2147483647"); err != nil {
		return nil, err
	}
	return []string{pause, image}, n.image(name, image, env, "/bin/sh")
}

// image writes a container image with busybox to the file out.
func (n *Nodes) image(name, out string, env []string, command ...string) error {
	folder, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	bin := filepath.Join(folder, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	content, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), content, 0o755); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "sleep", "ls", "grep", "cat", "echo"} {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	script := filepath.Join(filepath.Dir(n.script), "image.py")
	build := exec.Command("python3", append([]string{script, name, out, folder, strings.Join(env, ",")}, command...)...)
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("image %s: %w: %s", name, err, output)
	}
	return nil
}
