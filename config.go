package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/settings"
)

// loadSettings reads and checks the stack's whole configuration. Call it before anything is registered: its error
// lists every fault.
//
// It reads the values from where the SDK reads them, because the SDK only answers for keys that are asked for by
// name, and an unknown key must be found too.
func loadSettings(ctx *pulumi.Context) (settings.Settings, error) {
	var all map[string]string
	if text := os.Getenv(pulumi.EnvConfig); text != "" {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return settings.Settings{}, fmt.Errorf("configuration: %s: %w", pulumi.EnvConfig, err)
		}
	}
	values := make(map[string]string, len(all))
	var secret []string
	for key, value := range all {
		name := strings.TrimPrefix(key, ctx.Project()+":")
		values[name] = value // with the namespace if that is another one
		if ctx.IsConfigSecret(key) {
			secret = append(secret, name)
		}
	}
	// Without the stack file, the values come from another file or from an environment of Pulumi ESC.
	if file, err := os.ReadFile(filepath.Join(ctx.RootDirectory(), "Pulumi."+ctx.Stack()+".yaml")); err == nil {
		secret = settings.SecretKeys(ctx.Project(), secret, values, file)
	}
	cfg, err := settings.Load(ctx.Stack(), values, secret, os.Getenv)
	if err == nil && !ctx.DryRun() {
		err = cfg.Deployable()
	}
	return cfg, err
}
