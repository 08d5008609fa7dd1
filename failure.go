package main

import (
	"context"
	"fmt"
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
	providers := map[pulumi.Resource]string{} // logical name of the provider that a resource or component uses
	providerOf := map[string]string{}         // the same by the resource's logical name
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
	children := func(provider string) pulumi.ResourceOption {
		return pulumi.Transforms([]pulumi.ResourceTransform{func(_ context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
			lock.Lock()
			defer lock.Unlock()
			if _, known := providerOf[args.Name]; known {
				return nil // the component itself
			}
			providerOf[args.Name] = provider
			opts := args.Opts
			opts.Hooks = explained
			return &pulumi.ResourceTransformResult{Props: args.Props, Opts: opts}
		}})
	}
	// A resource uses the provider that its options name, or that of the component that it belongs to.
	return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		options, err := pulumi.NewResourceOptions(args.Opts...)
		if err != nil {
			return nil // the registration reports it
		}
		lock.Lock()
		defer lock.Unlock()
		if strings.HasPrefix(args.Type, "pulumi:providers:") {
			providers[args.Resource] = args.Name
			return nil
		}
		provider := providers[options.Parent]
		if options.Provider != nil {
			provider = providers[options.Provider]
		} else if len(options.Providers) > 0 {
			provider = providers[options.Providers[0]]
		}
		providers[args.Resource], providerOf[args.Name] = provider, provider
		opts := append(args.Opts, pulumi.ResourceHooks(explained))
		if strings.HasPrefix(args.Type, "eks:") {
			opts = append(opts, children(provider))
		}
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: opts}
	})
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
