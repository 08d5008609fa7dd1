package main

import (
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/advice"
)

// explainFailures has every change that a cloud refuses say, beside the provider's own
// error, which account it was in and what to do. (Not what the EKS component makes, in
// a process of its own.) Call it before anything is registered.
func explainFailures(ctx *pulumi.Context) error {
	var lock sync.Mutex
	makers := map[pulumi.Resource]string{} // logical name of the provider that makes a resource, or a component's
	maker := map[string]string{}           // likewise, by the resource's logical name
	hook, err := ctx.RegisterErrorHook("explain", func(args *pulumi.ErrorHookArgs) (bool, error) {
		lock.Lock()
		defer lock.Unlock()
		return false, ctx.Log.Error(advice.Explain(advice.Refusal{
			Name: args.Name, Type: string(args.Type), Operation: args.FailedOperation, Provider: maker[args.Name],
			Error: strings.Join(args.Errors, "; "),
		}), nil)
	})
	if err != nil {
		return err
	}
	// A resource is made by the provider that its options name, or by that of the component which it is in.
	return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		options, err := pulumi.NewResourceOptions(args.Opts...)
		if err != nil {
			return nil // whoever registers the resource is told
		}
		lock.Lock()
		defer lock.Unlock()
		if strings.HasPrefix(args.Type, "pulumi:providers:") {
			makers[args.Resource] = args.Name
			return nil
		}
		made := makers[options.Parent]
		if options.Provider != nil {
			made = makers[options.Provider]
		} else if len(options.Providers) > 0 {
			made = makers[options.Providers[0]]
		}
		makers[args.Resource], maker[args.Name] = made, made
		return &pulumi.ResourceTransformationResult{
			Props: args.Props,
			Opts:  append(args.Opts, pulumi.ResourceHooks(&pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}})),
		}
	})
}
