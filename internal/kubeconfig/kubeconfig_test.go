package kubeconfig

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	for role, args := range map[string][]string{
		"": {"--region", "us-west-2", "eks", "get-token", "--cluster-name", "llm", "--output", "json"},
		"arn:aws:iam::111122223333:role/x": {"--region", "us-west-2", "eks", "get-token", "--cluster-name", "llm", "--output", "json",
			"--role-arn", "arn:aws:iam::111122223333:role/x"},
	} {
		text, err := Cluster{Name: "llm", Endpoint: "https://1.eks", CA: "Y2E=", Region: "us-west-2", Role: role}.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(text); err != nil {
			t.Errorf("the kubeconfig of JSON: %v", err)
		}
		var c config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.Users[0].User.Exec; got.Command != "aws" || !slices.Equal(got.Args, args) {
			t.Errorf("with role %q: %s %v", role, got.Command, got.Args)
		}
		if got := c.Clusters[0].Cluster; got.Server != "https://1.eks" || got.CA != "Y2E=" {
			t.Errorf("with role %q: %+v", role, got)
		}
		if c.CurrentContext != c.Contexts[0].Name || c.Contexts[0].Context.User != c.Users[0].Name || c.Contexts[0].Context.Cluster != c.Clusters[0].Name {
			t.Errorf("with role %q: context, cluster and user have different names: %s", role, text)
		}
	}
}

func TestCheck(t *testing.T) {
	const whole = `
kind: Config
current-context: a
clusters: [{name: a, cluster: {server: https://secret-host}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {token: secret-token}}]
`
	if err := Check(whole); err != nil {
		t.Errorf("whole: %v", err)
	}
	for text, want := range map[string]string{
		"":                        "not a kubeconfig",
		"~/.kube/config":          "neither YAML nor JSON",
		"{{secret-token":          "neither YAML nor JSON",
		"kind: Pod":               "not a kubeconfig",
		"kind: Config\nusers: []": "must have the kind Config and clusters",
		strings.Replace(whole, "current-context: a", "", 1):                   "no current context",
		strings.Replace(whole, "current-context: a", "current-context: b", 1): "no current context",
	} {
		err := Check(text)
		if err == nil {
			t.Errorf("%q: accepted", text)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "--secret") || strings.Contains(err.Error(), "secret-") {
			t.Errorf("%q: the error repeats it: %v", text, err)
		}
	}
}

func TestServer(t *testing.T) {
	const two = `
current-context: b
contexts: [{name: a, context: {cluster: first}}, {name: b, context: {cluster: second}}]
clusters: [{name: first, cluster: {server: https://first}}, {name: second, cluster: {server: https://second}}]`
	own, err := Cluster{Name: "llm", Endpoint: "https://1.eks"}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{two: "https://second", own: "https://1.eks", "": "", "current-context: a": "", "[": ""} {
		if got := Server(text); got != want {
			t.Errorf("%q of %s, want %q", got, text, want)
		}
	}
}
