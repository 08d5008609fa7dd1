package policy

import (
	"fmt"
	"strings"
)

// PrincipalTrust returns the trust policy of a role that IAM roles and users may assume. principals are their ARNs, with *
// for any text. Their accounts decide too: each principal needs the permission to assume the role.
//
// The condition names them, because a principal that a trust policy names itself must exist and is replaced by its
// internal id when it is deleted.
func PrincipalTrust(principals []string) Document {
	var accounts []string
	for _, arn := range principals {
		parts := strings.SplitN(arn, ":", 6) // arn:aws:iam::111122223333:role/research
		accounts = append(accounts, fmt.Sprintf("%s:%s:iam::%s:root", parts[0], parts[1], parts[4]))
	}
	return Document{{
		Sid: "Assume", Effect: Allow, Principal: &Principals{AWS: sorted(accounts)}, Action: assume,
		Condition: Conditions{"ArnLike": {"aws:PrincipalArn": sorted(principals)}},
	}}
}

// Scientist describes what a data scientist reads in the training account.
type Scientist struct {
	Partition string
	Region    string
	Account   string   // 12 digits
	Buckets   []string // ARNs of those with data, checkpoints and models
	Keys      []string // ARNs of the KMS keys that encrypt them; empty with S3's keys
	Cluster   string   // name of the EKS cluster; empty: none of this stack
}

// Document returns the permissions to read data, checkpoints, models and the logs of containers, and to describe the cluster.
// Whoever could write checkpoints or models could make a training pod run code that is hidden in them.
func (s Scientist) Document() Document {
	d := Document{
		{Sid: "ListBuckets", Effect: Allow, Action: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: s.Buckets},
		{Sid: "ReadObjects", Effect: Allow, Action: []string{"s3:GetObject", "s3:GetObjectVersion"}, Resource: objects(s.Buckets, "")},
	}
	if len(s.Keys) > 0 {
		d = append(d, Statement{Sid: "Decrypt", Effect: Allow, Action: []string{"kms:Decrypt"}, Resource: s.Keys})
	}
	if s.Cluster == "" {
		return d
	}
	of := func(service, resource string) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:%s", s.Partition, service, s.Region, s.Account, resource)
	}
	group := of("logs", "log-group:/aws/containerinsights/"+s.Cluster+"/application")
	return append(d,
		Statement{
			Sid: "DescribeCluster", Effect: Allow,
			Action:   []string{"eks:DescribeCluster", "eks:DescribeNodegroup", "eks:ListNodegroups"},
			Resource: []string{of("eks", "cluster/"+s.Cluster), of("eks", "nodegroup/"+s.Cluster+"/*")},
		},
		// Container Insights writes the logs of the pods to this group.
		Statement{
			Sid: "ReadLogs", Effect: Allow,
			Action:   []string{"logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"},
			Resource: []string{group, group + ":*"},
		},
		Statement{
			Sid: "ReadQueries", Effect: Allow, // of a query only its id is known, which is secret to whoever started it
			Action: []string{"logs:GetQueryResults", "logs:StopQuery"}, Resource: []string{"*"},
		},
	)
}

// PushImages returns the permissions to push images to one repository and to pull them.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html, read 2026-11-26
func PushImages(repositoryARN string) Document {
	return Document{
		{
			Sid: "SignInToRegistry", Effect: Allow, // has no resource-level permission
			Action: []string{"ecr:GetAuthorizationToken"}, Resource: []string{"*"},
		},
		{
			Sid: "PushAndPull", Effect: Allow,
			Action: []string{
				"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
				"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
			},
			Resource: []string{repositoryARN},
		},
	}
}
