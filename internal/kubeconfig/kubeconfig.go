// Package kubeconfig writes the file with which kubectl and the Kubernetes provider connect to an EKS cluster, and
// checks the kubeconfig of an existing cluster.
package kubeconfig

import (
	"encoding/json"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Cluster is an EKS cluster, and the role with which to connect to it.
type Cluster struct {
	Name     string
	Endpoint string // https://…
	CA       string // base64 of its certificate authority
	Region   string
	Role     string // ARN of the role to assume; empty: the credentials as they are
}

// The parts of a kubeconfig that are used here.
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
type (
	config struct {
		APIVersion     string  `json:"apiVersion"`
		Kind           string  `json:"kind"`
		CurrentContext string  `json:"current-context"`
		Clusters       []named `json:"clusters"`
		Contexts       []named `json:"contexts"`
		Users          []named `json:"users"`
	}
	named struct {
		Name    string        `json:"name"`
		Cluster *cluster      `json:"cluster,omitempty"`
		Context *contextEntry `json:"context,omitempty"`
		User    *user         `json:"user,omitempty"`
	}
	cluster struct {
		Server string `json:"server"`
		CA     string `json:"certificate-authority-data"`
	}
	contextEntry struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	}
	user struct {
		Exec execConfig `json:"exec"`
	}
	execConfig struct {
		APIVersion      string   `json:"apiVersion"`
		Command         string   `json:"command"`
		Args            []string `json:"args"`
		InteractiveMode string   `json:"interactiveMode"`
	}
)

// JSON returns the kubeconfig. It contains no credentials: for every connection the AWS CLI gets a token with the
// credentials of the shell. It names region and role, so that it works in a shell that sets neither, and with
// credentials of the management account.
// https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
func (c Cluster) JSON() (string, error) {
	args := []string{"--region", c.Region, "eks", "get-token", "--cluster-name", c.Name, "--output", "json"}
	if c.Role != "" {
		args = append(args, "--role-arn", c.Role)
	}
	text, err := json.Marshal(config{
		APIVersion: "v1", Kind: "Config", CurrentContext: c.Name,
		Clusters: []named{{Name: c.Name, Cluster: &cluster{Server: c.Endpoint, CA: c.CA}}},
		Contexts: []named{{Name: c.Name, Context: &contextEntry{Cluster: c.Name, User: c.Name}}},
		Users: []named{{Name: c.Name, User: &user{Exec: execConfig{
			APIVersion: "client.authentication.k8s.io/v1beta1", Command: "aws", Args: args, InteractiveMode: "Never",
		}}}},
	})
	if err != nil {
		return "", fmt.Errorf("kubeconfig of %s: %w", c.Name, err)
	}
	return string(text), nil
}

// Check returns an error if a text is not a kubeconfig with a current context. The error repeats nothing of the text,
// which is a secret.
func Check(text string) error {
	var file struct {
		Kind           string           `yaml:"kind"`
		CurrentContext string           `yaml:"current-context"`
		Clusters       []map[string]any `yaml:"clusters"`
		Contexts       []struct {
			Name string `yaml:"name"`
		} `yaml:"contexts"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return errors.New("is neither YAML nor JSON; set the contents of the file, not its path: `pulumi config set --secret --path cluster.kubeconfig < ~/.kube/config`")
	}
	if file.Kind != "Config" || len(file.Clusters) == 0 {
		return errors.New("is not a kubeconfig; it must have the kind Config and clusters")
	}
	for _, entry := range file.Contexts {
		if entry.Name == file.CurrentContext && entry.Name != "" {
			return nil
		}
	}
	return errors.New("has no current context; choose one with `kubectl config use-context`, and set the output of `kubectl config view --minify --flatten`")
}
