package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"llm-platform/internal/stackfile"
	"llm-platform/test/simcloud"
)

// Assume creates in a cloud what the settings of a stack take to exist, so that a preview needs nothing but the stack's
// file: the caller's account, an adopted organization with the member accounts that have an id, and the objects to copy of an
// existing bucket. settings are the stack's configuration with all defaults. Call it before Start.
func Assume(c *simcloud.Cloud, settings map[string]any) error {
	caller := simcloud.ManagementAccount
	accounts, _ := stackfile.Get(settings, "organization.accounts").(map[string]any)
	id := func(name string) string {
		account, _ := accounts[name].(map[string]any)
		return written(account["id"])
	}
	mode, role := stackfile.Get(settings, "organization.mode"), stackfile.Get(settings, "organization.roleName")
	if mode == "none" && role == "" { // the credentials are those of the one account
		caller = cmp.Or(id("training"), caller)
	}
	caller = cmp.Or(written(stackfile.Get(settings, "organization.managementAccountId")), caller)
	c.SetCaller(caller)
	if mode == "adopt" {
		if err := c.PutOrganization(); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(accounts)) {
			if id(name) != "" && id(name) != caller {
				c.PutAccount(id(name), name)
			}
		}
	}
	AssumeObjects(c, settings)
	return nil
}

// AssumeObjects creates the objects to copy of an existing bucket.
func AssumeObjects(c *simcloud.Cloud, settings map[string]any) {
	bucket, _ := stackfile.Get(settings, "storage.sourceBucket").(string)
	copies, _ := stackfile.Get(settings, "storage.copies").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(copies)) {
		item, _ := copies[name].(map[string]any)
		if key, _ := item["source"].(string); bucket != "" {
			c.PutObject(bucket, key, []byte(name), 0)
		}
	}
}

// written returns a value as text, since YAML reads an id without quotes as a number; "" for nil.
func written(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}
