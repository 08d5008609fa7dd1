//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
)

// cluster checks the control plane, its add-ons and its identities.
func (r *reader) cluster(publicCIDRs []string, addons []string) {
	r.t.Helper()
	ctx, client, name := r.t.Context(), eks.NewFromConfig(r.account), r.output("clusterName")
	cluster := must(client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})).Cluster
	r.equal("cluster: private endpoint", cluster.ResourcesVpcConfig.EndpointPrivateAccess, true)
	r.equal("cluster: public endpoint", cluster.ResourcesVpcConfig.EndpointPublicAccess, len(publicCIDRs) > 0)
	if len(publicCIDRs) > 0 {
		r.equal("cluster: public CIDR ranges", cluster.ResourcesVpcConfig.PublicAccessCidrs, publicCIDRs)
	}
	if len(cluster.EncryptionConfig) != 1 || !slices.Equal(cluster.EncryptionConfig[0].Resources, []string{"secrets"}) {
		r.t.Errorf("cluster: secrets are not encrypted: %v", cluster.EncryptionConfig)
	}
	r.equal("cluster: authentication", cluster.AccessConfig.AuthenticationMode, "API")
	for _, subnet := range must(ec2.NewFromConfig(r.account).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: cluster.ResourcesVpcConfig.SubnetIds})).Subnets {
		r.equal("cluster: VPC of "+*subnet.SubnetId, *subnet.VpcId, r.output("vpcId"))
	}
	var logs []ekstypes.LogType
	for _, setup := range cluster.Logging.ClusterLogging {
		if aws.ToBool(setup.Enabled) {
			logs = append(logs, setup.Types...)
		}
	}
	if !slices.Contains(logs, ekstypes.LogTypeAudit) {
		r.t.Errorf("cluster: audit log is off: %v", logs)
	}

	installed := must(client.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: &name})).Addons
	slices.Sort(installed)
	slices.Sort(addons)
	r.equal("cluster: add-ons", installed, addons)
	for _, addon := range installed {
		status := must(client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &name, AddonName: &addon})).Addon
		r.equal("add-on "+addon+": version is fixed", aws.ToString(status.AddonVersion) != "", true)
	}

	roles := map[string]string{}
	for _, identity := range must(client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: &name})).Associations {
		whole := must(client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &name, AssociationId: identity.AssociationId})).Association
		roles[*whole.Namespace+"/"+*whole.ServiceAccount] = *whole.RoleArn
	}
	r.equal("Pod Identity of the run", roles["training/"+r.output("runName")], r.output("trainingRoleArn"))
}

// pool describes a node group.
type pool struct {
	instanceType, ami, capacity string
	desired, largest            int32
	taint                       string // key=value
	interfaces                  int    // of the launch template; 0: EC2's default
	efa                         int    // of these, with EFA
}

// nodeGroups returns the node groups by pool, system among them.
func (r *reader) nodeGroups() map[string]*ekstypes.Nodegroup {
	r.t.Helper()
	ctx, client, name := r.t.Context(), eks.NewFromConfig(r.account), r.output("clusterName")
	byPool := map[string]*ekstypes.Nodegroup{}
	for _, id := range must(client.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: &name})).Nodegroups {
		group := must(client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &name, NodegroupName: &id})).Nodegroup
		pool := group.Labels["llm-platform/pool"]
		if pool == "" {
			pool = "system"
		}
		if other, twice := byPool[pool]; twice {
			r.t.Errorf("pool %s has two node groups: %s, %s", pool, *other.NodegroupName, id)
		}
		byPool[pool] = group
	}
	return byPool
}

// pools checks every node group with its launch template.
func (r *reader) pools(want map[string]pool) {
	r.t.Helper()
	ctx, groups := r.t.Context(), r.nodeGroups()
	r.equal("number of node groups", len(groups), len(want))
	for label, group := range groups {
		expected, ok := want[label]
		if !ok {
			r.t.Errorf("node group %s: of pool %q, which is not expected", *group.NodegroupName, label)
			continue
		}
		what := "pool " + label
		r.equal(what+": image", group.AmiType, expected.ami)
		r.equal(what+": capacity", group.CapacityType, expected.capacity)
		r.equal(what+": nodes", []int32{*group.ScalingConfig.DesiredSize, *group.ScalingConfig.MaxSize}, []int32{expected.desired, expected.largest})
		var taints []string
		for _, taint := range group.Taints {
			taints = append(taints, *taint.Key+"="+*taint.Value)
		}
		r.equal(what+": taints", strings.Join(taints, " "), expected.taint)

		template := must(ec2.NewFromConfig(r.account).DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
			LaunchTemplateId: group.LaunchTemplate.Id, Versions: []string{*group.LaunchTemplate.Version},
		})).LaunchTemplateVersions[0].LaunchTemplateData
		// A type in the template overrides the list of the group.
		instanceTypes := group.InstanceTypes
		if template.InstanceType != "" {
			instanceTypes = []string{string(template.InstanceType)}
		}
		r.equal(what+": instance types", instanceTypes, []string{expected.instanceType})
		r.equal(what+": metadata tokens", template.MetadataOptions.HttpTokens, "required")
		r.equal(what+": metadata hops", aws.ToInt32(template.MetadataOptions.HttpPutResponseHopLimit), 1)
		for _, disk := range template.BlockDeviceMappings {
			r.equal(what+": disk "+*disk.DeviceName+" is encrypted", aws.ToBool(disk.Ebs.Encrypted), true)
		}
		r.equal(what+": disks", len(template.BlockDeviceMappings) > 0, true)
		efa := 0
		for _, card := range template.NetworkInterfaces {
			if strings.HasPrefix(aws.ToString(card.InterfaceType), "efa") {
				efa++
			}
		}
		r.equal(what+": interfaces", []int{len(template.NetworkInterfaces), efa}, []int{expected.interfaces, expected.efa})
		tagged := slices.ContainsFunc(template.TagSpecifications, func(s ec2types.LaunchTemplateTagSpecification) bool {
			return s.ResourceType == ec2types.ResourceTypeInstance && slices.ContainsFunc(s.Tags, func(tag ec2types.Tag) bool { return *tag.Key == "ManagedBy" })
		})
		r.equal(what+": instances are tagged", tagged, true)
	}
}

// kubectl reads an object from the API server of KUBECONFIG; nil if it does not exist.
func (r *reader) kubectl(args ...string) map[string]any {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "kubectl", append([]string{"--kubeconfig", os.Getenv("KUBECONFIG"), "get", "-o", "json", "--ignore-not-found"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("kubectl get %v: %v: %s", args, err, errs.String())
	}
	if len(out) == 0 {
		return nil
	}
	object := map[string]any{}
	if err := json.Unmarshal(out, &object); err != nil {
		r.t.Fatal(err)
	}
	return object
}

// deleteObjects deletes the Kubernetes objects among the resources of a run, namespaces last, and returns "type name" of
// each.
func deleteObjects(t *testing.T, result engine.Result) []string {
	t.Helper()
	var deleted []string
	remove := func(namespaces bool) {
		for _, step := range result.Steps {
			kind, isObject := strings.CutPrefix(step.Type, "kubernetes:")
			if kind = kind[strings.LastIndex(kind, ":")+1:]; !isObject || step.New == nil || (kind == "Namespace") != namespaces {
				continue
			}
			args := []string{"--kubeconfig", os.Getenv("KUBECONFIG"), "delete", "--ignore-not-found", "--timeout=2m", kind}
			if namespace, name, namespaced := strings.Cut(step.New.ID, "/"); namespaced {
				args = append(args, name, "--namespace", namespace)
			} else {
				args = append(args, step.New.ID)
			}
			if out, err := exec.CommandContext(t.Context(), "kubectl", args...).CombinedOutput(); err != nil {
				t.Fatalf("kubectl %v: %v: %s", args[2:], err, out)
			}
			deleted = append(deleted, step.Type+" "+step.Name())
		}
	}
	remove(false)
	remove(true)
	if len(deleted) < 5 {
		t.Fatalf("only %v were deleted: this test tests little", deleted)
	}
	return deleted
}

// job checks the training Job and the scripts that it mounts.
func (r *reader) job(nodes int, image string) {
	r.t.Helper()
	name := r.output("runName")
	job := r.kubectl("job", name, "-n", "training")
	if name == "" || job == nil {
		r.t.Errorf("no Job %q", name)
		return
	}
	account := name
	if r.output("clusterName") == "" {
		account = "training" // to which the owner of an existing cluster grants access
	}
	for path, want := range map[string]any{
		"spec.completions": nodes, "spec.parallelism": nodes, "spec.completionMode": "Indexed",
		"spec.podReplacementPolicy": "Failed", "spec.maxFailedIndexes": 0,
		"spec.template.spec.subdomain": r.output("runName"), "spec.template.spec.automountServiceAccountToken": false,
		"spec.template.spec.serviceAccountName": account,
	} {
		r.equal("Job: "+path, stackfile.Get(job, path), want)
	}
	labels, _ := stackfile.Get(job, "metadata.labels").(map[string]any)
	r.equal("Job: commit", labels["llm-platform/script-commit"], r.output("scriptCommit"))
	containers, _ := stackfile.Get(job, "spec.template.spec.containers").([]any)
	container, _ := containers[0].(map[string]any)
	r.equal("Job: image", container["image"], image)
	r.equal("Service: publishes addresses of pods that are not ready",
		stackfile.Get(r.kubectl("service", r.output("runName"), "-n", "training"), "spec.publishNotReadyAddresses"), true)
	r.equal("namespace: Pod Security", stackfile.Get(r.kubectl("namespace", "training"), "metadata.labels").(map[string]any)["pod-security.kubernetes.io/enforce"], "restricted")
	scripts, _ := stackfile.Get(r.kubectl("configmap", r.output("runName"), "-n", "training"), "data").(map[string]any)
	r.equal("ConfigMap: train.py", scripts["train.py"] == script(r.t, "train.py"), true)
}

// running waits until every pod of the Job runs.
func (r *reader) running() {
	r.t.Helper()
	var phases []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		phases = nil
		pods, _ := r.kubectl("pods", "-n", "training", "-l", "batch.kubernetes.io/job-name="+r.output("runName"))["items"].([]any)
		ready := len(pods) > 0
		for _, pod := range pods {
			phase := fmt.Sprint(stackfile.Get(pod.(map[string]any), "status.phase"))
			phases = append(phases, phase)
			ready = ready && phase == "Running"
		}
		if ready {
			return
		}
	}
	r.t.Errorf("the Job's pods do not run: %v", phases)
}
