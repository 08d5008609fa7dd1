package engine

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckEndpoints(t *testing.T) {
	kubeconfig := func(server string) string {
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(file, []byte("clusters: [{name: a, cluster: {server: '"+server+"'}}]"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:5000", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
		"GITHUB_BASE_URL": "http://10.1.2.3/", "GITHUB_TOKEN": "c", "KUBECONFIG": kubeconfig("https://127.0.0.1:6443"),
	}
	if err := CheckEndpoints(good); err != nil {
		t.Fatalf("emulators are refused: %v", err)
	}
	for name := range good {
		bad := maps.Clone(good)
		delete(bad, name)
		if err := CheckEndpoints(bad); err == nil || err.Error() != name+": is required" {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, c := range []struct{ name, value, want string }{
		{"AWS_ENDPOINT_URL", "https://sts.us-west-2.amazonaws.com", "is a real service"},
		{"AWS_ENDPOINT_URL", "https://S3.AMAZONAWS.COM.", "is a real service"},
		{"AWS_ENDPOINT_URL", "https://s3.us-west-2.api.aws", "is a real service"},
		{"AWS_ENDPOINT_URL", "https://52.94.5.1", "neither on this machine"},
		{"AWS_ENDPOINT_URL", "127.0.0.1:5000", "is not a URL"},
		{"AWS_ENDPOINT_URL_S3", "https://s3.amazonaws.com", "is a real service"},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", "would be ignored"},
		{"AWS_PROFILE", "work", "must be unset"},
		{"GITHUB_BASE_URL", "https://api.github.com/", "is a real service"},
		{"GITHUB_BASE_URL", "https://company.ghe.com/", "is a real service"},
		{"KUBECONFIG", kubeconfig("https://ABCDEF.gr7.us-west-2.eks.amazonaws.com"), "is a real service"},
		{"KUBECONFIG", "/nowhere", "no such file"},
		{"KUBECONFIG", os.DevNull, "names no cluster"},
	} {
		bad := maps.Clone(good)
		bad[c.name] = c.value
		if err := CheckEndpoints(bad); err == nil || !strings.HasPrefix(err.Error(), c.name+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want %q", c.name, c.value, err, c.want)
		}
	}
}
