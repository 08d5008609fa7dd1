// Command lab starts the lab (../../lab) and keeps it up until it is interrupted: to try the program by hand with real provider
// plugins, without an account.
//
//	go run ./cmd/lab [-fake system=1:m6i.large,gpu=2:p5.48xlarge] [-real 3]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"llm-platform/test/engine"
	"llm-platform/test/lab"
)

func main() {
	fake := flag.String("fake", "system=1:m6i.large,gpu=2:p5.48xlarge", "pools of fake nodes: NAME=COUNT:INSTANCE_TYPE, comma-separated")
	real := flag.Int("real", 0, "number of real nodes; LABELS, TAINTS, CAPACITY and MOUNTS are theirs (../../lab/node)")
	record := flag.String("record", "", "file to which every AWS request is appended")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *fake, *real, *record); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, fake string, real int, record string) (err error) {
	repository, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	tools, err := engine.Build(ctx, repository, os.Stderr)
	if err != nil {
		return err
	}
	options := lab.Options{Repository: repository, Fake: fake, Record: record, Out: os.Stderr}
	if real > 0 {
		if options.Real, err = lab.ReserveNodes(repository); err != nil {
			return err
		}
		options.Fake = ""
	}
	l, err := lab.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := l.Stop(); err == nil {
			err = stopped
		}
	}()
	if real > 0 {
		defer func() { _ = options.Real.Release(l.Plane) }()
		if err := startNodes(l, options.Real, real); err != nil {
			return err
		}
	}
	file, err := writeEnvironment(l, tools.Pulumi)
	if err != nil {
		return err
	}
	fmt.Printf("The lab is up until you press Ctrl-C. In another shell: source %s\n", file)
	<-ctx.Done()
	return nil
}

func startNodes(l *lab.Lab, nodes *lab.Nodes, n int) error {
	images, err := nodes.Images(l.Dir, "docker.io/lab/busybox:1", []string{"PATH=/usr/local/bin:/usr/bin:/bin"})
	if err != nil {
		return err
	}
	for index := range n {
		if err := nodes.Start(l.Plane, index, nil, images...); err != nil {
			return err
		}
	}
	fmt.Printf("Pods reach the emulator of AWS at http://%s:%d\n", nodes.Host(), l.AWSPort)
	return nil
}

// writeEnvironment writes a file to source: the lab, and a state of its own for a Pulumi that has the release of the program.
func writeEnvironment(l *lab.Lab, pulumi string) (string, error) {
	state := filepath.Join(l.Dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", err
	}
	env := maps.Clone(l.Env)
	env["PATH"] = filepath.Dir(pulumi) + string(os.PathListSeparator) + env["PATH"]
	env["PULUMI_BACKEND_URL"], env["PULUMI_CONFIG_PASSPHRASE"], env["PULUMI_SKIP_UPDATE_CHECK"] = "file://"+state, "lab", "true"
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&text, "export %s='%s'\n", name, env[name])
	}
	file := filepath.Join(l.Dir, "env")
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}
