package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// naming says which input is the physical name of a resource type, and what the vendor accepts. The limits are those of
// AWS's API models (botocore 1.44.8, read 2026-11-26), except where another source is named.
type naming struct {
	input   string // empty: the type has no name, or its name is one that the vendor has given, such as a policy's ARN
	longest int
	pattern *regexp.Regexp
}

func namings() map[string]naming {
	none := naming{}
	iam := func(longest int) naming { return naming{"name", longest, regexp.MustCompile(`^[\w+=,.@-]+$`)} }
	// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
	object := naming{"metadata.name", 63, regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)}
	all := map[string]naming{
		"aws:cloudtrail/trail:Trail":                              {"name", 128, regexp.MustCompile(`^[A-Za-z0-9]([._-]?[A-Za-z0-9])*$`)}, // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
		"aws:budgets/budget:Budget":                               {"name", 100, regexp.MustCompile(`^[^:\\]+$`)},
		"aws:cloudwatch/logGroup:LogGroup":                        {"name", 512, regexp.MustCompile(`^[.\-_/#A-Za-z0-9]+$`)},
		"aws:datasync/task:Task":                                  {"name", 256, regexp.MustCompile(`^[a-zA-Z0-9\s+=._:@/-]+$`)},
		"aws:ec2/launchTemplate:LaunchTemplate":                   {"name", 128, regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,}$`)},
		"aws:ec2/placementGroup:PlacementGroup":                   {"name", 255, regexp.MustCompile(`^[ -~]+$`)},
		"aws:ec2/securityGroup:SecurityGroup":                     {"name", 255, securityGroupText},
		"aws:ecr/repository:Repository":                           {"name", 256, regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$`)},
		"aws:eks/addon:Addon":                                     {"addonName", 100, regexp.MustCompile(`^[0-9a-z-]+$`)},
		"aws:eks/nodeGroup:NodeGroup":                             {"nodeGroupName", 63, regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]*$`)},
		"aws:iam/role:Role":                                       iam(64),
		"aws:iam/rolePolicy:RolePolicy":                           iam(128),
		"aws:organizations/account:Account":                       {"name", 50, regexp.MustCompile(`^[ -~]+$`)},
		"aws:organizations/organizationalUnit:OrganizationalUnit": {"name", 128, regexp.MustCompile(`^[\s\S]+$`)},
		"aws:organizations/policy:Policy":                         {"name", 128, regexp.MustCompile(`^[\s\S]+$`)},
		"aws:resourcegroups/group:Group":                          {"name", 300, regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)},
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
		"aws:s3/bucketV2:BucketV2":                        {"bucket", 63, regexp.MustCompile(`^[a-z0-9][a-z0-9.-]+[a-z0-9]$`)},
		"aws:sagemaker/notebookInstance:NotebookInstance": {"name", 63, regexp.MustCompile(`^[a-zA-Z0-9](-*[a-zA-Z0-9])*$`)},
		"eks:index:Cluster":                               {"name", 100, regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]*$`)},
		"gitlab:index/branch:Branch":                      none,
		"gitlab:index/repositoryFile:RepositoryFile":      none,
		"github:index/branch:Branch":                      none,
		"github:index/repositoryFile:RepositoryFile":      none,
	}
	for _, typ := range strings.Fields(`budgets/budgetAction:BudgetAction ebs/encryptionByDefault:EncryptionByDefault
		ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess ec2/imageBlockPublicAccess:ImageBlockPublicAccess
		s3/accountPublicAccessBlock:AccountPublicAccessBlock datasync/s3Location:S3Location ec2/defaultSecurityGroup:DefaultSecurityGroup
		ec2/eip:Eip ec2/flowLog:FlowLog ec2/internetGateway:InternetGateway ec2/natGateway:NatGateway ec2/route:Route ec2/routeTable:RouteTable
		ec2/routeTableAssociation:RouteTableAssociation ec2/subnet:Subnet ec2/vpc:Vpc ec2/vpcEndpoint:VpcEndpoint ecr/lifecyclePolicy:LifecyclePolicy
		eks/accessEntry:AccessEntry eks/accessPolicyAssociation:AccessPolicyAssociation eks/podIdentityAssociation:PodIdentityAssociation
		iam/openIdConnectProvider:OpenIdConnectProvider iam/rolePolicyAttachment:RolePolicyAttachment kms/key:Key
		organizations/organization:Organization organizations/policyAttachment:PolicyAttachment s3/bucketObjectv2:BucketObjectv2
		s3/objectCopy:ObjectCopy s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 s3/bucketLoggingV2:BucketLoggingV2
		s3/bucketOwnershipControls:BucketOwnershipControls s3/bucketPolicy:BucketPolicy s3/bucketPublicAccessBlock:BucketPublicAccessBlock
		s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2 s3/bucketVersioningV2:BucketVersioningV2`) {
		all["aws:"+typ] = none
	}
	for _, typ := range strings.Fields(`apps/v1:DaemonSet batch/v1:Job core/v1:ConfigMap core/v1:Namespace core/v1:ResourceQuota core/v1:Secret core/v1:Service
		core/v1:ServiceAccount rbac.authorization.k8s.io/v1:ClusterRole rbac.authorization.k8s.io/v1:ClusterRoleBinding
		networking.k8s.io/v1:NetworkPolicy rbac.authorization.k8s.io/v1:Role rbac.authorization.k8s.io/v1:RoleBinding`) {
		all["kubernetes:"+typ] = object
	}
	return all
}

// securityGroupText is what EC2 takes for name and description of a security group.
var securityGroupText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$`)

// autoNaming matches the pattern of Pulumi.yaml. With it the engine names what has no name in the program.
var autoNaming = regexp.MustCompile(`(?m)^\s+pattern: \$\{project\}-\$\{stack\}-\$\{name\}-\$\{hex\((\d)\)\}$`)

// The longest names that the settings accept, and odd ones, fit every physical name that they are part of. A type that
// the table does not have fails: somebody must look up its limit.
func TestLongestNames(t *testing.T) {
	project, err := os.ReadFile("Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if digits := autoNaming.FindSubmatch(project); digits == nil || string(digits[1]) != "7" {
		t.Fatalf("Pulumi.yaml names resources otherwise than this test: %q", digits)
	}
	letters := func(n int) string { return strings.Repeat("abcdefghi-", 10)[:n-1] + "x" }
	for _, stack := range []string{letters(20), "a-1-b-2-c-3-d-4-e-5z", "x"} {
		longest := letters(20) // of an account
		set := map[string]any{
			"organization.organizationalUnits": []any{"Workloads of the research department _-", "o"},
			"organization.accounts": map[string]any{
				"training": map[string]any{"organizationalUnit": "o"}, longest: map[string]any{},
			},
			"organization.emailTemplate":         "a{stack}{account}@example.com",
			"budget.monthlyUSD":                  map[string]any{"training": 1, longest: 1},
			"ci.account":                         longest,
			"storage.copies":                     map[string]any{letters(40): map[string]any{"source": "sample/corpus.txt"}},
			"storage.transfers":                  map[string]any{letters(40): map[string]any{}},
			"sagemaker.notebookInstanceType":     "ml.t3.medium",
			"sagemaker.notebookSubnetId":         "subnet-0123456789abcdef0",
			"sagemaker.notebookSecurityGroupIds": []any{"sg-0123456789abcdef0"},
			"network.zones":                      []any{"a", "b", "c"},
			"network.interfaceEndpoints":         []any{"elasticloadbalancing"},
			"cluster.access": map[string]any{
				letters(40): map[string]any{"principal": "arn:aws:iam::111122223333:role/research", "role": "scientist"},
			},
			"cluster.pools": map[string]any{
				letters(16): map[string]any{"instanceType": "p4d.24xlarge", "nodes": 1},
				"neuron":    map[string]any{"instanceType": "trn1.32xlarge"},
			},
			"roles.scientists": []any{"arn:aws:iam::111122223333:role/research"}, "roles.imagePushers": []any{"arn:aws:iam::111122223333:role/research"},
			"training.pool":    letters(16),
			"training.name":    letters(30),
			"training.secrets": map[string]any{"HF_TOKEN": "x"},
		}
		g, err := runAs(t, stack, "dev", set, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkNames(t, g, "llm-platform-"+stack+"-")
	}
}

func checkNames(t *testing.T, g *graph, prefix string) {
	t.Helper()
	table, checked := namings(), map[string]bool{}
	for _, name := range g.names() {
		r := g.resources[name]
		if strings.HasPrefix(r.kind, "llm:") || strings.HasPrefix(r.kind, "pulumi:") {
			continue
		}
		rule, ok := table[r.kind]
		if !ok {
			t.Errorf("%s: the limits of its name are not in the table", r.kind)
			continue
		}
		if rule.input == "" {
			continue
		}
		physical := text(r.inputs, rule.input)
		if physical == "" {
			physical = prefix + r.name + "-0123456"
		}
		if len(physical) > rule.longest || !rule.pattern.MatchString(physical) {
			t.Errorf("%s %s is called %q, of %d characters: %s takes %d of %s", r.kind, r.name, physical, len(physical), rule.input, rule.longest, rule.pattern)
		}
		checked[r.kind] = true
	}
	for typ, rule := range table {
		if rule.input != "" && !checked[typ] {
			t.Errorf("no %s was registered: its names are not tested", typ)
		}
	}
	for _, group := range g.of("aws:ec2/securityGroup:SecurityGroup") {
		if description := text(group.inputs, "description"); len(description) > 255 || !securityGroupText.MatchString(description) {
			t.Errorf("%s has the description %q, which EC2 refuses", group.name, description)
		}
	}
	// A pod of a run has the name of the Job and its index as host name.
	for _, job := range g.of("kubernetes:batch/v1:Job") {
		if host := text(job.inputs, "metadata.name") + "-9998"; len(host) > 63 {
			t.Errorf("a pod has the host name %s, of %d characters", host, len(host))
		}
	}
}
