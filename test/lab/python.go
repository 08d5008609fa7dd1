package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Python is the environment of the scripts, with PyTorch, in which the containers of real nodes run them.
type Python struct {
	Path   string // of the interpreter
	Mounts string // MOUNTS of Nodes.Start: the folders of this machine that the interpreter needs
}

// TrainingPython returns the environment that `make test-training` installs.
func TrainingPython() (Python, error) {
	venv := os.Getenv("TRAINING_VENV")
	if venv == "" {
		venv = filepath.Join(os.Getenv("HOME"), ".cache", "llm-platform-training", "venv-3.12")
	}
	p := Python{Path: filepath.Join(venv, "bin", "python")}
	base, err := exec.Command(p.Path, "-c", "import sys; print(sys.base_prefix)").Output()
	if err != nil {
		return Python{}, fmt.Errorf("%s: %w: run `test/training/test.sh install`", p.Path, err)
	}
	mounts := []string{"/usr", "/lib", "/lib64", "/etc/ssl", venv}
	if prefix := strings.TrimSpace(string(base)); !strings.HasPrefix(prefix, "/usr") {
		mounts = append(mounts, prefix)
	}
	p.Mounts = strings.Join(mounts, ",")
	return p, nil
}

// Environment returns what a container needs to find the interpreter, for Nodes.Images.
func (p Python) Environment() []string {
	return []string{"PATH=" + filepath.Dir(p.Path) + ":/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"}
}
