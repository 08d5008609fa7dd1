package simcloud

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// subnets are the ones given, or the public and then the private ones.
func (a clusterArgs) subnets() pulumi.StringArrayInput {
	if a.SubnetIDs != nil {
		return a.SubnetIDs
	}
	var lists []any
	for _, list := range []pulumi.StringArrayInput{a.PublicSubnetIDs, a.PrivateSubnetIDs} {
		if list != nil {
			lists = append(lists, list.ToStringArrayOutput())
		}
	}
	return pulumi.All(lists...).ApplyT(func(lists []any) []string {
		all := []string{}
		for _, list := range lists {
			all = append(all, list.([]string)...)
		}
		return all
	}).(pulumi.StringArrayOutput)
}

// tags are the component's Name tag and the given ones; later ones win.
func (b *builder) tags(name string, given ...pulumi.StringMapInput) pulumi.Input {
	var all []any
	for _, tags := range given {
		if tags != nil {
			all = append(all, tags.ToStringMapOutput())
		}
	}
	if len(all) == 0 {
		return pulumi.StringMap{"Name": pulumi.String(b.name + "-" + name)}
	}
	return pulumi.All(all...).ApplyT(func(all []any) map[string]string {
		merged := map[string]string{"Name": b.name + "-" + name}
		for _, tags := range all {
			maps.Copy(merged, tags.(map[string]string))
		}
		return merged
	}).(pulumi.StringMapOutput)
}

func (b *builder) rule(name, direction, protocol string, from, to int, of *child, more pulumi.Map) (*child, error) {
	inputs := pulumi.Map{
		"type": pulumi.String(direction), "protocol": pulumi.String(protocol), "fromPort": pulumi.Int(from), "toPort": pulumi.Int(to),
		"securityGroupId": of.ID(),
	}
	maps.Copy(inputs, more)
	return b.add("aws:ec2/securityGroupRule:SecurityGroupRule", name, inputs)
}

// nodeSecurityGroup registers the group that the component makes for nodes, used or not.
func (b *builder) nodeSecurityGroup(args clusterArgs, cluster, clusterGroup *child) (group, ingress *child, err error) {
	given := pulumi.StringMap{}.ToStringMapOutput()
	if args.Tags != nil {
		given = args.Tags.ToStringMapOutput()
	}
	tags := pulumi.All(cluster.Name, given).ApplyT(func(all []any) map[string]string {
		merged := map[string]string{"Name": b.name + "-nodeSecurityGroup", "kubernetes.io/cluster/" + all[0].(string): "owned"}
		maps.Copy(merged, all[1].(map[string]string))
		return merged
	}).(pulumi.StringMapOutput)
	group, err = b.add("aws:ec2/securityGroup:SecurityGroup", "nodeSecurityGroup", pulumi.Map{
		"vpcId": args.VpcID, "revokeRulesOnDelete": pulumi.Bool(true), "tags": tags,
	})
	if err != nil {
		return nil, nil, err
	}
	describe := func(s string) pulumi.Map { return pulumi.Map{"description": pulumi.String(s)} }
	from := func(source *child, s string) pulumi.Map {
		return pulumi.Map{"description": pulumi.String(s), "sourceSecurityGroupId": source.ID()}
	}
	self := describe("Allow nodes to communicate with each other")
	self["self"] = pulumi.Bool(true)
	internet := describe("Allow internet access.")
	internet["cidrBlocks"] = pulumi.ToStringArray([]string{"0.0.0.0/0"})
	for _, r := range []struct {
		name, direction, protocol string
		from, to                  int
		of                        *child
		more                      pulumi.Map
	}{
		{"eksNodeIngressRule", "ingress", "-1", 0, 0, group, self},
		{"eksNodeClusterIngressRule", "ingress", "tcp", 1025, 65535, group,
			from(clusterGroup, "Allow worker Kubelets and pods to receive communication from the cluster control plane")},
		{"eksExtApiServerClusterIngressRule", "ingress", "tcp", 443, 443, group,
			from(clusterGroup, "Allow pods running extension API servers on port 443 to receive communication from cluster control plane")},
		{"eksNodeInternetEgressRule", "egress", "-1", 0, 0, group, internet},
		{"eksClusterIngressRule", "ingress", "tcp", 443, 443, clusterGroup, from(group, "Allow pods to communicate with the cluster API Server")},
	} {
		if ingress, err = b.rule(r.name, r.direction, r.protocol, r.from, r.to, r.of, r.more); err != nil {
			return nil, nil, err
		}
	}
	return group, ingress, nil
}

// access registers the access entries, and one for the nodes' role: in API mode the component makes that role
// itself unless one is passed, whether nodes will use it or not.
func (b *builder) access(args clusterArgs, cluster *child, instanceRole pulumi.Input) error {
	var err error
	if instanceRole == nil {
		if instanceRole, err = b.serviceRole("instanceRole", "ec2.amazonaws.com", args.Tags,
			"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"); err != nil {
			return err
		}
	}
	if args.AuthenticationMode != "API" && args.AuthenticationMode != "API_AND_CONFIG_MAP" {
		return nil
	}
	entries := map[string]entryArgs{"defaultNodeGroupInstanceRole": {PrincipalArn: instanceRole, Type: pulumi.String("EC2_LINUX")}}
	maps.Copy(entries, args.AccessEntries)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		entry, err := b.add("aws:eks/accessEntry:AccessEntry", name, pulumi.Map{
			"clusterName": cluster.Name, "principalArn": e.PrincipalArn, "type": e.Type, "kubernetesGroups": e.KubernetesGroups,
			"userName": e.Username, "tags": e.Tags,
		}, pulumi.DependsOn([]pulumi.Resource{cluster}))
		if err != nil {
			return err
		}
		for _, policy := range slices.Sorted(maps.Keys(e.AccessPolicies)) {
			if _, err := b.add("aws:eks/accessPolicyAssociation:AccessPolicyAssociation", name+"-"+policy, pulumi.Map{
				"clusterName": cluster.Name, "principalArn": e.PrincipalArn,
				"policyArn": e.AccessPolicies[policy].PolicyArn, "accessScope": e.AccessPolicies[policy].AccessScope,
			}, pulumi.Parent(entry), pulumi.DependsOn([]pulumi.Resource{entry})); err != nil {
				return err
			}
		}
	}
	return nil
}

// providerState is a provider resource.
type providerState struct{ pulumi.ProviderResourceState }

func (b *builder) kubernetesProvider(name string, kubeconfig pulumi.StringOutput) (*providerState, error) {
	p := &providerState{}
	err := b.ctx.RegisterResource("pulumi:providers:kubernetes", b.name+"-"+name, pulumi.Map{"kubeconfig": kubeconfig}, p, pulumi.Parent(b.cluster))
	return p, err
}

// kubeconfigOf is the component's: a token by "aws eks get-token", without a region.
func kubeconfigOf(cluster *child, credentials credentialArgs) pulumi.Output {
	role := pulumi.String("").ToStringOutput()
	if credentials.RoleArn != nil {
		role = credentials.RoleArn.ToStringOutput()
	}
	return pulumi.All(cluster.Name, cluster.Endpoint, cluster.CertificateAuthority, role).ApplyT(func(all []any) (any, error) {
		authority, ok := all[2].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("cluster without certificate authority")
		}
		args := []any{"eks", "get-token", "--cluster-name", all[0], "--output", "json"}
		if all[3] != "" {
			args = append(args, "--role", all[3])
		}
		return map[string]any{
			"apiVersion":      "v1",
			"kind":            "Config",
			"current-context": "aws",
			"clusters": []any{map[string]any{
				"name": "kubernetes", "cluster": map[string]any{"server": all[1], "certificate-authority-data": authority["data"]},
			}},
			"contexts": []any{map[string]any{"name": "aws", "context": map[string]any{"cluster": "kubernetes", "user": "aws"}}},
			"users": []any{map[string]any{"name": "aws", "user": map[string]any{"exec": map[string]any{
				"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": args,
				"env": []any{map[string]any{"name": "KUBERNETES_EXEC_INFO", "value": `{"apiVersion": "client.authentication.k8s.io/v1beta1"}`}},
			}}}},
		}, nil
	})
}
