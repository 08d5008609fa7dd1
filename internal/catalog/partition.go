// Package catalog holds the facts of AWS and Kubernetes that the program relies on: partitions, registries,
// versions and images. Each stands once, with its source and the day it was read.
package catalog

import "strings"

// Partition returns the ARN partition of a region: aws, aws-cn or aws-us-gov.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html, read 2026-11-22
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// DNSSuffix returns the domain of the endpoints of a region's partition.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html, read 2026-11-26
func DNSSuffix(region string) string {
	if Partition(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
