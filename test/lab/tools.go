package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// Tools are what a lab executes.
type Tools struct {
	Bin     string // folder with the provider plugins, the AWS CLI and kubectl, for what PATH does not have
	Kube    string // the control plane
	Python  string // with moto
	Emulate string // folder of the emulator of GitHub
}

// Prepare installs and builds what a lab needs and this machine lacks, into the user's cache: moto from PyPI and the emulator of
// GitHub from npm, in the versions and with the checksums that stand in this folder; the control plane from its Go modules; and
// provider plugins that are neither on PATH nor installed: from Pulumi's servers or, where these cannot be reached, built from
// their sources, which takes an hour on two cores.
func Prepare(ctx context.Context, repository string, out io.Writer) (Tools, error) {
	for _, tool := range []string{"go", "node", "npm", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			return Tools{}, fmt.Errorf("the lab needs %s on PATH", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Tools{}, err
	}
	p := preparation{ctx: ctx, out: out, here: filepath.Join(repository, "test", "lab"), cache: filepath.Join(cache, "llm-platform"), repository: repository}
	if err := os.MkdirAll(p.cache, 0o755); err != nil {
		return Tools{}, err
	}
	unlock, err := p.lock()
	if err != nil {
		return Tools{}, err
	}
	defer unlock()
	return p.all()
}

type preparation struct {
	ctx                     context.Context
	out                     io.Writer
	here, cache, repository string
}

func (p *preparation) all() (Tools, error) {
	tools := Tools{Kube: KubePath(p.repository), Bin: filepath.Join(p.cache, "bin")}
	if err := os.MkdirAll(tools.Bin, 0o755); err != nil {
		return Tools{}, err
	}
	if err := p.run(p.repository, nil, "make", "--no-print-directory", ".build/bin/kube"); err != nil {
		return Tools{}, fmt.Errorf("control plane: %w", err)
	}
	venv, err := p.installed("python", "cloud/requirements.txt", func(folder string) error {
		if err := p.run(folder, nil, "python3", "-m", "venv", folder); err != nil {
			return err
		}
		return p.run(folder, nil, filepath.Join(folder, "bin", "pip"), "install", "--quiet", "--require-hashes", "-r", filepath.Join(p.here, "cloud", "requirements.txt"))
	})
	if err != nil {
		return Tools{}, fmt.Errorf("moto: %w", err)
	}
	tools.Python = filepath.Join(venv, "bin", "python")
	github, err := p.npm("github")
	if err != nil {
		return Tools{}, fmt.Errorf("emulator of GitHub: %w", err)
	}
	tools.Emulate = filepath.Join(github, "node_modules", "emulate")
	// Kubeconfigs of EKS call the AWS CLI.
	if _, err := exec.LookPath("aws"); err != nil {
		if err := p.wrapper("aws", filepath.Join(venv, "bin", "aws")); err != nil {
			return Tools{}, err
		}
	}
	if _, err := exec.LookPath("kubectl"); err != nil {
		if err := p.wrapper("kubectl", tools.Kube, "kubectl"); err != nil {
			return Tools{}, err
		}
	}
	return tools, p.plugins(tools.Bin)
}

// installed returns a folder of the cache that install has filled for exactly this content of a file.
func (p *preparation) installed(name, file string, install func(folder string) error) (string, error) {
	content, err := os.ReadFile(filepath.Join(p.here, file))
	if err != nil {
		return "", err
	}
	folder := filepath.Join(p.cache, fmt.Sprintf("%s-%.6x", name, sha256.Sum256(content)))
	complete := filepath.Join(folder, "complete")
	if _, err := os.Stat(complete); err == nil {
		return folder, nil
	}
	fmt.Fprintf(p.out, "installing %s\n", file)
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	if err := install(folder); err != nil {
		return "", err
	}
	return folder, os.WriteFile(complete, nil, 0o644)
}

// npm installs what the lock file in a folder of the lab lists.
func (p *preparation) npm(name string) (string, error) {
	return p.installed(filepath.Base(name), name+"/package-lock.json", func(folder string) error {
		for _, file := range []string{"package.json", "package-lock.json"} {
			content, err := os.ReadFile(filepath.Join(p.here, name, file))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, file), content, 0o644); err != nil {
				return err
			}
		}
		return p.run(folder, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	})
}

// plugins makes the provider plugins available: those in bin stand in for what is neither on PATH nor installed.
func (p *preparation) plugins(bin string) error {
	versions, err := providerVersions(p.repository)
	if err != nil {
		return err
	}
	for _, name := range []string{"aws", "eks", "kubernetes", "github"} {
		command := "pulumi-resource-" + name
		if _, err := exec.LookPath(command); err == nil {
			continue
		}
		if downloaded, _ := filepath.Glob(filepath.Join(PluginFolder(), "resource-"+name+"-v"+versions[name])); len(downloaded) > 0 {
			continue
		}
		if _, err := os.Stat(filepath.Join(bin, command)); err == nil {
			continue
		}
		pulumi, err := exec.LookPath("pulumi")
		if err != nil {
			pulumi = filepath.Join(p.repository, ".build", "bin", "pulumi")
		}
		install := p.run(p.repository, nil, pulumi, "plugin", "install", "resource", name, versions[name])
		if install == nil {
			continue
		}
		fmt.Fprintf(p.out, "plugin %s cannot be installed (%v): building it\n", name, install)
		if err := p.build(name, filepath.Join(bin, command)); err != nil {
			return fmt.Errorf("plugin %s: %w", name, err)
		}
	}
	return nil
}

var require = regexp.MustCompile(`github\.com/pulumi/pulumi-(aws|eks|kubernetes|github)/sdk/v\d+ v(\S+)`)

// providerVersions returns the versions of the SDKs in go.mod, which are those of the plugins.
func providerVersions(repository string) (map[string]string, error) {
	content, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, found := range require.FindAllStringSubmatch(string(content), -1) {
		versions[found[1]] = found[2]
	}
	if len(versions) != 4 {
		return nil, fmt.Errorf("go.mod has only these providers: %v", versions)
	}
	return versions, nil
}

// PluginFolder returns the folder of the plugins that the user's Pulumi has installed.
func PluginFolder() string {
	home := os.Getenv("PULUMI_HOME")
	if home == "" {
		home = filepath.Join(os.Getenv("HOME"), ".pulumi")
	}
	return filepath.Join(home, "plugins")
}

// build builds a plugin: plugins/README.md says from what.
func (p *preparation) build(name, command string) error {
	source := filepath.Join(p.here, "plugins", name)
	if name == "eks" {
		folder, err := p.npm("plugins/eks")
		if err != nil {
			return err
		}
		return p.wrapper(filepath.Base(command), "node", filepath.Join(folder, "node_modules", "@pulumi", "eks", "cmd", "provider", "index.js"))
	}
	folder := filepath.Join(p.cache, "plugin-"+name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	binary := filepath.Join(folder, "plugin")
	if err := p.run(source, []string{"GOFLAGS=-mod=mod -trimpath"}, "go", "build", "-ldflags=-s -w", "-o", binary, "."); err != nil {
		return err
	}
	if err := p.run(source, []string{
		"PULUMI_SKIP_MISSING_MAPPING_ERROR=true", "PULUMI_SKIP_PROVIDER_MAP_ERROR=true", "PULUMI_SKIP_EXTRA_MAPPING_ERROR=true",
	}, "./schema", binary, folder); err != nil {
		return fmt.Errorf("package schema: %w", err)
	}
	return p.wrapper(filepath.Base(command), "env", "LAB_"+strings.ToUpper(name)+"_SCHEMA="+folder, binary)
}

// wrapper writes a command of the lab that executes another one.
func (p *preparation) wrapper(name string, command ...string) error {
	text := "#!/bin/sh\nexec"
	for _, word := range command {
		text += fmt.Sprintf(" '%s'", word)
	}
	return os.WriteFile(filepath.Join(p.cache, "bin", name), []byte(text+" \"$@\"\n"), 0o755)
}

func (p *preparation) run(folder string, env []string, command ...string) error {
	cmd := exec.CommandContext(p.ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = folder, p.out, p.out, append(os.Environ(), env...)
	return cmd.Run()
}

// lock keeps other processes from preparing at the same time.
func (p *preparation) lock() (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(p.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
