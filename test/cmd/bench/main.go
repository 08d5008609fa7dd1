// Command bench measures how fast the program is, each figure beside an anchor of the same run, and prints tables in Markdown:
//
//	go run ./cmd/bench [-runs 5] preview|update|growth ...
//
// preview compares a preview of dev with that of an empty program. update compares an update of dev and prod, whose resources take
// as long as AWS's, scaled, with the critical path of the graph. growth measures previews of larger and larger stacks. Nothing else
// should run on the machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"llm-platform/internal/stackfile"
	"llm-platform/test/bench"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

func main() {
	flags := flag.NewFlagSet("bench", flag.ExitOnError) // without those that Pulumi's packages add to the default set
	runs := flags.Int("runs", 5, "measurements of each figure")
	scale := flags.Float64("scale", 20, "how much faster than AWS the simulated cloud is, for update")
	_ = flags.Parse(os.Args[1:]) // exits on an error
	measures := map[string]func(context.Context, int) error{
		"preview": preview,
		"update":  func(ctx context.Context, runs int) error { return update(ctx, runs, *scale) },
		"growth":  func(ctx context.Context, _ int) error { return growth(ctx) },
	}
	if flags.NArg() == 0 {
		flags.Usage()
		os.Exit(2)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s, %d processors, load %s\n\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), strings.Fields(string(load) + " ?")[0])
	for _, name := range flags.Args() {
		measure, ok := measures[name]
		if !ok {
			log.Fatalf("unknown measure %q", name)
		}
		if err := measure(context.Background(), *runs); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		fmt.Println()
	}
}

// series are measurements of one figure.
type series []float64

// String returns the median, with the least and the largest.
func (s series) String() string {
	sorted := slices.Sorted(slices.Values(s))
	return fmt.Sprintf("%.2f (%.2f to %.2f)", sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1])
}

// over returns the ratios of two series, measurement by measurement.
func (s series) over(other series) series {
	ratios := make(series, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

// seconds returns how long a call takes.
func seconds(call func() error) (float64, error) {
	began := time.Now()
	err := call()
	return time.Since(began).Seconds(), err
}

// preview measures, in turn: dev, an empty program as Pulumi runs it by default, which it builds anew, and an empty program with a
// kept binary, which is the floor.
func preview(ctx context.Context, runs int) error {
	dev, stop, err := enginetest.Serve(simcloud.New(), engine.Options{Stack: "dev"})
	if err != nil {
		return err
	}
	defer stop()
	byDefault, err := newEmpty(ctx, dev, false)
	if err != nil {
		return fmt.Errorf("empty program: %w", err)
	}
	defer byDefault.close()
	kept, err := newEmpty(ctx, dev, true)
	if err != nil {
		return fmt.Errorf("empty program with a kept binary: %w", err)
	}
	defer kept.close()
	var ours, theirs, floor series
	for i := range runs + 1 {
		for _, m := range []struct {
			to  *series
			run func() error
		}{
			{&ours, func() error { _, err := dev.Run(ctx, "preview"); return err }},
			{&theirs, func() error { return byDefault.pulumi(ctx, "preview") }},
			{&floor, func() error { return kept.pulumi(ctx, "preview") }},
		} {
			took, err := seconds(m.run)
			if err != nil {
				return err
			}
			if i > 0 { // the first fills caches
				*m.to = append(*m.to, took)
			}
		}
	}
	fmt.Println("| preview | seconds | dev, as a multiple |\n|---|---|---|")
	fmt.Printf("| dev | %s | |\n| an empty program, as Pulumi runs it by default | %s | %s |\n| an empty program with a kept binary | %s | %s |\n",
		ours, theirs, ours.over(theirs), floor, ours.over(floor))
	return nil
}

// empty is a project with a program that registers nothing.
type empty struct {
	folder  string
	cli     string
	environ []string
}

// newEmpty makes the project and its stack. kept: the program is built once, here.
func newEmpty(ctx context.Context, like *engine.Stack, kept bool) (*empty, error) {
	repository, err := enginetest.Repository()
	if err != nil {
		return nil, err
	}
	tools, err := engine.Build(ctx, repository, os.Stderr)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "empty-")
	if err != nil {
		return nil, err
	}
	e := &empty{folder: folder, cli: tools.Pulumi, environ: append(like.Environ(), "PULUMI_BACKEND_URL=file://"+folder+"/state", "PULUMI_STACK=empty")}
	if err := e.write(repository, kept); err != nil {
		e.close()
		return nil, err
	}
	if err := e.pulumi(ctx, "stack", "init", "empty"); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *empty) write(repository string, kept bool) error {
	gomod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		return err
	}
	gosum, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		return err
	}
	project := "name: empty\nruntime: go\n"
	if kept {
		project = "name: empty\nruntime: {name: go, options: {binary: bin/empty}}\n"
	}
	for file, content := range map[string]string{
		"state/.keep": "", "Pulumi.yaml": project, "go.mod": strings.Replace(string(gomod), "module llm-platform", "module empty", 1), "go.sum": string(gosum),
		"main.go": "package main\n\nimport \"github.com/pulumi/pulumi/sdk/v3/go/pulumi\"\n\nfunc main() { pulumi.Run(func(*pulumi.Context) error { return nil }) }\n",
	} {
		path := filepath.Join(e.folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	if !kept {
		return nil
	}
	build := exec.Command("go", "build", "-o", "bin/empty", ".")
	build.Dir, build.Env = e.folder, append(os.Environ(), "GOFLAGS=-trimpath -mod=mod")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

func (e *empty) pulumi(ctx context.Context, arguments ...string) error {
	cmd := exec.CommandContext(ctx, e.cli, append(arguments, "--non-interactive")...)
	cmd.Dir, cmd.Env = e.folder, e.environ
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pulumi %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

func (e *empty) close() { _ = os.RemoveAll(e.folder) }

// update measures updates of the shipped stacks in a cloud whose resources take as long as AWS's, divided by the scale.
func update(ctx context.Context, runs int, scale float64) error {
	fmt.Printf("| update, %g times as fast as AWS | seconds on AWS | critical path | ratio |\n|---|---|---|---|\n", scale)
	var paths []string
	for _, stack := range []string{"dev", "prod"} {
		var took, ratios series
		var path bench.Path
		for range runs {
			measured, found, err := slowUpdate(ctx, stack, scale)
			if err != nil {
				return fmt.Errorf("%s: %w", stack, err)
			}
			path = found
			took, ratios = append(took, measured*scale), append(ratios, measured*scale/path.Total().Seconds())
		}
		fmt.Printf("| %s | %s | %.0f | %s |\n", stack, took, path.Total().Seconds(), ratios)
		paths = append(paths, fmt.Sprintf("%s:\n\n```\n%s```\n", stack, path))
	}
	fmt.Printf("\n%s", strings.Join(paths, "\n"))
	return nil
}

func slowUpdate(ctx context.Context, stack string, scale float64) (float64, bench.Path, error) {
	cloud := simcloud.New()
	if err := assume(cloud, stack); err != nil {
		return 0, nil, err
	}
	cloud.OnCall = func(call simcloud.Call) error {
		if call.Op == "create" && !call.Done {
			time.Sleep(time.Duration(bench.Seconds(call.Type) / scale * float64(time.Second)))
		}
		return nil
	}
	s, stop, err := enginetest.Serve(cloud, engine.Options{Stack: stack})
	if err != nil {
		return 0, nil, err
	}
	defer stop()
	took, err := seconds(func() error { _, err := s.Run(ctx, "up"); return err })
	if err != nil {
		return 0, nil, err
	}
	state, err := s.State()
	if err != nil {
		return 0, nil, err
	}
	path, err := bench.CriticalPath(state)
	return took, path, err
}

// assume creates in the cloud what the shipped stack takes to exist.
func assume(cloud *simcloud.Cloud, stack string) error {
	repository, err := enginetest.Repository()
	if err != nil {
		return err
	}
	settings, err := stackfile.Tree(repository, stack)
	if err != nil {
		return err
	}
	return engine.Assume(cloud, settings)
}

// growth measures previews of stacks that have more and more of something.
func growth(ctx context.Context) error {
	fmt.Println("| preview of dev with | seconds | largest process, MiB |\n|---|---|---|")
	for _, g := range []struct {
		what  string
		sizes []int
		set   func(n int) (path string, value any)
	}{
		{"copies", []int{10, 100, 1000}, func(n int) (string, any) {
			copies := map[string]any{}
			for i := range n {
				copies[fmt.Sprintf("c%d", i)] = map[string]any{"source": fmt.Sprintf("part-%05d", i)}
			}
			return "storage.copies", copies
		}},
		{"accounts", []int{3, 30, 100}, func(n int) (string, any) {
			accounts := map[string]any{}
			for _, name := range []string{"training", "testing", "deployment"} {
				accounts[name] = map[string]any{"organizationalUnit": "workloads"}
			}
			for i := len(accounts); i < n; i++ {
				accounts[fmt.Sprintf("team%d", i)] = map[string]any{"organizationalUnit": "workloads"}
			}
			return "organization.accounts", accounts
		}},
		{"nodes of the run", []int{1, 30, 1000}, func(n int) (string, any) {
			return "cluster.pools.gpu", map[string]any{"instanceType": "g5.12xlarge", "nodes": n, "maxNodes": n}
		}},
	} {
		for _, size := range g.sizes {
			took, mib, err := previewOf(ctx, size, g.set)
			if err != nil {
				return fmt.Errorf("%d %s: %w", size, g.what, err)
			}
			fmt.Printf("| %d %s | %.1f | %d |\n", size, g.what, took, mib)
		}
	}
	return nil
}

// previewOf returns the time of a preview and the memory of the largest process so far, which is all that Linux tells.
func previewOf(ctx context.Context, size int, set func(int) (string, any)) (took float64, mib int64, err error) {
	s, stop, err := enginetest.Serve(simcloud.New(), engine.Options{Stack: "dev"})
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	path, value := set(size)
	if err := s.Set("llm-platform:"+path, value); err != nil {
		return 0, 0, err
	}
	if path == "cluster.pools.gpu" {
		if err := s.Set("llm-platform:training.nodes", size); err != nil {
			return 0, 0, err
		}
	}
	if took, err = seconds(func() error { _, err := s.Run(ctx, "preview"); return err }); err != nil {
		return 0, 0, err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return 0, 0, err
	}
	return took, usage.Maxrss >> 10, nil
}
