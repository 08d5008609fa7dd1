// Who reaches the data, the keys and the logs, and from where: as decisions.test.mjs, each
// decision with a mistake that must turn it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Allowed, Denied, NotGranted, add, allow, both, data, decide, deployRole, documents, drop, edit, everything, key, management, role, strange, testing,
  training, unconditional, who, without,
} from './world.mjs'

const sourceOwner = '444444444444', reader = '555555555555'
Object.assign(who, {
  researcherRole: role(training, 'llm-platform-prod-roles-scientist-0123456', everything),
  lookalike: role(training, 'llm-platform-prod-roles-scientist-evil-0123456', everything),
  trainingPod: role(training, 'llm-platform-prod-training-role-0123456', 'pod'),
  sageMakerRole: role(training, 'llm-platform-prod-sagemaker-role-0123456', 'sagemaker'),
  transferRole: role(training, 'llm-platform-prod-storage-transfer-0123456', 'transfer'),
  permissionSet: role(training, 'aws-reserved/sso.amazonaws.com/AWSReservedSSO_AdministratorAccess_0123456789abcdef', everything),
  partner: role(testing, 'Engineer', everything),
  customer: role(reader, 'Reader', everything),
  user: { account: training, arn: `arn:aws:iam::${training}:user/deployer`, principal: `arn:aws:iam::${training}:user/deployer`, policy: everything },
  cloudTrail: { account: strange, principal: 'cloudtrail.amazonaws.com' },
  logsService: { account: strange, principal: 'logs.us-west-2.amazonaws.com' },
})

const object = `${data}/a`, source = 'arn:aws:s3:::corpora/a', run = 'arn:aws:s3:::checkpoints/runs/x/a', own = 'arn:aws:s3:::checkpoints/sagemaker/a'
const outside = { 'aws:SourceVpc': null }
const fromOutside = (policy = 'datasetBucket', on = object) => ({ on, in: training, policy, context: outside })
const fromVPC = (policy = 'datasetBucket', on = object) => ({ on, in: training, policy })
const open = (name) => add(name, { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' })
// A mistake that binds the role which matches the pattern.
const bind = (pattern, name = 'datasetBucket') =>
  edit(name, 'DenyOutsideVPC', (s) => {
    const exempt = s.Condition.ArnNotLikeIfExists['aws:PrincipalArn']
    assert.ok(exempt.some((arn) => arn.includes(pattern)), pattern)
    s.Condition.ArnNotLikeIfExists['aws:PrincipalArn'] = exempt.filter((arn) => !arn.includes(pattern))
  })
const trail = (account, context = {}) => ({
  on: `arn:aws:s3:::trail/AWSLogs/${account}/a`, in: management, policy: 'trailBucket',
  context: { 'aws:SourceArn': `arn:aws:cloudtrail:us-west-2:${management}:trail/llm-platform-prod`, 's3:x-amz-acl': 'bucket-owner-full-control', ...context },
})
const through = (on, account, more = {}) => ({ on, in: account, endpoint: 'endpoint', ...more })
const logGroup = (account) => ({ 'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:us-west-2:${account}:log-group:g` })

const decisions = [
  // Who: the organization, or without one the accounts of the stack.
  ['a stranger cannot read data that is open to all', 'stranger', 's3:GetObject', fromVPC(), Denied, both(without('datasetBucket', 'DenyOutsiders'), open('datasetBucket'))],
  ['nor list it', 'stranger', 's3:ListBucket', fromVPC('datasetBucket', data), Denied, both(edit('datasetBucket', 'DenyOutsiders', (s) => (s.Resource = `${data}/*`)), open('datasetBucket'))],
  ['nor use a key that is open to all', 'stranger', 'kms:Decrypt', { on: key, in: training, policy: 'key' }, Denied, both(without('key', 'DenyOutsiders'), open('key'))],
  ['nor put objects among the access logs', 'stranger', 's3:PutObject', { on: 'arn:aws:s3:::logs/a', in: training, policy: 'logBucket' }, Denied, both(without('logBucket', 'DenyOutsiders'), open('logBucket'))],
  ['the training account reads its data when it has left the organization', 'deployer', 's3:GetObject', { ...fromVPC(), context: { 'aws:PrincipalOrgID': null } }, Allowed, edit('datasetBucket', 'DenyOutsiders', (s) => delete s.Condition.StringNotEqualsIfExists['aws:PrincipalAccount'])],
  ['without an organization another account of the stack may be let in', 'partner', 's3:GetObject', { ...fromVPC('openSoloBucket'), context: { 'aws:PrincipalOrgID': null } }, Allowed, edit('openSoloBucket', 'DenyOutsiders', (s) => (s.Condition.StringNotEqualsIfExists['aws:PrincipalAccount'] = training))],
  ['and no account of others', 'stranger', 's3:GetObject', fromVPC('openSoloBucket'), Denied, without('openSoloBucket', 'DenyOutsiders')],
  ['nor its key', 'stranger', 'kms:Decrypt', { on: key, in: training, policy: 'soloKey' }, Denied, both(without('soloKey', 'DenyOutsiders'), open('soloKey'))],

  // From where.
  ['a pod reads data in the VPC', 'trainingPod', 's3:GetObject', fromVPC(), Allowed, edit('datasetBucket', 'DenyOutsideVPC', (s) => (s.Condition.StringNotEqualsIfExists['aws:SourceVpc'] = 'vpc-other'))],
  ['and not with its credentials elsewhere', 'trainingPod', 's3:GetObject', fromOutside(), Denied, without('datasetBucket', 'DenyOutsideVPC')],
  ['nor in another VPC', 'trainingPod', 's3:GetObject', { ...fromVPC(), context: { 'aws:SourceVpc': 'vpc-other' } }, Denied, without('datasetBucket', 'DenyOutsideVPC')],
  ['an administrator neither', 'scientist', 's3:GetObject', fromOutside(), Denied, without('datasetBucket', 'DenyOutsideVPC')],
  ['nor writes from there', 'scientist', 's3:PutObject', fromOutside(), Denied, edit('datasetBucket', 'DenyOutsideVPC', (s) => (s.Action = 's3:GetObject'))],
  ['but lists from anywhere', 'scientist', 's3:ListBucket', fromOutside('datasetBucket', data), Allowed, edit('datasetBucket', 'DenyOutsideVPC', (s) => (s.Resource = [data, `${data}/*`]))],
  ['the deploying role copies from anywhere', 'deployer', 's3:PutObject', fromOutside(), Allowed, bind(deployRole)],
  ['an exempt role reads from anywhere', 'permissionSet', 's3:GetObject', fromOutside(), Allowed, bind('AdministratorAccess')],
  ['so does the role for scientists', 'researcherRole', 's3:GetObject', fromOutside(), Allowed, bind('roles-scientist')],
  ['a role of a similar name does not', 'lookalike', 's3:GetObject', fromOutside(), Denied, edit('datasetBucket', 'DenyOutsideVPC', (s) => s.Condition.ArnNotLikeIfExists['aws:PrincipalArn'].push('arn:aws:iam::*:role/llm-platform-prod-*'))],
  ['DataSync copies from its own network', 'transferRole', 's3:PutObject', fromOutside(), Allowed, bind('storage-transfer')],
  ['SageMaker reads from its own network', 'sageMakerRole', 's3:GetObject', fromOutside(), Allowed, bind('sagemaker-role')],
  ['a service that works for a caller reads for him', 'scientist', 's3:GetObject', { ...fromOutside(), context: { ...outside, 'aws:ViaAWSService': 'true' } }, Allowed, edit('datasetBucket', 'DenyOutsideVPC', (s) => delete s.Condition.BoolIfExists['aws:ViaAWSService'])],
  ['an account to which a model was released reads from anywhere', 'customer', 's3:GetObject', fromOutside('openReleasedBucket'), Allowed, edit('openReleasedBucket', 'DenyOutsideVPC', (s) => delete s.Condition.StringNotEqualsIfExists['aws:PrincipalAccount'])],
  ['and is no outsider', 'customer', 's3:ListBucket', fromOutside('openReleasedBucket', data), Allowed, edit('openReleasedBucket', 'DenyOutsiders', (s) => (s.Condition.StringNotEqualsIfExists['aws:PrincipalAccount'] = training))],
  ['others still are', 'stranger', 's3:GetObject', fromOutside('openReleasedBucket'), Denied, both(without('openReleasedBucket', 'DenyOutsiders'), without('openReleasedBucket', 'DenyOutsideVPC'))],
  ['with an empty roleName, whoever deploys copies from anywhere', 'user', 's3:PutObject', fromOutside('soloBucket'), Allowed, edit('soloBucket', 'DenyOutsideVPC', (s) => delete s.Condition.ArnLike)],
  ['and a pod reads in the VPC only', 'trainingPod', 's3:GetObject', fromOutside('soloBucket'), Denied, without('soloBucket', 'DenyOutsideVPC')],

  // The S3 endpoint of the VPC.
  ['a pod reaches the buckets of its stack', 'scientist', 's3:PutObject', through('arn:aws:s3:::llm-platform-prod-storage-dataset-0123456/a', training), Allowed, without('endpoint', 'BucketsOfStack')],
  ['and not those of that name in another account', 'stranger', 's3:PutObject', through('arn:aws:s3:::llm-platform-prod-storage-dataset-evil/a', strange), NotGranted, unconditional('endpoint', 'BucketsOfStack')],
  ['nor other buckets of its account', 'scientist', 's3:PutObject', through('arn:aws:s3:::billing/a', training), NotGranted, edit('endpoint', 'BucketsOfStack', (s) => (s.Resource = '*'))],
  ['nor a bucket of others with their keys', 'stranger', 's3:PutObject', through('arn:aws:s3:::evil/a', strange), NotGranted, edit('endpoint', 'BucketsOfStack', (s) => { s.Resource = '*'; delete s.Condition })],
  ['it reads a bucket of the settings', 'scientist', 's3:GetObject', through(source, training), Allowed, without('endpoint', 'FurtherBuckets')],
  ['a node pulls layers from ECR', 'scientist', 's3:GetObject', through('arn:aws:s3:::prod-us-west-2-starport-layer-bucket/a', training), Allowed, edit('endpoint', 'BucketsOfAWS', (s) => (s.Resource = s.Resource.filter((arn) => !arn.includes('starport'))))],
  ['and packages of Amazon Linux', 'scientist', 's3:GetObject', through('arn:aws:s3:::al2023-repos-us-west-2-de612dc2/a', training), Allowed, edit('endpoint', 'BucketsOfAWS', (s) => (s.Resource = s.Resource.filter((arn) => !arn.includes('al2023-repos'))))],
  ['but writes nothing there', 'stranger', 's3:PutObject', through('arn:aws:s3:::aws-ssm-us-west-2/a', strange), NotGranted, edit('endpoint', 'BucketsOfAWS', (s) => (s.Action = 's3:*'))],

  // SageMaker and DataSync.
  ['SageMaker writes below its prefix', 'sageMakerRole', 's3:PutObject', fromOutside('checkpointBucket', own), Allowed, edit('sagemaker', 'WriteObjects', (s) => (s.Resource = 'arn:aws:s3:::checkpoints/runs/*'))],
  ['and not into a run', 'sageMakerRole', 's3:PutObject', fromOutside('checkpointBucket', run), NotGranted, edit('sagemaker', 'WriteObjects', (s) => (s.Resource = 'arn:aws:s3:::checkpoints/*'))],
  ['nor deletes from it', 'sageMakerRole', 's3:DeleteObject', fromOutside('checkpointBucket', run), NotGranted, edit('sagemaker', 'WriteObjects', (s) => (s.Resource = 'arn:aws:s3:::checkpoints/*'))],
  ['it reads runs', 'sageMakerRole', 's3:GetObject', fromOutside('checkpointBucket', run), Allowed, without('sagemaker', 'ReadObjects')],
  ['DataSync reads the source bucket of its owner', 'transferRole', 's3:GetObject', { on: source, in: sourceOwner, policy: 'sourceBucket' }, Allowed, edit('transfer', 'ReadObjects', (s) => (s.Condition.StringEquals['aws:ResourceAccount'] = training))],
  ['and not one that a stranger has created anew', 'transferRole', 's3:GetObject', { on: source, in: strange, policy: 'sourceBucket' }, NotGranted, unconditional('transfer', 'ReadObjects')],

  // Keys.
  ['a service creates a grant for a caller', 'scientist', 'kms:CreateGrant', { on: key, policy: 'key', context: { 'kms:GrantIsForAWSResource': 'true' } }, Allowed, without('key', 'ServicesCreateGrants')],
  ['nobody creates one himself', 'scientist', 'kms:CreateGrant', { on: key, policy: 'key', context: { 'kms:GrantIsForAWSResource': 'false' } }, Denied, both(unconditional('key', 'ServicesCreateGrants'), without('guardrails-data', 'GrantsForServices'))],
  ['whoever deploys changes the policy of a key', 'deployer', 'kms:PutKeyPolicy', { on: key, policy: 'key' }, Allowed, drop('key', 'AccountDecides', 'kms:PutKeyPolicy')],
  ['CloudWatch encrypts the logs of the account', 'logsService', 'kms:GenerateDataKey', { on: key, in: training, policy: 'logsKey', context: logGroup(training) }, Allowed, without('logsKey', 'EncryptLogs')],
  ['and no others', 'logsService', 'kms:GenerateDataKey', { on: key, in: training, policy: 'logsKey', context: logGroup(strange) }, NotGranted, unconditional('logsKey', 'EncryptLogs')],
  ['it has nothing to do with data', 'logsService', 'kms:Decrypt', { on: key, in: training, policy: 'key', context: logGroup(training) }, NotGranted, allow2('key', 'logs.us-west-2.amazonaws.com')],

  // The trail.
  ['CloudTrail writes the logs of the organization', 'cloudTrail', 's3:PutObject', trail('o-example'), Allowed, without('trailBucket', 'WriteLogs')],
  ['and those of the management account', 'cloudTrail', 's3:PutObject', trail(management), Allowed, edit('trailBucket', 'WriteLogs', (s) => (s.Resource = 'arn:aws:s3:::trail/AWSLogs/o-example/*'))],
  ['and not those of the trail of a stranger', 'cloudTrail', 's3:PutObject', trail('o-example', { 'aws:SourceArn': `arn:aws:cloudtrail:us-west-2:${strange}:trail/t` }), NotGranted, edit('trailBucket', 'WriteLogs', (s) => delete s.Condition.StringEquals['aws:SourceArn'])],
  ['it checks the bucket before', 'cloudTrail', 's3:GetBucketAcl', { ...trail('o-example'), on: 'arn:aws:s3:::trail', context: { 'aws:SourceArn': `arn:aws:cloudtrail:us-west-2:${management}:trail/llm-platform-prod` } }, Allowed, without('trailBucket', 'CheckBucket')],
  ['a stranger reads no logs', 'stranger', 's3:GetObject', { on: 'arn:aws:s3:::trail/a', in: management, policy: 'trailBucket' }, Denied, both(without('trailBucket', 'DenyOutsiders'), open('trailBucket'))],
]

// allow2 lets a service in.
function allow2(name, Service) {
  return add(name, { Effect: 'Allow', Principal: { Service }, Action: 'kms:*', Resource: '*' })
}

// Buckets that let others in, as somebody may have edited them.
const world = structuredClone(documents)
const opened = (name) => {
  const policy = structuredClone(documents[name])
  policy.Statement.push({ Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: [data, `${data}/*`] })
  return policy
}
world.openSoloBucket = opened('soloBucket')
world.openReleasedBucket = opened('releasedBucket')
world.checkpointBucket = JSON.parse(JSON.stringify(documents.datasetBucket).replaceAll(data, 'arn:aws:s3:::checkpoints'))
world.sourceBucket = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 's3:GetObject', Resource: source }] }
delete world.sourceBucket.Statement[0].Principal.AWS
world.sourceBucket.Statement[0].Principal.AWS = `arn:aws:iam::${training}:root`

test('the table is large enough to mean something', () => {
  assert.ok(decisions.length >= 40, `${decisions.length} decisions`)
  assert.equal(new Set(decisions.map(([name, person]) => `${person}: ${name}`)).size, decisions.length)
})

decide(decisions, world)

test('every statement that denies decides something', async () => {
  for (const name of ['datasetBucket', 'key', 'logBucket', 'trailBucket', 'soloKey']) {
    const rows = decisions.filter(([, , , request]) => request.policy === name)
    assert.ok(rows.some(([, , , , want]) => want === Denied), `${name}: no decision denies`)
  }
})
