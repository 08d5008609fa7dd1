// Package edits decides what an edit of a standing stack may do. A Pulumi program only sees the desired state, so the
// stack's state keeps what the settings were (see edits.go of the program), and this package compares the two.
package edits

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"llm-platform/internal/kubeconfig"
	"llm-platform/internal/settings"
)

// Facts are settings by key, resolved, as text. A key that has no meaning in a stack is absent, for example network.cidr
// with an existing VPC.
type Facts map[string]string

// Standing returns the settings that have a rule: those that are fixed when what they describe is created, and those
// whose change has a consequence that the preview does not show by itself.
func Standing(s settings.Settings) Facts {
	facts := Facts{"region": s.Region, "tags": pairs(s.Tags), "protect": strconv.FormatBool(s.Protect)}
	facts.organization(s.Organization)
	facts["storage.encryption"] = s.Storage.Encryption
	facts[accessKey] = accessOf(s)
	facts["storage.sourceBucket"] = s.Storage.SourceBucket
	facts["storage.keepData"] = strconv.FormatBool(s.Storage.KeepData)
	if s.SageMaker.NotebookInstanceType != "" {
		facts["sagemaker.notebookVolumeGB"] = strconv.Itoa(s.SageMaker.NotebookVolumeGB)
	}
	if s.CI.Repository != "" {
		facts["ci.account"] = s.CI.Account
	}
	if s.Guardrails.Enabled && s.Organization.Mode != settings.None {
		facts["guardrails.allowedServices"] = strings.Join(s.Guardrails.AllowedServices, ", ")
	}
	facts["git.provider"] = s.Git.Provider
	if s.Git.Provider != settings.None {
		facts["git.baseUrl"] = s.Git.BaseURL
		facts["git.repository"] = s.Git.Owner + "/" + s.Git.Repository
		facts["git.branch"] = s.Git.Branch
		facts["git.keepBranch"] = strconv.FormatBool(s.Git.KeepBranch || s.Git.Adopt)
	}
	facts["cluster.kubeconfig"] = ""
	if s.Cluster.Existing() {
		// A hash, since the kubeconfig is a secret.
		sum := sha256.Sum256([]byte(kubeconfig.Server(s.Cluster.Kubeconfig.Reveal())))
		facts["cluster.kubeconfig"] = hex.EncodeToString(sum[:8])
		return facts
	}
	facts.cluster(s.Region, s.Network, s.Cluster)
	return facts
}

// accessKey is the key of the fact from where the objects of the buckets are used: fromVPC, podsFromVPC or anywhere. It is no
// setting.
const (
	accessKey   = "storage.access"
	fromVPC     = "VPC"
	podsFromVPC = "pods from VPC"
	anywhere    = "anywhere"
)

func accessOf(s settings.Settings) string {
	switch {
	case s.Cluster.Existing() || s.Network.VPCID != "":
		return anywhere
	case s.Organization.RoleName == "":
		return podsFromVPC
	}
	return fromVPC
}

func (f Facts) organization(o settings.Organization) {
	f["organization.mode"] = o.Mode
	if o.Mode == settings.Create && o.Trail {
		f["organization.trail"] = "true"
	}
	if o.Mode != settings.None {
		f["organization.managementAccountId"] = o.ManagementAccountID
	}
	for name, unit := range o.OrganizationalUnits {
		if unit.ID == "" && o.Mode != settings.None {
			f["organization.organizationalUnits."+name] = unit.Name
		}
	}
	for name, account := range o.Accounts {
		at := "organization.accounts." + name
		f[at+".id"] = account.ID
		if account.ID == "" {
			f[at+".email"], f[at+".name"] = account.Email, account.Name
		}
	}
}

func (f Facts) cluster(region string, n settings.Network, c settings.Cluster) {
	f["network.vpcId"] = n.VPCID
	if n.VPCID == "" {
		f["network.cidr"] = n.CIDR
		f["network.zones"] = letters(n.Zones, region)
		f["network.flowLogDays"] = strconv.Itoa(n.FlowLogDays)
	}
	f["cluster.version"] = c.Version
	f["cluster.containerInsights"] = strconv.FormatBool(c.ContainerInsights)
	for name, pool := range c.Pools {
		f[pools+name+".nodes"] = strconv.Itoa(pool.Nodes)
	}
}

// letters returns zones without their region, which is another fact.
func letters(zones []string, region string) string {
	var all []string
	for _, zone := range zones {
		all = append(all, strings.TrimPrefix(zone, region))
	}
	return strings.Join(all, ", ")
}

// pairs returns a map as text, the same for the same map.
func pairs(values map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, name+"="+values[name])
	}
	return strings.Join(all, ", ")
}
