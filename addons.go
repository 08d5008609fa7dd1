package main

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/eksversion"
)

// everywhere is the toleration of what runs on every node, whatever its taint.
// An add-on without it would leave the accelerator nodes alone.
var everywhere = []map[string]string{{"operator": "Exists"}}

// addonsBeforeNodes makes what a node needs to become ready, so that it is there
// when the first one starts: addresses for pods, services, and identities. The CNI
// has its rights by Pod Identity, which keeps them off the nodes and their pods.
func (b *clusterBuilder) addonsBeforeNodes() error {
	role, association, err := b.podRole("cni", "What the VPC CNI acts as", "kube-system", "aws-node")
	if err != nil {
		return fmt.Errorf("CNI role: %w", err)
	}
	rights, err := b.managed(b.name+"-cni", role, "AmazonEKS_CNI_Policy")
	if err != nil {
		return fmt.Errorf("CNI role: %w", err)
	}
	b.beforeNodes = append(b.beforeNodes, b.net.ready...)
	for _, each := range []struct {
		name  string
		after []pulumi.Resource
	}{
		{eksversion.PodIdentityAgent, nil},
		{eksversion.KubeProxy, nil},
		{eksversion.VPCCNI, append(rights, association)},
	} {
		addon, err := b.addon(each.name, nil, each.after...)
		if err != nil {
			return err
		}
		b.beforeNodes = append(b.beforeNodes, addon)
		b.ready(addon)
	}
	return nil
}

// addonsAfterNodes makes what needs a node to run on; before, it would be degraded
// until EKS gives up on it.
func (b *clusterBuilder) addonsAfterNodes() error {
	if err := b.after(eksversion.CoreDNS, nil); err != nil {
		return err
	}
	if err := b.after(eksversion.MetricsServer, nil); err != nil {
		return err
	}
	// Tells node repair about broken GPUs, and so must be on their nodes. Its DCGM part
	// tolerates nothing by itself, and without that a good GPU is taken for a broken one:
	// https://github.com/aws/containers-roadmap/issues/2555
	err := b.after(eksversion.NodeMonitoring, map[string]any{
		"nodeAgent": map[string]any{"tolerations": everywhere},
		"dcgmAgent": map[string]any{"tolerations": everywhere},
	})
	if err != nil || !b.cfg.Cluster.ContainerInsights {
		return err
	}
	role, association, err := b.podRole("insights", "What the CloudWatch agent acts as", "amazon-cloudwatch", "cloudwatch-agent")
	if err != nil {
		return fmt.Errorf("CloudWatch role: %w", err)
	}
	rights, err := b.managed(b.name+"-insights", role, "CloudWatchAgentServerPolicy")
	if err != nil {
		return fmt.Errorf("CloudWatch role: %w", err)
	}
	// Application Signals instruments web services, of which there are none.
	return b.after(eksversion.CloudWatch, map[string]any{
		"tolerations": everywhere,
		"manager":     map[string]any{"applicationSignals": map[string]any{"autoMonitor": map[string]any{"monitorAllServices": false}}},
	}, append(rights, association)...)
}

// after makes an add-on once there are system nodes.
func (b *clusterBuilder) after(name string, values map[string]any, needs ...pulumi.Resource) error {
	addon, err := b.addon(name, values, append(needs, b.system)...)
	if err != nil {
		return err
	}
	b.ready(addon)
	return nil
}

// addon makes one EKS add-on, in the build that belongs to the version of Kubernetes.
// It takes over what EKS installs by itself, and afterwards leaves alone what an
// operator tuned.
func (b *clusterBuilder) addon(name string, values map[string]any, needs ...pulumi.Resource) (*eks.Addon, error) {
	args := &eks.AddonArgs{
		ClusterName:              b.cluster.Name,
		AddonName:                pulumi.String(name),
		AddonVersion:             pulumi.String(b.release.Addons[name]),
		ResolveConflictsOnCreate: pulumi.String("OVERWRITE"),
		ResolveConflictsOnUpdate: pulumi.String("PRESERVE"),
	}
	if values != nil {
		text, err := json.Marshal(values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		args.ConfigurationValues = pulumi.String(string(text))
	}
	addon, err := eks.NewAddon(b.ctx, b.name+"-"+name, args, b.parent(), pulumi.DependsOn(needs))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return addon, nil
}
