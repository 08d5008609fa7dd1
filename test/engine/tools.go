package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3"

	"llm-platform/internal/stackfile"
)

// Tools are what a run executes.
type Tools struct {
	Pulumi  string // the Pulumi CLI, which finds its Go language host
	Program string // the built program
	pinned  bool   // the CLI was built from test/tools rather than found on PATH
}

// Build builds the program. It uses the pulumi on PATH if it is recent enough and has its Go language host; otherwise it
// builds the pinned ones into .build/bin of the repository. It reports to progress what it builds, and why.
func Build(ctx context.Context, repository string, progress io.Writer) (Tools, error) {
	unlock, err := lock(filepath.Join(repository, ".build"))
	if err != nil {
		return Tools{}, err
	}
	defer unlock()
	pulumi, reason := onPath(ctx)
	tools := Tools{Pulumi: pulumi}
	if tools.Program, err = programPath(repository); err != nil {
		return Tools{}, err
	}
	if _, err := os.Stat(tools.Program); err != nil {
		fmt.Fprintln(progress, firstBuild)
	}
	if reason != "" {
		tools.Pulumi, tools.pinned = filepath.Join(repository, ".build", "bin", "pulumi"), true
		if err := buildPinned(ctx, repository, reason, progress); err != nil {
			return Tools{}, err
		}
	}
	return tools, build{folder: repository, pkg: ".", binary: tools.Program}.run(ctx, progress)
}

// firstBuild says what to expect where nothing has been built. It took 22 minutes on 22 November 2026 and 16 on the 25th, on
// two busy cores.
const firstBuild = "The first time takes some 20 minutes on two cores, unless Go has compiled the same before: it compiles the Pulumi CLI and the SDKs of AWS and Kubernetes. Later it takes seconds."

// buildPinned builds the CLI and its language host, which the CLI looks for beside itself.
func buildPinned(ctx context.Context, repository, reason string, progress io.Writer) error {
	for _, tool := range []struct{ module, pkg, binary, version string }{
		{"test/tools/language-go", "github.com/pulumi/pulumi/sdk/go/pulumi-language-go/v3", "pulumi-language-go", "3.188.0"},
		{"test/tools", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "pulumi", sdk.Version.String()},
	} {
		folder, binary := filepath.Join(repository, tool.module), filepath.Join(repository, ".build", "bin", tool.binary)
		if newer(binary, filepath.Join(folder, "go.mod")) && newer(binary, filepath.Join(folder, "go.sum")) {
			continue
		}
		if reason != "" {
			fmt.Fprintf(progress, "%s: building version %s, which is half of the work of a first build; to save it, install Pulumi %[2]s or newer (https://www.pulumi.com/docs/install/)\n", reason, sdk.Version)
			reason = ""
		}
		flags := []string{"-ldflags", "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v" + tool.version}
		if err := (build{folder, tool.pkg, binary, flags}).run(ctx, progress); err != nil {
			return err
		}
	}
	return nil
}

// onPath returns the pulumi on PATH, or the reason not to use it.
func onPath(ctx context.Context) (pulumi, reason string) {
	pulumi, err := exec.LookPath("pulumi")
	if err != nil {
		return "", "no pulumi on PATH"
	}
	cmd := exec.CommandContext(ctx, pulumi, "version")
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	answer, _ := cmd.Output()
	if !recentEnough(string(answer), sdk.Version) {
		return "", fmt.Sprintf("%s is older than v%s (its version is %q)", pulumi, sdk.Version, strings.TrimSpace(string(answer)))
	}
	resolved, err := filepath.EvalSymlinks(pulumi)
	if err != nil {
		return "", err.Error()
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(resolved), "pulumi-language-go")); err != nil {
		if _, err := exec.LookPath("pulumi-language-go"); err != nil {
			return "", pulumi + " has no pulumi-language-go"
		}
	}
	return pulumi, ""
}

// recentEnough reads the answer of `pulumi version` and reports whether it is the release least or a later one. The CLI
// must have the SDK's release because it serves that SDK's engine protocol and reads the object types of Pulumi.yaml's
// configuration schema. A development build of the same release will do.
func recentEnough(answer string, least semver.Version) bool {
	v, err := semver.ParseTolerant(strings.TrimSpace(answer))
	if err != nil {
		return false
	}
	release := semver.Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch}
	return release.GTE(least) && release.Major == least.Major
}

// programPath returns where the program of the project in folder is built: the build target of its Pulumi.yaml, which a
// plain `pulumi up` uses too, or bin/<project name>.
func programPath(folder string) (string, error) {
	var project map[string]any
	if err := stackfile.Read(filepath.Join(folder, "Pulumi.yaml"), &project); err != nil {
		return "", err
	}
	if target, ok := stackfile.Get(project, "runtime.options.buildTarget").(string); ok {
		return filepath.Join(folder, target), nil
	}
	return filepath.Join(folder, "bin", fmt.Sprint(project["name"])), nil
}

// build is a call of go build.
type build struct {
	folder string // of the module
	pkg    string
	binary string
	flags  []string
}

// run builds the binary. The linker does not run if nothing changed, and the compiler shares its cache with every build
// that has the same flags (see goFlags).
func (b build) run(ctx context.Context, progress io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(b.binary), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-v", "-o", b.binary}, b.flags...), b.pkg)...)
	cmd.Dir = b.folder
	cmd.Env = append(os.Environ(), "GOFLAGS="+goFlags())
	name := filepath.Base(b.binary)
	compiled := &packages{progress: progress, name: name, next: 3 * time.Second, began: time.Now()}
	cmd.Stdout, cmd.Stderr = compiled, compiled
	err := cmd.Run()
	if took := time.Since(compiled.began); compiled.told && err == nil {
		fmt.Fprintf(progress, "built %s in %s\n", name, took.Round(time.Second))
	}
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, compiled.out.Bytes())
	}
	return nil
}

// packages receives what go build -v prints, a line for each package that it compiles, and reports their number: after three
// seconds, since a build that finds nothing to do takes a second or two, and then every 20 seconds.
type packages struct {
	progress io.Writer
	name     string        // of the binary
	began    time.Time     //
	next     time.Duration // after which to report again
	told     bool          //
	out      bytes.Buffer
}

func (p *packages) Write(text []byte) (int, error) {
	if since := time.Since(p.began); since > p.next {
		p.next, p.told = since+20*time.Second, true
		fmt.Fprintf(p.progress, "building %s: %s, %d packages compiled\n", p.name, since.Round(time.Second), bytes.Count(p.out.Bytes(), []byte("\n")))
	}
	return p.out.Write(text)
}

// goFlags returns the user's GOFLAGS with -trimpath: the language host that comes with the CLI builds with it, so that
// both share one compile cache.
func goFlags() string {
	flags := os.Getenv("GOFLAGS")
	for _, flag := range strings.Fields(flags) {
		if strings.HasPrefix(flag, "-trimpath") {
			return flags
		}
	}
	return strings.TrimSpace(flags + " -trimpath")
}

// lock keeps two processes, for example two test binaries, from building the same tools at once.
func lock(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(folder, "lock"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return func() { _ = f.Close() }, nil
}

func newer(path, than string) bool {
	a, err := os.Stat(path)
	if err != nil {
		return false
	}
	b, err := os.Stat(than)
	return err == nil && a.ModTime().After(b.ModTime())
}
