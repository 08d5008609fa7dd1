// Who may do what in the accounts that guardrails and kill switch bind. The rows are those of decisions.test.mjs.
import {
  allow, Allowed, both, data, Denied, deployRole, drop, edit, edit0, exempt, exemptNobody, guardrail, iamRole, key, killSwitch,
  management, NotGranted, strange, testing, training, unconditional, without,
} from './world.mjs'

export const baseline = 'guardrails-baseline', regions = 'guardrails-regions', accelerators = 'guardrails-accelerators', services = 'guardrails-services', stored = 'guardrails-data'
export const instance = `arn:aws:ec2:us-west-2:${training}:instance/i-1`
const elsewhere = `arn:aws:ec2:us-west-2:${testing}:instance/i-1`
export const volume = `arn:aws:ec2:us-west-2:${training}:volume/vol-1`
const job = `arn:aws:sagemaker:us-west-2:${training}:training-job/j`
export const nodegroup = `arn:aws:eks:us-west-2:${training}:cluster/c`
const policyArn = guardrail
const dataset = 'arn:aws:s3:::llm-platform-prod-storage-dataset-0123456'
const logBucket = 'arn:aws:s3:::llm-platform-prod-storage-logs-0123456'
const cluster = `arn:aws:eks:us-west-2:${training}:cluster/llm-platform-prod`
const pool = `arn:aws:eks:us-west-2:${training}:nodegroup/c/n/1`
const group = `arn:aws:autoscaling:us-west-2:${training}:autoScalingGroup:1:autoScalingGroupName/g`
const reservation = `arn:aws:ec2:us-west-2:${training}:capacity-reservation/cr-1`
const rescued = { on: iamRole('llm-platform-prod-rescue'), in: training, policy: 'rescueTrust' }
export const type = (t) => ({ 'ec2:InstanceType': t })
const ml = (...t) => ({ 'sagemaker:InstanceTypes': t })
export const member = `arn:aws:organizations::${management}:account/o-example/${training}`
export const images = `arn:aws:ecr:us-west-2:${training}:repository/images`

export const bound = [
  // The organization and the way in.
  ['a scientist cannot take the account out of the organization', 'scientist', 'organizations:LeaveOrganization', {}, Denied, without(baseline, 'StayInOrganization')],
  ['the deploying role could', 'deployer', 'organizations:LeaveOrganization', {}, Allowed, exemptNobody(baseline, 'StayInOrganization')],
  ['a scientist cannot close the account', 'scientist', 'account:CloseAccount', { on: `arn:aws:account::${training}:account` }, Denied, drop(baseline, 'StayInOrganization', 'account:CloseAccount')],
  ['a scientist in a delegated account cannot detach a guardrail', 'scientist', 'organizations:DetachPolicy', { on: policyArn, in: management }, Denied, drop(baseline, 'StayInOrganization', 'organizations:DetachPolicy'), NotGranted],
  ['a scientist cannot open the deploying role to himself', 'scientist', 'iam:UpdateAssumeRolePolicy', { on: iamRole(deployRole) }, Denied, without(baseline, 'ExemptRolesStay')],
  ['a scientist cannot make a role with that name', 'scientist', 'iam:CreateRole', { on: iamRole(deployRole) }, Denied, drop(baseline, 'ExemptRolesStay', 'iam:CreateRole')],
  ['a scientist cannot weaken it', 'scientist', 'iam:DeleteRolePolicy', { on: iamRole(deployRole) }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = 'arn:*:iam::*:role/Other'))],
  ['a scientist cannot pass it to a service', 'scientist', 'iam:PassRole', { on: iamRole(deployRole), context: { 'iam:PassedToService': 'ec2.amazonaws.com' } }, Denied, drop(baseline, 'ExemptRolesStay', 'iam:PassRole')],
  ['a scientist may pass another role', 'scientist', 'iam:PassRole', { on: iamRole('other'), context: { 'iam:PassedToService': 'ec2.amazonaws.com' } }, Allowed, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = '*'))],
  ['a role that is exempt by name may', 'exempt', 'organizations:LeaveOrganization', {}, Allowed, edit(baseline, 'StayInOrganization', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = `arn:*:iam::*:role/${deployRole}`))],
  ['and nobody makes a role with its name', 'scientist', 'iam:CreateRole', { on: iamRole('AWSControlTowerExecution') }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = `arn:*:iam::*:role/${deployRole}`))],
  ['a role that a pattern exempts may, in any account', 'administrator', 'organizations:LeaveOrganization', {}, Allowed, edit(baseline, 'StayInOrganization', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = `arn:*:iam::*:role/${deployRole}`))],
  ['another permission set may not', 'reader', 'organizations:LeaveOrganization', {}, Denied, exempt(baseline, 'StayInOrganization', 'arn:*:iam::*:role/aws-reserved/*')],
  ['and nobody makes a role that the pattern matches', 'scientist', 'iam:CreateRole', { on: iamRole('stacksets-exec-evil') }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = `arn:*:iam::*:role/${deployRole}`))],
  ['nor opens one to himself', 'scientist', 'iam:UpdateAssumeRolePolicy', { on: iamRole('stacksets-exec-0123456789abcdef') }, Denied, drop(baseline, 'ExemptRolesStay', 'iam:UpdateAssumeRolePolicy')],
  ['a scientist cannot open the CI deploy role, which exempt roles trust', 'scientist', 'iam:UpdateAssumeRolePolicy', { on: iamRole('llm-platform-prod-ci-deploy-0123456') }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('-ci-'))))],
  ['nor add an audience to its issuer', 'scientist', 'iam:AddClientIDToOpenIDConnectProvider', { on: `arn:aws:iam::${training}:oidc-provider/token.actions.githubusercontent.com` }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('oidc'))))],
  ['nor change that of a cluster, whose pods could be an exempt role', 'scientist', 'iam:DeleteOpenIDConnectProvider', { on: `arn:aws:iam::${training}:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/A` }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('oidc'))))],
  ['nor create one', 'scientist', 'iam:CreateOpenIDConnectProvider', { on: `arn:aws:iam::${training}:oidc-provider/example.com` }, Denied, drop(baseline, 'ExemptRolesStay', 'iam:CreateOpenIDConnectProvider')],
  ['nor one for SAML', 'scientist', 'iam:UpdateSAMLProvider', { on: `arn:aws:iam::${training}:saml-provider/company` }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('saml'))))],
  ['nor open a role of ci.deployAssumeRoles, with its path', 'tester', 'iam:UpdateAssumeRolePolicy', { on: iamRole('ci/Deploy', testing) }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('ci/Deploy'))))],
  ['nor the rescue role', 'scientist', 'iam:UpdateAssumeRolePolicy', { on: iamRole('llm-platform-prod-rescue') }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('rescue'))))],
  ['nor take the permissions of the flow logs away', 'scientist', 'iam:DeleteRolePolicy', { on: iamRole('llm-platform-prod-network-flow-role-0123456') }, Denied, edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('flow'))))],
  ['the CI role of a stack whose name begins likewise is another', 'scientist', 'iam:UpdateAssumeRolePolicy', { on: iamRole('llm-platform-prod-eu-ci-deploy-0123456') }, Allowed, edit(baseline, 'ExemptRolesStay', (s) => s.Resource.push('arn:*:iam::*:role/llm-platform-prod-*'))],
  ['the deploying role changes its CI roles', 'deployer', 'iam:UpdateAssumeRolePolicy', { on: iamRole('llm-platform-prod-ci-deploy-0123456') }, Allowed, exemptNobody(baseline, 'ExemptRolesStay')],
  ['a role whose name ends likewise is not the deploying role', 'deployerLookalike', 'organizations:LeaveOrganization', {}, Denied, exempt(baseline, 'StayInOrganization', `arn:*:iam::*:role/*${deployRole}`)],
  ['the deploying role is exempt in other partitions', 'deployerInGov', 'organizations:LeaveOrganization', {}, Allowed, edit(baseline, 'StayInOrganization', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = `arn:aws:iam::*:role/${deployRole}`))],

  // The root user.
  ['root cannot start an instance', 'root', 'ec2:RunInstances', { on: instance, context: type('t3.micro') }, Denied, without(baseline, 'NoRootUser')],
  ['root cannot read data', 'root', 's3:GetObject', { on: `${data}/a` }, Denied, edit(baseline, 'NoRootUser', (s) => (s.Action = 'ec2:*'))],
  ['root cannot make keys for itself', 'root', 'iam:CreateAccessKey', { on: `arn:aws:iam::${training}:user/root` }, Denied, edit(baseline, 'NoRootUser', (s) => (s.Condition.ArnLike['aws:PrincipalArn'] = 'arn:aws-cn:iam::*:root'))],
  ['a root session of the management account may mend a bucket', 'root', 's3:DeleteBucketPolicy', { on: data, context: { 'aws:AssumedRoot': 'true' } }, Allowed, edit(baseline, 'NoRootUser', (s) => delete s.Condition.Null)],

  // Logs.
  ['a scientist cannot stop a trail', 'scientist', 'cloudtrail:StopLogging', { on: `arn:aws:cloudtrail:us-west-2:${training}:trail/t` }, Denied, drop(baseline, 'LogsStay', 'cloudtrail:StopLogging')],
  ['a scientist cannot delete a log group', 'scientist', 'logs:DeleteLogGroup', { on: `arn:aws:logs:us-west-2:${training}:log-group:g` }, Denied, without(baseline, 'LogsStay')],
  ['a scientist cannot delete flow logs', 'scientist', 'ec2:DeleteFlowLogs', { on: `arn:aws:ec2:us-west-2:${training}:vpc-flow-log/fl-1` }, Denied, drop(baseline, 'LogsStay', 'ec2:DeleteFlowLogs')],
  ['a scientist cannot stop the recorder', 'scientist', 'config:StopConfigurationRecorder', { on: `arn:aws:config:us-west-2:${training}:configuration-recorder/default/1` }, Denied, drop(baseline, 'LogsStay', 'config:StopConfigurationRecorder')],
  ['the deploying role deletes its log groups', 'deployer', 'logs:DeleteLogGroup', { on: `arn:aws:logs:us-west-2:${training}:log-group:g` }, Allowed, exemptNobody(baseline, 'LogsStay')],
  ['a scientist cannot switch access logs off', 'scientist', 's3:PutBucketLogging', { on: dataset }, Denied, drop(baseline, 'AccessLogsStay', 's3:PutBucketLogging')],
  ['nor let logs expire', 'scientist', 's3:PutLifecycleConfiguration', { on: logBucket }, Denied, without(baseline, 'AccessLogsStay')],
  ['nor suspend versions', 'scientist', 's3:PutBucketVersioning', { on: logBucket }, Denied, drop(baseline, 'AccessLogsStay', 's3:PutBucketVersioning')],
  ['nor take the policy away that lets S3 deliver them', 'scientist', 's3:DeleteBucketPolicy', { on: logBucket }, Denied, drop(stored, 'BucketPoliciesStay', 's3:DeleteBucketPolicy')],
  ['nor delete versions of delivered logs', 'scientist', 's3:DeleteObjectVersion', { on: `${logBucket}/a` }, Denied, without(baseline, 'DeliveredLogsStay')],
  ['nor overwrite them', 'scientist', 's3:PutObject', { on: `${logBucket}/a` }, Denied, drop(baseline, 'DeliveredLogsStay', 's3:PutObject')],
  ['a scientist keeps the rules of other buckets', 'scientist', 's3:PutLifecycleConfiguration', { on: 'arn:aws:s3:::scratch' }, Allowed, edit(baseline, 'AccessLogsStay', (s) => (s.Resource = '*'))],
  ['the deploying role sets the lifecycle of logs', 'deployer', 's3:PutLifecycleConfiguration', { on: logBucket }, Allowed, exemptNobody(baseline, 'AccessLogsStay')],
  ['a scientist cannot switch the logs of the cluster off', 'scientist', 'eks:UpdateClusterConfig', { on: cluster, context: { 'eks:endpointPublicAccess': 'false' } }, Denied, without(baseline, 'ClusterStays')],
  ['the deploying role changes them', 'deployer', 'eks:UpdateClusterConfig', { on: cluster }, Allowed, exemptNobody(baseline, 'ClusterStays')],
  ['a scientist cannot hide findings', 'scientist', 'guardduty:CreateFilter', {}, Denied, drop(baseline, 'LogsStay', 'guardduty:CreateFilter')],
  ['nor switch standards off', 'tester', 'securityhub:BatchDisableStandards', { on: `arn:aws:securityhub:us-west-2:${testing}:hub/default` }, Denied, drop(baseline, 'LogsStay', 'securityhub:BatchDisableStandards')],
  ['nor end the forwarding of a log group', 'scientist', 'logs:DeleteSubscriptionFilter', { on: `arn:aws:logs:us-west-2:${training}:log-group:g` }, Denied, drop(baseline, 'LogsStay', 'logs:DeleteSubscriptionFilter')],
  ['nor choose another key for one', 'scientist', 'logs:AssociateKmsKey', { on: `arn:aws:logs:us-west-2:${training}:log-group:g` }, Denied, drop(baseline, 'LogsStay', 'logs:AssociateKmsKey')],
  ['a scientist may read logs', 'scientist', 'logs:GetLogEvents', { on: `arn:aws:logs:us-west-2:${training}:log-group:g:log-stream:s` }, Allowed, edit(baseline, 'LogsStay', (s) => s.Action.push('logs:*'))],

  // Sharing and publishing.
  ['a scientist cannot rewrite the policy of a bucket', 'scientist', 's3:PutBucketPolicy', { on: data }, Denied, without(stored, 'BucketPoliciesStay')],
  ['the deploying role writes it', 'deployer', 's3:PutBucketPolicy', { on: data }, Allowed, exemptNobody(stored, 'BucketPoliciesStay')],
  ['a scientist cannot replicate a bucket to a stranger', 'scientist', 's3:PutReplicationConfiguration', { on: data }, Denied, drop(stored, 'NothingShared', 's3:PutReplicationConfiguration')],
  ['nor put an object that everybody reads by its headers', 'scientist', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 's3:x-amz-grant-read': 'uri=http://acs.amazonaws.com/groups/global/AllUsers' } }, Denied, without(stored, 'NoGrantRead')],
  ['or owns', 'scientist', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 's3:x-amz-grant-full-control': 'uri=http://acs.amazonaws.com/groups/global/AllUsers' } }, Denied, without(stored, 'NoGrantFullControl')],
  ['or may grant themselves', 'scientist', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 's3:x-amz-grant-write-acp': 'id=1' } }, Denied, without(stored, 'NoGrantWriteACP')],
  ['nor a bucket whose list everybody reads', 'scientist', 's3:CreateBucket', { on: 'arn:aws:s3:::open', context: { 's3:x-amz-grant-read-acp': 'id=1' } }, Denied, without(stored, 'NoGrantReadACP')],
  ['or writes to', 'scientist', 's3:CreateBucket', { on: 'arn:aws:s3:::open', context: { 's3:x-amz-grant-write': 'id=1' } }, Denied, without(stored, 'NoGrantWrite')],
  ['a scientist cannot open a key', 'scientist', 'kms:PutKeyPolicy', { on: key, policy: 'key' }, Denied, drop(stored, 'NothingShared', 'kms:PutKeyPolicy')],
  ['nor grant it to a stranger', 'scientist', 'kms:CreateGrant', { on: key, policy: 'key', context: { 'kms:GrantIsForAWSResource': 'false' } }, Denied, without(stored, 'GrantsForServices'), NotGranted],
  ['nor to anybody, if the key says nothing', 'scientist', 'kms:CreateGrant', { on: key, policy: 'key' }, Denied, edit(stored, 'GrantsForServices', (s) => (s.Condition.Bool = s.Condition.BoolIfExists, delete s.Condition.BoolIfExists)), NotGranted],
  ['EBS uses it for a volume of a scientist', 'scientist', 'kms:CreateGrant', { on: key, policy: 'key', context: { 'kms:GrantIsForAWSResource': 'true' } }, Allowed, edit(stored, 'GrantsForServices', (s) => delete s.Condition.BoolIfExists)],
  ['a scientist cannot share a snapshot', 'scientist', 'ec2:ModifySnapshotAttribute', { on: 'arn:aws:ec2:us-west-2::snapshot/snap-1' }, Denied, drop(stored, 'NothingShared', 'ec2:ModifySnapshotAttribute')],
  ['nor an image', 'tester', 'ec2:ModifyImageAttribute', { on: 'arn:aws:ec2:us-west-2::image/ami-1' }, Denied, drop(stored, 'NothingShared', 'ec2:ModifyImageAttribute')],
  ['nor unblock public snapshots', 'scientist', 'ec2:DisableSnapshotBlockPublicAccess', {}, Denied, drop(stored, 'NothingShared', 'ec2:DisableSnapshotBlockPublicAccess')],
  ['nor a repository', 'scientist', 'ecr:SetRepositoryPolicy', { on: images }, Denied, drop(stored, 'NothingShared', 'ecr:SetRepositoryPolicy')],
  ['nor anything by Resource Access Manager', 'scientist', 'ram:CreateResourceShare', {}, Denied, drop(stored, 'NothingShared', 'ram:Create*')],
  ['nor send logs to a stranger', 'scientist', 'logs:PutSubscriptionFilter', { on: `arn:aws:logs:us-west-2:${training}:log-group:g` }, Denied, drop(stored, 'NothingShared', 'logs:PutSubscriptionFilter')],
  ['nor publish an image, even where the registry is in an allowed region', 'scientist', 'ecr-public:PutImage', { on: `arn:aws:ecr-public::${training}:repository/r` }, Denied, drop(stored, 'NothingShared', 'ecr-public:Put*')],
  ['nor serve a bucket', 'scientist', 'cloudfront:CreateDistribution', {}, Denied, drop(stored, 'NothingShared', 'cloudfront:Create*')],
  ['nor serve a function', 'scientist', 'lambda:CreateFunctionUrlConfig', { on: `arn:aws:lambda:us-west-2:${training}:function:f` }, Denied, drop(stored, 'NothingShared', 'lambda:CreateFunctionUrlConfig')],
  ['nor let a stranger invoke one', 'scientist', 'lambda:AddPermission', { on: `arn:aws:lambda:us-west-2:${training}:function:f`, context: { 'lambda:Principal': strange } }, Denied, without(stored, 'OnlyServicesInvoke')],
  ['a service may invoke one', 'scientist', 'lambda:AddPermission', { on: `arn:aws:lambda:us-west-2:${training}:function:f`, context: { 'lambda:Principal': 's3.amazonaws.com' } }, Allowed, edit(stored, 'OnlyServicesInvoke', (s) => delete s.Condition.StringNotLikeIfExists)],
  ['a scientist creates no cluster with a public endpoint', 'scientist', 'eks:CreateCluster', { context: { 'eks:endpointPublicAccess': 'true' } }, Denied, without(stored, 'NewClustersPrivate')],
  ['nor one that does not say', 'scientist', 'eks:CreateCluster', {}, Denied, edit(stored, 'NewClustersPrivate', (s) => (s.Condition.Bool = s.Condition.BoolIfExists, delete s.Condition.BoolIfExists))],
  ['nor opens one', 'scientist', 'eks:UpdateClusterConfig', { on: nodegroup, context: { 'eks:endpointPublicAccess': 'true' } }, Denied, without(stored, 'ClustersStayPrivate')],
  ['the deploying role opens its own', 'deployer', 'eks:UpdateClusterConfig', { on: cluster, context: { 'eks:endpointPublicAccess': 'true' } }, Allowed, exemptNobody(stored, 'ClustersStayPrivate')],

  // Regions.
  ['a scientist cannot start anything in another region', 'scientist', 'ec2:RunInstances', { on: `arn:aws:ec2:eu-west-1:${training}:instance/i-1`, context: { 'aws:RequestedRegion': 'eu-west-1', ...type('t3.micro') } }, Denied, without(regions, 'OnlyListedRegions')],
  ['not even in us-east-1', 'scientist', 'sagemaker:ListModels', { context: { 'aws:RequestedRegion': 'us-east-1' } }, Denied, edit(regions, 'OnlyListedRegions', (s) => s.NotAction.push('sagemaker:*'))],
  ['a scientist may in the listed one', 'scientist', 'sagemaker:ListModels', {}, Allowed, edit(regions, 'OnlyListedRegions', (s) => (s.Condition.StringNotEquals['aws:RequestedRegion'] = 'us-west-1'))],
  ['IAM answers from us-east-1', 'scientist', 'iam:ListRoles', { context: { 'aws:RequestedRegion': 'us-east-1' } }, Allowed, edit(regions, 'OnlyListedRegions', (s) => (s.NotAction = s.NotAction.filter((a) => a !== 'iam:*')))],
  ['STS too', 'scientist', 'sts:AssumeRole', { on: iamRole('other'), context: { 'aws:RequestedRegion': 'us-east-1' } }, Allowed, edit(regions, 'OnlyListedRegions', (s) => (s.NotAction = s.NotAction.filter((a) => a !== 'sts:*')))],
  ['a CDN is not exempt by being global', 'scientist', 'cloudfront:ListDistributions', { context: { 'aws:RequestedRegion': 'us-east-1' } }, Denied, edit(regions, 'OnlyListedRegions', (s) => s.NotAction.push('cloudfront:*'))],
  ['nor is the public registry', 'scientist', 'ecr-public:DescribeRepositories', { on: `arn:aws:ecr-public::${training}:repository/r`, context: { 'aws:RequestedRegion': 'us-east-1' } }, Denied, edit(regions, 'OnlyListedRegions', (s) => s.NotAction.push('ecr-public:*'))],
  ['the deploying role works in any region', 'deployer', 'ec2:DescribeVpcs', { context: { 'aws:RequestedRegion': 'eu-west-1' } }, Allowed, exemptNobody(regions, 'OnlyListedRegions')],
  ['a scientist cannot enable a region', 'scientist', 'account:EnableRegion', { on: `arn:aws:account::${training}:account`, context: { 'aws:RequestedRegion': 'us-east-1' } }, Denied, without(regions, 'RegionsStay')],

  // Accelerators.
  ['a scientist may start a listed type in training', 'scientist', 'ec2:RunInstances', { on: instance, context: type('p5.48xlarge') }, Allowed, edit(accelerators, 'OnlyListedTypes', (s) => (s.Condition.StringNotEquals['ec2:InstanceType'] = 'g6.xlarge'))],
  ['a scientist cannot start an unlisted type', 'scientist', 'ec2:RunInstances', { on: instance, context: type('p4d.24xlarge') }, Denied, without(accelerators, 'OnlyListedTypes')],
  ['nor one of a family to come', 'scientist', 'ec2:RunInstances', { on: instance, context: type('trn9.48xlarge') }, Denied, edit(accelerators, 'OnlyListedTypes', (s) => (s.Condition.StringLike['ec2:InstanceType'] = ['p*', 'g*']))],
  ['a scientist may start an ordinary type', 'scientist', 'ec2:RunInstances', { on: instance, context: type('m7i.large') }, Allowed, edit(accelerators, 'OnlyListedTypes', (s) => delete s.Condition.StringLike)],
  ['a fleet is no way round', 'scientist', 'ec2:CreateFleet', { on: `arn:aws:ec2:us-west-2:${training}:fleet/f` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'ec2:CreateFleet')],
  ['nor is changing the type of a stopped instance', 'scientist', 'ec2:StartInstances', { on: instance, context: type('g5.xlarge') }, Denied, drop(accelerators, 'OnlyListedTypes', 'ec2:StartInstances')],
  ['nor a spot request', 'scientist', 'ec2:RequestSpotInstances', { on: `arn:aws:ec2:us-west-2:${training}:spot-instances-request/sir-1` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'ec2:RequestSpotInstances')],
  ['nor a node pool', 'scientist', 'eks:CreateNodegroup', { on: nodegroup }, Denied, drop(accelerators, 'PoolsAreDeployed', 'eks:CreateNodegroup')],
  ['nor Auto Mode', 'scientist', 'eks:UpdateClusterConfig', { on: nodegroup, context: { 'eks:computeConfigEnabled': 'true' } }, Denied, without(accelerators, 'NoAutoMode')],
  ['nor an Auto Scaling group, whatever its template says today', 'scientist', 'autoscaling:CreateAutoScalingGroup', { on: group }, Denied, drop(accelerators, 'PoolsAreDeployed', 'autoscaling:CreateAutoScalingGroup')],
  ['nor another template for the group of a pool', 'scientist', 'autoscaling:UpdateAutoScalingGroup', { on: group }, Denied, drop(accelerators, 'PoolsAreDeployed', 'autoscaling:UpdateAutoScalingGroup')],
  ['nor a newer version for a group that takes the newest', 'scientist', 'ec2:CreateLaunchTemplateVersion', { on: `arn:aws:ec2:us-west-2:${training}:launch-template/lt-1` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'ec2:CreateLaunchTemplateVersion')],
  ['nor another version for a node group', 'scientist', 'eks:UpdateNodegroupVersion', { on: pool }, Denied, drop(accelerators, 'PoolsAreDeployed', 'eks:UpdateNodegroupVersion')],
  ['nor a scheduled action', 'scientist', 'autoscaling:PutScheduledUpdateGroupAction', { on: group }, Denied, drop(accelerators, 'PoolsAreDeployed', 'autoscaling:PutScheduledUpdateGroupAction')],
  ['nor a service job of Batch', 'scientist', 'batch:SubmitServiceJob', { on: `arn:aws:batch:us-west-2:${training}:job-queue/q` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'batch:SubmitServiceJob')],
  ['nor an image builder', 'scientist', 'imagebuilder:CreateImage', { on: `arn:aws:imagebuilder:us-west-2:${training}:image/i/1.0.0/1` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'imagebuilder:Create*')],
  ['nor a job of SageMaker whose request has no types', 'scientist', 'sagemaker:CreateOptimizationJob', { on: `arn:aws:sagemaker:us-west-2:${training}:optimization-job/j` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'sagemaker:CreateOptimizationJob')],
  ['nor a fleet in an account of AWS', 'scientist', 'appstream:CreateFleet', { on: `arn:aws:appstream:us-west-2:${training}:fleet/f` }, Denied, drop(accelerators, 'PoolsAreDeployed', 'appstream:Create*')],
  ['the deploying role rolls a pool', 'deployer', 'eks:UpdateNodegroupVersion', { on: pool }, Allowed, exemptNobody(accelerators, 'PoolsAreDeployed')],
  ['an autoscaler sizes a pool', 'scientist', 'autoscaling:SetDesiredCapacity', { on: group }, Allowed, edit(accelerators, 'PoolsAreDeployed', (s) => s.Action.push('autoscaling:*'))],
  ['other changes of a cluster are not meant', 'scientist', 'eks:UpdateClusterConfig', { on: nodegroup, context: { 'eks:computeConfigEnabled': 'false' } }, Allowed, edit(accelerators, 'NoAutoMode', (s) => delete s.Condition.Bool)],
  ['a tester cannot start a listed type elsewhere', 'tester', 'ec2:RunInstances', { on: elsewhere, context: type('p5.48xlarge') }, Denied, edit(accelerators, 'OnlyInTraining', (s) => (s.Condition.StringNotEquals['aws:PrincipalAccount'] = testing))],
  ['a tester may start an ordinary type', 'tester', 'ec2:RunInstances', { on: elsewhere, context: type('c7g.large') }, Allowed, edit(accelerators, 'OnlyInTraining', (s) => delete s.Condition.StringLike)],
  ['a scientist may train on a listed SageMaker type', 'scientist', 'sagemaker:CreateTrainingJob', { on: job, context: ml('ml.p5.48xlarge') }, Allowed, edit(accelerators, 'OnlyListedTypesSageMaker', (s) => (s.Condition['ForAnyValue:StringNotLike']['sagemaker:InstanceTypes'] = ['ml.m*']))],
  ['and on one that only SageMaker lists', 'scientist', 'sagemaker:CreateTrainingJob', { on: job, context: ml('ml.g5.xlarge') }, Allowed, edit(accelerators, 'OnlyListedTypesSageMaker', (s) => (s.Condition['ForAnyValue:StringNotLike']['sagemaker:InstanceTypes'] = ['ml.p5.48xlarge']))],
  ['a listed type beside an ordinary one', 'scientist', 'sagemaker:CreateTrainingJob', { on: job, context: ml('ml.p5.48xlarge', 'ml.m5.large') }, Allowed, edit(accelerators, 'OnlyListedTypesSageMaker', (s) => (s.Condition['ForAnyValue:StringNotLike']['sagemaker:InstanceTypes'] = ['ml.p5.48xlarge']))],
  ['but not an unlisted type beside one', 'scientist', 'sagemaker:CreateTrainingJob', { on: job, context: ml('ml.m5.large', 'ml.p4d.24xlarge') }, Denied, without(accelerators, 'OnlyListedTypesSageMaker')],
  ['nor an accelerator whose name begins as an ordinary one', 'scientist', 'sagemaker:CreateEndpointConfig', { on: `arn:aws:sagemaker:us-west-2:${training}:endpoint-config/e`, context: ml('ml.inf2.xlarge') }, Denied, edit(accelerators, 'OnlyListedTypesSageMaker', (s) => s.Condition['ForAnyValue:StringNotLike']['sagemaker:InstanceTypes'].push('ml.i*'))],
  ['nor a notebook with one', 'scientist', 'sagemaker:CreateNotebookInstance', { on: `arn:aws:sagemaker:us-west-2:${training}:notebook-instance/n`, context: ml('ml.trn1.2xlarge') }, Denied, edit(accelerators, 'OnlyListedTypesSageMaker', (s) => s.Condition['ForAnyValue:StringNotLike']['sagemaker:InstanceTypes'].push('ml.t*'))],
  ['a request without types is not meant', 'scientist', 'sagemaker:CreateModel', { on: `arn:aws:sagemaker:us-west-2:${training}:model/m` }, Allowed, unconditional(accelerators, 'OnlyListedTypesSageMaker')],
  ['a tester cannot train on a listed type', 'tester', 'sagemaker:CreateTrainingJob', { on: `arn:aws:sagemaker:us-west-2:${testing}:training-job/j`, context: ml('ml.p5.48xlarge') }, Denied, without(accelerators, 'OnlyInTrainingSageMaker')],
  ['the deploying role makes pools', 'deployer', 'eks:CreateNodegroup', { on: nodegroup }, Allowed, exemptNobody(accelerators, 'PoolsAreDeployed')],
  ['the deploying role starts any type', 'deployer', 'ec2:RunInstances', { on: instance, context: type('p4d.24xlarge') }, Allowed, exemptNobody(accelerators, 'OnlyListedTypes')],
  ['even elsewhere', 'deployerInTesting', 'ec2:RunInstances', { on: elsewhere, context: type('p5.48xlarge') }, Allowed, exemptNobody(accelerators, 'OnlyInTraining')],

  // Money without an instance.
  ['a scientist cannot reserve capacity', 'scientist', 'ec2:CreateCapacityReservation', { on: reservation, context: type('p5.48xlarge') }, Denied, drop(services, 'NoPurchases', 'ec2:CreateCapacityReservation')],
  ['nor buy a block of it', 'scientist', 'ec2:PurchaseCapacityBlock', { on: reservation }, Denied, drop(services, 'NoPurchases', 'ec2:Purchase*')],
  ['nor a training plan', 'scientist', 'sagemaker:CreateTrainingPlan', { on: `arn:aws:sagemaker:us-west-2:${training}:training-plan/p` }, Denied, drop(services, 'NoPurchases', 'sagemaker:CreateTrainingPlan')],
  ['nor a savings plan', 'tester', 'savingsplans:CreateSavingsPlan', { on: '*' }, Denied, both(alsoAllowed('savingsplans'), without(services, 'NoPurchases'))],
  ['nor subscribe to a product', 'scientist', 'aws-marketplace:Subscribe', {}, Denied, drop(services, 'NoPurchases', 'aws-marketplace:Subscribe')],
  ['the deploying role reserves capacity', 'deployer', 'ec2:CreateCapacityReservation', { on: reservation, context: type('p5.48xlarge') }, Allowed, exemptNobody(services, 'NoPurchases')],

  // Services of accounts that do not train.
  ['a tester uses no service that nobody has listed', 'tester', 'appstream:CreateFleet', { on: `arn:aws:appstream:us-west-2:${testing}:fleet/f` }, Denied, both(drop(accelerators, 'PoolsAreDeployed', 'appstream:Create*'), alsoAllowed('appstream'))],
  ['not even to read', 'tester', 'lambda:ListFunctions', {}, Denied, alsoAllowed('lambda')],
  ['a tester reads and writes objects', 'tester', 's3:PutObject', { on: 'arn:aws:s3:::results/a' }, Allowed, notAllowed('s3')],
  ['and uses what guardrails.allowedServices lists', 'tester', 'dynamodb:PutItem', { on: `arn:aws:dynamodb:us-west-2:${testing}:table/t` }, Allowed, notAllowed('dynamodb')],
  ['a service that somebody lists still buys nothing', 'tester', 'dynamodb:PurchaseReservedCapacityOfferings', {}, Denied, drop(services, 'NoPurchases', 'dynamodb:PurchaseReservedCapacityOfferings')],
  ['the training account uses any service', 'scientist', 'lambda:ListFunctions', {}, Allowed, edit(services, 'OnlyAllowedServices', (s) => delete s.Condition.StringNotEquals)],
  ['CI deploys from an account that does not train', 'ciElsewhere', 'sts:AssumeRole', { on: iamRole(deployRole) }, Allowed, notAllowed('sts')],
  ['and uses the state', 'ciElsewhere', 's3:PutObject', { on: 'arn:aws:s3:::state/.pulumi/stacks/llm-platform/prod.json' }, Allowed, notAllowed('s3')],
  ['previews see the stack there', 'previewer', 'resource-groups:GetGroup', { on: `arn:aws:resource-groups:us-west-2:${testing}:group/g` }, Allowed, notAllowed('resource-groups')],
  ['so does the deploying role anywhere', 'deployerInTesting', 'lambda:ListFunctions', {}, Allowed, exemptNobody(services, 'OnlyAllowedServices')],
  ['and a role that is exempt by name', 'exempt', 'lambda:ListFunctions', {}, Allowed, exemptNobody(services, 'OnlyAllowedServices')],

  // The kill switch, thrown.
  ['over budget, a listed type is denied too', 'scientist', 'ec2:RunInstances', { thrown: true, on: instance, context: type('p5.48xlarge') }, Denied, without('killswitch', 'NoNewInstances')],
  ['to the deploying role, too', 'deployer', 'ec2:RunInstances', { thrown: true, on: instance, context: type('p5.48xlarge') }, Denied, exempt('killswitch', 'NoNewInstances', `arn:*:iam::*:role/${deployRole}`)],
  ['ordinary instances go on', 'scientist', 'ec2:RunInstances', { thrown: true, on: instance, context: type('m7i.large') }, Allowed, unconditional('killswitch', 'NoNewInstances')],
  ['SageMaker is covered', 'scientist', 'sagemaker:CreateTrainingJob', { thrown: true, on: job, context: ml('ml.m5.large', 'ml.p5.48xlarge') }, Denied, without('killswitch', 'NoNewSageMaker')],
  ['new pools are', 'deployer', 'eks:CreateNodegroup', { thrown: true, on: nodegroup }, Denied, drop('killswitch', 'NothingNew', 'eks:CreateNodegroup')],
  ['an autoscaler cannot grow a pool', 'scientist', 'autoscaling:SetDesiredCapacity', { thrown: true, on: `arn:aws:autoscaling:us-west-2:${training}:autoScalingGroup:1:autoScalingGroupName/g` }, Denied, without('killswitch', 'NoResizing')],
  ['nor can the deploying role, by any means', 'deployer', 'eks:UpdateNodegroupConfig', { thrown: true, on: pool }, Denied, exempt('killswitch', 'NoResizing', `arn:*:iam::*:role/${deployRole}`)],
  ['nor does a new version of a template start anything', 'deployer', 'eks:UpdateNodegroupVersion', { thrown: true, on: pool }, Denied, drop('killswitch', 'NothingNew', 'eks:UpdateNodegroupVersion')],
  ['nor a warm pool', 'deployer', 'autoscaling:PutWarmPool', { thrown: true, on: group }, Denied, drop('killswitch', 'NothingNew', 'autoscaling:PutWarmPool')],
  ['nor an endpoint whose configuration exists', 'scientist', 'sagemaker:CreateEndpoint', { thrown: true, on: `arn:aws:sagemaker:us-west-2:${training}:endpoint/e` }, Denied, drop('killswitch', 'NothingNew', 'sagemaker:CreateEndpoint')],
  ['nor a stopped notebook', 'exemptInTraining', 'sagemaker:StartNotebookInstance', { thrown: true, on: `arn:aws:sagemaker:us-west-2:${training}:notebook-instance/n` }, Denied, drop('killswitch', 'NothingNew', 'sagemaker:StartNotebookInstance')],
  ['nor does anybody buy', 'deployer', 'ec2:PurchaseCapacityBlock', { thrown: true, on: reservation }, Denied, drop('killswitch', 'NothingNew', 'ec2:Purchase*')],
  ['the rescue role shrinks a pool', 'rescuer', 'eks:UpdateNodegroupConfig', { thrown: true, on: pool }, Allowed, exemptNobody('killswitch', 'NoResizing')],
  ['and an Auto Scaling group', 'rescuer', 'autoscaling:SetDesiredCapacity', { thrown: true, on: group }, Allowed, without('rescue', 'Resize')],
  ['and an endpoint', 'rescuer', 'sagemaker:UpdateEndpointWeightsAndCapacities', { thrown: true, on: `arn:aws:sagemaker:us-west-2:${training}:endpoint/e` }, Allowed, edit('killswitch', 'NoResizing', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = `arn:*:iam::*:role/${deployRole}`))],
  ['it finds the pool', 'rescuer', 'eks:DescribeNodegroup', { thrown: true, on: pool }, Allowed, without('rescue', 'Find')],
  ['it starts no instance', 'rescuer', 'ec2:RunInstances', { thrown: true, on: instance, context: type('m7i.large') }, NotGranted, allow('rescue', 'ec2:*')],
  ['nor a role', 'rescuer', 'iam:PassRole', { thrown: true, on: iamRole('other') }, NotGranted, allow('rescue', 'iam:*')],
  ['the deploying role becomes the rescue role', 'deployer', 'sts:AssumeRole', rescued, Allowed, edit0('rescueTrust', (s) => (s.Condition.ArnLike['aws:PrincipalArn'] = iamRole('other')))],
  ['nobody else of the account does', 'scientist', 'sts:AssumeRole', rescued, NotGranted, edit0('rescueTrust', (s) => delete s.Condition)],
  ['nor an exempt role', 'exemptInTraining', 'sts:AssumeRole', rescued, NotGranted, edit0('rescueTrust', (s) => delete s.Condition)],
  ['and terminates instances', 'deployer', 'ec2:TerminateInstances', { thrown: true, on: instance }, Allowed, edit('killswitch', 'NoNewInstances', (s) => { s.Action.push('ec2:TerminateInstances'); delete s.Condition })],
  ['AWS Budgets attaches it', 'budgets', 'organizations:AttachPolicy', { on: killSwitch }, Allowed, without('killswitchRole', 'AttachKillSwitch')],
  ['to the account', 'budgets', 'organizations:AttachPolicy', { on: member }, Allowed, edit('killswitchRole', 'AttachKillSwitch', (s) => (s.Resource = killSwitch))],
  ['AWS Budgets cannot detach a guardrail', 'budgets', 'organizations:DetachPolicy', { on: guardrail }, NotGranted, edit('killswitchRole', 'AttachKillSwitch', (s) => (s.Resource = '*'))],
  ['AWS Budgets is its role for our budgets', 'budgetsService', 'sts:AssumeRole', { on: iamRole('budgets', management), in: management, policy: 'budgetsTrust', context: { 'aws:SourceAccount': management, 'aws:SourceArn': `arn:aws:budgets::${management}:budget/b` } }, Allowed, edit0('budgetsTrust', (s) => (s.Condition.ArnLike['aws:SourceArn'] = 'arn:aws:budgets::2:budget/*'))],
  ['and for no stranger\'s', 'budgetsService', 'sts:AssumeRole', { on: iamRole('budgets', management), in: management, policy: 'budgetsTrust', context: { 'aws:SourceAccount': strange, 'aws:SourceArn': `arn:aws:budgets::${strange}:budget/b` } }, NotGranted, edit0('budgetsTrust', (s) => delete s.Condition)],
]

// alsoAllowed and notAllowed edit the services of accounts that do not train.
function alsoAllowed(service) {
  return edit(services, 'OnlyAllowedServices', (s) => s.NotAction.push(`${service}:*`))
}

function notAllowed(service) {
  return edit(services, 'OnlyAllowedServices', (s) => (s.NotAction = s.NotAction.filter((a) => a !== `${service}:*`)))
}
