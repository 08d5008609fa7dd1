package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/kubeconfig"
)

// Agents that monitor nodes run on all of them.
func TestAgentsTolerateEverything(t *testing.T) {
	g := runWith(t, nil)
	for addon, paths := range map[string][]string{
		"cluster-eks-node-monitoring-agent":       {"nodeAgent.tolerations", "dcgmAgent.tolerations"},
		"cluster-amazon-cloudwatch-observability": {"tolerations"},
	} {
		var values map[string]any
		if err := json.Unmarshal([]byte(text(g.one(t, addon).inputs, "configurationValues")), &values); err != nil {
			t.Fatalf("%s: %v", addon, err)
		}
		for _, path := range paths {
			got := at(resource.NewPropertyMapFromMap(values), path+"[0].operator")
			if !got.IsString() || got.StringValue() != "Exists" {
				t.Errorf("%s: %s is %v", addon, path, got)
			}
		}
	}
}

// Network policies are enforced. The value is text: the schema of the add-on refuses a boolean.
func TestNetworkPoliciesAreEnforced(t *testing.T) {
	if got, want := text(runWith(t, nil).one(t, "cluster-vpc-cni").inputs, "configurationValues"), `{"enableNetworkPolicy":"true"}`; got != want {
		t.Errorf("the CNI's configuration is %s, want %s", got, want)
	}
}

// The control plane is private unless the stack lists CIDR ranges; it is logged and encrypted, and its kubeconfig is a
// secret.
func TestControlPlane(t *testing.T) {
	for stack, public := range map[string]bool{"dev": true, "prod": false} {
		g := runShipped(t, stack)
		controlPlane := g.one(t, "cluster-eks")
		if got := at(controlPlane.inputs, "endpointPublicAccess"); !got.IsBool() || got.BoolValue() != public {
			t.Errorf("%s: public endpoint is %v", stack, got)
		}
		for _, network := range list(controlPlane.inputs, "publicAccessCidrs") {
			if strings.HasSuffix(network.StringValue(), "/0") {
				t.Errorf("%s: open to %s", stack, network.StringValue())
			}
		}
		for path, want := range map[string]string{
			"authenticationMode": "API", "encryptionConfigKeyArn": "arn:aws:test:::cluster-key", "version": "1.36",
		} {
			if got := text(controlPlane.inputs, path); got != want {
				t.Errorf("%s: %s is %q, want %q", stack, path, got, want)
			}
		}
		for _, path := range []string{"endpointPrivateAccess", "skipDefaultNodeGroup", "useDefaultVpcCni"} {
			if got := at(controlPlane.inputs, path); !got.IsBool() || !got.BoolValue() {
				t.Errorf("%s: %s is %v", stack, path, got)
			}
		}
		if got := len(list(controlPlane.inputs, "enabledClusterLogTypes")); got != 5 {
			t.Errorf("%s: %d of 5 logs", stack, got)
		}
		if !controlPlane.dependsOn("cluster-logs") || !controlPlane.dependsOn("cluster-role-AmazonEKSClusterPolicy") {
			t.Errorf("%s: does not wait for its log group or its role's policy", stack)
		}
		config := g.one(t, "cluster-kubernetes").inputs["kubeconfig"]
		if !config.IsSecret() {
			t.Fatalf("%s: the kubeconfig is not a secret: %v", stack, config)
		}
		var parsed struct {
			Users []struct {
				User struct{ Exec struct{ Args []string } }
			}
		}
		if err := json.Unmarshal([]byte(config.SecretValue().Element.StringValue()), &parsed); err != nil {
			t.Fatal(err)
		}
		args := strings.Join(parsed.Users[0].User.Exec.Args, " ")
		for _, want := range []string{"--region us-west-2", "--cluster-name control-plane", "--role-arn arn:aws:iam::"} {
			if !strings.Contains(args, want) {
				t.Errorf("%s: the token command is %q, without %q", stack, args, want)
			}
		}
	}
}

// Parts wait for what they need: nodes for routes, add-ons and the policies of their role, CoreDNS for nodes, pods
// with Pod Identity for the association.
func TestOrder(t *testing.T) {
	g := runWith(t, threePools())
	before := []string{
		"cluster-vpc-cni", "cluster-kube-proxy", "cluster-eks-pod-identity-agent", "network-s3", "network-routes-a-internet", "network-gpu-1-routes",
		"cluster-node-role-AmazonEKSWorkerNodePolicy", "cluster-node-role-AmazonEC2ContainerRegistryPullOnly",
	}
	for name, needs := range map[string][]string{
		"pool-system":                             before,
		"pool-efa":                                before,
		"pool-plain":                              before,
		"cluster-vpc-cni":                         {"cluster-cni-identity", "cluster-cni-role-AmazonEKS_CNI_Policy"},
		"cluster-coredns":                         {"pool-system"},
		"cluster-metrics-server":                  {"pool-system"},
		"cluster-eks-node-monitoring-agent":       {"pool-system"},
		"cluster-amazon-cloudwatch-observability": {"pool-system", "cluster-insights-identity", "cluster-insights-role-CloudWatchAgentServerPolicy"},
		"cluster-neuron-device-plugin":            {"cluster-neuron-device-plugin-binding"},
		"network-nat-a":                           {"network-routes-public-internet"},
	} {
		r := g.one(t, name)
		for _, need := range needs {
			if !r.dependsOn(need) {
				t.Errorf("%s does not wait for %s", name, need)
			}
		}
	}
	for _, group := range g.of("aws:eks/nodeGroup:NodeGroup") {
		if group.name != "pool-system" && group.dependsOn("pool-system") {
			t.Errorf("%s waits for the system pool", group.name)
		}
	}
}

// Training waits for what a pod needs, and not for metrics and monitoring.
func TestTrainingDoesNotWaitForMonitoring(t *testing.T) {
	g := runWith(t, nil)
	namespace := g.one(t, "training-namespace")
	for _, need := range []string{
		"pool-system", "pool-gpu", "cluster-vpc-cni", "cluster-kube-proxy", "cluster-eks-pod-identity-agent", "cluster-coredns", "cluster-nvidia-device-plugin",
	} {
		if !namespace.dependsOn(need) {
			t.Errorf("training does not wait for %s", need)
		}
	}
	for _, monitoring := range []string{"cluster-metrics-server", "cluster-eks-node-monitoring-agent", "cluster-amazon-cloudwatch-observability"} {
		g.one(t, monitoring)
		for _, r := range g.resources {
			if r.dependsOn(monitoring) {
				t.Errorf("%s waits for %s", r.name, monitoring)
			}
		}
	}
}

// Every log group that EKS and the agents of Container Insights would create without a retention exists before them,
// with the retention of the settings.
func TestLogGroupsHaveRetention(t *testing.T) {
	const cluster = "llm-platform-dev"
	insights := []string{"application", "dataplane", "host", "performance"}
	for _, enabled := range []bool{true, false} {
		g := runWith(t, map[string]any{"cluster.containerInsights": enabled, "cluster.logDays": 14})
		want := map[string]string{"/aws/eks/" + cluster + "/cluster": "cluster-eks"} // by name: what writes to it
		for _, log := range insights {
			if enabled {
				want["/aws/containerinsights/"+cluster+"/"+log] = "cluster-amazon-cloudwatch-observability"
			}
		}
		for _, group := range g.of("aws:cloudwatch/logGroup:LogGroup") {
			if group.name == "network-flow-logs" {
				continue
			}
			writer, expected := want[text(group.inputs, "name")]
			if !expected {
				t.Errorf("container insights %t: log group %s", enabled, text(group.inputs, "name"))
				continue
			}
			delete(want, text(group.inputs, "name"))
			if days := at(group.inputs, "retentionInDays"); !days.IsNumber() || days.NumberValue() != 14 {
				t.Errorf("%s keeps logs for %v days", group.name, days)
			}
			if !g.one(t, writer).dependsOn(group.name) {
				t.Errorf("%s may create %s first", writer, group.name)
			}
		}
		if len(want) > 0 {
			t.Errorf("container insights %t: no log group for %v", enabled, want)
		}
	}
}

// Connecting to an existing cluster creates no cluster of AWS, and its kubeconfig is a secret.
func TestExistingCluster(t *testing.T) {
	existing, err := kubeconfig.Cluster{Name: "theirs", Endpoint: "https://theirs.test", CA: "Y2E=", Region: "eu-west-1"}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	set := withPools(map[string]any{"theirs": map[string]any{"instanceType": "p5.48xlarge", "labels": map[string]any{"team": "a"}}})
	set["cluster.kubeconfig"], set["cluster.publicCidrs"] = existing, []any{}
	g := runWith(t, set)
	g.one(t, "cluster")
	for _, r := range g.resources {
		for _, kind := range []string{"aws:ec2/", "aws:eks/", "eks:", "kubernetes:", "aws:cloudwatch/logGroup"} {
			if strings.HasPrefix(r.kind, kind) && r.parent() != "training" && r.parent() != "org" {
				t.Errorf("creates %s %s", r.kind, r.name)
			}
		}
	}
	config := g.one(t, "cluster-kubernetes").inputs["kubeconfig"]
	if !config.IsSecret() || config.SecretValue().Element.StringValue() != existing {
		t.Errorf("the provider's kubeconfig is %v", config)
	}
}
