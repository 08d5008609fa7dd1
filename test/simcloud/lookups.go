package simcloud

import (
	"cmp"
	"context"
	"crypto/md5"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Invoke answers the look-ups of the program. Its errors have the words of the real providers.
func (p *provider) Invoke(ctx context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	args, err := decode(req.GetArgs())
	if err != nil {
		return nil, err
	}
	c, in := p.cloud, instanceOf(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	var found values
	switch req.GetTok() {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		found = values{"id": in.account, "accountId": in.account}
	case "aws:organizations/getOrganization:getOrganization":
		found, err = c.getOrganization()
	case "aws:organizations/getOrganizationalUnits:getOrganizationalUnits":
		found = c.getOrganizationalUnits(text(args["parentId"]))
	case "aws:eks/getNodeGroup:getNodeGroup":
		found, err = c.getNodeGroup(in, text(args["clusterName"]), text(args["nodeGroupName"]))
	case "github:index/getRepository:getRepository":
		name, fullName := text(args["name"]), in.account+"/"+text(args["name"]) // every repository exists
		found = values{"id": name, "name": name, "fullName": fullName, "defaultBranch": c.defaultBranch(fullName), "htmlUrl": "https://github.com/" + fullName}
	case "github:index/getRepositoryEnvironments:getRepositoryEnvironments":
		found = values{"repository": text(args["repository"]), "environments": c.environments(in, text(args["repository"]))}
	case "github:index/getBranch:getBranch":
		found, err = c.getBranch(in, text(args["repository"]), text(args["branch"]))
	default:
		err = fmt.Errorf("the simulator does not know this function: add it to test/simcloud/lookups.go")
	}
	if err != nil {
		return nil, fmt.Errorf("invoking %s: %w", req.GetTok(), err)
	}
	result, err := encode(resource.NewPropertyMapFromMap(found))
	return &pulumirpc.InvokeResponse{Return: result}, err
}

func (c *Cloud) callerARN() string { return "arn:aws:iam::" + c.caller + ":user/simulated" }

func (c *Cloud) getOrganization() (values, error) {
	r := c.first(organizationType)
	if r == nil {
		return nil, fmt.Errorf("reading Organizations Organization: operation error Organizations: DescribeOrganization, " +
			"AWSOrganizationsNotInUseException: Your account is not a member of an organization")
	}
	organization := plainMap(r.outputs)
	accounts := []any{values{"id": c.caller, "name": "management", "arn": fmt.Sprintf("arn:aws:organizations::%[1]s:account/%[2]s/%[1]s", c.caller, r.id)}}
	for _, account := range c.records {
		if account.typ == accountType {
			accounts = append(accounts, values{"id": account.id, "name": text(account.inputs["name"]), "arn": text(account.outputs["arn"]), "email": text(account.inputs["email"])})
		}
	}
	organization["accounts"], organization["nonMasterAccounts"] = accounts, accounts[1:]
	return organization, nil
}

// getOrganizationalUnits returns the OUs directly below a root or an OU.
func (c *Cloud) getOrganizationalUnits(parent string) values {
	children := []any{}
	for _, r := range c.records {
		if r.typ == unitType && text(r.inputs["parentId"]) == parent {
			children = append(children, values{"id": r.id, "name": text(r.inputs["name"]), "arn": "arn:aws:organizations::" + c.caller + ":ou/" + c.organizationID() + "/" + r.id})
		}
	}
	return values{"id": parent, "parentId": parent, "children": children}
}

// getNodeGroup returns the size of a node group.
func (c *Cloud) getNodeGroup(in instance, cluster, name string) (values, error) {
	r := c.find(groupType, cluster+":"+name, in)
	if r == nil {
		return nil, fmt.Errorf("reading EKS Node Group (%s:%s): ResourceNotFoundException: No node group found for name: %s", cluster, name, name)
	}
	return values{"id": r.id, "clusterName": cluster, "nodeGroupName": name, "scalingConfigs": []any{plainMap(fields(r.inputs["scalingConfig"]))}}, nil
}

// organizationID returns the id of the organization that exists.
func (c *Cloud) organizationID() string {
	if r := c.first(organizationType); r != nil {
		return r.id
	}
	return "o-0000000000"
}

func rootID(organization *record) string { return "r-" + hexOf(4, organization.id) }

// policyTypes returns the policy types of an organization's root.
func policyTypes(organization resource.PropertyMap) []any {
	types := []any{}
	for _, v := range elements(organization["enabledPolicyTypes"]) {
		types = append(types, values{"type": text(v), "status": "ENABLED"})
	}
	return types
}

func (c *Cloud) defaultBranch(repository string) string {
	return cmp.Or(c.branches[repository], "main")
}

// getBranch knows the default branch of every repository and the branches that exist.
func (c *Cloud) getBranch(in instance, repository, branch string) (values, error) {
	sha := ""
	if branch == c.defaultBranch(in.account+"/"+repository) {
		sha = hexOf(40, in.account, repository, branch)
	}
	if r := c.find("github:index/branch:Branch", repository+":"+branch, in); r != nil {
		sha = text(r.outputs["sha"])
	}
	if sha == "" {
		return nil, fmt.Errorf("error reading GitHub branch reference %s/%s (%s): 404 Not Found", in.account, repository, branch)
	}
	return values{"id": repository + ":" + branch, "repository": repository, "branch": branch, "ref": "refs/heads/" + branch, "sha": sha}, nil
}

func (c *Cloud) environments(in instance, repository string) []any {
	found := []any{}
	for _, r := range c.records {
		if r.typ == "github:index/repositoryEnvironment:RepositoryEnvironment" && r.account == in.account && text(r.inputs["repository"]) == repository {
			found = append(found, values{"name": text(r.inputs["environment"]), "nodeId": hexOf(8, r.id)})
		}
	}
	return found
}

func md5Hex(content []byte) string { return fmt.Sprintf("%x", md5.Sum(content)) }

// content returns the content of an object that the program writes; of a file, its hash, since the engine leaves the
// content out of refreshes.
func content(inputs resource.PropertyMap) []byte {
	if source := open(inputs["source"]); source.IsAsset() {
		return []byte(source.AssetValue().Hash)
	}
	return []byte(text(inputs["content"]))
}

// object returns the object at BUCKET/KEY, as the program or PutObject wrote it.
func (c *Cloud) object(path string) (object, bool) {
	for _, r := range c.records {
		if (r.typ == objectType || r.typ == copyType) && r.id == path {
			return object{etag: text(r.outputs["etag"]), size: int64(len(content(r.inputs)))}, true
		}
	}
	o, ok := c.objects[path]
	return o, ok
}

// keys returns BUCKET/KEY of every object in a bucket.
func (c *Cloud) keys(bucket string) []string {
	var keys []string
	for _, r := range c.records {
		if (r.typ == objectType || r.typ == copyType) && strings.HasPrefix(r.id, bucket+"/") {
			keys = append(keys, r.id)
		}
	}
	for key := range c.objects {
		if strings.HasPrefix(key, bucket+"/") {
			keys = append(keys, key)
		}
	}
	return keys
}

// empty deletes the objects that go with a deleted resource: those in a bucket, and whatever has the key of an object
// or a copy, of which the provider deletes all versions, also one that another resource has written.
func (c *Cloud) empty(deleted *record) {
	gone := func(path string) bool { return false }
	switch deleted.typ {
	case bucketType:
		gone = func(path string) bool { return strings.HasPrefix(path, deleted.id+"/") }
	case objectType, copyType:
		gone = func(path string) bool { return path == deleted.id }
	}
	c.records = slices.DeleteFunc(c.records, func(r *record) bool { return (r.typ == objectType || r.typ == copyType) && gone(r.id) })
	maps.DeleteFunc(c.objects, func(path string, _ object) bool { return gone(path) })
}

// serveAPI answers the calls that the program makes with the AWS SDK, at AWS_ENDPOINT_URL: STS AssumeRole and
// GetCallerIdentity, and S3 HeadObject.
func (c *Cloud) serveAPI(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Method == http.MethodHead {
		path := strings.TrimPrefix(r.URL.Path, "/")
		if bucket, _, _ := strings.Cut(path, "/"); !c.owns(bucket, r.Header.Get("x-amz-expected-bucket-owner")) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		found, ok := c.object(path)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("ETag", `"`+found.etag+`"`)
		if found.class != "" {
			w.Header().Set("x-amz-storage-class", found.class)
		}
		w.Header().Set("Content-Length", strconv.FormatInt(found.size, 10))
		return
	}
	refuse := func(status int, code, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
	}
	_ = r.ParseForm()
	w.Header().Set("Content-Type", "text/xml")
	switch role := r.Form.Get("RoleArn"); r.Form.Get("Action") {
	case "AssumeRole":
		if !c.assumable(role) {
			refuse(http.StatusForbidden, "AccessDenied", "User: "+c.callerARN()+" is not authorized to perform: sts:AssumeRole on resource: "+role)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROASIMULATED:s</AssumedRoleId><Arn>%s/s</Arn></AssumedRoleUser>`+
			`<Credentials><AccessKeyId>ASIASIMULATED</AccessKeyId><SecretAccessKey>simulated</SecretAccessKey><SessionToken>simulated</SessionToken>`+
			`<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, role)
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn><UserId>AIDASIMULATED</UserId><Account>%s</Account>`+
			`</GetCallerIdentityResult></GetCallerIdentityResponse>`, c.callerARN(), c.caller)
	default:
		refuse(http.StatusBadRequest, "InvalidAction", "the simulator answers AssumeRole, GetCallerIdentity and HeadObject only")
	}
}

// assumable counts a call for the role and reports whether it is granted. Every role exists but those with the names of
// the program, which it must have created.
func (c *Cloud) assumable(role string) bool {
	account, name, _ := strings.Cut(strings.TrimPrefix(role, "arn:aws:iam::"), ":role/")
	if c.closed[name] || strings.HasPrefix(name, "llm-platform-") && c.find(roleType, name, instance{account: account}) == nil {
		return false
	}
	c.denied[role]++
	return c.denied[role] > c.denyRoles
}
