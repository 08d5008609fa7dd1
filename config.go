package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/settings"
)

// loadSettings reads and validates the stack's configuration. Call it once, before anything is registered: its error
// lists everything that is wrong.
//
// It reads the values from where the SDK reads them, because the SDK only answers for keys asked for by name, and an
// unknown key must be found too.
func loadSettings(ctx *pulumi.Context) (settings.Settings, error) {
	text := os.Getenv(pulumi.EnvConfig)
	if text == "" {
		return settings.Settings{}, fmt.Errorf("configuration: %s is not set; run the program with pulumi", pulumi.EnvConfig)
	}
	var all map[string]string
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return settings.Settings{}, fmt.Errorf("configuration: %s: %w", pulumi.EnvConfig, err)
	}
	own := make(map[string]string, len(all))
	var secret []string
	for key, value := range all {
		if name, ok := strings.CutPrefix(key, ctx.Project()+":"); ok {
			own[name] = value
			if ctx.IsConfigSecret(key) {
				secret = append(secret, name)
			}
		}
	}
	return settings.Load(ctx.Stack(), own, secret, os.Getenv)
}

// defaultTags are the tags of every AWS resource of a stack.
func defaultTags(ctx *pulumi.Context, cfg settings.Settings) pulumi.StringMap {
	tags := pulumi.StringMap{
		"Project":     pulumi.String(ctx.Project()),
		"Environment": pulumi.String(cfg.Stack),
		"ManagedBy":   pulumi.String("pulumi"),
	}
	for name, value := range cfg.Tags {
		tags[name] = pulumi.String(value)
	}
	return tags
}

// kept are the options of what holds data, money or a name that is never given
// twice: when it leaves the program it stays in the cloud, and where the stack
// protects, Pulumi refuses to let it leave at all.
func kept(cfg settings.Settings, keep bool) pulumi.ResourceOption {
	return pulumi.Composite(pulumi.RetainOnDelete(keep), pulumi.Protect(cfg.Protect))
}
