//go:build tools

// Package tools pins the Pulumi CLI, at the release of the SDK in the program's go.mod.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
