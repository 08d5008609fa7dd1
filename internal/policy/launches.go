package policy

import (
	"slices"

	"llm-platform/internal/accelerator"
)

// launches are the actions that launch EC2 instances and let a policy see their type. StartInstances is included
// because the type of a stopped instance can be changed.
var launches = Values{"ec2:RunInstances", "ec2:StartInstances"}

// indirectLaunches are actions that make AWS launch instances on the caller's behalf, or decide what it launches then,
// where no policy can see the instance type: a fleet or an Auto Scaling group launches what the newest version of its
// template names, or any type with the requested attributes, with a role that SCPs do not apply to.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
var indirectLaunches = Values{
	"application-autoscaling:PutScalingPolicy", "application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget",
	"autoscaling-plans:CreateScalingPlan", "autoscaling-plans:UpdateScalingPlan",
	"autoscaling:BatchPutScheduledUpdateGroupAction", "autoscaling:CreateAutoScalingGroup", "autoscaling:CreateLaunchConfiguration",
	"autoscaling:ExecutePolicy", "autoscaling:LaunchInstances", "autoscaling:PutScalingPolicy", "autoscaling:PutScheduledUpdateGroupAction",
	"autoscaling:PutWarmPool", "autoscaling:RollbackInstanceRefresh", "autoscaling:StartInstanceRefresh", "autoscaling:UpdateAutoScalingGroup",
	"batch:CreateComputeEnvironment", "batch:CreateServiceEnvironment", "batch:SubmitServiceJob", "batch:UpdateComputeEnvironment",
	"batch:UpdateServiceEnvironment", "batch:UpdateServiceJob",
	"ec2:CreateFleet", "ec2:CreateLaunchTemplateVersion", "ec2:EnableFastLaunch", "ec2:ImportInstance", "ec2:ModifyFleet",
	"ec2:ModifyLaunchTemplate", "ec2:ModifySpotFleetRequest", "ec2:RequestSpotFleet", "ec2:RequestSpotInstances", "ec2:RunScheduledInstances",
	"ecs:CreateCapacityProvider", "ecs:PutClusterCapacityProviders", "ecs:UpdateCapacityProvider",
	"eks:CreateNodegroup", "eks:UpdateNodegroupVersion",
	"imagebuilder:Create*", "imagebuilder:DistributeImage", "imagebuilder:Import*", "imagebuilder:Put*", "imagebuilder:RetryImage", "imagebuilder:Start*", "imagebuilder:Update*",
	"lambda:CreateCapacityProvider", "lambda:UpdateCapacityProvider",
	"pcs:Create*", "pcs:Update*",
}

// unseenSageMaker are SageMaker's actions that start or choose compute without the key sagemaker:InstanceTypes.
var unseenSageMaker = Values{
	"sagemaker:BatchAddClusterNodes", "sagemaker:CreateAIBenchmarkJob", "sagemaker:CreateAIRecommendationJob", "sagemaker:CreateAlgorithm",
	"sagemaker:CreateAutoMLJob*", "sagemaker:CreateCompilationJob", "sagemaker:CreateInferenceExperiment",
	"sagemaker:CreateInferenceRecommendationsJob", "sagemaker:CreateJob", "sagemaker:CreateLabelingJob", "sagemaker:CreateModelPackage",
	"sagemaker:CreateOptimizationJob", "sagemaker:CreatePartnerApp", "sagemaker:DeployHubModel", "sagemaker:StartInferenceExperiment",
	"sagemaker:TrainHubModel", "sagemaker:UpdateClusterInference", "sagemaker:UpdateClusterSoftware", "sagemaker:UpdateInferenceExperiment", "sagemaker:UpdatePartnerApp",
}

// rentals are the actions by which other services rent instances out of AWS's own accounts, accelerated ones among them.
var rentals = Values{
	"appstream:Create*", "appstream:Start*", "appstream:Update*",
	"bedrock-agentcore:CreateCapacityProvider", "bedrock-agentcore:UpdateCapacityProvider",
	"bedrock:CreateMarketplaceModelEndpoint", "bedrock:UpdateMarketplaceModelEndpoint",
	"braket:CreateJob", "braket:CreateQuantumTask",
	"codebuild:Create*", "codebuild:Start*", "codebuild:Update*",
	"datazone:StartCompute", "datazone:StartNotebookCompute",
	"deadline:Create*", "deadline:Update*",
	"evs:Create*",
	"gamelift:Create*", "gamelift:Start*", "gamelift:Update*",
	"gameliftstreams:Add*", "gameliftstreams:Create*", "gameliftstreams:Start*", "gameliftstreams:Update*",
	"lightsail:Create*", "lightsail:StartInstance",
	"omics:Create*", "omics:Start*", "omics:Update*",
	"robomaker:Create*", "robomaker:Start*",
	"workspaces-instances:Create*",
	"workspaces:Create*", "workspaces:Migrate*", "workspaces:Modify*", "workspaces:Start*", "workspaces:Update*",
}

// purchases are the actions that commit an account to pay for capacity, throughput, software or a plan.
var purchases = Values{
	"athena:CreateCapacityReservation", "athena:UpdateCapacityReservation",
	"aws-marketplace:AcceptAgreement*", "aws-marketplace:CreateAgreementRequest", "aws-marketplace:SendAgreementPaymentRequest", "aws-marketplace:Subscribe",
	"bedrock-mantle:CreateReservation", "bedrock-mantle:UpdateReservation",
	"bedrock:CreateFoundationModelAgreement", "bedrock:CreateProvisionedModelThroughput", "bedrock:UpdateProvisionedModelThroughput",
	"cloudfront:CreateSavingsPlan", "cloudfront:UpdateSavingsPlan",
	"devicefarm:PurchaseOffering", "devicefarm:RenewOffering",
	"dynamodb:PurchaseReservedCapacityOfferings",
	"ec2:AcceptCapacityReservationBillingOwnership", "ec2:AcceptReservedInstancesExchangeQuote", "ec2:AllocateHosts",
	"ec2:CreateCapacityReservation", "ec2:CreateCapacityReservationFleet", "ec2:ModifyCapacityReservation*", "ec2:Purchase*",
	"eks:CreateEksAnywhereSubscription", "eks:UpdateEksAnywhereSubscription",
	"elasticache:Purchase*", "elasticloadbalancing:ModifyCapacityReservation", "elemental-appliances-software:CreateOrder*", "es:Purchase*",
	"freertos:CreateSubscription", "glacier:Purchase*", "health-agent:CreateSubscription", "license-manager-user-subscriptions:StartProductSubscription",
	"mediaconnect:Purchase*", "medialive:Purchase*", "medialive:UpdateReservation", "memorydb:Purchase*", "outposts:CreateOrder",
	"pricingplanmanager:ApprovePaidSubscription", "pricingplanmanager:CreateSubscription", "pricingplanmanager:UpdateSubscription",
	"qbusiness:CreateSubscription", "qbusiness:UpdateSubscription", "quicksight:CreateAccountSubscription", "quicksight:Subscribe",
	"rds:Purchase*", "redshift-serverless:CreateReservation", "redshift:AcceptReservedNodeExchange", "redshift:Purchase*",
	"route53domains:RegisterDomain", "route53domains:TransferDomain",
	"sagemaker:CreateReservedCapacity", "sagemaker:CreateTrainingPlan", "sagemaker:ExtendTrainingPlan",
	"savingsplans:CreateSavingsPlan", "shield:CreateSubscription", "shield:UpdateSubscription",
	"supportplans:AcceptSupportAgreement", "supportplans:CreateSupport*", "supportplans:UpdateSupport*",
	"user-subscriptions:ConfirmPurchaseSession", "user-subscriptions:CreatePurchaseSession",
}

// growth are the actions that start or enlarge what exists already, with the types that it has. SCPs cannot tell growing
// from shrinking. resizes are those of them that the rescue role shrinks with.
var (
	growth = Values{
		"autoscaling:AttachInstances", "autoscaling:ResumeProcesses", "batch:SubmitJob",
		"sagemaker:BatchReplaceClusterNodes", "sagemaker:CreateEndpoint", "sagemaker:CreateInferenceComponent",
		"sagemaker:StartMonitoringSchedule", "sagemaker:StartNotebookInstance", "sagemaker:UpdateEndpoint", "sagemaker:UpdateInferenceComponent",
	}
	resizes = Values{
		"autoscaling:SetDesiredCapacity", "eks:UpdateNodegroupConfig", "sagemaker:UpdateEndpointWeightsAndCapacities",
		"sagemaker:UpdateInferenceComponentRuntimeConfig",
	}
)

// ordinarySageMaker are SageMaker's types without accelerators. A SageMaker request may name several types; "one of
// them is accelerated and not listed" can only be expressed as "one of them is neither ordinary nor listed". New
// families are therefore denied.
var ordinarySageMaker = []string{
	"ml.c*", "ml.geospatial.*", "ml.i2*", "ml.i3*", "ml.i4*", "ml.i7*", "ml.m*", "ml.r*", "ml.t2*", "ml.t3*", "ml.t4*", "ml.x*", "ml.z*", "system",
}

// accelerators allows only the training account to launch accelerated instances, and only of the listed types.
func (g Guardrails) accelerators() Document {
	elsewhere := map[string]Values{"aws:PrincipalAccount": {g.TrainingAccount}}
	only := func(sid string, conditions Conditions) Statement {
		return Statement{
			Sid: sid, Effect: Deny, Action: launches, Resource: []string{"arn:*:ec2:*:*:instance/*"},
			Condition: g.others(conditions),
		}
	}
	accelerated := map[string]Values{"ec2:InstanceType": accelerator.Patterns()}
	unlisted := Conditions{"StringLike": accelerated}
	if len(g.InstanceTypes) > 0 {
		unlisted["StringNotEquals"] = map[string]Values{"ec2:InstanceType": sorted(g.InstanceTypes)}
	}
	sageMaker := func(sid string, allowed []string, conditions Conditions) Statement {
		conditions = g.others(conditions)
		conditions["ForAnyValue:StringNotLike"] = map[string]Values{"sagemaker:InstanceTypes": sorted(append(slices.Clone(ordinarySageMaker), allowed...))}
		return Statement{
			Sid: sid, Effect: Deny, Action: []string{"sagemaker:Create*", "sagemaker:Update*"}, Resource: []string{"*"},
			Condition: conditions,
		}
	}
	return Document{
		only("OnlyInTraining", Conditions{"StringLike": accelerated, "StringNotEquals": elsewhere}),
		only("OnlyListedTypes", unlisted),
		sageMaker("OnlyInTrainingSageMaker", nil, Conditions{"StringNotEquals": elsewhere}),
		sageMaker("OnlyListedTypesSageMaker", g.SageMakerTypes, nil),
		{
			Sid: "PoolsAreDeployed", Effect: Deny, Action: sorted(slices.Concat(indirectLaunches, unseenSageMaker, rentals)), Resource: []string{"*"},
			Condition: g.others(nil),
		},
		{
			// EKS Auto Mode launches what a NodePool object asks for, which IAM cannot see.
			Sid: "NoAutoMode", Effect: Deny, Action: []string{"eks:CreateCluster", "eks:UpdateClusterConfig"}, Resource: []string{"*"},
			Condition: g.others(Conditions{"Bool": {"eks:computeConfigEnabled": {"true"}}}),
		},
	}
}

// spending denies purchases in every account and, in accounts other than the training account, every service that is not
// allowed there.
func (g Guardrails) spending() Document {
	return Document{
		{Sid: "NoPurchases", Effect: Deny, Action: purchases, Resource: []string{"*"}, Condition: g.others(nil)},
		{
			Sid: "OnlyAllowedServices", Effect: Deny, NotAction: g.services(), Resource: []string{"*"},
			Condition: g.others(Conditions{"StringNotEquals": {"aws:PrincipalAccount": {g.TrainingAccount}}}),
		},
	}
}

// KillSwitch returns the policy that denies new accelerated instances in the account that it is attached to, to every
// principal that SCPs apply to: exempt roles and the deploying role, too, which launches the most. Only the rescue role
// may change the size of pools and endpoints, in order to shrink them. Running instances are not affected: no training is
// lost. Auto Scaling and EKS still replace instances of existing groups, with their service-linked roles.
func (g Guardrails) KillSwitch() Document {
	sageMaker := make(Values, 0, len(accelerator.Patterns()))
	for _, pattern := range accelerator.Patterns() {
		sageMaker = append(sageMaker, "ml."+pattern)
	}
	return Document{
		{
			Sid: "NoNewInstances", Effect: Deny, Action: launches, Resource: []string{"arn:*:ec2:*:*:instance/*"},
			Condition: Conditions{"StringLike": {"ec2:InstanceType": accelerator.Patterns()}},
		},
		{
			Sid: "NoNewSageMaker", Effect: Deny, Action: []string{"sagemaker:Create*", "sagemaker:Update*"}, Resource: []string{"*"},
			Condition: Conditions{"ForAnyValue:StringLike": {"sagemaker:InstanceTypes": sageMaker}},
		},
		{
			Sid: "NothingNew", Effect: Deny, Resource: []string{"*"},
			Action: sorted(slices.Concat(indirectLaunches, unseenSageMaker, rentals, purchases, growth)),
		},
		{
			Sid: "NoResizing", Effect: Deny, Action: resizes, Resource: []string{"*"},
			Condition: Conditions{"ArnNotLike": {"aws:PrincipalArn": {"arn:*:iam::*:role/" + g.Rescue}}},
		},
	}
}
