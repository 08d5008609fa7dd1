// Package scientist forms the stack output dataScientist: what a data scientist needs to know of a stack, with the commands
// that use it. docs/data-scientist.schema.json describes it.
package scientist

import (
	"encoding/json"
	"fmt"
)

// Platform is the output. It must never contain a secret. What a stack does not have is an empty string.
type Platform struct {
	Region          string          `json:"region"`
	Account         string          `json:"account"`     // 12 digits; holds all of this
	Role            string          `json:"role"`        // ARN of the role for scientists
	Dataset         string          `json:"dataset"`     // s3://…/
	Checkpoints     string          `json:"checkpoints"` // s3://…/
	Artifacts       string          `json:"artifacts"`   // s3://…/
	ImageRepository ImageRepository `json:"imageRepository"`
	Cluster         Cluster         `json:"cluster"`
	Runs            map[string]Run  `json:"runs"` // by training.name
	Branch          Branch          `json:"branch"`
	Commands        Commands        `json:"commands"`
}

// ImageRepository is where training images are pushed to.
type ImageRepository struct {
	URL      string `json:"url"`
	PushRole string `json:"pushRole"` // ARN of the role that may push
}

// Cluster is where runs run.
type Cluster struct {
	Name      string `json:"name"` // of the EKS cluster
	Namespace string `json:"namespace"`
}

// Branch is the Git branch with the scripts.
type Branch struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Run is a training. What it has only while it is enabled is empty otherwise.
type Run struct {
	Enabled     bool        `json:"enabled"`
	Name        string      `json:"name"`        // for example train-0123456789, also of the Kubernetes Job
	Pool        string      `json:"pool"`        // of nodes
	Nodes       int         `json:"nodes"`       //
	Checkpoints string      `json:"checkpoints"` // s3://…/runs/…/
	Artifacts   string      `json:"artifacts"`   // s3://…/runs/…/
	Commit      string      `json:"commit"`      // that the scripts are in
	Commands    RunCommands `json:"commands"`
}

// Commands are lines for a shell, in the order of their use.
type Commands struct {
	AssumeRole string `json:"assumeRole"` // makes a profile of the role and selects it
	Kubeconfig string `json:"kubeconfig"` // writes the file kubeconfig
}

// RunCommands are lines for a shell with the file kubeconfig.
type RunCommands struct {
	Follow   string `json:"follow"`
	Describe string `json:"describe"`
	Shell    string `json:"shell"`
	Models   string `json:"models"`
	Resume   string `json:"resume"` // for whoever deploys: starts a run from this one's last checkpoint
}

// WithCommands returns the platform with the commands of its stack.
func (p Platform) WithCommands(stack string) Platform {
	if p.Role != "" {
		profile := "llm-" + stack
		p.Commands.AssumeRole = fmt.Sprintf("aws configure set --profile %[1]s role_arn %[2]s; [ \"${AWS_PROFILE:-}\" = %[1]s ] || "+
			"aws configure set --profile %[1]s source_profile ${AWS_PROFILE:-default}; export AWS_PROFILE=%[1]s", profile, p.Role)
	}
	if p.Cluster.Name != "" {
		p.Commands.Kubeconfig = fmt.Sprintf("aws eks update-kubeconfig --region %s --name %s --kubeconfig kubeconfig", p.Region, p.Cluster.Name)
	}
	runs := map[string]Run{}
	for name, run := range p.Runs {
		if run.Enabled {
			run.Commands = run.commands("kubectl --kubeconfig kubeconfig -n " + p.Cluster.Namespace)
		}
		runs[name] = run
	}
	p.Runs = runs
	return p
}

// commands follows the first pod, which prints the progress, and waits for it: there is none before its node is ready.
func (r Run) commands(kubectl string) RunCommands {
	first := fmt.Sprintf("batch.kubernetes.io/job-name=%s,batch.kubernetes.io/job-completion-index=0", r.Name)
	return RunCommands{
		Follow: fmt.Sprintf("%[1]s wait --for=create pod -l %[2]s --timeout=30m && %[1]s wait --for=condition=Ready pod -l %[2]s --timeout=30m && "+
			"%[1]s logs -f --tail=-1 -l %[2]s", kubectl, first),
		Describe: fmt.Sprintf("%s describe job %s", kubectl, r.Name),
		Shell:    fmt.Sprintf("%s exec -it job/%s -- sh", kubectl, r.Name),
		Models:   "aws s3 ls --recursive " + r.Artifacts,
		Resume:   fmt.Sprintf("pulumi config set --path training.resumeFrom %s && pulumi up", r.Name),
	}
}

// Value returns the platform as plain maps, strings, numbers and booleans, which Pulumi can export.
func (p Platform) Value() (map[string]any, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var value map[string]any
	return value, json.Unmarshal(text, &value)
}
