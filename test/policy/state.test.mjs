// Who may do what with Pulumi's state.
import { Allowed, NotGranted, decide, edit, training, unconditional, without } from './world.mjs'

const bucket = 'arn:aws:s3:::state', own = `${bucket}/.pulumi/stacks/llm-platform/prod.json`
const key = (name) => `arn:aws:kms:us-west-2:${training}:key/${name}`
const everywhere = (name) => edit(name, 'UseState', (s) => (s.Resource = `${bucket}/*`))
// ofBucket is what S3 asks of a key for an object; the bucket has a bucket key.
const ofBucket = (arn, service = 's3.us-west-2.amazonaws.com') => ({
  on: key('bucket'), policy: 'key', context: { 'kms:ViaService': service, 'kms:EncryptionContext:aws:s3:arn': arn },
})

const decisions = [
  ['reads the state of its stack', 'ciPreview', 's3:GetObject', { on: own }, Allowed, without('ciPreview', 'UseState')],
  ['reads the layout of the state', 'ciPreview', 's3:GetObject', { on: `${bucket}/.pulumi/meta.yaml` }, Allowed, without('ciPreview', 'SeeLayout')],
  ['does not change the layout', 'ciAssume', 's3:PutObject', { on: `${bucket}/.pulumi/meta.yaml` }, NotGranted, edit('ciAssume', 'SeeLayout', (s) => (s.Action = 's3:*'))],
  ['does not write the state', 'ciPreview', 's3:PutObject', { on: own }, NotGranted, edit('ciPreview', 'UseState', (s) => (s.Action = 's3:*'))],
  ['decrypts the secrets of its stack', 'ciPreview', 'kms:Decrypt', { on: key('state-prod'), policy: 'key' }, Allowed, without('ciPreview', 'UseStateKey')],
  ['encrypts none', 'ciPreview', 'kms:Encrypt', { on: key('state-prod'), policy: 'key' }, NotGranted, edit('ciPreview', 'UseStateKey', (s) => (s.Action = 'kms:*'))],
  ['reads the bucket with its key', 'ciPreview', 'kms:Decrypt', ofBucket(bucket), Allowed, without('ciPreview', 'OpenStateBucket')],
  ['and no other bucket of that key', 'ciPreview', 'kms:Decrypt', ofBucket('arn:aws:s3:::dataset'), NotGranted, unconditional('ciPreview', 'OpenStateBucket')],
  ['nor with it what S3 does not ask for', 'ciPreview', 'kms:Decrypt', ofBucket(bucket, 'ssm.us-west-2.amazonaws.com'), NotGranted, edit('ciPreview', 'OpenStateBucket', (s) => delete s.Condition.StringLike['kms:ViaService'])],
  ['writes the state of its stack', 'ciAssume', 's3:PutObject', { on: own }, Allowed, without('ciAssume', 'UseState')],
  ['encrypts the secrets of its stack', 'ciAssume', 'kms:Encrypt', { on: key('state-prod'), policy: 'key' }, Allowed, without('ciAssume', 'UseStateKey')],
  ['writes the bucket with its key', 'ciAssume', 'kms:GenerateDataKey', ofBucket(bucket), Allowed, without('ciAssume', 'OpenStateBucket')],
  ['writes no object of an unknown kind', 'ciAssume', 's3:PutObject', { on: `${bucket}/a` }, NotGranted, everywhere('ciAssume')],
]
for (const role of ['ciPreview', 'ciAssume']) {
  decisions.push(['decrypts no secrets of another stack', role, 'kms:Decrypt', { on: key('state-dev'), policy: 'key' }, NotGranted, edit(role, 'UseStateKey', (s) => (s.Resource = '*'))])
  for (const [what, name] of [
    ['another stack', 'stacks/llm-platform/dev.json'], ['a stack whose name goes on', 'stacks/llm-platform/prod-eu.json'],
    ['another project', 'stacks/billing/prod.json'], ['the backups of another stack', 'backups/llm-platform/prod-eu/prod-eu.1.json'],
    ['the history of another stack', 'history/llm-platform/dev/dev-1.checkpoint.json'], ['the locks of another stack', 'locks/organization/llm-platform/dev/a.json'],
  ]) decisions.push([`reads nothing of ${what}`, role, 's3:GetObject', { on: `${bucket}/.pulumi/${name}` }, NotGranted, everywhere(role)])
}
decide(decisions)
