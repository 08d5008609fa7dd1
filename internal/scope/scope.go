// Package scope holds what every builder of one stack needs: names, partition, protection, tags and the
// accounts to deploy into. It creates the roles and the account-wide KMS keys of all builders, so that a rule
// for all of them stands in one place.
package scope

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
)

// Scope is computed once per deployment and never changes.
type Scope struct {
	Project   string            // Pulumi project, for example llm-platform
	Stack     string            // stack name, which is the environment, for example dev
	Region    string            // AWS region of everything but organization and billing
	Partition string            // ARN partition of the region, for example aws
	Prefix    string            // <project>-<stack>: names that are a contract start with it
	Protect   bool              // Pulumi refuses to delete what holds data, money or accounts
	Tags      map[string]string // default tags of every AWS resource, the platform's own included
	Boundary  string            // permissions boundary of every role: name of a policy in each account, or ARN of an AWS managed one; empty: none
}

// New returns the scope of the running stack. tags are the tags of the configuration.
func New(ctx *pulumi.Context, region string, protect bool, tags map[string]string, boundary string) Scope {
	s := Scope{
		Project:   ctx.Project(),
		Stack:     ctx.Stack(),
		Region:    region,
		Partition: catalog.Partition,
		Prefix:    ctx.Project() + "-" + ctx.Stack(),
		Protect:   protect,
		Boundary:  boundary,
		Tags: map[string]string{
			"Project":     ctx.Project(),
			"Environment": ctx.Stack(),
			"ManagedBy":   "pulumi",
		},
	}
	for name, value := range tags {
		s.Tags[name] = value
	}
	return s
}

// Keep returns the options of a resource that holds data, money or a name that can never be reused: it is
// protected where the stack protects, and with retain it stays in the cloud when it leaves the program.
func (s Scope) Keep(retain bool) pulumi.ResourceOption {
	return pulumi.Composite(pulumi.RetainOnDelete(retain), pulumi.Protect(s.Protect))
}

// Account is one AWS account and the way into it.
type Account struct {
	Name     string              // as in the configuration, for example training
	ID       pulumi.StringOutput // 12 digits
	ARN      pulumi.StringOutput // of the account in its organization; without one, of its root principal
	Org      pulumi.StringOutput // id of its organization; empty without one
	Trusted  pulumi.StringArray  // ids of the accounts whose principals may use its buckets and keys, besides those of Org
	Role     pulumi.StringOutput // ARN of the role that deploys in the account; empty if none
	Acting   pulumi.StringOutput // ARN of the role that this run assumes: Role or, in a preview, the read-only one
	Provider *aws.Provider       // in the platform's region; works in this account or fails
}
