package engine

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"llm-platform/internal/stackfile"
)

// CheckEndpoints returns an error, one line for each fault, unless these variables keep real provider plugins away
// from every real cloud: AWS_ENDPOINT_URL, GITHUB_BASE_URL and the servers of KUBECONFIG are set and are on this
// machine or a private network, no other variable overrides them, and the credentials are in variables rather than in
// a profile.
func CheckEndpoints(env map[string]string) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GITHUB_BASE_URL", "GITHUB_TOKEN", "KUBECONFIG"} {
		if env[name] == "" {
			fault("%s: is required", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value := env[name]
		switch {
		case value == "":
		case name == "GITHUB_BASE_URL" || name == "AWS_ENDPOINT_URL" || strings.HasPrefix(name, "AWS_ENDPOINT_URL_"):
			if err := checkEndpoint(value); err != nil {
				fault("%s: %w", name, err)
			}
		case name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" && !strings.EqualFold(value, "false"):
			fault("%s: must be unset, got %q: AWS_ENDPOINT_URL would be ignored", name, value)
		case name == "AWS_PROFILE" || name == "AWS_DEFAULT_PROFILE":
			fault("%s: must be unset, got %q: a profile may name other endpoints and roles", name, value)
		case name == "KUBECONFIG":
			for _, server := range servers(value, fault) {
				if err := checkEndpoint(server); err != nil {
					fault("KUBECONFIG: %w", err)
				}
			}
		}
	}
	return errors.Join(faults...)
}

// checkEndpoint refuses an endpoint URL that is neither on this machine nor on a private network. A host
// name of a real service is refused whatever it resolves to: in a VPC with interface endpoints AWS has private addresses.
func checkEndpoint(endpoint string) error {
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return fmt.Errorf("%q is not a URL, for example http://127.0.0.1:5000", endpoint)
	}
	host := strings.ToLower(strings.TrimSuffix(parsed.Hostname(), "."))
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "aws.dev", "github.com", "ghe.com"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return fmt.Errorf("%q is a real service: use an emulator", endpoint)
		}
	}
	addresses, err := net.LookupIP(host)
	if err != nil {
		return fmt.Errorf("%q: %w", endpoint, err)
	}
	for _, address := range addresses {
		if !address.IsLoopback() && !address.IsPrivate() {
			return fmt.Errorf("%q is at %s, neither on this machine nor on a private network: use an emulator", endpoint, address)
		}
	}
	return nil
}

// servers returns the API servers of a kubeconfig file.
func servers(file string, fault func(string, ...any)) []string {
	var content map[string]any
	if err := stackfile.Read(file, &content); err != nil {
		fault("KUBECONFIG: %w", err)
		return nil
	}
	var found []string
	clusters, _ := content["clusters"].([]any)
	for _, entry := range clusters {
		named, _ := entry.(map[string]any)
		cluster, _ := named["cluster"].(map[string]any)
		found = append(found, fmt.Sprint(cluster["server"]))
	}
	if len(found) == 0 {
		fault("KUBECONFIG: %s names no cluster", file)
	}
	return found
}
