package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Packages that need no cloud's SDK import none: they are tested in milliseconds, and an SDK would add minutes of
// compilation. A new package under internal/ is pure unless it is named here.
func TestPurePackagesReachNoSDK(t *testing.T) {
	impure := []string{"awsprobe", "cluster", "kubeobject", "scope"}
	heavy := []string{"github.com/pulumi/", "github.com/aws/aws-sdk-go-v2/service/", "k8s.io/client-go/"}
	folders, err := os.ReadDir("internal")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, folder := range folders {
		if slices.Contains(impure, folder.Name()) {
			continue
		}
		checked++
		output, err := exec.Command("go", "list", "-deps", "./internal/"+folder.Name()).Output()
		if err != nil {
			t.Fatalf("go list ./internal/%s: %v", folder.Name(), err)
		}
		deps := strings.Fields(string(output))
		if len(deps) < 10 {
			t.Fatalf("internal/%s depends on %v only: this test saw nothing", folder.Name(), deps)
		}
		for _, dep := range deps {
			for _, prefix := range heavy {
				if strings.HasPrefix(dep, prefix) {
					t.Errorf("internal/%s reaches %s", folder.Name(), dep)
				}
			}
		}
	}
	if checked < 9 {
		t.Errorf("only %d packages are pure", checked)
	}
}
