// Command scan runs third-party scanners over what the stacks of the repository register in the simulator. From the folder test:
//
//	go run ./scan FOLDER BIN
//
// BIN has checkov and cfn-lint. What they are given and what they say is written to FOLDER. A finding that waivers.yaml does not
// name with a reason fails, and so does a waiver that matches no finding.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

//go:embed waivers.yaml
var waiversFile []byte

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: scan FOLDER BIN")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder, bin string) error {
	var waivers []waiver
	if err := yaml.Unmarshal(waiversFile, &waivers); err != nil {
		return fmt.Errorf("waivers.yaml: %w", err)
	}
	var all []finding
	for _, stack := range []string{"dev", "prod"} {
		resources, err := registered(ctx, stack)
		if err != nil {
			return fmt.Errorf("%s: %w", stack, err)
		}
		at := filepath.Join(folder, stack)
		if err := write(at, resources); err != nil {
			return fmt.Errorf("%s: %w", stack, err)
		}
		for _, scanner := range []func(context.Context, string, string) ([]finding, string, error){checkov, cfnLint} {
			found, said, err := scanner(ctx, bin, at)
			if err != nil {
				return fmt.Errorf("%s: %w", stack, err)
			}
			fmt.Printf("%s: %s, %d findings\n", stack, said, len(found))
			all = append(all, found...)
		}
	}
	faults := judge(all, waivers)
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "\n"))
	}
	fmt.Printf("%d findings, all of them waived with a reason in test/scan/waivers.yaml\n", len(all))
	return nil
}

// registered returns what a stack has after an up in the simulator.
func registered(ctx context.Context, stack string) ([]simcloud.Resource, error) {
	project, err := enginetest.Repository()
	if err != nil {
		return nil, err
	}
	settings, err := stackfile.Tree(project, stack)
	if err != nil {
		return nil, err
	}
	cloud := simcloud.New()
	if err := engine.Assume(cloud, settings); err != nil {
		return nil, err
	}
	s, stop, err := enginetest.Serve(cloud, engine.Options{Stack: stack})
	if err != nil {
		return nil, err
	}
	defer stop()
	if _, err := s.Run(ctx, "up"); err != nil {
		return nil, err
	}
	return cloud.Resources(), nil
}

// write writes the resources in the languages of the scanners.
func write(folder string, resources []simcloud.Resource) error {
	text, err := terraform(resources)
	if err != nil {
		return err
	}
	template, err := cloudFormation(resources)
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"terraform/main.tf": text, "kubernetes/objects.yaml": kubernetesObjects(resources), "cloudformation/template.json": template,
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// checkov scans the resources of AWS and the Kubernetes objects.
func checkov(ctx context.Context, bin, folder string) (found []finding, said string, err error) {
	type report struct {
		Kind    string `json:"check_type"`
		Results struct {
			Failed []struct {
				Check    string `json:"check_id"`
				Title    string `json:"check_name"`
				Resource string
			} `json:"failed_checks"`
		}
		Summary struct {
			Passed, Failed int
			Errors         int `json:"parsing_errors"`
		}
	}
	var reports []report
	err = output(ctx, folder, &reports, filepath.Join(bin, "checkov"), "-d", ".", "--framework", "terraform", "kubernetes", "-o", "json", "--compact", "--quiet", "--skip-download", "--soft-fail")
	if err != nil {
		return nil, "", err
	}
	var parts []string
	for _, r := range reports {
		if r.Summary.Errors > 0 || r.Summary.Passed < 100 {
			return nil, "", fmt.Errorf("checkov, %s: %d passed and %d files could not be read: see %s", r.Kind, r.Summary.Passed, r.Summary.Errors, folder)
		}
		parts = append(parts, fmt.Sprintf("%d of %s passed", r.Summary.Passed, r.Kind))
		for _, f := range r.Results.Failed {
			found = append(found, finding{f.Check, f.Resource, f.Title})
		}
	}
	if len(reports) != 2 {
		return nil, "", fmt.Errorf("checkov reported on %v, not on terraform and kubernetes", parts)
	}
	return found, "checkov: " + strings.Join(parts, ", "), nil
}

// cfnLint holds the resources against the schemas of CloudFormation.
func cfnLint(ctx context.Context, bin, folder string) (found []finding, said string, err error) {
	var matches []struct {
		Rule     struct{ ID string }
		Message  string
		Location struct{ Path []any }
	}
	err = output(ctx, folder, &matches, filepath.Join(bin, "cfn-lint"), "--format", "json", "--non-zero-exit-code", "none", "--regions", "us-west-2", "--", filepath.Join("cloudformation", "template.json"))
	for _, m := range matches {
		var path []string // Resources, the resource, Properties, …
		for _, part := range m.Location.Path {
			path = append(path, fmt.Sprint(part))
		}
		found = append(found, finding{m.Rule.ID, strings.Join(path, "."), m.Message})
	}
	return found, "cfn-lint", err
}

// output decodes the JSON that a command prints in a folder. Checkov leaves out files below a folder such as .build, but not the
// one it is in.
func output(ctx context.Context, folder string, into any, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Stderr = folder, &errs
	text, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, errs.String())
	}
	return nil
}
