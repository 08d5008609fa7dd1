package simcloud

import (
	"fmt"
	"strings"
	"testing"
)

// What the vendors' APIs refuse of a resource's inputs, and what is next to it and accepted.
func TestMalformed(t *testing.T) {
	type object = map[string]any
	account := func(name, email string) Resource {
		return Resource{Type: accountType, Inputs: object{"name": name, "email": email}}
	}
	tagged := func(typ string, tags object) Resource {
		return Resource{Type: typ, Inputs: object{"name": "a", "tags": tags}}
	}
	scheduled := func(expression string) Resource {
		return Resource{Type: "aws:datasync/task:Task", Inputs: object{"schedule": object{"scheduleExpression": expression}}}
	}
	public := func(ranges ...any) Resource {
		return Resource{Type: clusterType, Inputs: object{"name": "a", "vpcConfig": object{"publicAccessCidrs": ranges}}}
	}
	nodes := func(labels object, taints ...any) Resource {
		return Resource{Type: groupType, Inputs: object{"clusterName": "a", "nodeGroupName": "b", "labels": labels, "taints": taints}}
	}
	copied := func(key string) Resource {
		return Resource{Type: copyType, Inputs: object{"bucket": "b", "key": "k", "source": "corpora/" + key}}
	}
	described := func(typ, description string) Resource {
		return Resource{Type: typ, Inputs: object{"name": "a", "description": description}}
	}
	many := make([]any, 41)
	for i := range many {
		many[i] = fmt.Sprintf("198.41.%d.0/24", i)
	}
	const vpc, task, group = "aws:ec2/vpc:Vpc", "aws:datasync/task:Task", "aws:ec2/securityGroup:SecurityGroup"
	cni := func(values string) Resource {
		return Resource{Type: addonType, Inputs: object{"clusterName": "c", "addonName": "vpc-cni", "configurationValues": values}}
	}
	for name, c := range map[string]struct {
		resource Resource
		want     string // part of the error; empty: accepted
	}{
		"account":                       {account("llm-dev-training", "aws+dev-training@acme.example"), ""},
		"e-mail without a domain":       {account("a", "aws@acme"), `"aws@acme" at "email"`},
		"e-mail with a space":           {account("a", "a b@acme.example"), `at "email"`},
		"e-mail with brackets":          {account("a", "aws+<stack>@acme.example"), `at "email"`},
		"e-mail with two @":             {account("a", "a@b@acme.example"), `at "email"`},
		"e-mail with a dot in front":    {account("a", ".aws@acme.example"), `at "email"`},
		"network policies":              {cni(`{"enableNetworkPolicy":"true"}`), ""},
		"network policies as a boolean": {cni(`{"enableNetworkPolicy":true}`), "ConfigurationValue"},
		"network policies, misspelt":    {cni(`{"enableNetworkPolicies":"true"}`), "ConfigurationValue"},
		"account name":                  {account("Forschung Köln", "a@acme.example"), `at "name"`},
		"tag":                           {tagged(vpc, object{"Cost Center": "Köln/1 +-=._:@"}), ""},
		"tag key":                       {tagged(vpc, object{"R&D": "1"}), "InvalidTag"},
		"tag value":                     {tagged(vpc, object{"Team": "R&D"}), "InvalidTag"},
		"tag of AWS":                    {tagged(vpc, object{"aws:team": "1"}), "InvalidTag"},
		"long tag":                      {tagged(vpc, object{"Team": strings.Repeat("a", 257)}), "InvalidTag"},
		"keys that differ by case":      {tagged(roleType, object{"note": "1", "Note": "1"}), "Duplicate tag keys"},
		"the same, of EC2":              {tagged(vpc, object{"note": "1", "Note": "1"}), ""},
		"DataSync: tag":                 {tagged(task, object{"Team": "nlp"}), ""},
		"DataSync: value":               {tagged(task, object{"Team": "Köln"}), "InvalidTag"},
		"DataSync: empty value":         {tagged(task, object{"Team": ""}), "InvalidTag"},
		"role description":              {described(roleType, "Training pods"), ""},
		"role description, outside":     {described(roleType, "Training pods – all"), `at "description"`},
		"security group description":    {described(group, "nodes (all)"), ""},
		"the same, outside":             {described(group, "nodes' rules"), `at "description"`},
		"every hour":                    {scheduled("rate(1 hour)"), ""},
		"every 12 hours":                {scheduled("rate(12 hours)"), ""},
		"every night":                   {scheduled("cron(0 3 * * ? *)"), ""},
		"on Mondays":                    {scheduled("cron(30 3 ? * MON *)"), ""},
		"plural of one":                 {scheduled("rate(1 hours)"), "scheduleExpression"},
		"minutes":                       {scheduled("rate(30 minutes)"), "scheduleExpression"},
		"five fields":                   {scheduled("cron(0 3 * * *)"), "scheduleExpression"},
		"both days":                     {scheduled("cron(0 3 * * * *)"), "scheduleExpression"},
		"more than hourly":              {scheduled("cron(*/5 * * * ? *)"), "scheduleExpression"},
		"public range":                  {public("198.41.0.0/24", "0.0.0.0/0"), ""},
		"private range":                 {public("10.1.0.128/27"), "are not allowed in publicAccessCidrs: [10.1.0.128/27]"},
		"range around a reserved one":   {public("100.0.0.0/8"), "are not allowed in publicAccessCidrs: [100.0.0.0/8]"},
		"host bits":                     {public("198.41.0.1/24"), "are invalid in publicAccessCidrs"},
		"IPv6":                          {public("2600::/32"), "are invalid in publicAccessCidrs"},
		"40 ranges":                     {public(many[:40]...), ""},
		"41 ranges":                     {public(many...), "exceeds the limit of 40"},
		"label":                         {nodes(object{"team": "nlp", "vpc.amazonaws.com/efa.present": "true", "nvidia.com/gpu": "true"}), ""},
		"label of Kubernetes":           {nodes(object{"kubernetes.io/team": "nlp"}), "cannot contain reserved prefixes"},
		"label of a domain below":       {nodes(object{"node-role.kubernetes.io/gpu": "true"}), "cannot contain reserved prefixes"},
		"label of EKS":                  {nodes(object{"eks.amazonaws.com/team": "nlp"}), "cannot contain reserved prefixes"},
		"label without a value":         {nodes(object{"team": ""}), "empty value"},
		"long label":                    {nodes(object{strings.Repeat("a", 64): "b"}), "longer than 63"},
		"taint":                         {nodes(nil, object{"key": "nvidia.com/gpu", "value": "true"}), ""},
		"taint of Kubernetes":           {nodes(nil, object{"key": "node.kubernetes.io/gpu", "value": "true"}), "taint node.kubernetes.io/gpu cannot contain reserved prefixes"},
		"object":                        {copied("a b.jsonl"), ""},
		"object with an escaped key":    {copied("a%20b.jsonl"), ""},
		"object that does not exist":    {copied("b.jsonl"), "NoSuchKey"},
		"archived object":               {copied("old.jsonl"), "InvalidObjectState"},
		"object with instant retrieval": {copied("rare.jsonl"), ""},
	} {
		cloud := New()
		for key, class := range map[string]string{"a b.jsonl": "", "old.jsonl": "GLACIER", "rare.jsonl": "GLACIER_IR"} {
			cloud.PutObject("corpora", key, nil, 1)
			cloud.Archive("corpora", key, class)
		}
		c.resource.Account, c.resource.Region = ManagementAccount, "us-west-2"
		if err := cloud.Put(c.resource); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestZoneWithoutControlPlane(t *testing.T) {
	for zone, want := range map[string]string{"us-east-1a": "", "us-east-1e": "UnsupportedAvailabilityZoneException"} {
		cloud := New()
		place := Resource{Type: "aws:ec2/subnet:Subnet", Account: ManagementAccount, Region: "us-east-1", Inputs: map[string]any{"availabilityZone": zone, "cidrBlock": "10.0.0.0/24"}}
		if err := cloud.Put(place); err != nil {
			t.Fatal(err)
		}
		place.Type, place.Inputs = clusterType, map[string]any{"name": "a", "vpcConfig": map[string]any{"subnetIds": []any{cloud.Resources()[0].ID}}}
		if err := cloud.Put(place); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", zone, err, want)
		}
	}
}
