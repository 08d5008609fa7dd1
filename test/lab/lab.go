// Package lab starts stand-ins for the clouds on this machine: an emulator of AWS, one of GitHub, and a Kubernetes control plane
// with fake or real nodes. README.md says what each is and how true. What is started ends with the process that started it, and
// uses free ports, so that several labs can be up at once.
package lab

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options say what to start. Repository is required.
type Options struct {
	Repository string    // its root
	Fake       string    // pools of fake nodes: NAME=COUNT:INSTANCE_TYPE, comma-separated
	Real       *Nodes    // network of the real nodes, on which the emulator of AWS also listens; nil: none
	Record     string    // file to which every AWS request is appended as a line of JSON (cloud/__main__.py); empty: none
	Lenient    string    // error codes of AWS, comma-separated: requests that AWS refuses with one of them pass
	Out        io.Writer // receives what takes long; nil discards it
}

// Lab is what is up.
type Lab struct {
	Dir   string            // logs, and the control plane's files
	Plane *Plane            // the control plane, which is also what the emulator of EKS answers as its clusters' endpoint
	Env   map[string]string // what a process needs to use the lab instead of the clouds; PATH has the tools

	Python  string // with moto and botocore
	AWSPort int    // of the emulator, on 127.0.0.1 and Nodes.Host

	processes []*Process
}

// The name and the password of everybody: the emulators accept any.
const (
	Token      = "lab-token"            // of GitHub
	Repository = "llm/training-scripts" // on GitHub, with a branch main
)

// Start starts a lab, and what it needs first: see Prepare. Stop it after use.
func Start(ctx context.Context, o Options) (*Lab, error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	tools, err := Prepare(ctx, o.Repository, o.Out)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "llm-platform-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{Dir: dir}
	if err := l.start(ctx, o, tools); err != nil {
		err = fmt.Errorf("%w (logs: %s)", err, dir)
		l.Dir = "" // keep the logs
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

func (l *Lab) start(ctx context.Context, o Options, tools Tools) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	aws, github, emulate := ports[0], ports[1], ports[2]
	here := filepath.Join(o.Repository, "test", "lab")
	l.AWSPort, l.Python = aws, tools.Python
	l.Plane, err = StartPlane(ctx, PlaneOptions{
		Kube: tools.Kube, Dir: filepath.Join(l.Dir, "kube"), Fake: o.Fake, Review: fmt.Sprintf("http://127.0.0.1:%d/lab/token-review", aws),
	})
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	l.processes = append(l.processes, l.Plane.process)
	emulator, err := startProcess(filepath.Join(l.Dir, "github.log"), nil, "node", filepath.Join(tools.Emulate, "dist", "index.js"),
		"start", "--service", "github", "--port", fmt.Sprint(emulate), "--seed", filepath.Join(here, "github", "seed.yaml"))
	if err != nil {
		return fmt.Errorf("emulator of GitHub: %w", err)
	}
	l.processes = append(l.processes, emulator)
	ca, err := os.ReadFile(filepath.Join(l.Plane.Dir, "ca.crt"))
	if err != nil {
		return err
	}
	env := []string{
		"PYTHONPATH=" + here, "PYTHONDONTWRITEBYTECODE=1", "LAB_RECORD=" + o.Record, "LAB_LENIENT=" + o.Lenient,
		"LAB_KUBE_ENDPOINT=" + l.Plane.Endpoint, "LAB_KUBE_CA=" + base64.StdEncoding.EncodeToString(ca),
	}
	if o.Real != nil {
		env = append(env, "LAB_LISTEN="+o.Real.Host())
	}
	cloud, err := startProcess(filepath.Join(l.Dir, "aws.log"), env, tools.Python, "-m", "cloud", fmt.Sprint(aws), fmt.Sprint(github), fmt.Sprintf("http://127.0.0.1:%d", emulate))
	if err != nil {
		return fmt.Errorf("emulator of AWS: %w", err)
	}
	l.processes = append(l.processes, cloud)
	if err := cloud.waitFor(ctx, get(fmt.Sprintf("http://127.0.0.1:%d/moto-api/data.json", aws), "")); err != nil {
		return fmt.Errorf("emulator of AWS: %w", err)
	}
	if err := emulator.waitFor(ctx, get(fmt.Sprintf("http://127.0.0.1:%d/repos/%s", github, Repository), Token)); err != nil {
		return fmt.Errorf("emulator of GitHub: %w", err)
	}
	l.Env = map[string]string{
		"PATH":              strings.Join([]string{tools.Bin, os.Getenv("PATH")}, string(os.PathListSeparator)),
		"AWS_ENDPOINT_URL":  fmt.Sprintf("http://127.0.0.1:%d", aws),
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-west-2",
		"GITHUB_BASE_URL": fmt.Sprintf("http://127.0.0.1:%d/", github), "GITHUB_TOKEN": Token, "GITHUB_OWNER": "llm",
		"KUBECONFIG": l.Plane.Kubeconfig,
	}
	bin, err := l.wrapAWS(tools.Bin, aws)
	if err != nil {
		return err
	}
	l.Env["PATH"] = bin + string(os.PathListSeparator) + l.Env["PATH"]
	return nil
}

// wrapAWS returns a folder with the AWS plugin in an environment that it alone may have: S3 Control puts the account's id before the
// name of the host, which resolves to nothing, so that request goes to the emulator as if that were a proxy.
func (l *Lab) wrapAWS(bin string, port int) (string, error) {
	const name = "pulumi-resource-aws"
	plugin := filepath.Join(bin, name)
	if _, err := os.Stat(plugin); err != nil {
		if plugin, err = exec.LookPath(name); err != nil {
			installed, _ := filepath.Glob(filepath.Join(PluginFolder(), "resource-aws-v*", name))
			if len(installed) == 0 {
				return "", fmt.Errorf("no %s", name)
			}
			plugin = installed[len(installed)-1]
		}
	}
	folder := filepath.Join(l.Dir, "bin")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	text := fmt.Sprintf("#!/bin/sh\nHTTP_PROXY=http://127.0.0.1:%d NO_PROXY=127.0.0.1,localhost exec '%s' \"$@\"\n", port, plugin)
	return folder, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755)
}

// Stop ends everything and deletes what is in Dir.
func (l *Lab) Stop() error {
	for _, p := range l.processes {
		p.stop()
	}
	if l.Dir == "" {
		return nil
	}
	return os.RemoveAll(l.Dir)
}

// get returns a check that a URL answers 200.
func get(url, token string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if token != "" {
			request.Header.Set("Authorization", "token "+token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, response.Status)
		}
		return nil
	}
}

// freePorts returns ports of 127.0.0.1 that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// Process is a program that runs in the background and ends with this one.
type Process struct {
	*exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

func startProcess(log string, env []string, command ...string) (*Process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = file, file, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{Cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	return p, nil
}

// waitFor waits until the check passes, or the process has ended.
func (p *Process) waitFor(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			log, _ := os.ReadFile(p.log)
			return fmt.Errorf("ended: %s", lastLine(string(log)))
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// stop ends the process and its children.
func (p *Process) stop() {
	_ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}
