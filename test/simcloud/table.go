package simcloud

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const (
	accountType      = "aws:organizations/account:Account"
	attachmentType   = "aws:organizations/policyAttachment:PolicyAttachment"
	bucketType       = "aws:s3/bucketV2:BucketV2"
	clusterType      = "aws:eks/cluster:Cluster"
	controlType      = "aws:organizations/policy:Policy"
	addonType        = "aws:eks/addon:Addon"
	copyType         = "aws:s3/objectCopy:ObjectCopy"
	groupType        = "aws:eks/nodeGroup:NodeGroup"
	logGroupType     = "aws:cloudwatch/logGroup:LogGroup"
	jobType          = "kubernetes:batch/v1:Job"
	objectType       = "aws:s3/bucketObjectv2:BucketObjectv2"
	organizationType = "aws:organizations/organization:Organization"
	roleType         = "aws:iam/role:Role"
	subnetType       = "aws:ec2/subnet:Subnet"
	vpcType          = "aws:ec2/vpc:Vpc"
	unitType         = "aws:organizations/organizationalUnit:OrganizationalUnit"
)

// kind says how a resource type behaves. Lists are separated by spaces.
type kind struct {
	name    string // the input that is auto-named if absent
	longest int    // characters of the name, by the vendor's documentation; 0: not checked
	taken   string // the vendor's error code for a second resource with the same id or unique inputs; "": it overwrites
	unique  string // the inputs that are unique together; "": the id is
	replace string // paths of the inputs whose change replaces the resource
	tags    bool   // takes the provider's default tags
	global  bool   // belongs to an account, not to a region of it

	id      func(view) string // nil: the name
	outputs func(view) values // what the vendor adds; an input of the same name wins
	moves   moves             // the outputs that get a new value with an update
}

type values = map[string]any

// moves reports for an output whether an update changes it.
type moves = map[string]func(old, news resource.PropertyMap) bool

// random returns ids like "vpc-0123456789abcdef0".
func random(prefix string) func(view) string {
	return func(v view) string { return prefix + v.hex("id", 17) }
}

// joined returns ids of inputs with a separator between them.
func joined(separator string, inputs ...string) func(view) string {
	return func(v view) string {
		var parts []string
		for _, input := range inputs {
			parts = append(parts, v.input(input))
		}
		return strings.Join(parts, separator)
	}
}

// arn returns the output arn: a prefix and the id.
func arn(service, prefix string) func(view) values {
	return func(v view) values { return values{"arn": v.arn(service, prefix+v.id)} }
}

// arnID returns ids that are ARNs: a prefix and a random name.
func arnID(service, prefix string) func(view) string {
	return func(v view) string { return v.arn(service, prefix+v.hex("id", 17)) }
}

func region(v view) string { return v.region }

func arnOutput(v view) values { return values{"arn": v.id} }

// changes reports whether one of the inputs changed; of none, whether any did.
func changes(inputs ...string) func(old, news resource.PropertyMap) bool {
	return func(old, news resource.PropertyMap) bool {
		for path := range difference(old, news) {
			for _, input := range inputs {
				if path == input || strings.HasPrefix(path, input+".") || strings.HasPrefix(path, input+"[") {
					return true
				}
			}
			if len(inputs) == 0 {
				return true
			}
		}
		return false
	}
}

// kinds lists the types that the program can register, and no others (TestTable). The columns replace, tags and name are
// those of the provider schemas (willReplaceOnChanges, tagsAll, optional name). They are not generated from these, which
// come with the provider plugins and not with their Go modules. outputs has what the program or a test reads.
func kinds() map[string]kind {
	all := map[string]kind{
		// Account: organizations, IAM, budgets.
		"aws:budgets/budget:Budget": {name: "name", longest: 100, taken: "DuplicateRecordException", tags: true, global: true,
			replace: "accountId name", id: func(v view) string { return v.account + ":" + v.input("name") }},
		"aws:budgets/budgetAction:BudgetAction": {tags: true, global: true, replace: "accountId actionType budgetName", id: random("")},
		"aws:iam/openIdConnectProvider:OpenIdConnectProvider": {taken: "EntityAlreadyExists", tags: true, global: true, replace: "url", outputs: arnOutput,
			id: func(v view) string {
				return v.arn("iam", "oidc-provider/"+strings.TrimPrefix(v.input("url"), "https://"))
			}},
		roleType:                        {name: "name", longest: 64, taken: "EntityAlreadyExists", tags: true, global: true, replace: "name path", outputs: arn("iam", "role/")},
		"aws:iam/rolePolicy:RolePolicy": {name: "name", longest: 128, global: true, replace: "name role", id: joined(":", "role", "name")},
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment": {global: true, replace: "policyArn role", id: joined("/", "role", "policyArn")},
		accountType: {name: "name", longest: 50, taken: "EMAIL_ALREADY_EXISTS", unique: "email", tags: true, global: true,
			replace: "email iamUserAccessToBilling name roleName", id: func(v view) string { return v.digits("id") },
			outputs: func(v view) values {
				return values{"arn": v.arn("organizations", "account/"+v.cloud.organizationID()+"/"+v.id)}
			}},
		organizationType: {taken: "AlreadyInOrganizationException", unique: "-", global: true, // no input: one an account
			id: func(v view) string { return "o-" + v.hex("id", 10) },
			outputs: func(v view) values {
				root := values{"id": rootID(v.record), "name": "Root", "policyTypes": policyTypes(v.inputs)}
				return values{"arn": v.arn("organizations", "organization/"+v.id), "masterAccountId": v.cloud.caller, "roots": []any{root}}
			}},
		unitType: {name: "name", longest: 128, taken: "DuplicateOrganizationalUnitException", unique: "parentId name",
			tags: true, global: true, replace: "parentId", id: func(v view) string { return "ou-" + v.hex("root", 4) + "-" + v.hex("id", 8) }},
		controlType: {name: "name", longest: 128, taken: "DuplicatePolicyException", unique: "name", tags: true, global: true,
			replace: "type", id: random("p-"),
			outputs: func(v view) values {
				return values{"arn": v.arn("organizations", "policy/"+v.cloud.organizationID()+"/service_control_policy/"+v.id)}
			}},
		attachmentType: {taken: "DuplicatePolicyAttachmentException", global: true,
			replace: "policyId targetId", id: joined(":", "targetId", "policyId")},
		trailType: {name: "name", longest: 128, taken: "TrailAlreadyExistsException", tags: true, replace: "isOrganizationTrail name",
			outputs: arn("cloudtrail", "trail/")},
		"aws:ebs/encryptionByDefault:EncryptionByDefault":             {id: random("terraform-")},
		"aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess": {id: region},
		"aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess":       {id: region},
		"aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock":    {replace: "accountId", id: func(v view) string { return v.account }},
		"aws:resourcegroups/group:Group":                              {name: "name", longest: 300, taken: "BadRequestException", tags: true, replace: "name"},

		// Network and nodes.
		logGroupType: {name: "name", longest: 512, taken: "ResourceAlreadyExistsException: The specified log group already exists", tags: true,
			replace: "logGroupClass name", outputs: arn("logs", "log-group:")},
		"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {tags: true, replace: "vpcId", id: random("sg-")},
		"aws:ec2/eip:Eip": {tags: true, replace: "address domain networkBorderGroup", id: random("eipalloc-")},
		"aws:ec2/flowLog:FlowLog": {tags: true, id: random("fl-"),
			replace: "destinationOptions iamRoleArn logDestination logDestinationType logFormat maxAggregationInterval trafficType vpcId"},
		"aws:ec2/internetGateway:InternetGateway": {tags: true, id: random("igw-")},
		"aws:ec2/launchTemplate:LaunchTemplate": {name: "name", longest: 128, taken: "InvalidLaunchTemplateName.AlreadyExistsException", unique: "name", tags: true,
			replace: "name", id: random("lt-"),
			// What it launches makes a version; its own tags do not.
			moves: moves{"latestVersion": changes("blockDeviceMappings", "capacityReservationSpecification", "imageId", "instanceMarketOptions",
				"instanceType", "metadataOptions", "networkInterfaces", "placement", "tagSpecifications", "userData", "vpcSecurityGroupIds")},
			outputs: func(v view) values {
				if v.old == nil {
					return values{"latestVersion": 1}
				}
				return values{"latestVersion": open(v.old.outputs["latestVersion"]).NumberValue() + 1}
			}},
		"aws:ec2/natGateway:NatGateway": {tags: true, replace: "allocationId connectivityType subnetId", id: random("nat-")},
		"aws:ec2/placementGroup:PlacementGroup": {name: "name", longest: 255, taken: "InvalidPlacementGroup.Duplicate", tags: true,
			replace: "name partitionCount spreadLevel strategy"},
		"aws:ec2/route:Route":                                 {replace: "destinationCidrBlock routeTableId", id: joined("_", "routeTableId", "destinationCidrBlock")},
		"aws:ec2/routeTable:RouteTable":                       {tags: true, replace: "vpcId", id: random("rtb-")},
		"aws:ec2/routeTableAssociation:RouteTableAssociation": {replace: "gatewayId subnetId", id: random("rtbassoc-")},
		"aws:ec2/securityGroup:SecurityGroup": {name: "name", longest: 255, taken: "InvalidGroup.Duplicate", unique: "vpcId name", tags: true,
			replace: "description name vpcId", id: random("sg-")},
		"aws:ec2/securityGroupRule:SecurityGroupRule": {id: random("sgrule-"),
			replace: "cidrBlocks fromPort protocol securityGroupId self sourceSecurityGroupId toPort type"},
		subnetType:                        {tags: true, replace: "availabilityZone cidrBlock vpcId", id: random("subnet-")},
		vpcType:                           {tags: true, replace: "cidrBlock", id: random("vpc-")},
		"aws:ec2/vpcEndpoint:VpcEndpoint": {tags: true, replace: "serviceName vpcEndpointType vpcId", id: random("vpce-")},

		// Cluster, images, notebook.
		"aws:ecr/lifecyclePolicy:LifecyclePolicy": {replace: "policy repository", id: joined("", "repository")},
		"aws:ecr/repository:Repository": {name: "name", longest: 256, taken: "RepositoryAlreadyExistsException", tags: true, replace: "encryptionConfigurations name",
			outputs: func(v view) values {
				return values{"arn": v.arn("ecr", "repository/"+v.id), "repositoryUrl": fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", v.account, v.region, v.id)}
			}},
		"aws:eks/accessEntry:AccessEntry": {taken: "ResourceInUseException", tags: true, replace: "clusterName principalArn type", id: joined(":", "clusterName", "principalArn")},
		"aws:eks/accessPolicyAssociation:AccessPolicyAssociation": {replace: "accessScope clusterName policyArn principalArn",
			id: joined("#", "clusterName", "principalArn", "policyArn")},
		addonType: {taken: "ResourceInUseException", tags: true, replace: "addonName clusterName", id: joined(":", "clusterName", "addonName")},
		clusterType: {name: "name", longest: 100, taken: "ResourceInUseException", tags: true,
			replace: "accessConfig.bootstrapClusterCreatorAdminPermissions bootstrapSelfManagedAddons kubernetesNetworkConfig.ipFamily kubernetesNetworkConfig.serviceIpv4Cidr name roleArn",
			outputs: func(v view) values {
				return values{
					"arn": v.arn("eks", "cluster/"+v.id), "endpoint": "https://" + strings.ToUpper(v.hex("endpoint", 32)) + ".gr7." + v.region + ".eks.amazonaws.com",
					"certificateAuthority": values{"data": "c2ltdWxhdGVk"}, "vpcConfig": values{"clusterSecurityGroupId": "sg-" + v.hex("group", 17)},
				}
			}},
		groupType: {name: "nodeGroupName", longest: 63, taken: "ResourceInUseException", tags: true, id: joined(":", "clusterName", "nodeGroupName"),
			replace: "amiType capacityType clusterName diskSize instanceTypes launchTemplate.id launchTemplate.name nodeGroupName nodeRoleArn subnetIds"},
		"aws:eks/podIdentityAssociation:PodIdentityAssociation": {taken: "ResourceInUseException", unique: "clusterName namespace serviceAccount", tags: true,
			replace: "clusterName namespace serviceAccount", id: random("a-")},
		"aws:sagemaker/notebookInstance:NotebookInstance": {name: "name", longest: 63, taken: "ValidationException", tags: true,
			replace: "directInternetAccess kmsKeyId name platformIdentifier securityGroups subnetId",
			outputs: func(v view) values { return values{"url": v.id + ".notebook." + v.region + ".sagemaker.aws"} }},

		// Storage.
		"aws:datasync/s3Location:S3Location": {tags: true, replace: "s3BucketArn s3Config s3StorageClass subdirectory", id: arnID("datasync", "location/loc-"), outputs: arnOutput},
		"aws:datasync/task:Task": {name: "name", longest: 256, tags: true, replace: "destinationLocationArn sourceLocationArn",
			id: arnID("datasync", "task/task-"), outputs: arnOutput},
		keyType: {tags: true, replace: "customerMasterKeySpec keyUsage multiRegion", id: random(""), outputs: arn("kms", "key/")},
		bucketType: {name: "bucket", longest: 63, taken: "BucketAlreadyOwnedByYou", tags: true, replace: "bucket objectLockEnabled",
			outputs: func(v view) values {
				return values{"arn": v.arn("s3", v.id), "bucketRegionalDomainName": v.id + ".s3." + v.region + ".amazonaws.com"}
			}},
		objectType: {tags: true, replace: "bucket key", id: joined("/", "bucket", "key"),
			moves: moves{"etag": changes("content", "source"), "versionId": changes("content", "source", "kmsKeyId")},
			outputs: func(v view) values {
				return values{"etag": md5Hex(content(v.inputs)), "versionId": v.hex("versionId", 32)}
			}},
		copyType: {tags: true, replace: "bucket key source", id: joined("/", "bucket", "key"),
			moves: moves{"etag": changes(), "versionId": changes()},
			outputs: func(v view) values {
				source, _ := url.PathUnescape(v.input("source"))
				from, _ := v.cloud.object(source) // a copy of an object of one part has its etag
				return values{"etag": from.etag, "versionId": v.hex("versionId", 32)}
			}},

		// Git. An existing GitHub branch is adopted without an error, as the real provider does; a GitLab one is refused. Files
		// are overwritten on both, as with overwriteOnCreate.
		"github:index/branch:Branch": {replace: "repository sourceBranch sourceSha", id: joined(":", "repository", "branch"),
			outputs: func(v view) values { return values{"ref": "refs/heads/" + v.input("branch"), "sha": v.hex("sha", 40)} }},
		"github:index/repositoryFile:RepositoryFile": {replace: "branch file repository", id: joined(":", "repository", "branch", "file"),
			moves: moves{"commitSha": changes()}, outputs: func(v view) values { return values{"commitSha": v.hex("commitSha", 40)} }},
		// An existing environment is overwritten, as the real provider does.
		"github:index/repositoryEnvironment:RepositoryEnvironment":                                 {replace: "environment", id: joined(":", "repository", "environment")},
		"github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy": {replace: "environment", id: joined(":", "repository", "environment", "branchPattern")},
		"gitlab:index/branch:Branch": {taken: "Branch already exists", replace: "name project ref", id: joined(":", "project", "name"),
			outputs: func(v view) values {
				project, name := v.input("project"), v.input("name")
				return values{"webUrl": "https://gitlab.com/" + project + "/-/tree/" + name, "default": name == v.cloud.defaultBranch(project)}
			}},
		"gitlab:index/repositoryFile:RepositoryFile": {replace: "branch filePath project", id: joined(":", "project", "branch", "filePath"),
			moves: moves{"lastCommitId": changes()}, outputs: func(v view) values { return values{"lastCommitId": v.hex("lastCommitId", 40)} }},
	}
	// The parts of a bucket, of which there is one each, so that a second one overwrites.
	for _, part := range strings.Fields("LifecycleConfigurationV2 LoggingV2 OwnershipControls Policy PublicAccessBlock ServerSideEncryptionConfigurationV2 VersioningV2") {
		all["aws:s3/bucket"+part+":Bucket"+part] = kind{replace: "bucket expectedBucketOwner", id: joined("", "bucket")}
	}
	// Objects of Kubernetes, with the fields whose change replaces, by the real provider's diff.go.
	for typ, replace := range map[string]string{
		"apps/v1:DaemonSet":                               "spec.selector",
		"batch/v1:Job":                                    "spec.completions spec.parallelism spec.selector spec.template",
		"core/v1:ConfigMap":                               "binaryData data",
		"core/v1:Namespace":                               "",
		"core/v1:ResourceQuota":                           "spec.scopes",
		"core/v1:Secret":                                  "type stringData data",
		"core/v1:Service":                                 "spec.clusterIP",
		"core/v1:ServiceAccount":                          "",
		"networking.k8s.io/v1:NetworkPolicy":              "",
		"rbac.authorization.k8s.io/v1:ClusterRole":        "",
		"rbac.authorization.k8s.io/v1:ClusterRoleBinding": "roleRef",
		"rbac.authorization.k8s.io/v1:Role":               "",
		"rbac.authorization.k8s.io/v1:RoleBinding":        "roleRef",
	} {
		all["kubernetes:"+typ] = kind{name: "metadata.name", longest: 63, taken: "AlreadyExists", id: objectID, outputs: objectOutputs,
			replace: "metadata.name metadata.namespace " + replace}
	}
	return all
}

// clusterScoped reports whether the objects of a type have no namespace.
func clusterScoped(typ string) bool {
	return strings.HasSuffix(typ, ":Namespace") || strings.Contains(typ, ":Cluster")
}

func objectID(v view) string {
	name, namespace := text(get(v.inputs, "metadata.name")), text(get(v.inputs, "metadata.namespace"))
	if clusterScoped(v.typ) {
		return name
	}
	return cmp.Or(namespace, "default") + "/" + name
}

// objectOutputs returns what the API server adds.
func objectOutputs(v view) values {
	parts := strings.Split(v.typ, ":") // kubernetes:core/v1:Pod
	return values{"apiVersion": strings.TrimPrefix(parts[1], "core/"), "kind": parts[2], "metadata": values{
		"uid": v.hex("uid", 32), "creationTimestamp": created, "resourceVersion": hexOf(6, v.salt, fmt.Sprint(v.revision)),
	}}
}
