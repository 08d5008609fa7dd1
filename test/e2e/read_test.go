//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const region = "us-west-2" // of every stack here

// managementConfig returns the configuration of the management account, whose credentials are in the environment.
func managementConfig(ctx context.Context) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithRegion(region),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
}

// reader reads back what exists without Pulumi: with the AWS SDK, kubectl and GitHub's API. What it cannot read fails
// the test.
type reader struct {
	t          *testing.T
	outputs    map[string]any
	account    aws.Config // the training account's
	management aws.Config
}

func newReader(t *testing.T, outputs map[string]any) *reader {
	t.Helper()
	management := must(managementConfig(t.Context()))
	r := &reader{t: t, outputs: outputs, management: management, account: management}
	id := accountID(outputs, "training")
	if caller := must(sts.NewFromConfig(management).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})); id != *caller.Account {
		r.account = management.Copy()
		role := fmt.Sprintf("arn:aws:iam::%s:role/OrganizationAccountAccessRole", id)
		r.account.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(management), role))
	}
	return r
}

func accountID(outputs map[string]any, account string) string {
	ids, _ := outputs["accountIds"].(map[string]any)
	return fmt.Sprint(ids[account])
}

// must returns the value of a call that must succeed. Its panic ends the variant: see live.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func (r *reader) output(name string) string { return fmt.Sprint(r.outputs[name]) }

// equal reports a difference.
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

// buckets checks encryption, privacy and tags of every bucket of the stack, and returns the number of buckets.
func (r *reader) buckets(prefix string) int {
	r.t.Helper()
	ctx, client := r.t.Context(), bucketClient(r.account)
	seen := 0
	for _, bucket := range must(client.ListBuckets(ctx, &s3.ListBucketsInput{})).Buckets {
		name := bucket.Name
		if !strings.HasPrefix(*name, prefix) || strings.HasPrefix(*name, trailBucket) {
			continue
		}
		seen++
		versioning := must(client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name}))
		r.equal(*name+": versioning", versioning.Status, "Enabled")
		encryption := must(client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name}))
		rule := encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault
		if strings.Contains(*name, "-logs-") || r.output("dataKeyArn") == "" { // S3 delivers logs only where it may encrypt with its own key
			r.equal(*name+": encryption", rule.SSEAlgorithm, "AES256")
		} else {
			r.equal(*name+": encryption", rule.SSEAlgorithm, "aws:kms")
			r.equal(*name+": key", aws.ToString(rule.KMSMasterKeyID), r.output("dataKeyArn"))
		}
		block := must(client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})).PublicAccessBlockConfiguration
		r.equal(*name+": public access blocks",
			[]bool{*block.BlockPublicAcls, *block.BlockPublicPolicy, *block.IgnorePublicAcls, *block.RestrictPublicBuckets}, []bool{true, true, true, true})
		policy := must(client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name}))
		if !denies(r.t, *policy.Policy, "aws:SecureTransport") {
			r.t.Errorf("%s: its policy does not deny requests without TLS: %s", *name, *policy.Policy)
		}
		tags := map[string]string{}
		for _, tag := range must(client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: name})).TagSet {
			tags[*tag.Key] = *tag.Value
		}
		r.equal(*name+": tag ManagedBy", tags["ManagedBy"], "pulumi")
		r.equal(*name+": tag Environment", tags["Environment"] != "", true)
	}
	return seen
}

// denies reports whether a policy has a Deny with a condition on key.
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

// object returns the content of s3://bucket/key, as the training account reads it.
func (r *reader) object(uri string) string {
	r.t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	client := bucketClient(r.account)
	answer := must(client.GetObject(r.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key}))
	defer answer.Body.Close()
	return string(must(io.ReadAll(answer.Body)))
}

// guardrails reads the service control policies of the stack, by name without what auto-naming adds, and
// returns how many targets each is attached to. Each must contain a Deny.
func (r *reader) guardrails(prefix string) map[string]int {
	r.t.Helper()
	ctx, client := r.t.Context(), organizations.NewFromConfig(r.management)
	attached := map[string]int{}
	for _, policy := range must(client.ListPolicies(ctx, &organizations.ListPoliciesInput{Filter: orgtypes.PolicyTypeServiceControlPolicy})).Policies {
		name, ours := strings.CutPrefix(*policy.Name, prefix)
		if !ours {
			continue
		}
		content := must(client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: policy.Id})).Policy.Content
		if !strings.Contains(*content, `"Deny"`) {
			r.t.Errorf("service control policy %s denies nothing: %s", *policy.Name, *content)
		}
		targets := must(client.ListTargetsForPolicy(ctx, &organizations.ListTargetsForPolicyInput{PolicyId: policy.Id})).Targets
		attached[name[:strings.LastIndex(name, "-")]] = len(targets)
	}
	return attached
}

// ouOf returns the name of the OU that an account is in.
func (r *reader) ouOf(account string) string {
	r.t.Helper()
	ctx, client := r.t.Context(), organizations.NewFromConfig(r.management)
	id := accountID(r.outputs, account)
	parent := must(client.ListParents(ctx, &organizations.ListParentsInput{ChildId: &id})).Parents[0]
	return *must(client.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: parent.Id})).OrganizationalUnit.Name
}

// network reads the VPC's subnets and its default security group.
func (r *reader) network(subnets int) {
	r.t.Helper()
	ctx, client := r.t.Context(), ec2.NewFromConfig(r.account)
	within := []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{r.output("vpcId")}}}
	found := must(client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: within})).Subnets
	r.equal("subnets", len(found), subnets)
	for _, subnet := range found {
		r.equal("subnet "+*subnet.SubnetId+": gives public addresses", aws.ToBool(subnet.MapPublicIpOnLaunch), false)
	}
	groups := must(client.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: append(within, ec2types.Filter{Name: aws.String("group-name"), Values: []string{"default"}}),
	})).SecurityGroups
	r.equal("default security groups", len(groups), 1)
	for _, group := range groups {
		r.equal("default security group: rules", len(group.IpPermissions)+len(group.IpPermissionsEgress), 0)
	}
}

// trailBucket starts the name of the bucket with the trail of dev's organization: it is retained in the management account, in which
// the stacks without an organization are too.
const trailBucket = "llm-platform-dev-trail-logs-"

// trails returns the number of these buckets.
func (r *reader) trails() int {
	r.t.Helper()
	n := 0
	for _, bucket := range must(bucketClient(r.management).ListBuckets(r.t.Context(), &s3.ListBucketsInput{})).Buckets {
		if strings.HasPrefix(*bucket.Name, trailBucket) {
			n++
		}
	}
	return n
}

// left lists what the training account still has that costs money or grants access, one "kind name" each.
func (r *reader) left() []string {
	r.t.Helper()
	ctx, compute := r.t.Context(), ec2.NewFromConfig(r.account)
	var all []string
	for _, bucket := range must(bucketClient(r.account).ListBuckets(ctx, &s3.ListBucketsInput{})).Buckets {
		if !strings.HasPrefix(*bucket.Name, trailBucket) {
			all = append(all, "bucket "+*bucket.Name)
		}
	}
	for _, vpc := range must(compute.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})).Vpcs {
		if !aws.ToBool(vpc.IsDefault) {
			all = append(all, "vpc "+*vpc.VpcId)
		}
	}
	for _, gateway := range must(compute.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{})).NatGateways {
		if gateway.State != ec2types.NatGatewayStateDeleted {
			all = append(all, "nat gateway "+*gateway.NatGatewayId)
		}
	}
	for _, address := range must(compute.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})).Addresses {
		all = append(all, "address "+aws.ToString(address.PublicIp))
	}
	for _, template := range must(compute.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{})).LaunchTemplates {
		all = append(all, "launch template "+*template.LaunchTemplateName)
	}
	for _, cluster := range must(eks.NewFromConfig(r.account).ListClusters(ctx, &eks.ListClustersInput{})).Clusters {
		all = append(all, "cluster "+cluster)
	}
	for _, role := range must(iam.NewFromConfig(r.account).ListRoles(ctx, &iam.ListRolesInput{})).Roles {
		if !strings.HasPrefix(*role.Path, "/aws-service-role/") && *role.RoleName != "OrganizationAccountAccessRole" {
			all = append(all, "role "+*role.RoleName)
		}
	}
	slices.Sort(all)
	return all
}
