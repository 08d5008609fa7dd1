package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
)

// explainFailures adds to the provider's error, for every change that a cloud refuses, the account of the change
// and what to do. Call it before anything is registered.
//
// It uses a transformation and not RegisterResourceTransform: a transform in the Go SDK 3.259 returns the options
// without DeletedWith, so the files of a retained Git branch would be deleted from it. Only the children of the
// EKS component, which another process registers, are reached by a transform.
func explainFailures(ctx *pulumi.Context) error {
	var lock sync.Mutex
	providers := map[pulumi.Resource]map[string]string{} // logical names of a resource's providers, by package
	providerOf := map[string]string{}                    // logical name of the provider that changes a resource, by its logical name
	hook, err := ctx.RegisterErrorHook("explain", func(args *pulumi.ErrorHookArgs) (bool, error) {
		lock.Lock()
		defer lock.Unlock()
		return false, ctx.Log.Error(advice.Explain(advice.Refusal{
			Name: args.Name, Type: string(args.Type), Operation: args.FailedOperation, Place: place(providerOf[args.Name]),
			Error: strings.Join(args.Errors, "; "),
		}), nil)
	})
	if err != nil {
		return err
	}
	explained := &pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}}
	children := func(inherited map[string]string) pulumi.ResourceOption {
		return pulumi.Transforms([]pulumi.ResourceTransform{func(_ context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
			if !args.Custom {
				return nil
			}
			lock.Lock()
			defer lock.Unlock()
			providerOf[args.Name] = inherited[packageOf(args.Type)]
			opts := args.Opts
			opts.Hooks = explained
			return &pulumi.ResourceTransformResult{Props: args.Props, Opts: opts}
		}})
	}
	return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		options, err := pulumi.NewResourceOptions(args.Opts...)
		if err != nil {
			return nil // the registration reports it
		}
		lock.Lock()
		defer lock.Unlock()
		if name, ok := strings.CutPrefix(args.Type, "pulumi:providers:"); ok {
			providers[args.Resource] = map[string]string{name: args.Name}
			return nil
		}
		// A resource uses the providers of its parent, unless its options name others.
		usable := maps.Clone(providers[options.Parent])
		if usable == nil {
			usable = map[string]string{}
		}
		for _, provider := range options.Providers {
			maps.Copy(usable, providers[provider])
		}
		if options.Provider != nil {
			maps.Copy(usable, providers[options.Provider])
		}
		providers[args.Resource], providerOf[args.Name] = usable, usable[packageOf(args.Type)]
		opts := append(args.Opts, pulumi.ResourceHooks(explained))
		if packageOf(args.Type) == "eks" {
			opts = append(opts, children(usable))
		}
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: opts}
	})
}

// packageOf returns the package of a type token, for example aws of aws:s3/bucketV2:BucketV2.
func packageOf(token string) string {
	name, _, _ := strings.Cut(token, ":")
	return name
}

// place returns where a provider works, by the provider's logical name.
func place(provider string) string {
	account, ok := strings.CutPrefix(provider, "org-provider-")
	switch {
	case ok:
		return fmt.Sprintf("account %q (see the output accountIds for its id)", account)
	case provider == "org-management":
		return "the management account"
	case provider == "cluster-kubernetes":
		return "the cluster"
	case provider == "git-github":
		return "GitHub"
	case provider == "git-gitlab":
		return "GitLab"
	}
	return unknownPlace
}

const unknownPlace = "its account"
