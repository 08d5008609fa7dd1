//go:build tools

// Package tools pins the Go language host. v3.66.0 is the last release whose SDK module held it; later ones
// come with the CLI's own packages only.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go"
