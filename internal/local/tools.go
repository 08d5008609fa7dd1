package local

import (
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
)

// Tools are a Pulumi CLI that has a Go language host.
type Tools struct {
	Pulumi  string // the executable
	Version semver.Version
	pinned  bool // built from tools/, rather than found on PATH
}

// languageHost stands beside the pinned CLI, where the engine looks for the language hosts that come with it.
// The pinned host takes the built program as a flag; later ones read it from the options of Pulumi.yaml.
const languageHost = `#!/bin/sh
exec "$(dirname "$0")/go-language-host" -binary="$` + programVariable + `" "$@"
`

// programVariable carries the path of the built program to languageHost.
const programVariable = "LOCAL_PROGRAM"

// FindTools returns the pulumi on PATH, with its language host, if it is recent enough, and builds the pinned
// ones into .build/bin of the repository at root if not. It tells on log what it builds, and why.
func FindTools(ctx context.Context, root string, log io.Writer) (Tools, error) {
	tools, reason := onPath(ctx)
	if reason == "" {
		return tools, nil
	}
	bin := filepath.Join(root, ".build", "bin")
	unlock, err := lock(filepath.Join(root, ".build"))
	if err != nil {
		return Tools{}, err
	}
	defer unlock()
	for _, tool := range []struct{ module, pkg, binary string }{
		{"language-go", "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go", "go-language-host"},
		{"pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "pulumi"},
	} {
		path := filepath.Join(bin, tool.binary)
		folder := filepath.Join(root, "tools", tool.module)
		if newer(path, filepath.Join(folder, "go.mod")) && newer(path, filepath.Join(folder, "go.sum")) {
			continue
		}
		if reason != "" {
			fmt.Fprintf(log, "%s: building the one pinned in tools/\n", reason)
			reason = ""
		}
		flags := []string{"-ldflags", "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v" + sdk.Version.String()}
		if err := goBuild(ctx, folder, tool.pkg, path, log, flags...); err != nil {
			return Tools{}, err
		}
	}
	host := filepath.Join(bin, "pulumi-language-go")
	if there, err := os.ReadFile(host); err != nil || string(there) != languageHost { // it may be running
		if err := os.WriteFile(host, []byte(languageHost), 0o755); err != nil {
			return Tools{}, err
		}
	}
	return Tools{Pulumi: filepath.Join(bin, "pulumi"), Version: sdk.Version, pinned: true}, nil
}

// onPath returns the tools on PATH, or the reason not to use them.
func onPath(ctx context.Context) (tools Tools, reason string) {
	pulumi, err := exec.LookPath("pulumi")
	if err != nil {
		return Tools{}, "no pulumi on PATH"
	}
	cmd := exec.CommandContext(ctx, pulumi, "version")
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	answer, _ := cmd.Output()
	version, ok := recentEnough(string(answer), sdk.Version)
	if !ok {
		return Tools{}, fmt.Sprintf("%s is not v%s or later (it says %q)", pulumi, sdk.Version, strings.TrimSpace(string(answer)))
	}
	resolved, err := filepath.EvalSymlinks(pulumi)
	if err != nil {
		return Tools{}, err.Error()
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(resolved), "pulumi-language-go")); err != nil {
		if _, err := exec.LookPath("pulumi-language-go"); err != nil {
			return Tools{}, pulumi + " has no pulumi-language-go"
		}
	}
	return Tools{Pulumi: pulumi, Version: version}, ""
}

// recentEnough reads the answer of "pulumi version" and tells whether it is least or later. The CLI is held to
// the SDK's release because it serves that SDK's engine protocol and reads Pulumi.yaml by rules that grew with
// it (object types in the configuration schema); a development build of the same release will do.
func recentEnough(answer string, least semver.Version) (semver.Version, bool) {
	v, err := semver.ParseTolerant(strings.TrimSpace(answer))
	if err != nil {
		return semver.Version{}, false
	}
	release := semver.Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch}
	return v, release.GTE(least) && release.Major == least.Major
}

// BuildProgram builds the Go program in folder into binary. The linker does not run when nothing changed, and
// the compiler shares its cache with every build that has the same flags (see goFlags).
func BuildProgram(ctx context.Context, folder, binary string, log io.Writer) error {
	return goBuild(ctx, folder, ".", binary, log)
}

func goBuild(ctx context.Context, folder, pkg, binary string, log io.Writer, flags ...string) error {
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", binary}, flags...), pkg)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOFLAGS="+goFlags())
	what := filepath.Base(binary)
	began := time.Now()
	// Said only when there is something to wait for: a build that finds nothing to do takes a second or two.
	said := time.AfterFunc(3*time.Second, func() {
		fmt.Fprintf(log, "building %s; the first time takes minutes\n", what)
	})
	out, err := cmd.CombinedOutput()
	if took := time.Since(began); !said.Stop() && err == nil {
		fmt.Fprintf(log, "built %s in %s\n", what, took.Round(time.Second))
	}
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", what, err, out)
	}
	return nil
}

// goFlags are the user's GOFLAGS with -trimpath: today's language host builds with it, so that what is
// compiled here serves a plain "pulumi up" too, and the other way round.
func goFlags() string {
	flags := os.Getenv("GOFLAGS")
	for _, flag := range strings.Fields(flags) {
		if strings.HasPrefix(flag, "-trimpath") {
			return flags
		}
	}
	return strings.TrimSpace(flags + " -trimpath")
}

// lock keeps two processes, as two test binaries, from building the same tools at once.
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
