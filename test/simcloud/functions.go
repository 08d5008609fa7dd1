package simcloud

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// function answers a look-up from what exists. Its errors are worded as the real provider words them.
type function func(c *Cloud, in instance, args resource.PropertyMap) (map[string]any, error)

func functions() map[string]function {
	return map[string]function{
		"aws:index/getCallerIdentity:getCallerIdentity":       callerIdentity,
		"aws:index/getRegion:getRegion":                       region,
		"aws:index/getPartition:getPartition":                 partition,
		"aws:index/getAvailabilityZones:getAvailabilityZones": availabilityZones,
		"aws:organizations/getOrganization:getOrganization":   getOrganization,
		"aws:s3/getBucket:getBucket":                          getBucket,
		"aws:s3/getObject:getObject":                          getObject,
		"aws:ec2/getVpc:getVpc":                               existing("aws:ec2/vpc:Vpc", "id", "no matching EC2 VPC found"),
		"aws:ec2/getSubnet:getSubnet":                         existing("aws:ec2/subnet:Subnet", "id", "no matching EC2 Subnet found"),
		"aws:eks/getCluster:getCluster":                       existing("aws:eks/cluster:Cluster", "name", "couldn't find resource"),
		"aws:iam/getRole:getRole":                             existing("aws:iam/role:Role", "name", "couldn't find resource"),
		"aws:kms/getKey:getKey":                               existing("aws:kms/key:Key", "keyId", "couldn't find resource"),
		"github:index/getRepository:getRepository":            githubRepository,
		"github:index/getBranch:getBranch":                    githubBranch,
	}
}

func (p *provider) Invoke(ctx context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	args, err := decode(req.GetArgs())
	if err != nil {
		return nil, err
	}
	f, ok := functions()[req.GetTok()]
	if !ok {
		return nil, fmt.Errorf("simcloud knows no function %s: add it to functions.go", req.GetTok())
	}
	p.cloud.mu.Lock()
	defer p.cloud.mu.Unlock()
	found, err := f(p.cloud, instanceOf(ctx), args)
	if err != nil {
		return nil, fmt.Errorf("invoking %s: %w", req.GetTok(), err)
	}
	result, err := encode(resource.NewPropertyMapFromMap(found))
	return &pulumirpc.InvokeResponse{Return: result}, err
}

func callerIdentity(_ *Cloud, in instance, _ resource.PropertyMap) (map[string]any, error) {
	return map[string]any{
		"id": in.account, "accountId": in.account, "userId": "AIDASIMULATED", "arn": callerARN(in.partition, in.account),
	}, nil
}

func callerARN(partition, account string) string {
	if account == ManagementAccount {
		return fmt.Sprintf("arn:%s:iam::%s:user/simulated", partition, account)
	}
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/simulated/session", partition, account)
}

func region(_ *Cloud, in instance, args resource.PropertyMap) (map[string]any, error) {
	name := text(args["name"])
	if name == "" {
		name = in.region
	}
	return map[string]any{"id": name, "name": name, "description": name, "endpoint": "ec2." + name + ".amazonaws.com"}, nil
}

func partition(_ *Cloud, in instance, _ resource.PropertyMap) (map[string]any, error) {
	return map[string]any{"id": in.partition, "partition": in.partition, "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}, nil
}

func availabilityZones(_ *Cloud, in instance, _ resource.PropertyMap) (map[string]any, error) {
	var names, ids []any
	for _, letter := range []string{"a", "b", "c"} {
		names = append(names, in.region+letter)
		ids = append(ids, zoneID(in.region+letter))
	}
	return map[string]any{"id": in.region, "names": names, "zoneIds": ids, "groupNames": []any{in.region}, "state": "available"}, nil
}

func getOrganization(c *Cloud, _ instance, _ resource.PropertyMap) (map[string]any, error) {
	r := c.first("aws:organizations/organization:Organization")
	if r == nil {
		return nil, fmt.Errorf("reading Organizations Organization: operation error Organizations: DescribeOrganization, " +
			"AWSOrganizationsNotInUseException: Your account is not a member of an organization")
	}
	organizationMembers(c, r, r)
	return plainMap(r.outputs), nil
}

func getBucket(c *Cloud, _ instance, args resource.PropertyMap) (map[string]any, error) {
	for _, r := range c.records {
		if r.typ == "aws:s3/bucketV2:BucketV2" && r.id == text(args["bucket"]) {
			return plainMap(r.outputs), nil
		}
	}
	return nil, fmt.Errorf("reading S3 Bucket (%s): couldn't find resource", text(args["bucket"]))
}

func getObject(c *Cloud, _ instance, args resource.PropertyMap) (map[string]any, error) {
	bucket, key := text(args["bucket"]), text(args["key"])
	o, ok := c.objects[bucket+"/"+key]
	if !ok {
		return nil, fmt.Errorf("reading S3 Bucket (%s) Object (%s): couldn't find resource", bucket, key)
	}
	return map[string]any{
		"id": bucket + "/" + key, "bucket": bucket, "key": key, "arn": "arn:aws:s3:::" + bucket + "/" + key,
		"etag": o.etag, "versionId": o.version, "contentLength": o.size, "contentType": "application/octet-stream", "body": "",
		"lastModified": created, "storageClass": "STANDARD", "serverSideEncryption": "AES256", "metadata": map[string]any{}, "tags": map[string]any{},
	}, nil
}

// existing looks a resource of the instance's account up by the argument that names its id.
func existing(typ, argument, missing string) function {
	return func(c *Cloud, in instance, args resource.PropertyMap) (map[string]any, error) {
		if r := c.find(typ, text(args[resource.PropertyKey(argument)]), in.account, in.region, nil); r != nil {
			return plainMap(r.outputs), nil
		}
		return nil, fmt.Errorf("%s: %s", missing, text(args[resource.PropertyKey(argument)]))
	}
}

const repositoryType = "github:index/repository:Repository"

// githubRepository knows every repository.
func githubRepository(c *Cloud, in instance, args resource.PropertyMap) (map[string]any, error) {
	name := text(args["name"])
	fullName := text(args["fullName"])
	if fullName == "" {
		fullName = in.account + "/" + name
	}
	name = fullName[strings.LastIndex(fullName, "/")+1:]
	return map[string]any{
		"id": name, "name": name, "fullName": fullName, "defaultBranch": c.defaultBranch(repositoryType, name, in.account), "visibility": "private", "private": true,
		"htmlUrl": "https://github.com/" + fullName, "nodeId": "R_" + seed(10, fullName), "repoId": 1,
	}, nil
}

// githubBranch knows the default branch of every repository, and the branches that were made.
func githubBranch(c *Cloud, in instance, args resource.PropertyMap) (map[string]any, error) {
	repository, branch := text(args["repository"]), text(args["branch"])
	sha := ""
	if branch == c.defaultBranch(repositoryType, repository, in.account) {
		sha = seed(40, in.account, repository, branch)
	}
	if r := c.find("github:index/branch:Branch", repository+":"+branch, in.account, "", nil); r != nil {
		sha = text(r.outputs["sha"])
	}
	if sha == "" {
		return nil, fmt.Errorf("error reading GitHub branch reference %s/%s (%s): 404 Not Found", in.account, repository, branch)
	}
	return map[string]any{
		"id": repository + ":" + branch, "repository": repository, "branch": branch, "ref": "refs/heads/" + branch, "sha": sha, "etag": "",
	}, nil
}
