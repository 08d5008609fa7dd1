package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// PlaneOptions describe a Kubernetes control plane. Kube and Dir are required.
type PlaneOptions struct {
	Kube   string        // the command kube: see KubePath
	Dir    string        // for keys, data and logs
	Fake   string        // pools of fake nodes: NAME=COUNT:INSTANCE_TYPE, comma-separated
	Review string        // URL that answers TokenReviews; empty: bearer tokens are refused
	Grace  time.Duration // without a heartbeat until a node is not ready; 0: Kubernetes' default
}

// Plane is a Kubernetes control plane.
type Plane struct {
	Dir        string
	Kubeconfig string // path of its administrator's
	Endpoint   string // URL of the API server

	kube    string
	process *Process
}

// KubePath returns where `make .build/bin/kube` builds the control plane of a repository.
func KubePath(repository string) string { return filepath.Join(repository, ".build", "bin", "kube") }

// StartPlane starts a control plane that ends with this process.
func StartPlane(ctx context.Context, o PlaneOptions) (*Plane, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	p := &Plane{
		Dir: o.Dir, Kubeconfig: filepath.Join(o.Dir, "kubeconfig"), Endpoint: fmt.Sprintf("https://127.0.0.1:%d", ports[0]), kube: o.Kube,
	}
	command := []string{o.Kube, "-dir", o.Dir, "-port", fmt.Sprint(ports[0]), "-nodes", o.Fake, "-review", o.Review, "-grace", o.Grace.String()}
	if p.process, err = startProcess(filepath.Join(o.Dir, "kube.log"), nil, command...); err != nil {
		return nil, err
	}
	err = p.process.waitFor(ctx, func(context.Context) error {
		_, err := os.Stat(filepath.Join(o.Dir, "ready"))
		return err
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Signal sends a signal to all processes of the control plane.
func (p *Plane) Signal(signal syscall.Signal) error {
	return syscall.Kill(-p.process.Process.Pid, signal)
}

// Stop ends the control plane.
func (p *Plane) Stop() { p.process.stop() }
