// A platform in miniature: an organization with two accounts and a provider for each, storage, a cluster, a
// training Job and a branch. Resources are registered without their SDKs, which take minutes to compile.
package main

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

type custom struct {
	pulumi.CustomResourceState
	Arn           pulumi.StringOutput    `pulumi:"arn"`
	Bucket        pulumi.StringOutput    `pulumi:"bucket"`
	Etag          pulumi.StringOutput    `pulumi:"etag"`
	LatestVersion pulumi.IntOutput       `pulumi:"latestVersion"`
	Roots         pulumi.MapArrayOutput  `pulumi:"roots"`
	TagsAll       pulumi.StringMapOutput `pulumi:"tagsAll"`
}

type provider struct{ pulumi.ProviderResourceState }

type cluster struct {
	pulumi.ResourceState
	KubeconfigJSON pulumi.StringOutput `pulumi:"kubeconfigJson"`
	EksCluster     pulumi.AnyOutput    `pulumi:"eksCluster"`
}

func main() { pulumi.Run(platform) }

// program registers resources until the first error, which it keeps.
type program struct {
	ctx *pulumi.Context
	err error
}

func (p *program) add(typ, name string, inputs pulumi.Map, by *provider, opts ...pulumi.ResourceOption) *custom {
	r := &custom{}
	if p.err == nil {
		p.err = p.ctx.RegisterResource(typ, name, inputs, r, append(opts, pulumi.Provider(by))...)
	}
	return r
}

func (p *program) provider(pkg, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) *provider {
	r := &provider{}
	if p.err == nil {
		p.err = p.ctx.RegisterResource("pulumi:providers:"+pkg, name, inputs, r, opts...)
	}
	return r
}

func platform(ctx *pulumi.Context) error {
	p := &program{ctx: ctx}
	setting := func(key string) string { v, _ := ctx.GetConfig("simulated:" + key); return v }
	s := func(v string) pulumi.String { return pulumi.String(v) }
	region := s(setting("region"))

	management := p.provider("aws", "management", pulumi.Map{"region": region})
	org := p.add("aws:organizations/organization:Organization", "org", pulumi.Map{"featureSet": s("ALL")}, management)
	accounts := map[string]*provider{}
	for _, name := range []string{"training", "testing"} {
		account := p.add("aws:organizations/account:Account", name, pulumi.Map{
			"name": s(name), "email": s(name + "@example.com"),
			"parentId": org.Roots.Index(pulumi.Int(0)).ApplyT(func(root map[string]any) string { return root["id"].(string) }).(pulumi.StringOutput),
		}, management)
		accounts[name] = p.provider("aws", name, pulumi.Map{
			"region":      region,
			"assumeRole":  pulumi.Map{"roleArn": pulumi.Sprintf("arn:aws:iam::%s:role/deploy", account.ID())},
			"defaultTags": s(`{"tags": {"Account": "` + name + `"}}`), // as SDKs other than Go's pass objects
		})
	}
	training := accounts["training"]

	source := p.add("aws:s3/bucketV2:BucketV2", "source", pulumi.Map{}, training)
	object := p.add("aws:s3/bucketObjectv2:BucketObjectv2", "sample", pulumi.Map{
		"bucket": source.Bucket, "key": s("sample.txt"), "content": s(setting("content")),
	}, training)
	dataset := p.add("aws:s3/bucketV2:BucketV2", "dataset", pulumi.Map{"tags": pulumi.StringMap{"Kind": s("data")}}, training)
	p.add("aws:s3/objectCopy:ObjectCopy", "copy", pulumi.Map{
		"bucket": dataset.Bucket, "key": s("sample.txt"), "source": pulumi.Sprintf("%s/sample.txt", source.Bucket),
		"copyIfMatch": object.Etag,
	}, training)
	p.add("aws:s3/bucketV2:BucketV2", "testing", pulumi.Map{}, accounts["testing"])

	role := pulumi.Map{"assumeRolePolicy": s("{}")}
	if name := setting("explicitName"); name != "" {
		role["name"] = s(name)
	}
	trainer := p.add("aws:iam/role:Role", "trainer", role, training)
	p.add("aws:iam/rolePolicy:RolePolicy", "trainer", pulumi.Map{"role": trainer.ID(), "policy": s("{}")}, training)
	if setting("extra") == "true" {
		p.add("aws:sns/topic:Topic", "alerts", pulumi.Map{}, training)
	}

	vpc := p.add("aws:ec2/vpc:Vpc", "vpc", pulumi.Map{"cidrBlock": s("10.0.0.0/16")}, training)
	var subnets pulumi.StringArray
	for _, zone := range []string{"a", "b"} {
		subnet := p.add("aws:ec2/subnet:Subnet", "private-"+zone, pulumi.Map{"vpcId": vpc.ID(), "availabilityZone": region + s(zone)}, training)
		subnets = append(subnets, subnet.ID())
	}
	template := p.add("aws:ec2/launchTemplate:LaunchTemplate", "gpu", pulumi.Map{"instanceType": s(setting("instanceType"))}, training)

	if setting("cluster") == "true" {
		p.cluster(training, vpc, subnets, trainer, setting("image"), setting("token"))
	}

	github := p.provider("github", "github", pulumi.Map{"owner": s("llm"), "token": pulumi.ToSecret(s("planted-token"))})
	branch := p.add("github:index/branch:Branch", "branch", pulumi.Map{"repository": s("scripts"), "branch": s(setting("branch"))}, github)
	if name := setting("existing"); name != "" && p.err == nil {
		existing := &custom{}
		if p.err = ctx.ReadResource("aws:s3/bucketV2:BucketV2", "existing", pulumi.ID(name), nil, existing, pulumi.Provider(management)); p.err != nil {
			return p.err
		}
		ctx.Export("existingArn", existing.Arn)
		var object map[string]any
		if p.err = ctx.Invoke("aws:s3/getObject:getObject", map[string]any{"bucket": name, "key": "data"}, &object, pulumi.Provider(management)); p.err == nil {
			ctx.Export("existingSize", pulumi.Any(object["contentLength"]))
		}
	}
	if p.err != nil {
		return p.err
	}
	ctx.Export("bucket", dataset.Bucket)
	ctx.Export("bucketArn", dataset.Arn)
	ctx.Export("bucketTags", dataset.TagsAll)
	ctx.Export("templateVersion", template.LatestVersion)
	ctx.Export("branch", branch.ID())
	return nil
}

func (p *program) cluster(training *provider, vpc *custom, subnets pulumi.StringArray, trainer *custom, image, token string) {
	s := func(v string) pulumi.String { return pulumi.String(v) }
	eks := &cluster{}
	if p.err == nil {
		p.err = p.ctx.RegisterRemoteComponentResource("eks:index:Cluster", "cluster", pulumi.Map{
			"vpcId": vpc.ID(), "privateSubnetIds": subnets, "skipDefaultNodeGroup": pulumi.Bool(true), "useDefaultVpcCni": pulumi.Bool(true),
			"authenticationMode":     s("API"),
			"providerCredentialOpts": pulumi.Map{"roleArn": s("arn:aws:iam::111111111111:role/deploy")},
			"accessEntries": pulumi.Map{"admin": pulumi.Map{
				"principalArn": trainer.Arn,
				"accessPolicies": pulumi.Map{"admin": pulumi.Map{
					"policyArn": s("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"), "accessScope": pulumi.Map{"type": s("cluster")},
				}},
			}},
		}, eks, pulumi.Providers(training))
	}
	kubernetes := p.provider("kubernetes", "kubernetes", pulumi.Map{"kubeconfig": pulumi.ToSecret(eks.KubeconfigJSON), "clusterIdentifier": s("cluster")})
	namespace := p.add("kubernetes:core/v1:Namespace", "training", pulumi.Map{"metadata": pulumi.Map{"name": s("training")}}, kubernetes)
	p.add("kubernetes:core/v1:Secret", "token", pulumi.Map{
		"metadata": pulumi.Map{"namespace": s("training")}, "stringData": pulumi.Map{"token": pulumi.ToSecret(s(token))},
	}, kubernetes, pulumi.DependsOn([]pulumi.Resource{namespace}))
	p.add("kubernetes:batch/v1:Job", "train", pulumi.Map{
		"metadata": pulumi.Map{"name": s("train"), "namespace": s("training")},
		"spec": pulumi.Map{"completions": pulumi.Int(2), "template": pulumi.Map{"spec": pulumi.Map{
			"containers": pulumi.Array{pulumi.Map{"name": s("train"), "image": s(image)}},
		}}},
	}, kubernetes, pulumi.DependsOn([]pulumi.Resource{namespace}))
	p.ctx.Export("kubeconfig", pulumi.ToSecret(eks.KubeconfigJSON))
}
