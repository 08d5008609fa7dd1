package kubeconfig

import "gopkg.in/yaml.v3"

// Server returns the URL of the API server that a kubeconfig's current context names, or "" if it names none.
func Server(text string) string {
	var file struct {
		CurrentContext string `yaml:"current-context"`
		Contexts       []struct {
			Name    string `yaml:"name"`
			Context struct {
				Cluster string `yaml:"cluster"`
			} `yaml:"context"`
		} `yaml:"contexts"`
		Clusters []struct {
			Name    string `yaml:"name"`
			Cluster struct {
				Server string `yaml:"server"`
			} `yaml:"cluster"`
		} `yaml:"clusters"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return ""
	}
	for _, context := range file.Contexts {
		if context.Name != file.CurrentContext {
			continue
		}
		for _, cluster := range file.Clusters {
			if cluster.Name == context.Context.Cluster {
				return cluster.Cluster.Server
			}
		}
	}
	return ""
}
