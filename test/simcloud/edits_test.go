package simcloud

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// put adds resources of the training region and returns their ids.
func put(t *testing.T, c *Cloud, resources ...Resource) (ids []string) {
	t.Helper()
	for _, r := range resources {
		before := c.Resources()
		r.Account, r.Region = ManagementAccount, "us-west-2"
		if err := c.Put(r); err != nil {
			t.Fatal(err)
		}
		for _, now := range c.Resources() {
			if !slices.ContainsFunc(before, func(r Resource) bool { return r.Type == now.Type && r.ID == now.ID }) {
				ids = append(ids, now.ID)
			}
		}
	}
	return ids
}

// urn returns a URN of a type.
func urn(typ string) string { return "urn:pulumi:dev::p::" + typ + "::n" }

// expect compares an error with a part of it; empty means none.
func expect(t *testing.T, what string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// An aws provider that moves to another region is replaced, and one that merely gets a region is not.
func TestRegionOfProvider(t *testing.T) {
	p, ctx := connect()
	for name, c := range map[string]struct {
		old, news map[string]any
		replaced  bool
	}{
		"another region": {values{"region": "us-west-2"}, values{"region": "us-east-1"}, true},
		"same region":    {values{"region": "us-west-2", "profile": "a"}, values{"region": "us-west-2", "profile": "b"}, false},
		"first region":   {values{}, values{"region": "us-west-2"}, false},
	} {
		d, err := p.DiffConfig(ctx, &pulumirpc.DiffRequest{Type: "pulumi:providers:aws", OldInputs: encoded(t, c.old), News: encoded(t, c.news)})
		if err != nil || (len(d.GetReplaces()) > 0) != c.replaced {
			t.Errorf("%s: replaces %v, %v", name, d.GetReplaces(), err)
		}
	}
}

// Subnets lie in their VPC and share no address.
func TestRangesOfSubnets(t *testing.T) {
	cloud := New()
	vpcs := put(t, cloud, Resource{Type: vpcType, Inputs: values{"cidrBlock": "10.0.0.0/16"}}, Resource{Type: vpcType, Inputs: values{"cidrBlock": "10.0.0.0/17"}})
	put(t, cloud, Resource{Type: subnetType, Inputs: values{"vpcId": vpcs[0], "cidrBlock": "10.0.128.0/17"}})
	for _, c := range []struct{ vpc, cidr, want string }{
		{vpcs[0], "10.0.0.0/20", ""},
		{vpcs[0], "10.0.0.0/20", "InvalidSubnet.Conflict: The CIDR '10.0.0.0/20' conflicts with another subnet"},
		{vpcs[0], "10.0.200.0/24", "InvalidSubnet.Conflict"},
		{vpcs[1], "10.0.0.0/20", ""},
		{vpcs[1], "10.0.128.0/20", "InvalidSubnet.Range"},
		{vpcs[1], "10.0.0.0/16", "InvalidSubnet.Range"},
		{vpcs[0], "10.0.0.0", "InvalidParameterValue"},
	} {
		err := cloud.Put(Resource{Type: subnetType, Account: ManagementAccount, Region: "us-west-2", Inputs: values{"vpcId": c.vpc, "cidrBlock": c.cidr}})
		expect(t, c.cidr+" in "+c.vpc, err, c.want)
	}
}

// A cluster's subnets can change within its VPC and its zones, and a subnet is not deleted while something is in it.
func TestSubnetsOfCluster(t *testing.T) {
	p, ctx := connect()
	vpcs := put(t, p.cloud, Resource{Type: vpcType, Inputs: values{"cidrBlock": "10.0.0.0/16"}}, Resource{Type: vpcType, Inputs: values{"cidrBlock": "10.1.0.0/16"}})
	subnet := func(vpc, zone, cidr string) string {
		return put(t, p.cloud, Resource{Type: subnetType, Inputs: values{"vpcId": vpc, "availabilityZone": "us-west-2" + zone, "cidrBlock": cidr}})[0]
	}
	a, b, another, c := subnet(vpcs[0], "a", "10.0.0.0/24"), subnet(vpcs[0], "b", "10.0.1.0/24"), subnet(vpcs[0], "b", "10.0.2.0/24"), subnet(vpcs[0], "c", "10.0.3.0/24")
	elsewhereA, elsewhereB := subnet(vpcs[1], "a", "10.1.0.0/24"), subnet(vpcs[1], "b", "10.1.1.0/24")
	inputs := func(subnets ...any) map[string]any {
		return values{"name": "c", "vpcConfig": values{"subnetIds": subnets}}
	}
	put(t, p.cloud, Resource{Type: clusterType, Inputs: inputs(a, b)})
	for _, to := range []struct {
		subnets []any
		want    string
	}{
		{[]any{a, another}, ""},
		{[]any{a, b, c}, "same set of AZs"},
		{[]any{a}, "same set of AZs"},
		{[]any{elsewhereA, elsewhereB}, "in the VPC that the cluster was created with"},
	} {
		_, err := p.Update(ctx, &pulumirpc.UpdateRequest{Id: "c", Urn: urn(clusterType), Type: clusterType, News: encoded(t, inputs(to.subnets...))})
		expect(t, fmt.Sprint("subnets ", to.subnets), err, to.want)
	}
	for id, want := range map[string]string{a: "DependencyViolation", c: ""} {
		_, err := p.Delete(ctx, &pulumirpc.DeleteRequest{Id: id, Urn: urn(subnetType)})
		expect(t, "deleting "+id, err, want)
	}
}

// EKS gets the sizes of a node group only if one of them changes, and then all of them, as they are in the state.
func TestSizesAreSentTogether(t *testing.T) {
	p, ctx := connect()
	inputs := func(most int, label string) map[string]any {
		return values{"clusterName": "a", "nodeGroupName": "b", "labels": values{"a": label}, "scalingConfig": values{"minSize": 0, "desiredSize": 1, "maxSize": most}}
	}
	put(t, p.cloud, Resource{Type: groupType, Inputs: inputs(8, "1")})
	if !p.cloud.Edit(groupType, "a:b", "scalingConfig.desiredSize", 4) || p.cloud.Edit(groupType, "a:c", "scalingConfig.desiredSize", 4) {
		t.Fatal("Edit edits what does not exist, or not what does")
	}
	update := func(old, news map[string]any) any {
		t.Helper()
		if _, err := p.Update(ctx, &pulumirpc.UpdateRequest{Id: "a:b", Urn: urn(groupType), Type: groupType, OldInputs: encoded(t, old), News: encoded(t, news)}); err != nil {
			t.Fatal(err)
		}
		return p.cloud.Resources()[0].Inputs["scalingConfig"].(values)["desiredSize"]
	}
	if n := update(inputs(8, "1"), inputs(8, "2")); n != 4.0 {
		t.Errorf("a label leaves %v nodes of 4", n)
	}
	if n := update(inputs(8, "2"), inputs(9, "2")); n != 1.0 {
		t.Errorf("another maximum leaves %v nodes, want that of the state", n)
	}
}

// Deleting a copy deletes all versions of its key, also what another resource wrote there; deleting a bucket deletes its
// objects only with forceDestroy.
func TestDeletedObjects(t *testing.T) {
	p, ctx := connect()
	put(t, p.cloud, Resource{Type: bucketType, Inputs: values{"bucket": "data", "forceDestroy": true}}, Resource{Type: bucketType, Inputs: values{"bucket": "kept"}})
	copied := func(bucket, key string) Resource {
		return Resource{Type: copyType, Inputs: values{"bucket": bucket, "key": key, "source": "corpora/a"}}
	}
	p.cloud.PutObject("corpora", "a", []byte("a"), 0)
	put(t, p.cloud, copied("data", "a"), copied("data", "b"), copied("kept", "a"))
	p.cloud.PutObject("data", "a", []byte("by hand"), 0)
	p.cloud.PutObject("data", "c", []byte("by hand"), 0)
	remove := func(typ, id, want string) {
		t.Helper()
		_, err := p.Delete(ctx, &pulumirpc.DeleteRequest{Id: id, Urn: urn(typ)})
		expect(t, "deleting "+id, err, want)
	}
	left := func(want ...string) {
		t.Helper()
		got := append(p.cloud.keys("data"), p.cloud.keys("kept")...)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("objects %v, want %v", got, want)
		}
	}
	remove(copyType, "data/a", "")
	left("data/b", "data/c", "kept/a")
	remove(bucketType, "kept", "BucketNotEmpty")
	remove(bucketType, "data", "")
	left("kept/a")
}
