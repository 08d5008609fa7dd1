// What the pods of a run may do, by the tags that EKS Pod Identity gives their sessions.
import { Allowed, NotGranted, allow, data, decide, edit, strange, training, without } from './world.mjs'

const mine = 'train-0123456789', theirs = 'train-abcdef0123', before = 'training'
const checkpoints = 'arn:aws:s3:::checkpoints'
const tag = 'aws:PrincipalTag/kubernetes-service-account'

// as is a request of a pod with a service account, on an object of the checkpoint bucket.
const as = (account, key) => ({ on: `${checkpoints}/${key}`, context: { [tag]: account } })
const everywhere = edit('pod', 'WriteOwnRun', (s) => (s.Resource = `${checkpoints}/runs/*`))

// pod is the request that EKS Pod Identity makes for a pod, with some of its keys changed.
const pod = (account, context = {}) => ({
  on: `arn:aws:iam::${training}:role/llm-platform-prod-training`, in: training, policy: 'podTrust',
  context: {
    'aws:SourceAccount': training, 'aws:SourceArn': `arn:aws:eks:us-west-2:${training}:cluster/llm-platform-prod`,
    'aws:RequestTag/kubernetes-namespace': 'training', 'aws:RequestTag/kubernetes-service-account': account, ...context,
  },
})
const trust = (change) => (docs) => change(docs.podTrust.Statement[0])

const decisions = [
  ['a run reads the dataset', 'pod', 's3:GetObject', { on: `${data}/a`, policy: 'datasetBucket' }, Allowed, without('pod', 'ReadObjects')],
  ['it does not write to it', 'pod', 's3:PutObject', { on: `${data}/a`, policy: 'datasetBucket' }, NotGranted, allow('pod', 's3:PutObject')],
  ['it reads the checkpoints of another run, to resume from', 'pod', 's3:GetObject', as(mine, `runs/${theirs}/a`), Allowed, without('pod', 'ReadObjects')],
  ['it writes its own', 'pod', 's3:PutObject', as(mine, `runs/${mine}/step-1/.metadata`), Allowed, without('pod', 'WriteOwnRun')],
  ['it deletes its own', 'pod', 's3:DeleteObject', as(mine, `runs/${mine}/a`), Allowed, without('pod', 'WriteOwnRun')],
  ['it does not write those of another run, which would execute them', 'pod', 's3:PutObject', as(mine, `runs/${theirs}/step-1/.metadata`), NotGranted, everywhere],
  ['nor delete them', 'pod', 's3:DeleteObject', as(mine, `runs/${theirs}/a`), NotGranted, everywhere],
  ['nor of a run whose name begins alike', 'pod', 's3:PutObject', as(mine, `runs/${mine}0/a`), NotGranted, edit('pod', 'WriteOwnRun', (s) => (s.Resource = `${checkpoints}/runs/\${${tag}}*`))],
  ['nor outside the runs', 'pod', 's3:PutObject', as(mine, 'other/a'), NotGranted, edit('pod', 'WriteOwnRun', (s) => (s.Resource = `${checkpoints}/*`))],
  ['nor without a tag', 'pod', 's3:PutObject', { on: `${checkpoints}/runs/a/b` }, NotGranted, everywhere],
  ['it does not write as the runs of earlier releases', 'pod', 's3:PutObject', as(mine, `runs/${before}/a`), NotGranted, edit('pod', 'WriteEarlierRuns', (s) => delete s.Condition)],
  ['those still save while the upgrade replaces them', 'pod', 's3:PutObject', as(before, `runs/${theirs}/a`), Allowed, without('pod', 'WriteEarlierRuns')],

  ['a pod assumes the role by the service account of its run', 'podsService', 'sts:AssumeRole', pod(mine), Allowed, trust((s) => (s.Principal.Service = 'ec2.amazonaws.com'))],
  ['whatever training.name is', 'podsService', 'sts:AssumeRole', pod('l-0123456789'), Allowed, trust((s) => (s.Condition.StringLike['aws:RequestTag/kubernetes-service-account'] = 'train-*'))],
  ['and its session is tagged', 'podsService', 'sts:TagSession', pod(mine), Allowed, trust((s) => (s.Action = 'sts:AssumeRole'))],
  ['not by the account of earlier releases, which may write everywhere', 'podsService', 'sts:AssumeRole', pod(before), NotGranted, trust((s) => (s.Condition.StringLike['aws:RequestTag/kubernetes-service-account'] = '*'))],
  ['nor by another one', 'podsService', 'sts:AssumeRole', pod('default'), NotGranted, trust((s) => delete s.Condition.StringLike)],
  ['nor in another namespace', 'podsService', 'sts:AssumeRole', pod(mine, { 'aws:RequestTag/kubernetes-namespace': 'default' }), NotGranted, trust((s) => delete s.Condition.StringEquals['aws:RequestTag/kubernetes-namespace'])],
  ['nor in another cluster of the account', 'podsService', 'sts:AssumeRole', pod(mine, { 'aws:SourceArn': `arn:aws:eks:us-west-2:${training}:cluster/other` }), NotGranted, trust((s) => delete s.Condition.ArnEquals)],
  ['nor in a cluster of another account', 'podsService', 'sts:AssumeRole', pod(mine, { 'aws:SourceAccount': strange }), NotGranted, trust((s) => delete s.Condition.StringEquals['aws:SourceAccount'])],
]

decide(decisions)
