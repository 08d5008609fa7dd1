package edits

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"llm-platform/internal/settings"
)

// rule decides about a change of the keys that match a pattern. check returns why the change is refused and what to do
// instead, or what it does that the preview does not show; both are empty if there is nothing to say.
type rule struct {
	key   string
	check func(change) (refuse, note string)
}

func rules() []rule {
	const anotherStack = "create another stack (pulumi stack init), or destroy this one first"
	return []rule{
		{"region", fixed("everything that the stack has is there. For another region, " + anotherStack)},
		{"organization.mode", mode},
		{"organization.managementAccountId", managementAccount},
		{"organization.accounts.*.id", fixed("what the stack has in the account cannot move to another. For another account, " + anotherStack)},
		{"organization.accounts.*.email", func(c change) (string, string) {
			return "", fmt.Sprintf("is ignored, since the account exists. Its root user's e-mail address stays %s; AWS changes it with "+
				"`aws account start-primary-email-update`", c.old)
		}},
		{"organization.accounts.*.name", func(c change) (string, string) {
			return "", fmt.Sprintf("is ignored, since the account exists. Its name stays %s; AWS changes it with `aws account put-account-name`", c.old)
		}},
		{"storage.encryption", encryption},
		{"ci.account", fixed("the roles and the OIDC provider are in the old account. Remove ci.repository and run `pulumi up`; then set both")},
		{"git.provider", gitProvider},
		{"git.repository", gitRepository},
		{"git.baseUrl", fixed(branchFirst)},
		{"network.cidr", fixed("a VPC keeps its range. For another range, " + anotherStack)},
		{"network.vpcId", fixed("an EKS cluster stays in its VPC. For another VPC, " + anotherStack)},
		{"network.zones", zones},
		{"cluster.kubeconfig", existingCluster},
		{"cluster.version", version},
		{"cluster.pools.*.nodes", nodes},
		{"tags", func(change) (string, string) {
			return "", "running nodes, and those that their node groups start later, keep the tags of their creation: a new launch template would " +
				"replace every node. Other resources get the new tags"
		}},
	}
}

// branchFirst is how to move to another Git server, owner or provider.
const branchFirst = "the branch and its files stay where they are. Set git.provider to none and run `pulumi up`, which deletes the branch, or " +
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

func gitProvider(c change) (string, string) {
	if c.old == settings.None || c.new == settings.None {
		return "", ""
	}
	return c.refusal(branchFirst), ""
}

func gitRepository(c change) (string, string) {
	if path.Dir(c.old) == path.Dir(c.new) {
		return "", "" // a branch in another repository of the same owner replaces this one
	}
	return c.refusal(branchFirst), ""
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
	return "cannot change to another server: the namespace and the run are in the old cluster. For another cluster, create another stack", ""
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
	number, _ := strconv.Atoi(text) // the settings accept listed versions only
	return number
}

func nodes(c change) (string, string) {
	region, group := c.New["region"], "-pool-"+c.entry()+"-"
	return c.refusal(fmt.Sprintf("is the initial size only, and the pool exists. Set it back, and scale the node group: `aws eks update-nodegroup-config "+
		"--region %s --cluster-name %s --scaling-config desiredSize=%s --nodegroup-name $(aws eks list-nodegroups --region %s --cluster-name %s "+
		"--query \"nodegroups[?contains(@, '%s')]\" --output text)`", region, c.Cluster, c.new, region, c.Cluster, group)), ""
}
