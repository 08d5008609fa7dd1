// Who may do what: each decision with the answer that we want, and a mistake in one of
// the documents that must turn it. A mistake that turns nothing shows a decision that the
// document does not make.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  accelerators, baseline, bound, images, instance, member, nodegroup, regions, stored, type, volume,
} from './guardrails.mjs'
import {
  add, allow, Allowed, both, data, decide, Denied, deployRole, drop, drop0, edit, edit0, exempt, exemptNobody, guardrail, guardrails,
  documents, iamRole, judge, key, management, NotGranted, strange, testing, training, unconditional, who, without,
} from './world.mjs'

const boundary = `arn:aws:iam::${training}:policy/Boundary`
const trusting = (account) => ({ on: iamRole('llm-platform-prod-roles-scientist', account), in: account, policy: 'scientistTrust' })
const previewed = { on: iamRole('llm-platform-prod-preview', testing), in: testing, policy: 'previewTrust' }

const decisions = [
  ...bound,

  // Buckets and keys.
  ['a scientist cannot unblock public access', 'scientist', 's3:PutBucketPublicAccessBlock', { on: data }, Denied, without(stored, 'NothingShared')],
  ['nor for the account', 'scientist', 's3:PutAccountPublicAccessBlock', {}, Denied, drop(stored, 'NothingShared', 's3:PutAccountPublicAccessBlock')],
  ['a scientist cannot publish an object', 'scientist', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 's3:x-amz-acl': 'public-read' } }, Denied, without(stored, 'NothingPublic')],
  ['a scientist may put a private one', 'scientist', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket' }, Allowed, edit(stored, 'NothingPublic', (s) => delete s.Condition.StringEquals)],
  ['a scientist cannot change default encryption', 'scientist', 's3:PutEncryptionConfiguration', { on: data }, Denied, drop(stored, 'EncryptionStays', 's3:PutEncryptionConfiguration')],
  ['the deploying role sets default encryption', 'deployer', 's3:PutEncryptionConfiguration', { on: data }, Allowed, exemptNobody(stored, 'EncryptionStays')],
  ['a scientist cannot delete the key', 'scientist', 'kms:ScheduleKeyDeletion', { on: key, policy: 'key' }, Denied, drop(stored, 'EncryptionStays', 'kms:ScheduleKeyDeletion')],
  ['a scientist cannot make an unencrypted volume', 'scientist', 'ec2:CreateVolume', { on: volume, context: { 'ec2:Encrypted': 'false' } }, Denied, without(stored, 'EncryptedVolumes')],
  ['a scientist may make an encrypted one', 'scientist', 'ec2:CreateVolume', { on: volume, context: { 'ec2:Encrypted': 'true' } }, Allowed, edit(stored, 'EncryptedVolumes', (s) => delete s.Condition.Bool)],
  ['a scientist cannot switch off volume encryption', 'scientist', 'ec2:DisableEbsEncryptionByDefault', {}, Denied, drop(stored, 'EncryptionStays', 'ec2:DisableEbsEncryptionByDefault')],
  ['nobody reads the data without TLS', 'scientist', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 'aws:SecureTransport': 'false' } }, Denied, without('datasetBucket', 'DenyWithoutTLS')],
  ['nobody reads it with old TLS', 'scientist', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 's3:TlsVersion': '1.1' } }, Denied, without('datasetBucket', 'DenyOldTLS')],
  ['nobody brings a key of his own', 'scientist', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket', context: { 's3:x-amz-server-side-encryption-customer-algorithm': 'AES256' } }, Denied, without('datasetBucket', 'DenyCallerHeldKeys')],
  ['S3 delivers logs of our account', 'logDelivery', 's3:PutObject', { on: 'arn:aws:s3:::logs/a', in: training, policy: 'logBucket', context: { 'aws:SourceAccount': training } }, Allowed, without('logBucket', 'AllowLogDelivery')],
  ['S3 delivers no logs of a stranger', 'logDelivery', 's3:PutObject', { on: 'arn:aws:s3:::logs/a', in: training, policy: 'logBucket', context: { 'aws:SourceAccount': strange } }, NotGranted, unconditional('logBucket', 'AllowLogDelivery')],

  // The training pod, the node, SageMaker.
  ['the pod uses the data key', 'pod', 'kms:GenerateDataKey', { on: key, policy: 'key' }, Allowed, without('pod', 'UseKeys')],
  ['the pod does not delete it', 'pod', 'kms:ScheduleKeyDeletion', { on: key, policy: 'key' }, Denied, without(stored, 'EncryptionStays'), NotGranted],
  ['the pod passes no role', 'pod', 'iam:PassRole', { on: iamRole('other'), context: { 'iam:PassedToService': 'ec2.amazonaws.com' } }, NotGranted, allow('pod', 'iam:*')],
  ['the pod starts no instance', 'pod', 'ec2:RunInstances', { on: instance, context: type('m7i.large') }, NotGranted, allow('pod', 'ec2:*')],
  ['the node pulls no data', 'node', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket' }, NotGranted, add('datasetBucket', { Effect: 'Allow', Principal: { AWS: iamRole('llm-platform-prod-node') }, Action: 's3:*', Resource: `${data}/*` })],
  ['the node starts nothing even if it were let', 'node', 'ec2:RunInstances', { on: instance, context: type('p4d.24xlarge') }, Denied, without(accelerators, 'OnlyListedTypes'), NotGranted],
  ['SageMaker reads the dataset', 'sagemaker', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket' }, Allowed, without('sagemaker', 'ReadObjects')],
  ['SageMaker reads no other bucket', 'sagemaker', 's3:GetObject', { on: 'arn:aws:s3:::sagemaker-other/a' }, NotGranted, allow('sagemaker', 's3:GetObject', 'arn:aws:s3:::*sagemaker*')],
  ['SageMaker passes no role', 'sagemaker', 'iam:PassRole', { on: iamRole('llm-platform-prod-sagemaker-role'), context: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } }, NotGranted, allow('sagemaker', 'iam:PassRole')],
  ['SageMaker is its role for our account', 'sagemakerService', 'sts:AssumeRole', { on: iamRole('s'), in: training, policy: 'sagemakerTrust', context: { 'aws:SourceAccount': training } }, Allowed, edit0('sagemakerTrust', (s) => (s.Principal.Service = 'ec2.amazonaws.com'))],
  ['and not for a stranger\'s', 'sagemakerService', 'sts:AssumeRole', { on: iamRole('s'), in: training, policy: 'sagemakerTrust', context: { 'aws:SourceAccount': strange } }, NotGranted, edit0('sagemakerTrust', (s) => delete s.Condition)],


  // The roles for everyday work.
  ['the role for scientists reads the dataset', 'reading', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket' }, Allowed, without('scientist', 'ReadObjects')],
  ['and checkpoints', 'reading', 's3:GetObject', { on: 'arn:aws:s3:::checkpoints/runs/1/a' }, Allowed, edit('scientist', 'ReadObjects', (s) => (s.Resource = `${data}/*`))],
  ['and lists them', 'reading', 's3:ListBucket', { on: 'arn:aws:s3:::checkpoints' }, Allowed, without('scientist', 'ListBuckets')],
  ['and decrypts them', 'reading', 'kms:Decrypt', { on: key, policy: 'key' }, Allowed, without('scientist', 'Decrypt')],
  ['and follows the logs of containers', 'reading', 'logs:FilterLogEvents', { on: `arn:aws:logs:us-west-2:${training}:log-group:/aws/containerinsights/llm-platform-prod/application` }, Allowed, without('scientist', 'ReadLogs')],
  ['and reads what a query found', 'reading', 'logs:GetQueryResults', { on: `arn:aws:logs:us-west-2:${training}:log-group:/aws/containerinsights/llm-platform-prod/application` }, Allowed, without('scientist', 'ReadQueries')],
  ['and describes the cluster', 'reading', 'eks:DescribeCluster', { on: `arn:aws:eks:us-west-2:${training}:cluster/llm-platform-prod` }, Allowed, without('scientist', 'DescribeCluster')],
  ['but no other cluster', 'reading', 'eks:DescribeCluster', { on: nodegroup }, NotGranted, edit('scientist', 'DescribeCluster', (s) => (s.Resource = '*'))],
  ['nor the audit log', 'reading', 'logs:FilterLogEvents', { on: `arn:aws:logs:us-west-2:${training}:log-group:/aws/eks/llm-platform-prod/cluster` }, NotGranted, edit('scientist', 'ReadLogs', (s) => (s.Resource = '*'))],
  ['nor another bucket', 'reading', 's3:GetObject', { on: 'arn:aws:s3:::state/a' }, NotGranted, edit('scientist', 'ReadObjects', (s) => (s.Resource = '*'))],
  ['it writes no data', 'reading', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket' }, NotGranted, edit('scientist', 'ReadObjects', (s) => (s.Action = 's3:*'))],
  ['and no checkpoint, which could hide code', 'reading', 's3:PutObject', { on: 'arn:aws:s3:::checkpoints/runs/1/a' }, NotGranted, edit('scientist', 'ReadObjects', (s) => (s.Action = 's3:*'))],
  ['and deletes none', 'reading', 's3:DeleteObjectVersion', { on: 'arn:aws:s3:::checkpoints/runs/1/a' }, NotGranted, edit('scientist', 'ReadObjects', (s) => (s.Action = 's3:*'))],
  ['it encrypts nothing', 'reading', 'kms:GenerateDataKey', { on: key, policy: 'key' }, NotGranted, edit('scientist', 'Decrypt', (s) => (s.Action = 'kms:*'))],
  ['it becomes no other role', 'reading', 'sts:AssumeRole', { on: iamRole('other') }, NotGranted, allow('scientist', 'sts:AssumeRole')],
  ['it changes no access to the cluster', 'reading', 'eks:CreateAccessEntry', { on: `arn:aws:eks:us-west-2:${training}:cluster/llm-platform-prod` }, NotGranted, edit('scientist', 'DescribeCluster', (s) => (s.Action = 'eks:*'))],
  ['it changes no role', 'reading', 'iam:PutRolePolicy', { on: iamRole('llm-platform-prod-roles-scientist') }, NotGranted, allow('scientist', 'iam:*')],
  ['it pushes no image', 'reading', 'ecr:PutImage', { on: images }, NotGranted, allow('scientist', 'ecr:*')],
  ['a trusted role assumes it', 'researcher', 'sts:AssumeRole', trusting(training), Allowed, edit0('scientistTrust', (s) => (s.Condition.ArnLike['aws:PrincipalArn'] = iamRole('other')))],
  ['and tags its session', 'researcher', 'sts:TagSession', trusting(training), Allowed, drop0('scientistTrust', 'sts:TagSession')],
  ['so does a permission set of IAM Identity Center', 'researcherBySSO', 'sts:AssumeRole', trusting(training), Allowed, edit0('scientistTrust', (s) => { s.Condition = { ArnEquals: { 'aws:PrincipalArn': s.Condition.ArnLike['aws:PrincipalArn'].map((arn) => arn.replace('*', '')) } } })],
  ['another permission set does not', 'administratorBySSO', 'sts:AssumeRole', trusting(training), NotGranted, edit0('scientistTrust', (s) => (s.Condition.ArnLike['aws:PrincipalArn'] = 'arn:aws:iam::*:role/aws-reserved/*'))],
  ['nor another role of the account', 'scientist', 'sts:AssumeRole', trusting(training), NotGranted, edit0('scientistTrust', (s) => delete s.Condition)],
  ['nor a stranger', 'stranger', 'sts:AssumeRole', trusting(training), NotGranted, edit0('scientistTrust', (s) => { s.Principal = { AWS: '*' }; delete s.Condition })],
  ['the push role pushes an image', 'pusher', 'ecr:PutImage', { on: images }, Allowed, without('push', 'PushAndPull')],
  ['and signs in', 'pusher', 'ecr:GetAuthorizationToken', {}, Allowed, without('push', 'SignInToRegistry')],
  ['and pulls', 'pusher', 'ecr:GetDownloadUrlForLayer', { on: images }, Allowed, drop('push', 'PushAndPull', 'ecr:GetDownloadUrlForLayer')],
  ['but to no other repository', 'pusher', 'ecr:PutImage', { on: `${images}-other` }, NotGranted, edit('push', 'PushAndPull', (s) => (s.Resource = '*'))],
  ['it deletes no image', 'pusher', 'ecr:BatchDeleteImage', { on: images }, NotGranted, edit('push', 'PushAndPull', (s) => (s.Action = 'ecr:*'))],
  ['and lets no tag move', 'pusher', 'ecr:PutImageTagMutability', { on: images }, NotGranted, edit('push', 'PushAndPull', (s) => (s.Action = 'ecr:*'))],
  ['it reads no data', 'pusher', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket' }, NotGranted, allow('push', 's3:*')],

  // CI.
  ['a workflow of the environment deploys', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciDeployTrust', 'repo:octo@1/llm@2:environment:prod'), Allowed, edit0('ciDeployTrust', (s) => (s.Condition.StringEquals['token.actions.githubusercontent.com:sub'] = 'repo:octo/llm:environment:prod'))],
  ['a pull request does not', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciDeployTrust', 'repo:octo@1/llm@2:pull_request'), NotGranted, edit0('ciDeployTrust', (s) => (s.Condition = { StringLike: { 'token.actions.githubusercontent.com:sub': 'repo:octo@1/llm@2:*' } }))],
  ['nor the same environment of another repository', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciDeployTrust', 'repo:eve@9/llm@8:environment:prod'), NotGranted, edit0('ciDeployTrust', (s) => (s.Condition = { StringLike: { 'token.actions.githubusercontent.com:sub': 'repo:*:environment:prod' } }))],
  ['nor a token for somebody else', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciDeployTrust', 'repo:octo@1/llm@2:environment:prod', 'vault'), NotGranted, edit0('ciDeployTrust', (s) => delete s.Condition.StringEquals['token.actions.githubusercontent.com:aud'])],
  ['a workflow in the environment preview previews', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciPreviewTrust', 'repo:octo@1/llm@2:environment:prod-preview'), Allowed, edit0('ciPreviewTrust', (s) => (s.Condition.StringEquals['token.actions.githubusercontent.com:sub'] = 'repo:octo@1/llm@2:ref:refs/heads/main'))],
  ['and one in drift', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciPreviewTrust', 'repo:octo@1/llm@2:environment:prod-drift'), Allowed, edit0('ciPreviewTrust', (s) => s.Condition.StringEquals['token.actions.githubusercontent.com:sub'].pop())],
  ['a pull request that nobody let in does not', 'github', 'sts:AssumeRoleWithWebIdentity', token('ciPreviewTrust', 'repo:octo@1/llm@2:pull_request'), NotGranted, edit0('ciPreviewTrust', (s) => s.Condition.StringEquals['token.actions.githubusercontent.com:sub'].push('repo:octo@1/llm@2:pull_request'))],
  ['a preview sees buckets', 'ciPreview', 's3:GetBucketVersioning', { on: data, policy: 'datasetBucket' }, Allowed, without('ciPreview', 'SeeResources')],
  ['a preview reads no data', 'ciPreview', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket' }, NotGranted, edit('ciPreview', 'UseState', (s) => (s.Resource = '*'))],
  ['a preview reads no secret', 'ciPreview', 'secretsmanager:GetSecretValue', { on: `arn:aws:secretsmanager:us-west-2:${training}:secret:s` }, NotGranted, allow('ciPreview', 'secretsmanager:Get*')],
  ['a preview makes nothing', 'ciPreview', 'ec2:CreateVpc', { on: `arn:aws:ec2:us-west-2:${training}:vpc/v` }, NotGranted, edit('ciPreview', 'SeeResources', (s) => s.Action.push('ec2:*'))],
  ['a preview cannot become the deploying role', 'ciPreview', 'sts:AssumeRole', { on: iamRole(deployRole) }, NotGranted, allow('ciPreview', 'sts:AssumeRole')],
  ['a deployment becomes the deploying role', 'ciAssume', 'sts:AssumeRole', { on: iamRole(deployRole) }, Allowed, without('ciAssume', 'AssumeRoles')],
  ['and no other', 'ciAssume', 'sts:AssumeRole', { on: iamRole('Administrator') }, NotGranted, edit('ciAssume', 'AssumeRoles', (s) => (s.Resource = '*'))],
  ['a deployment that acts as itself makes the stack\'s roles', 'ciDeploy', 'iam:CreateRole', { on: iamRole('llm-platform-prod-training-role-0123456') }, Allowed, without('ciDeploy', 'GrantWithinBoundary')],
  ['and no others', 'ciDeploy', 'iam:CreateRole', { on: iamRole('Administrator') }, NotGranted, edit('ciDeploy', 'GrantWithinBoundary', (s) => (s.Resource = '*'))],
  ['nor those of a stack whose name begins likewise', 'ciDeploy', 'iam:CreateRole', { on: iamRole('llm-platform-prod-eu-training-role-0123456') }, NotGranted, edit('ciDeploy', 'GrantWithinBoundary', (s) => (s.Resource = iamRole('llm-platform-prod-*')))],
  ['nor changes these', 'ciDeploy', 'iam:UpdateAssumeRolePolicy', { on: iamRole('llm-platform-prod-eu-ci-deploy-0123456') }, NotGranted, edit('ciDeploy', 'ManageOwnRoles', (s) => (s.Resource = iamRole('llm-platform-prod-*')))],
  ['nor passes these', 'ciDeploy', 'iam:PassRole', { on: iamRole('llm-platform-prod-eu-cluster-node-role-0123456'), context: { 'iam:PassedToService': 'ec2.amazonaws.com' } }, NotGranted, edit('ciDeploy', 'PassOwnRoles', (s) => (s.Resource = iamRole('llm-platform-prod-*')))],
  ['nor a role of its own stack that the program does not have', 'ciDeploy', 'iam:CreateRole', { on: iamRole('llm-platform-prod-evil') }, NotGranted, edit('ciDeploy', 'GrantWithinBoundary', (s) => (s.Resource = iamRole('llm-platform-prod-*')))],
  ['with a boundary it makes roles within it', 'ciBounded', 'iam:CreateRole', { on: iamRole('llm-platform-prod-training-role-0123456'), context: { 'iam:PermissionsBoundary': boundary } }, Allowed, without('ciBounded', 'GrantWithinBoundary')],
  ['and no roles without', 'ciBounded', 'iam:CreateRole', { on: iamRole('llm-platform-prod-training-role-0123456') }, NotGranted, unconditional('ciBounded', 'GrantWithinBoundary')],
  ['nor with another', 'ciBounded', 'iam:PutRolePermissionsBoundary', { on: iamRole('llm-platform-prod-training-role-0123456'), context: { 'iam:PermissionsBoundary': `${boundary}2` } }, NotGranted, unconditional('ciBounded', 'GrantWithinBoundary')],
  ['it cannot take the boundary away', 'ciBounded', 'iam:DeleteRolePermissionsBoundary', { on: iamRole('llm-platform-prod-training-role-0123456'), context: { 'iam:PermissionsBoundary': boundary } }, NotGranted, edit('ciBounded', 'GrantWithinBoundary', (s) => s.Action.push('iam:DeleteRolePermissionsBoundary'))],
  ['a deployment tags its sessions', 'ciAssume', 'sts:TagSession', { on: iamRole(deployRole) }, Allowed, drop('ciAssume', 'AssumeRoles', 'sts:TagSession')],
  ['it passes them to EC2', 'ciDeploy', 'iam:PassRole', { on: iamRole('llm-platform-prod-cluster-node-role-0123456'), context: { 'iam:PassedToService': 'ec2.amazonaws.com' } }, Allowed, without('ciDeploy', 'PassOwnRoles')],
  ['and not to a service that the program does not use', 'ciDeploy', 'iam:PassRole', { on: iamRole('llm-platform-prod-cluster-node-role-0123456'), context: { 'iam:PassedToService': 'lambda.amazonaws.com' } }, NotGranted, unconditional('ciDeploy', 'PassOwnRoles')],
  ['it cannot widen its own role', 'ciDeploy', 'iam:PutRolePolicy', { on: iamRole('llm-platform-prod-ci-deploy-0123456') }, Denied, both(edit('ciDeploy', 'GrantWithinBoundary', (s) => (s.Resource = '*')), edit(baseline, 'ExemptRolesStay', (s) => (s.Resource = s.Resource.filter((r) => !r.includes('-ci-')))))],
  // Previews without the administrator's role, and GitLab.
  ['the management account previews with the read-only role', 'manager', 'sts:AssumeRole', previewed, Allowed, without('previewTrust', 'ManagementAccount')],
  ['so does the stack\'s CI preview role', 'ciPreviewNamed', 'sts:AssumeRole', previewed, Allowed, without('previewTrust', 'PullRequests')],
  ['and nobody else of its account', 'scientist', 'sts:AssumeRole', previewed, NotGranted, unconditional('previewTrust', 'PullRequests')],
  ['the read-only role sees the objects to copy', 'previewer', 's3:GetObject', { on: 'arn:aws:s3:::corpora/a.jsonl' }, Allowed, without('previewRole', 'SeeSources')],
  ['and no others', 'previewer', 's3:GetObject', { on: `${data}/a` }, NotGranted, edit('previewRole', 'SeeSources', (s) => (s.Resource = '*'))],
  ['the protected branch deploys', 'gitlab', 'sts:AssumeRoleWithWebIdentity', gitlabToken('gitLabDeploy', 'project_path:octo/research/llm:ref_type:branch:ref:main'), Allowed, edit0('gitLabDeploy', (s) => (s.Effect = 'Deny'))],
  ['another branch does not', 'gitlab', 'sts:AssumeRoleWithWebIdentity', gitlabToken('gitLabDeploy', 'project_path:octo/research/llm:ref_type:branch:ref:evil'), NotGranted, edit0('gitLabDeploy', (s) => { delete s.Condition.StringEquals['gitlab.com:sub'] })],
  ['nor does a tag of that name', 'gitlab', 'sts:AssumeRoleWithWebIdentity', gitlabToken('gitLabDeploy', 'project_path:octo/research/llm:ref_type:tag:ref:main'), NotGranted, edit0('gitLabDeploy', (s) => { delete s.Condition.StringEquals['gitlab.com:sub'] })],
  ['nor a token for others', 'gitlab', 'sts:AssumeRoleWithWebIdentity', gitlabToken('gitLabDeploy', 'project_path:octo/research/llm:ref_type:branch:ref:main', 'vault'), NotGranted, edit0('gitLabDeploy', (s) => { delete s.Condition.StringEquals['gitlab.com:aud'] })],
  ['every branch previews', 'gitlab', 'sts:AssumeRoleWithWebIdentity', gitlabToken('gitLabPreview', 'project_path:octo/research/llm:ref_type:branch:ref:feature/x'), Allowed, edit0('gitLabPreview', (s) => (s.Effect = 'Deny'))],
  ['another project does not', 'gitlab', 'sts:AssumeRoleWithWebIdentity', gitlabToken('gitLabPreview', 'project_path:octo/research/llm2:ref_type:branch:ref:x'), NotGranted, edit0('gitLabPreview', (s) => { delete s.Condition.StringLike })],
  ['it is bound by the guardrails', 'ciDeploy', 's3:PutBucketPublicAccessBlock', { on: data }, Denied, without(stored, 'NothingShared')],
]

function token(policy, sub, aud = 'sts.amazonaws.com') {
  return {
    on: iamRole('llm-platform-prod-ci'), policy,
    context: { 'token.actions.githubusercontent.com:sub': sub, 'token.actions.githubusercontent.com:aud': aud },
  }
}

function gitlabToken(policy, sub, aud = 'https://gitlab.com') {
  return { on: iamRole('llm-platform-prod-ci'), policy, context: { 'gitlab.com:sub': sub, 'gitlab.com:aud': aud } }
}

test('the table is large enough to mean something', () => {
  assert.ok(decisions.length >= 60, `${decisions.length} decisions`)
  assert.ok(guardrails.length > 0, 'no guardrails; this test tests nothing')
  assert.equal(new Set(decisions.map(([name, who]) => `${who}: ${name}`)).size, decisions.length)
})

decide(decisions)

// With every guardrail attached and the kill switch thrown, and even if the guardrails were
// managed from an account that they bind, the deploying role can change and remove all of it.
const rescue = [
  ['organizations:UpdatePolicy', guardrail], ['organizations:DetachPolicy', guardrail], ['organizations:DetachPolicy', member],
  ['organizations:DeletePolicy', guardrail], ['organizations:AttachPolicy', guardrail], ['organizations:DescribePolicy', guardrail],
  ['organizations:ListPoliciesForTarget', member], ['organizations:CreatePolicy', guardrail], ['organizations:ListPolicies', '*'],
  ['budgets:ModifyBudget', `arn:aws:budgets::${management}:budget/b`], ['budgets:DeleteBudgetAction', `arn:aws:budgets::${management}:budget/b/action/a`],
  ['budgets:ExecuteBudgetAction', `arn:aws:budgets::${management}:budget/b/action/a`],
  ['iam:UpdateAssumeRolePolicy', iamRole(deployRole)], ['iam:DeleteRole', iamRole('llm-platform-prod-budgets-role')],
  ['sts:AssumeRole', iamRole(deployRole)], ['eks:DeleteNodegroup', `arn:aws:eks:us-west-2:${training}:nodegroup/c/n/1`],
  ['ec2:TerminateInstances', instance], ['sts:AssumeRole', iamRole('llm-platform-prod-rescue'), 'rescueTrust'],
  ['s3:DeleteBucketPolicy', data], ['kms:PutKeyPolicy', key, 'key'],
]

// denied is what the deploying role cannot do of that.
async function denied(docs) {
  const list = []
  for (const [action, on, policy] of rescue) {
    // Resources are taken as the role's own account's, which is the strictest reading: then
    // its own policy and the guardrails alone decide.
    const answer = await judge({ who: 'deployer', action, on, policy, thrown: true }, docs)
    if (answer !== Allowed) list.push(`${action} on ${on}: ${answer}`)
  }
  return list
}

test('the deploying role can update and remove every guardrail', async () => {
  assert.deepEqual(await denied(documents), [])
})

test('each of the mistakes that would lock it out is seen', async () => {
  const mistakes = {
    'everybody is denied': add(baseline, { Effect: 'Deny', Action: '*', Resource: '*' }),
    'the exempt role is misspelt': edit(baseline, 'StayInOrganization', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = 'arn:*:iam::*:role/OrganizationalAccountAccessRole')),
    'the exempt role has a path': edit(baseline, 'StayInOrganization', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = `arn:*:iam::*:role/admin/${deployRole}`)),
    'the partition is hard-coded to another': edit(baseline, 'StayInOrganization', (s) => (s.Condition.ArnNotLike['aws:PrincipalArn'] = `arn:aws-cn:iam::*:role/${deployRole}`)),
    'ArnNotLike became ArnLike': edit(baseline, 'StayInOrganization', (s) => { s.Condition.ArnLike = s.Condition.ArnNotLike; delete s.Condition.ArnNotLike }),
    'global services are not exempt, nor is the role': edit(regions, 'OnlyListedRegions', (s) => { s.NotAction = ['ec2:*']; s.Condition = { StringNotEquals: { 'aws:RequestedRegion': 'us-east-1' } } }),
    'an allow-list without the organization took the place of FullAWSAccess': (docs) => { docs.FullAWSAccess = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['ec2:*', 's3:*'], Resource: '*' }] } },
    'the role cannot be changed by itself': exemptNobody(baseline, 'ExemptRolesStay'),
    'the kill switch denies deleting a pool': edit('killswitch', 'NothingNew', (s) => s.Action.push('eks:DeleteNodegroup')),
    'the rescue role trusts nobody': edit0('rescueTrust', (s) => (s.Condition.ArnLike['aws:PrincipalArn'] = iamRole('other'))),
  }
  for (const [name, mistake] of Object.entries(mistakes)) {
    const wrong = structuredClone(documents)
    mistake(wrong)
    assert.notDeepEqual(wrong, documents, name)
    assert.notDeepEqual(await denied(wrong), [], `${name}: the deploying role can still do everything`)
  }
})

test('every statement of every guardrail decides something', async () => {
  for (const name of [...guardrails, 'killswitch']) {
    for (const statement of documents[name].Statement) {
      const wrong = structuredClone(documents)
      wrong[name].Statement = wrong[name].Statement.filter((s) => s.Sid !== statement.Sid)
      let turned = false
      for (const [, person, action, request, want] of decisions) {
        turned ||= want === Denied && (await judge({ who: person, action, ...request }, wrong)) !== want
      }
      assert.ok(turned, `${name}: no decision needs ${statement.Sid}`)
    }
  }
})

test('everybody in the table is somebody', () => {
  for (const [name, person] of decisions) assert.ok(who[person], `${name}: ${person}`)
})
