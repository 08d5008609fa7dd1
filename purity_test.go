package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The pure packages are tested in milliseconds. One import of a cloud's SDK would add minutes of compilation.
func TestPurePackagesReachNoSDK(t *testing.T) {
	pure := []string{"accelerator", "advice", "catalog", "job", "kubeconfig", "nodepool", "policy", "settings", "subnets"}
	heavy := []string{
		"github.com/pulumi/", "github.com/aws/aws-sdk-go-v2/service/", "k8s.io/client-go/",
	}
	for _, name := range pure {
		output, err := exec.Command("go", "list", "-deps", "./internal/"+name).Output()
		if err != nil {
			t.Fatalf("go list ./internal/%s: %v", name, err)
		}
		deps := strings.Fields(string(output))
		if len(deps) < 10 {
			t.Fatalf("internal/%s depends on %v only: this test saw nothing", name, deps)
		}
		for _, dep := range deps {
			for _, prefix := range heavy {
				if strings.HasPrefix(dep, prefix) {
					t.Errorf("internal/%s reaches %s", name, dep)
				}
			}
		}
	}
}
