package policy

import "fmt"

// SageMaker is what the SageMaker execution role may do: the given objects, pull
// images of its own account and AWS's deep learning containers, write its logs and
// metrics. It is not AmazonSageMakerFullAccess, which reaches every bucket with
// "sagemaker" in its name and may pass roles.
func SageMaker(partition, region, account string, access Access) Document {
	return append(access.Document(),
		Statement{
			Sid: "SignInToRegistry", Effect: Allow, // has no resource-level permission
			Action: []string{"ecr:GetAuthorizationToken"}, Resource: []string{"*"},
		},
		Statement{
			Sid: "PullImages", Effect: Allow,
			Action:   []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			Resource: []string{fmt.Sprintf("arn:%s:ecr:%s:%s:repository/*", partition, region, account), awsImages(partition, region)},
		},
		Statement{
			Sid: "WriteLogs", Effect: Allow,
			Action: []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resource: []string{
				fmt.Sprintf("arn:%s:logs:%s:%s:log-group:/aws/sagemaker/*", partition, region, account),
			},
		},
		Statement{
			Sid: "WriteMetrics", Effect: Allow, // has no resource-level permission, but a namespace
			Action: []string{"cloudwatch:PutMetricData"}, Resource: []string{"*"},
			Condition: Conditions{"StringLike": {"cloudwatch:namespace": {"/aws/sagemaker/*", "aws/sagemaker/*"}}},
		},
	)
}

// awsImages is the registry of AWS's deep learning containers, account 763104351884
// in the regions of the aws partition that are on by default, read 2026-11 at
// https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/ecr-us-west-2.html
func awsImages(partition, region string) string {
	account := "763104351884"
	switch partition {
	case "aws-cn":
		account = "727897471807"
	case "aws-us-gov":
		account = "442386744353"
	}
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/*", partition, region, account)
}
