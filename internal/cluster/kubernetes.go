package cluster

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NewKubernetes creates the provider of Kubernetes objects. The provider compares clusters by their identifier, so
// a new kubeconfig for the same cluster does not replace all objects in it.
func NewKubernetes(ctx *pulumi.Context, place Place, kubeconfig, identifier pulumi.StringInput) (*kubernetes.Provider, error) {
	provider, err := kubernetes.NewProvider(ctx, place.Name+"-kubernetes", &kubernetes.ProviderArgs{
		Kubeconfig:            kubeconfig,
		ClusterIdentifier:     identifier,
		EnableServerSideApply: pulumi.Bool(true),
	}, place.child())
	if err != nil {
		return nil, fmt.Errorf("provider of Kubernetes: %w", err)
	}
	return provider, nil
}
