package main

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// newRole makes a role of an account, whose trust may name the account.
func newRole(ctx *pulumi.Context, name, description string, account *Account, trust func(account string) policy.Document, opts ...pulumi.ResourceOption) (*iam.Role, error) {
	document := account.ID.ApplyT(func(id string) (string, error) { return trust(id).JSON() }).(pulumi.StringOutput)
	return iam.NewRole(ctx, name, &iam.RoleArgs{
		Description:      pulumi.String(description),
		AssumeRolePolicy: document,
	}, opts...)
}

// managed attaches AWS's own policies to a role. Depend on what it returns: without
// it, whatever acts as the role begins too early and, on destroy, ends too late.
func (b *clusterBuilder) managed(name string, role *iam.Role, policies ...string) ([]pulumi.Resource, error) {
	var attached []pulumi.Resource
	for _, each := range policies {
		attachment, err := iam.NewRolePolicyAttachment(b.ctx, name+"-"+each, &iam.RolePolicyAttachmentArgs{
			Role:      role.Name,
			PolicyArn: pulumi.Sprintf("arn:%s:iam::aws:policy/%s", catalog.Partition(b.cfg.Region), each),
		}, pulumi.Parent(role))
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", each, err)
		}
		attached = append(attached, attachment)
	}
	return attached, nil
}

// roles makes what control plane and nodes act as. A node pulls images and joins the
// cluster; data is not its business, and addresses are the CNI's.
func (b *clusterBuilder) roles() error {
	var err error
	b.role, err = newRole(b.ctx, b.name+"-role", "What the EKS control plane acts as", b.account, func(account string) policy.Document {
		return policy.ServiceTrust("eks.amazonaws.com", account)
	}, b.parent())
	if err != nil {
		return fmt.Errorf("cluster role: %w", err)
	}
	if b.rolePolicies, err = b.managed(b.name+"-role", b.role, "AmazonEKSClusterPolicy"); err != nil {
		return fmt.Errorf("cluster role: %w", err)
	}
	b.nodeRole, err = newRole(b.ctx, b.name+"-node-role", "What the cluster's nodes act as", b.account, func(string) policy.Document {
		return policy.InstanceTrust()
	}, b.parent())
	if err != nil {
		return fmt.Errorf("node role: %w", err)
	}
	b.nodePolicies, err = b.managed(b.name+"-node-role", b.nodeRole, "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
	if err != nil {
		return fmt.Errorf("node role: %w", err)
	}
	return nil
}

// podRole makes a role that the pods of one service account act as, by EKS Pod
// Identity. The association must stand before the first such pod starts, which
// would otherwise act as its node.
func (b *clusterBuilder) podRole(thing, description, namespace, serviceAccount string) (*iam.Role, *eks.PodIdentityAssociation, error) {
	name := b.name + "-" + thing
	role, err := newRole(b.ctx, name+"-role", description, b.account, func(account string) policy.Document {
		return policy.PodTrust(catalog.Partition(b.cfg.Region), b.cfg.Region, account, b.ctx.Project()+"-"+b.cfg.Stack, namespace, serviceAccount)
	}, b.parent())
	if err != nil {
		return nil, nil, err
	}
	association, err := eks.NewPodIdentityAssociation(b.ctx, name+"-identity", &eks.PodIdentityAssociationArgs{
		ClusterName:    b.cluster.Name,
		Namespace:      pulumi.String(namespace),
		ServiceAccount: pulumi.String(serviceAccount),
		RoleArn:        role.Arn,
	}, b.parent())
	return role, association, err
}

// untaggedDays is how long an image stays that lost its tag. Those with a tag stay
// for good: a run is only repeatable with the image that it ran.
const untaggedDays = 14

// repository makes the place of the training images. A tag is never moved, so that it
// names the same image in every run.
func (b *clusterBuilder) repository() error {
	encryption := ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")}
	if b.cfg.Storage.Encryption == settings.KMS {
		encryption = ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: b.store.KeyARN}
	}
	repository, err := ecr.NewRepository(b.ctx, b.name+"-images", &ecr.RepositoryArgs{
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations:   ecr.RepositoryEncryptionConfigurationArray{encryption},
		ForceDelete:                pulumi.Bool(!b.cfg.Storage.KeepData),
	}, b.parent(), kept(b.cfg, b.cfg.Storage.KeepData))
	if err != nil {
		return err
	}
	b.cluster.RepositoryURL = repository.RepositoryUrl
	rules, err := imageRules()
	if err != nil {
		return err
	}
	_, err = ecr.NewLifecyclePolicy(b.ctx, b.name+"-images-expiry", &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy:     pulumi.String(rules),
	}, pulumi.Parent(repository), kept(b.cfg, b.cfg.Storage.KeepData))
	return err
}

// imageRules is the lifecycle policy of the images.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func imageRules() (string, error) {
	type selection struct {
		TagStatus   string `json:"tagStatus"`
		CountType   string `json:"countType"`
		CountUnit   string `json:"countUnit"`
		CountNumber int    `json:"countNumber"`
	}
	type action struct {
		Type string `json:"type"`
	}
	type rule struct {
		Priority    int       `json:"rulePriority"`
		Description string    `json:"description"`
		Selection   selection `json:"selection"`
		Action      action    `json:"action"`
	}
	text, err := json.Marshal(map[string][]rule{"rules": {{
		Priority:    1,
		Description: "Images that lost their tag",
		Selection:   selection{"untagged", "sinceImagePushed", "days", untaggedDays},
		Action:      action{"expire"},
	}}})
	return string(text), err
}
