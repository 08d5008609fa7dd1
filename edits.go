package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
	"llm-platform/internal/cluster"
	"llm-platform/internal/edits"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

// editReview compares the settings with those of the stack's last updates, which the stack's state keeps in two stashes.
// Only hooks see both: they also run in previews, and when one fails, the engine ends the program, and the state keeps
// the old settings.
//
//   - standing is registered before everything else and refuses what cannot be carried out.
//   - running is registered after what can be interrupted, so that a failed update does not lose what there is to say.
//   - nodeGroups is a hook of the node groups, whose own inputs tell whether their nodes are replaced.
//   - accessEntries is a hook of the access entries, whose own inputs tell whether an earlier release has created them.
//
// There are no BeforeDelete hooks: `pulumi destroy`, which does not run the program, refuses a stack that has one.
type editReview struct {
	ctx *pulumi.Context
	s   scope.Scope
	cfg settings.Settings

	lock  sync.Mutex
	rolls []edits.Roll
}

// reviewEdit refuses an edit that cannot be carried out, and returns once it is accepted. Call it before anything else is
// registered: nothing changes before the refusal, not even with --skip-preview.
func reviewEdit(ctx *pulumi.Context, s scope.Scope, cfg settings.Settings) (*editReview, error) {
	facts := edits.Standing(cfg)
	r := &editReview{ctx: ctx, s: s, cfg: cfg}
	err := r.stash("standing", facts, nil, func(old edits.Facts) error {
		notes, err := r.edit(old, facts).Review()
		r.say(notes)
		return err
	})
	return r, err
}

// describe says what the update ends, deletes, replaces and interrupts. It waits until everything that can be interrupted
// is registered.
func (r *editReview) describe(cluster *Cluster, training *Training) error {
	facts, err := edits.Running(r.cfg, training.RunName)
	if err != nil {
		return err
	}
	before := facts
	err = r.stash("running", facts, slices.Concat(cluster.Ready, training.Ready), func(old edits.Facts) error {
		before = old
		return nil
	})
	if err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.say(r.edit(before, facts).Interruptions(r.cfg, r.rolls))
	return nil
}

func (r *editReview) edit(old, desired edits.Facts) edits.Edit {
	return edits.Edit{Stack: r.s.Stack, Cluster: r.s.Prefix, Old: old, New: desired}
}

// say shows notes in a preview. The update that follows does not repeat them.
func (r *editReview) say(notes []string) {
	for _, note := range notes {
		if r.ctx.DryRun() {
			_ = r.ctx.Log.Warn(note, nil) // a lost message is no reason to stop
		}
	}
}

// stash keeps facts in the stack's state, and waits until they are there. If it replaces other facts, it calls compare
// first, in previews too, and fails with its error.
func (r *editReview) stash(name string, facts edits.Facts, after []pulumi.Resource, compare func(old edits.Facts) error) error {
	hook, err := r.ctx.RegisterResourceHook(name, func(args *pulumi.ResourceHookArgs) error {
		old := edits.Facts{}
		for key, value := range object(args.OldInputs["input"]) {
			old[string(key)] = stringOf(value)
		}
		return compare(old)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return fmt.Errorf("hook %s: %w", name, err)
	}
	stash, err := pulumi.NewStash(r.ctx, name, &pulumi.StashArgs{Input: pulumi.ToStringMap(facts)}, pulumi.DependsOn(after),
		pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}))
	if err != nil {
		return err
	}
	// A message about a resource waits until the resource is registered.
	return r.ctx.Log.Debug("settings are compared", &pulumi.LogArgs{Resource: stash})
}

// hooks returns the hooks of the cluster's parts. provider is that of the node groups.
func (r *editReview) hooks(provider pulumi.ProviderResource) (cluster.Hooks, error) {
	groups, err := r.nodeGroups(provider)
	if err != nil {
		return cluster.Hooks{}, err
	}
	entries, err := r.accessEntries()
	return cluster.Hooks{NodeGroup: groups, AccessEntry: entries}, err
}

// accessEntries returns the hooks of the access entries, which say what scientists can no longer do.
func (r *editReview) accessEntries() (*pulumi.ResourceHookBinding, error) {
	hook, err := r.ctx.RegisterResourceHook("access-entry", func(args *pulumi.ResourceHookArgs) error {
		if _, grouped := args.OldInputs["kubernetesGroups"]; !grouped && args.NewInputs["kubernetesGroups"].HasValue() {
			r.say([]string{edits.ScientistsNarrowed(stringOf(args.OldInputs["principalArn"]))})
		}
		return nil
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("hook access-entry: %w", err)
	}
	return &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}, nil
}

// nodeGroups returns the hooks of the node groups, which collect the rolling updates for describe, and refuse those of
// pools whose reservation has no room for them. provider is that of the node groups.
func (r *editReview) nodeGroups(provider pulumi.ProviderResource) (*pulumi.ResourceHookBinding, error) {
	hook, err := r.ctx.RegisterResourceHook("node-group", func(args *pulumi.ResourceHookArgs) error {
		pool := strings.TrimPrefix(args.Name, "pool-")
		roll, rolls := edits.NewRoll(pool, nodeGroup(args.OldInputs), nodeGroup(args.NewInputs))
		if !rolls {
			return nil
		}
		r.lock.Lock()
		r.rolls = append(r.rolls, roll)
		r.lock.Unlock()
		if !r.cfg.Cluster.Pools[pool].Reserved() {
			return nil
		}
		group, err := eks.LookupNodeGroup(r.ctx, &eks.LookupNodeGroupArgs{
			ClusterName: stringOf(args.OldInputs["clusterName"]), NodeGroupName: stringOf(args.OldInputs["nodeGroupName"]),
		}, pulumi.Provider(provider))
		if err != nil {
			return fmt.Errorf("cluster.pools.%s: cannot look up the size of its node group: %w", pool, advice.With(err))
		}
		size := 0
		for _, scaling := range group.ScalingConfigs {
			size += scaling.DesiredSize
		}
		return roll.Room(r.s.Region, group.ClusterName, group.NodeGroupName, size)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("hook node-group: %w", err)
	}
	return &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}, nil
}

// nodeGroup returns what decides whether an update of a node group replaces its nodes.
func nodeGroup(inputs resource.PropertyMap) edits.NodeGroup {
	return edits.NodeGroup{
		Template: stringOf(object(inputs["launchTemplate"])["version"]),
		Version:  stringOf(inputs["version"]),
		Image:    stringOf(inputs["releaseVersion"]),
	}
}

// stringOf returns a string, or "" if the value is unknown or none.
func stringOf(value resource.PropertyValue) string {
	if value = plain(value); value.IsString() {
		return value.StringValue()
	}
	return ""
}

// object returns the fields of an object; none of any other value.
func object(value resource.PropertyValue) resource.PropertyMap {
	if value = plain(value); value.IsObject() {
		return value.ObjectValue()
	}
	return nil
}

// plain returns a value without its wrappers, which mark secrets and outputs.
func plain(value resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case value.IsSecret():
			value = value.SecretValue().Element
		case value.IsOutput() && value.OutputValue().Known:
			value = value.OutputValue().Element
		default:
			return value
		}
	}
}
