package simcloud

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// object is one in a bucket.
type object struct {
	etag    string
	version string
	size    int64
	owner   *record // nil if PutObject made it
}

// PutObject puts an object into a bucket, as someone else would, replacing its last version. size may be
// larger than content, to stand for an object that no test wants to carry; 0 is the content's own.
func (c *Cloud) PutObject(bucket, key string, content []byte, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size == 0 {
		size = int64(len(content))
	}
	sum := md5.Sum(content)
	c.objects[bucket+"/"+key] = object{etag: hex.EncodeToString(sum[:]), version: seed(32, bucket, key, string(content)), size: size}
}

func (c *Cloud) removeObject(r *record) {
	for name, o := range c.objects {
		if o.owner == r {
			delete(c.objects, name)
		}
	}
}

// objectContent computes etag and version of an object that the program writes, and puts it into the bucket.
func objectContent(c *Cloud, r, old *record) {
	var content []byte
	var size int64
	switch source := open(r.inputs["source"]); {
	case text(r.inputs["content"]) != "":
		content = []byte(text(r.inputs["content"]))
	case text(r.inputs["contentBase64"]) != "":
		content, _ = base64.StdEncoding.DecodeString(text(r.inputs["contentBase64"]))
	case source.IsAsset():
		content = []byte(source.AssetValue().Hash) // the engine leaves the contents out of refreshes
		size = int64(len(source.AssetValue().Text))
	}
	if size == 0 {
		size = int64(len(content))
	}
	sum := md5.Sum(content)
	etag := hex.EncodeToString(sum[:])
	r.outputs["etag"] = resource.NewProperty(etag)
	c.store(r, old, object{etag: etag, version: text(r.outputs["versionId"]), size: size})
}

// objectCopied computes what a copy brings: the etag is the source's, as it is for an object of one part.
func objectCopied(c *Cloud, r, old *record) {
	if old == r { // a read
		return
	}
	source := strings.TrimPrefix(text(r.inputs["source"]), "/")
	if decoded, err := url.PathUnescape(source); err == nil {
		source = decoded
	}
	o, ok := c.objects[source]
	if !ok {
		o = object{etag: seed(32, source), version: seed(32, source, "version")}
	}
	r.outputs["etag"] = resource.NewProperty(o.etag)
	r.outputs["sourceVersionId"] = resource.NewProperty(o.version)
	o.version = text(r.outputs["versionId"])
	c.store(r, old, o)
}

func (c *Cloud) store(r, old *record, o object) {
	o.owner = r
	if old != nil {
		o.owner = old // an update writes the new record into the old one's place
	}
	c.objects[text(r.inputs["bucket"])+"/"+text(r.inputs["key"])] = o
}

// launchTemplateVersions counts the versions of a launch template, one for each change of what it launches.
func launchTemplateVersions(_ *Cloud, r, old *record) {
	latest := 1.0
	if old != nil && open(old.outputs["latestVersion"]).IsNumber() {
		latest = open(old.outputs["latestVersion"]).NumberValue()
		if changed(old.inputs, r.inputs, launched) {
			latest++
		}
	}
	r.outputs["latestVersion"] = resource.NewProperty(latest)
	if !r.inputs["defaultVersion"].HasValue() {
		first := 1.0
		if v := open(r.inputs["updateDefaultVersion"]); v.IsBool() && v.BoolValue() {
			first = latest
		}
		r.outputs["defaultVersion"] = resource.NewProperty(first)
	}
}

// launched are the inputs of a launch template that make a version.
const launched = "blockDeviceMappings capacityReservationSpecification cpuOptions creditSpecification description disableApiStop " +
	"disableApiTermination ebsOptimized elasticGpuSpecifications elasticInferenceAccelerator enclaveOptions hibernationOptions " +
	"iamInstanceProfile imageId instanceInitiatedShutdownBehavior instanceMarketOptions instanceRequirements instanceType kernelId " +
	"keyName licenseSpecifications maintenanceOptions metadataOptions monitoring networkInterfaces placement privateDnsNameOptions " +
	"ramDiskId securityGroupNames tagSpecifications userData vpcSecurityGroupIds"

// organizationMembers computes what an organization says of its root and accounts.
func organizationMembers(c *Cloud, r, _ *record) {
	master := map[string]any{
		"id": ManagementAccount, "name": "management", "email": "management@example.com", "status": "ACTIVE",
		"arn": fmt.Sprintf("arn:aws:organizations::%s:account/%s/%s", ManagementAccount, r.id, ManagementAccount),
	}
	others := []any{}
	for _, account := range c.records {
		if account.typ == "aws:organizations/account:Account" {
			others = append(others, map[string]any{
				"id": account.id, "name": text(account.inputs["name"]), "email": text(account.inputs["email"]), "status": "ACTIVE",
				"arn": text(account.outputs["arn"]),
			})
		}
	}
	policyTypes := []any{}
	if enabled := open(r.inputs["enabledPolicyTypes"]); enabled.IsArray() {
		for _, v := range enabled.ArrayValue() {
			policyTypes = append(policyTypes, map[string]any{"type": text(v), "status": "ENABLED"})
		}
	}
	root := rootID(r)
	for key, value := range map[string]any{
		"masterAccountId": master["id"], "masterAccountArn": master["arn"], "masterAccountEmail": master["email"], "masterAccountName": master["name"],
		"nonMasterAccounts": others, "accounts": append([]any{master}, others...),
		"roots": []any{map[string]any{
			"id": root, "name": "Root", "policyTypes": policyTypes,
			"arn": fmt.Sprintf("arn:aws:organizations::%s:root/%s/%s", ManagementAccount, r.id, root),
		}},
	} {
		r.outputs[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
	}
	if !r.inputs["featureSet"].HasValue() {
		r.outputs["featureSet"] = resource.NewProperty("ALL")
	}
}

func rootID(organization *record) string { return "r-" + seed(4, organization.id) }

// organization answers the "org" or "root" id of the organization that exists.
func (c *Cloud) organization(which string) string {
	r := c.first("aws:organizations/organization:Organization")
	switch {
	case r == nil:
		return map[string]string{"org": "o-0000000000", "root": "r-0000"}[which]
	case which == "org":
		return r.id
	default:
		return rootID(r)
	}
}

// vpcOf is the VPC of the first of some subnets.
func (c *Cloud) vpcOf(subnets resource.PropertyValue) string {
	if subnets.IsArray() {
		for _, id := range subnets.ArrayValue() {
			for _, r := range c.records {
				if r.typ == "aws:ec2/subnet:Subnet" && r.id == text(id) {
					return text(r.inputs["vpcId"])
				}
			}
		}
	}
	return ""
}
