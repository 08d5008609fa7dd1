package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const region = "us-west-2" // of every stack here

// management is the configuration of the environment's own credentials.
func management(ctx context.Context) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithRegion(region),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
}

// organizationThere tells whether the emulator has been used before.
func organizationThere(ctx context.Context) (bool, error) {
	cfg, err := management(ctx)
	if err != nil {
		return false, err
	}
	_, err = organizations.NewFromConfig(cfg).DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	var none *orgtypes.AWSOrganizationsNotInUseException
	if errors.As(err, &none) {
		return false, nil
	}
	return err == nil, err
}

// reader reads back what is in the clouds, past Pulumi: with the AWS SDK, kubectl and GitHub's API. What it
// cannot read is an error of the test.
type reader struct {
	t       *testing.T
	outputs map[string]any
	account aws.Config // the training account's
	own     aws.Config // the management account's
}

func newReader(t *testing.T, outputs map[string]any) *reader {
	t.Helper()
	own, err := management(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, outputs: outputs, own: own, account: own}
	id := accountID(outputs, "training")
	if caller := need(sts.NewFromConfig(own).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t); id != *caller.Account {
		r.account = own.Copy()
		role := fmt.Sprintf("arn:aws:iam::%s:role/OrganizationAccountAccessRole", id)
		r.account.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(own), role))
	}
	return r
}

func accountID(outputs map[string]any, account string) string {
	ids, _ := outputs["accountIds"].(map[string]any)
	return fmt.Sprint(ids[account])
}

// need is the answer of a call that must succeed.
func need[T any](answer T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func (r *reader) output(name string) string { return fmt.Sprint(r.outputs[name]) }

// equal reports what is not as it should be.
func (r *reader) equal(what string, got, want any) {
	r.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		r.t.Errorf("%s is %s, not %s", what, g, w)
	}
}

func bucketClient(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true // an emulator's host name has no subdomains
		o.DisableLogOutputChecksumValidationSkipped = true
	})
}

// buckets reads every bucket of the stack and what keeps it private. It returns their number.
func (r *reader) buckets(prefix string) int {
	r.t.Helper()
	ctx, client := r.t.Context(), bucketClient(r.account)
	seen := 0
	for _, bucket := range need(client.ListBuckets(ctx, &s3.ListBucketsInput{}))(r.t).Buckets {
		name := bucket.Name
		if !strings.HasPrefix(*name, prefix) {
			continue
		}
		seen++
		versioning := need(client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name}))(r.t)
		r.equal(*name+": versioning", versioning.Status, "Enabled")
		encryption := need(client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name}))(r.t)
		rule := encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault
		if strings.Contains(*name, "-logs-") { // S3 delivers logs only where it may encrypt with its own key
			r.equal(*name+": encryption", rule.SSEAlgorithm, "AES256")
		} else {
			r.equal(*name+": encryption", rule.SSEAlgorithm, "aws:kms")
			r.equal(*name+": key", aws.ToString(rule.KMSMasterKeyID), r.output("dataKeyArn"))
		}
		block := need(client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name}))(r.t).PublicAccessBlockConfiguration
		r.equal(*name+": public access blocks",
			[]bool{*block.BlockPublicAcls, *block.BlockPublicPolicy, *block.IgnorePublicAcls, *block.RestrictPublicBuckets}, []bool{true, true, true, true})
		policy := need(client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name}))(r.t)
		if !denies(r.t, *policy.Policy, "aws:SecureTransport") {
			r.t.Errorf("%s: its policy does not deny what comes without TLS: %s", *name, *policy.Policy)
		}
		tags := map[string]string{}
		for _, tag := range need(client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: name}))(r.t).TagSet {
			tags[*tag.Key] = *tag.Value
		}
		r.equal(*name+": tag ManagedBy", tags["ManagedBy"], "pulumi")
		r.equal(*name+": tag Environment", tags["Environment"] != "", true)
	}
	return seen
}

// denies tells whether a policy has a Deny with a condition on key.
func denies(t *testing.T, document, key string) bool {
	t.Helper()
	var policy struct {
		Statement []struct {
			Effect    string
			Condition map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(document), &policy); err != nil {
		t.Fatal(err)
	}
	for _, statement := range policy.Statement {
		for _, condition := range statement.Condition {
			if _, ok := condition[key]; ok && statement.Effect == "Deny" {
				return true
			}
		}
	}
	return false
}

// object is the content at s3://bucket/key, as the training account reads it.
func (r *reader) object(url string) string {
	r.t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	client := bucketClient(r.account)
	answer := need(client.GetObject(r.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key}))(r.t)
	defer answer.Body.Close()
	return string(need(io.ReadAll(answer.Body))(r.t))
}

// guardrails reads the service control policies of the stack, by name without what auto-naming adds, and
// returns how many targets each is attached to. Each must hold a Deny.
func (r *reader) guardrails(prefix string) map[string]int {
	r.t.Helper()
	ctx, client := r.t.Context(), organizations.NewFromConfig(r.own)
	attached := map[string]int{}
	for _, policy := range need(client.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: orgtypes.PolicyTypeServiceControlPolicy}))(r.t).Policies {
		name, ours := strings.CutPrefix(*policy.Name, prefix)
		if !ours {
			continue
		}
		content := need(client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: policy.Id}))(r.t).Policy.Content
		if !strings.Contains(*content, `"Deny"`) {
			r.t.Errorf("service control policy %s denies nothing: %s", *policy.Name, *content)
		}
		targets := need(client.ListTargetsForPolicy(ctx, &organizations.ListTargetsForPolicyInput{PolicyId: policy.Id}))(r.t).Targets
		attached[name[:strings.LastIndex(name, "-")]] = len(targets)
	}
	return attached
}

// unitOf is the name of the organizational unit that an account is in.
func (r *reader) unitOf(account string) string {
	r.t.Helper()
	ctx, client := r.t.Context(), organizations.NewFromConfig(r.own)
	id := accountID(r.outputs, account)
	parent := need(client.ListParents(ctx, &organizations.ListParentsInput{ChildId: &id}))(r.t).Parents[0]
	return *need(client.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: parent.Id}))(r.t).OrganizationalUnit.Name
}

// cluster reads the control plane, its add-ons and its identities.
func (r *reader) cluster(publicCIDRs []string, addons []string) {
	r.t.Helper()
	ctx, client, name := r.t.Context(), eks.NewFromConfig(r.account), r.output("clusterName")
	cluster := need(client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name}))(r.t).Cluster
	r.equal("cluster: private endpoint", cluster.ResourcesVpcConfig.EndpointPrivateAccess, true)
	r.equal("cluster: public endpoint", cluster.ResourcesVpcConfig.EndpointPublicAccess, len(publicCIDRs) > 0)
	if len(publicCIDRs) > 0 {
		r.equal("cluster: public addresses", cluster.ResourcesVpcConfig.PublicAccessCidrs, publicCIDRs)
	}
	if len(cluster.EncryptionConfig) != 1 || !slices.Equal(cluster.EncryptionConfig[0].Resources, []string{"secrets"}) {
		r.t.Errorf("cluster: secrets are not encrypted: %v", cluster.EncryptionConfig)
	}
	r.equal("cluster: authentication", cluster.AccessConfig.AuthenticationMode, "API")
	for _, subnet := range need(ec2.NewFromConfig(r.account).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: cluster.ResourcesVpcConfig.SubnetIds}))(r.t).Subnets {
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

	installed := need(client.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: &name}))(r.t).Addons
	slices.Sort(installed)
	slices.Sort(addons)
	r.equal("cluster: add-ons", installed, addons)
	for _, addon := range installed {
		status := need(client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &name, AddonName: &addon}))(r.t).Addon
		r.equal("add-on "+addon+": version is fixed", aws.ToString(status.AddonVersion) != "", true)
	}

	roles := map[string]string{}
	for _, identity := range need(client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: &name}))(r.t).Associations {
		whole := need(client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &name, AssociationId: identity.AssociationId}))(r.t).Association
		roles[*whole.Namespace+"/"+*whole.ServiceAccount] = *whole.RoleArn
	}
	r.equal("Pod Identity of training/training", roles["training/training"], r.output("trainingRoleArn"))
}

// pool is what a node group must be.
type pool struct {
	instanceType, ami, capacity string
	desired, largest            int32
	taint                       string // key=value
	interfaces                  int    // that the launch template names; 0: left to EC2
	efa                         int    // of these, with EFA
}

// pools reads every node group with its launch template.
func (r *reader) pools(want map[string]pool) {
	r.t.Helper()
	ctx, client, name := r.t.Context(), eks.NewFromConfig(r.account), r.output("clusterName")
	groups := need(client.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: &name}))(r.t).Nodegroups
	r.equal("number of node groups", len(groups), len(want))
	for _, id := range groups {
		group := need(client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &name, NodegroupName: &id}))(r.t).Nodegroup
		label := group.Labels["llm-platform/pool"]
		if label == "" {
			label = "system"
		}
		expected, ok := want[label]
		if !ok {
			r.t.Errorf("node group %s: of pool %q, which is not expected", id, label)
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

		template := need(ec2.NewFromConfig(r.account).DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
			LaunchTemplateId: group.LaunchTemplate.Id, Versions: []string{*group.LaunchTemplate.Version},
		}))(r.t).LaunchTemplateVersions[0].LaunchTemplateData
		// Where the template has a type, the group's own list stands for nothing.
		types := group.InstanceTypes
		if template.InstanceType != "" {
			types = []string{string(template.InstanceType)}
		}
		r.equal(what+": instance types", types, []string{expected.instanceType})
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

// network reads the VPC's subnets and its default security group.
func (r *reader) network(subnets int) {
	r.t.Helper()
	ctx, client := r.t.Context(), ec2.NewFromConfig(r.account)
	within := []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{r.output("vpcId")}}}
	found := need(client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: within}))(r.t).Subnets
	r.equal("subnets", len(found), subnets)
	for _, subnet := range found {
		r.equal("subnet "+*subnet.SubnetId+": gives public addresses", aws.ToBool(subnet.MapPublicIpOnLaunch), false)
	}
	groups := need(client.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: append(within, ec2types.Filter{Name: aws.String("group-name"), Values: []string{"default"}}),
	}))(r.t).SecurityGroups
	r.equal("default security groups", len(groups), 1)
	for _, group := range groups {
		r.equal("default security group: rules", len(group.IpPermissions)+len(group.IpPermissionsEgress), 0)
	}
}

// left lists what the training account still has that costs money or grants access, one "kind name" each.
func (r *reader) left() []string {
	r.t.Helper()
	ctx, compute := r.t.Context(), ec2.NewFromConfig(r.account)
	var all []string
	for _, bucket := range need(bucketClient(r.account).ListBuckets(ctx, &s3.ListBucketsInput{}))(r.t).Buckets {
		all = append(all, "bucket "+*bucket.Name)
	}
	for _, vpc := range need(compute.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}))(r.t).Vpcs {
		if !aws.ToBool(vpc.IsDefault) {
			all = append(all, "vpc "+*vpc.VpcId)
		}
	}
	for _, gateway := range need(compute.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{}))(r.t).NatGateways {
		if gateway.State != ec2types.NatGatewayStateDeleted {
			all = append(all, "nat gateway "+*gateway.NatGatewayId)
		}
	}
	for _, address := range need(compute.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{}))(r.t).Addresses {
		all = append(all, "address "+aws.ToString(address.PublicIp))
	}
	for _, template := range need(compute.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{}))(r.t).LaunchTemplates {
		all = append(all, "launch template "+*template.LaunchTemplateName)
	}
	for _, cluster := range need(eks.NewFromConfig(r.account).ListClusters(ctx, &eks.ListClustersInput{}))(r.t).Clusters {
		all = append(all, "cluster "+cluster)
	}
	for _, role := range need(iam.NewFromConfig(r.account).ListRoles(ctx, &iam.ListRolesInput{}))(r.t).Roles {
		if !strings.HasPrefix(*role.Path, "/aws-service-role/") && *role.RoleName != "OrganizationAccountAccessRole" {
			all = append(all, "role "+*role.RoleName)
		}
	}
	slices.Sort(all)
	return all
}

// kubectl reads an object of the control plane that KUBECONFIG names; nil if it is not there.
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

// job reads the training Job and the scripts that it mounts.
func (r *reader) job(nodes int, image string) {
	r.t.Helper()
	name := r.output("jobName")
	job := r.kubectl("job", name, "-n", "training")
	if name == "" || job == nil {
		r.t.Errorf("no Job %q", name)
		return
	}
	for path, want := range map[string]any{
		"spec.completions": nodes, "spec.parallelism": nodes, "spec.completionMode": "Indexed",
		"spec.podReplacementPolicy": "Failed", "spec.maxFailedIndexes": 0,
		"spec.template.spec.subdomain": r.output("runName"), "spec.template.spec.automountServiceAccountToken": false,
		"spec.template.spec.serviceAccountName": "training",
	} {
		r.equal("Job: "+path, at(job, path), want)
	}
	labels, _ := at(job, "metadata.labels").(map[string]any)
	r.equal("Job: commit", labels["llm-platform/script-commit"], r.output("scriptCommit"))
	containers, _ := at(job, "spec.template.spec.containers").([]any)
	container, _ := containers[0].(map[string]any)
	r.equal("Job: image", container["image"], image)
	r.equal("Service: publishes addresses of pods that are not ready",
		at(r.kubectl("service", r.output("runName"), "-n", "training"), "spec.publishNotReadyAddresses"), true)
	r.equal("namespace: Pod Security", at(r.kubectl("namespace", "training"), "metadata.labels").(map[string]any)["pod-security.kubernetes.io/enforce"], "restricted")
	scripts, _ := at(r.kubectl("configmap", r.output("runName"), "-n", "training"), "data").(map[string]any)
	r.equal("ConfigMap: train.py", scripts["train.py"] == script(r.t, "train.py"), true)
}

// at is the value at a dotted path.
func at(object map[string]any, path string) any {
	var value any = object
	for _, step := range strings.Split(path, ".") {
		fields, _ := value.(map[string]any)
		value = fields[step]
	}
	return value
}

func script(t *testing.T, name string) string {
	t.Helper()
	return string(need(os.ReadFile(filepath.Join(root, "scripts", name)))(t))
}

// github asks GitHub's API for a path of the scripts' repository; ok is false if it is not there.
func (r *reader) github(path string) (answer map[string]any, ok bool) {
	r.t.Helper()
	url := strings.TrimSuffix(os.Getenv("GITHUB_BASE_URL"), "/") + "/repos/" + repository() + "/" + path
	request := need(http.NewRequestWithContext(r.t.Context(), http.MethodGet, url, nil))(r.t)
	request.Header.Set("Authorization", "token "+os.Getenv("GITHUB_TOKEN"))
	response := need(http.DefaultClient.Do(request))(r.t)
	defer response.Body.Close()
	body := need(io.ReadAll(response.Body))(r.t)
	switch response.StatusCode {
	case http.StatusOK:
		if err := json.Unmarshal(body, &answer); err != nil {
			r.t.Fatal(err)
		}
		return answer, true
	case http.StatusNotFound:
		return nil, false
	}
	r.t.Fatalf("GET %s: %s: %s", url, response.Status, body)
	return nil, false
}

// branch reads the branch: its head must be the commit that the Job names, and its scripts those of this folder.
func (r *reader) branch(name string) {
	r.t.Helper()
	head, ok := r.github("git/ref/heads/" + name)
	if !ok {
		r.t.Errorf("no branch %s", name)
		return
	}
	r.equal("head of "+name, at(head, "object.sha"), r.output("scriptCommit"))
	file, ok := r.github("contents/scripts/train.py?ref=" + name)
	if !ok {
		r.t.Errorf("branch %s has no scripts/train.py", name)
		return
	}
	text := need(base64.StdEncoding.DecodeString(strings.ReplaceAll(fmt.Sprint(file["content"]), "\n", "")))(r.t)
	r.equal("scripts/train.py of "+name+" is the delivered one", string(text) == script(r.t, "train.py"), true)
}

// repository is where the scripts go: E2E_REPOSITORY, as owner/name.
func repository() string {
	if name := os.Getenv("E2E_REPOSITORY"); name != "" {
		return name
	}
	return "llm/training-scripts"
}
