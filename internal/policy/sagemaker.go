package policy

import (
	"fmt"

	"llm-platform/internal/catalog"
)

// SageMaker returns the permissions of the SageMaker execution role: access to some objects, pulling images of
// its own account and AWS's Deep Learning Containers, writing its logs and metrics. It takes the place of
// AmazonSageMakerFullAccess, which reaches every bucket with "sagemaker" in its name and may pass roles.
func SageMaker(partition, region, account string, access Access) Document {
	return append(access.Document(),
		Statement{
			Sid: "SignInToRegistry", Effect: Allow, // has no resource-level permission
			Action: []string{"ecr:GetAuthorizationToken"}, Resource: []string{"*"},
		},
		Statement{
			Sid: "PullImages", Effect: Allow,
			Action: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			Resource: []string{
				fmt.Sprintf("arn:%s:ecr:%s:%s:repository/*", partition, region, account),
				fmt.Sprintf("arn:%s:ecr:%s:%s:repository/*", partition, region, catalog.DeepLearningAccount(region)),
			},
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
