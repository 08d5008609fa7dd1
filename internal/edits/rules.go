package edits

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"llm-platform/internal/settings"
)

// rule decides about the keys that match a pattern. Its functions return why a change is refused and what to do instead,
// or what it does that the preview does not show; both are empty if there is nothing to say.
type rule struct {
	key     string
	changed func(change) (refuse, note string)
	gone    func(change) (refuse, note string) // nil: accepted
	added   func(change) (refuse, note string) // nil: accepted; what the key describes is created, and the preview shows that
}

func rules() []rule {
	const anotherStack = "create another stack (pulumi stack init), or destroy this one first"
	return []rule{
		{key: "region", changed: fixed("everything that the stack has is there. For another region, " + anotherStack)},
		{key: "tags", changed: func(change) (string, string) {
			return "", "running nodes, and those that their node groups start later, keep the tags of their creation: a new launch template would " +
				"replace every node. Other resources get the new tags"
		}},
		{key: "organization.mode", changed: mode},
		{key: "organization.managementAccountId", changed: managementAccount},
		{key: "organization.organizationalUnits.*", gone: protected("the OU", "stays in AWS, without the guardrails of this stack")},
		{key: "organization.accounts.*.id", gone: accountGone,
			changed: fixed("what the stack has in the account cannot move to another. For another account, " + anotherStack)},
		{key: "organization.accounts.*.email", changed: func(c change) (string, string) {
			return "", fmt.Sprintf("is ignored, since the account exists. Its root user's e-mail address stays %s; AWS changes it with "+
				"`aws account start-primary-email-update`", c.old)
		}},
		{key: "organization.accounts.*.name", changed: func(c change) (string, string) {
			return "", fmt.Sprintf("is ignored, since the account exists. Its name stays %s; AWS changes it with `aws account put-account-name`", c.old)
		}},
		{key: "organization.trail", gone: protected("the bucket of the trail",
			"stays in AWS with its logs. The trail is deleted: nothing records any more what is done in the accounts")},
		{key: accessKey, changed: access, added: access},
		{key: "storage.encryption", changed: encryption},
		{key: "storage.sourceBucket", changed: sourceBucket},
		{key: "sagemaker.notebookVolumeGB", changed: notebookVolume},
		{key: "ci.account", changed: ciAccount},
		{key: "guardrails.allowedServices", added: func(change) (string, string) {
			return "", "from now on, whoever is not exempt may neither share or publish data nor buy, and accounts other than the training account " +
				"may only use the services of docs/governance.md and of this key. Add what they use, or list the roles in guardrails.exemptRoles"
		}},
		{key: "git.provider", changed: gitProvider},
		{key: "git.baseUrl", changed: fixed(branchFirst)},
		{key: "git.repository", changed: gitRepository},
		{key: "git.branch", changed: branch, gone: branch},
		{key: "network.cidr", changed: fixed("a VPC keeps its range. For another range, " + anotherStack)},
		{key: "network.vpcId", changed: fixed("an EKS cluster stays in its VPC. For another VPC, " + anotherStack)},
		{key: "network.zones", changed: zones},
		{key: "network.flowLogDays", changed: logsDeleted("0", "the log group of the VPC flow logs")},
		{key: "cluster.containerInsights", changed: logsDeleted("false", "the log groups of Container Insights")},
		{key: "cluster.kubeconfig", changed: existingCluster},
		{key: "cluster.version", changed: version},
		{key: "cluster.pools.*.nodes", changed: nodes},
	}
}

// liftProtection is how to delete what protect protects.
const liftProtection = "is protected. Set protect to false and run `pulumi up`; then make this edit"

// protected returns the rule of what leaves the stack: it is refused if the state protects it; otherwise fate says what
// becomes of it.
func protected(what, fate string) func(change) (refuse, note string) {
	return func(c change) (string, string) {
		if c.Old["protect"] == "true" {
			return what + " leaves the stack, and it " + liftProtection, ""
		}
		return "", what + " " + fate
	}
}

// branchFirst is how to move to another Git server, owner or provider.
const branchFirst = "the branch and its files do not move. Set git.provider to none and run `pulumi up`, which deletes the branch, or " +
	"retains it with git.keepBranch; then set the git keys"

// fixed refuses every change. reason says why, and what to do instead.
func fixed(reason string) func(change) (refuse, note string) {
	return func(c change) (string, string) { return c.refusal(reason), "" }
}

// refusal returns a refusal with both values.
func (c change) refusal(reason string) string {
	return fmt.Sprintf("cannot change from %s to %s: %s", spell(c.old), spell(c.new), reason)
}

func spell(value string) string {
	if value == "" {
		return "empty"
	}
	return value
}

func ciAccount(c change) (string, string) {
	return c.refusal(fmt.Sprintf("the roles and the OIDC provider are in the old account. To leave them there, set ci.account to %s. To move "+
		"them, remove ci.repository and run `pulumi up`; then set both", c.old)), ""
}

func mode(c change) (string, string) {
	return c.refusal("the accounts of the stack stay in the organization that they were created in, or outside of one. Create another stack " +
		"(pulumi stack init), or destroy this one first, which retains organization and accounts"), ""
}

func managementAccount(c change) (string, string) {
	if c.old == "" || c.new == "" {
		return "", "" // switches a check on or off
	}
	return c.refusal("the organization and its accounts belong to the old one"), ""
}

func encryption(c change) (string, string) {
	if c.old == settings.KMS {
		return c.refusal("the KMS key would be deleted, and with it all objects and images that it encrypts. Create another stack with aes256, and copy the objects"), ""
	}
	return "", "existing objects and images stay encrypted with AWS's own keys. The image repository keeps its encryption"
}

func accountGone(c change) (string, string) {
	if c.old != "" {
		return "", "" // it only was used
	}
	return protected("the account", "stays open, and AWS bills what is left in it. What the stack has in it is deleted")(c)
}

func sourceBucket(c change) (string, string) {
	if c.old != "" {
		return "", ""
	}
	fate := "is deleted with all objects in it (storage.keepData is false)"
	if c.Old["storage.keepData"] == "true" {
		fate = "is retained, and leaves the stack"
	}
	return protected("the source bucket that the stack has created", fate)(c)
}

// access says what an upgrade denies. Its key is new in a stack of an earlier version.
func access(c change) (string, string) {
	note := "this version denies the buckets and keys to principals outside the organization or, without one, the stack's accounts; SageMaker " +
		"writes below " + settings.SageMakerPrefix + " only"
	switch c.new {
	case fromVPC:
		note += "; objects are used from the VPC only, except by organization.roleName, guardrails.exemptRoles and the stack's roles for " +
			"scientists, SageMaker and DataSync"
	case podsFromVPC:
		note += "; pods and nodes use objects from the VPC only"
	}
	if c.new != anywhere {
		note += ". The VPC reaches no other buckets of its region than those, network.s3Buckets and some of AWS"
	}
	return "", note
}

func notebookVolume(c change) (string, string) {
	if number(c.new) < number(c.old) {
		return c.refusal("SageMaker only enlarges a volume. For a smaller one, remove the notebook (sagemaker.notebookInstanceType), which deletes its files, and add it again"), ""
	}
	return "", ""
}

func gitProvider(c change) (string, string) {
	if c.old == settings.None || c.new == settings.None {
		return "", ""
	}
	return c.refusal(branchFirst), ""
}

func gitRepository(c change) (string, string) {
	if path.Dir(c.old) == path.Dir(c.new) {
		return branch(c) // a branch in another repository of the same owner replaces this one
	}
	return c.refusal(branchFirst), ""
}

// branch is the rule of a branch that leaves the stack.
func branch(c change) (string, string) {
	fate := "is deleted with its commits (git.keepBranch is false)"
	if c.Old["git.keepBranch"] == "true" {
		fate = "is retained"
	}
	return protected("the branch "+c.Old["git.branch"]+" of "+c.Old["git.repository"], fate)(c)
}

func zones(c change) (string, string) {
	if strings.HasPrefix(c.new, c.old+", ") {
		return "", ""
	}
	return c.refusal("subnets have their zone and range for good, and an EKS cluster keeps its zones. Zones can only be appended; to move nodes to " +
		"another zone, change network.acceleratorZones"), ""
}

func existingCluster(c change) (string, string) {
	switch {
	case c.old == "":
		return "cannot be set: the stack has a cluster of its own, with its network, nodes and run. For another cluster, create another stack", ""
	case c.new == "":
		return "cannot be removed: the stack's objects are in the existing cluster. For a cluster of its own, create another stack", ""
	}
	return "cannot change to another server: the namespace and the run are in the old cluster. To end the run there and to start it in the other " +
		"one: `pulumi destroy --target-dependents --target '**llm:platform:Training**' --target '**::standing'`, then `pulumi up`", ""
}

func version(c change) (string, string) {
	old, new := minor(c.old), minor(c.new)
	switch {
	case new < old:
		return c.refusal("EKS does not go back to an older version"), ""
	case new > old+1:
		return c.refusal(fmt.Sprintf("EKS upgrades by one minor version at a time. Set 1.%d first and run `pulumi up`", old+1)), ""
	}
	return "", ""
}

// minor returns 36 of 1.36.
func minor(version string) int {
	_, text, _ := strings.Cut(version, ".")
	return number(text)
}

// number returns a fact that is a number.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func nodes(c change) (string, string) {
	at := fmt.Sprintf("--region %s --cluster-name %s", c.New["region"], c.Cluster)
	return c.refusal(fmt.Sprintf("it is the initial size, and the pool exists. Set it back, and scale the node group, as the training account: "+
		"`aws eks update-nodegroup-config %s --scaling-config desiredSize=%s --nodegroup-name $(aws eks list-nodegroups %s --output text | "+
		"grep -oE '%s-pool-%s-[0-9a-f]{7}$')`. If the creation of the pool failed, remove the pool, run `pulumi up`, and add it again",
		at, c.new, at, c.Cluster, c.entry())), ""
}

// logsDeleted is the rule of a setting without which log groups are deleted.
func logsDeleted(off, what string) func(change) (refuse, note string) {
	return func(c change) (string, string) {
		if c.new != off {
			return "", ""
		}
		return "", "deletes " + what + ": the logs are lost"
	}
}
