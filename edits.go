package main

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/edits"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// reviewEdit refuses an edit of a standing stack that cannot be carried out, and returns once it is accepted. Call it
// before anything else is registered: nothing changes before the refusal, not even with --skip-preview.
//
// The stack's state keeps the settings of its last update in a stash. Only a hook sees them beside the new ones: it runs
// in previews too, and when it fails, the engine ends the program and the state keeps the old settings. There are no
// BeforeDelete hooks, because `pulumi destroy` refuses a stack that has one (it does not run the program).
func reviewEdit(ctx *pulumi.Context, s scope.Scope, cfg settings.Settings) error {
	facts := edits.Standing(cfg)
	hook, err := ctx.RegisterResourceHook("standing", func(args *pulumi.ResourceHookArgs) error {
		edit := edits.Edit{Stack: s.Stack, Cluster: s.Prefix, Old: standingFacts(args.OldInputs), New: facts}
		notes, err := edit.Review()
		for _, note := range notes {
			if err := ctx.Log.Warn(note, nil); err != nil {
				return err
			}
		}
		return err
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	stash, err := pulumi.NewStash(ctx, "standing", &pulumi.StashArgs{Input: pulumi.ToStringMap(facts)},
		pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}))
	if err != nil {
		return err
	}
	// A message about a resource waits until the resource is registered.
	return ctx.Log.Debug("the edit is accepted", &pulumi.LogArgs{Resource: stash})
}

// standingFacts returns the facts in the inputs of a stash.
func standingFacts(inputs resource.PropertyMap) edits.Facts {
	facts := edits.Facts{}
	input := inputs["input"]
	for input.IsSecret() {
		input = input.SecretValue().Element
	}
	if !input.IsObject() {
		return facts
	}
	for key, value := range input.ObjectValue() {
		if value.IsString() {
			facts[string(key)] = value.StringValue()
		}
	}
	return facts
}
