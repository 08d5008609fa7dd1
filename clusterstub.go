package main

import (
	"os"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/accelerator"
)

func stubCluster(ctx *pulumi.Context) (*Cluster, error) {
	kubeconfig, _ := os.ReadFile(os.Getenv("LAB_KUBECONFIG"))
	provider, err := kubernetes.NewProvider(ctx, "cluster-kubernetes", &kubernetes.ProviderArgs{Kubeconfig: pulumi.ToSecret(pulumi.String(string(kubeconfig))).(pulumi.StringOutput), EnableServerSideApply: pulumi.Bool(true), ClusterIdentifier: pulumi.String("lab")})
	if err != nil {
		return nil, err
	}
	instance := os.Getenv("STUB_TYPE")
	if instance == "" {
		instance = "p5.48xlarge"
	}
	t, err := accelerator.Lookup(instance)
	if err != nil {
		return nil, err
	}
	return &Cluster{Provider: provider, Pools: map[string]Pool{"gpu": {Name: "gpu", Type: t, EFA: t.EFAInterfaces, Labels: map[string]string{"eks.amazonaws.com/nodegroup": "gpu"}, TaintKey: "nvidia.com/gpu", TaintValue: "true"}}}, nil
}
