// The accounts, the people in them and the evaluator that judges them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runSimulation } from '@cloud-copilot/iam-simulate'

export const management = '111111111111'
export const training = '222222222222'
export const testing = '333333333333'
export const strange = '999999999999'
export const deployRole = 'OrganizationAccountAccessRole'
export const vpc = 'vpc-platform' // requests to S3 come from it, unless their context has another one or null
export const data = 'arn:aws:s3:::dataset'
export const key = `arn:aws:kms:us-west-2:${training}:key/data`
export const killSwitch = 'arn:aws:organizations::111111111111:policy/o-example/service_control_policy/p-killswitch'
export const guardrail = 'arn:aws:organizations::111111111111:policy/o-example/service_control_policy/p-baseline'

// documents are those that the program itself makes.
export const documents = JSON.parse(
  execFileSync('go', ['run', '.'], {
    cwd: dirname(fileURLToPath(import.meta.url)),
    maxBuffer: 1 << 24,
  })
)

export const guardrails = Object.keys(documents).filter((name) => name.startsWith('guardrails-'))

const document = (...statements) => ({ Version: '2012-10-17', Statement: statements })
export const everything = document({ Effect: 'Allow', Action: '*', Resource: '*' })

// AWS's managed policies of a node, in short: AmazonEKSWorkerNodePolicy and
// AmazonEC2ContainerRegistryPullOnly.
const nodePolicy = document({
  Effect: 'Allow',
  Resource: '*',
  Action: [
    'ec2:DescribeInstances', 'ec2:DescribeInstanceTypes', 'ec2:DescribeVolumes', 'eks:DescribeCluster', 'eks-auth:AssumeRoleForPodIdentity',
    'ecr:GetAuthorizationToken', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer',
  ],
})

export const role = (account, name, policy, partition = 'aws') => ({
  account,
  arn: `arn:${partition}:iam::${account}:role/${name}`,
  principal: `arn:${partition}:sts::${account}:assumed-role/${name}/session`,
  policy,
})

// who are the principals: their own policies are a document's name, or a document.
// Whoever is a person has all permissions, so that it is the guardrails that decide.
export const who = {
  deployer: role(training, deployRole, everything),
  deployerInTesting: role(testing, deployRole, everything),
  deployerInGov: role(training, deployRole, everything, 'aws-us-gov'),
  exempt: role(testing, 'AWSControlTowerExecution', everything),
  exemptInTraining: role(training, 'AWSControlTowerExecution', everything),
  rescuer: role(training, 'llm-platform-prod-rescue', 'rescue'),
  administrator: role(training, 'aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_AdministratorAccess_0123456789abcdef', everything),
  reader: role(training, 'aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_ReadOnlyAccess_0123456789abcdef', everything),
  deployerLookalike: role(training, `x${deployRole}`, everything),
  scientist: role(training, 'DataScientist', everything),
  reading: role(training, 'llm-platform-prod-roles-scientist', 'scientist'),
  pusher: role(training, 'llm-platform-prod-roles-push', 'push'),
  researcher: role(training, 'research', everything),
  researcherBySSO: role(management, 'aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Research_0123456789abcdef', everything),
  administratorBySSO: role(management, 'aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Administrator_0123456789abcdef', everything),
  tester: role(testing, 'Administrator', everything),
  pod: role(training, 'llm-platform-prod-training', 'pod'),
  node: role(training, 'llm-platform-prod-node', nodePolicy),
  sagemaker: role(training, 'llm-platform-prod-sagemaker-role', 'sagemaker'),
  ciDeploy: role(training, 'llm-platform-prod-ci-deploy-0123456', 'ciDeploy'),
  ciAssume: role(training, 'llm-platform-prod-ci-deploy-0123456', 'ciAssume'),
  ciElsewhere: role(testing, 'llm-platform-prod-ci-deploy-0123456', 'ciAssume'),
  ciPreview: role(training, 'llm-platform-prod-ci-preview', 'ciPreview'),
  ciPreviewNamed: role(training, 'llm-platform-prod-ci-preview-0123456', everything),
  ciBounded: role(training, 'llm-platform-prod-ci-deploy-0123456', 'ciBounded'),
  previewer: role(testing, 'llm-platform-prod-preview', 'previewRole'),
  manager: role(management, 'Reader', everything),
  root: { account: training, arn: `arn:aws:iam::${training}:root`, principal: `arn:aws:iam::${training}:root`, policy: everything },
  budgets: role(management, 'llm-platform-prod-budgets-role', 'killswitchRole'),
  stranger: role(strange, 'Eve', everything),
  sagemakerService: { account: strange, principal: 'sagemaker.amazonaws.com' },
  budgetsService: { account: strange, principal: 'budgets.amazonaws.com' },
  podsService: { account: strange, principal: 'pods.eks.amazonaws.com' },
  logDelivery: { account: strange, principal: 'logging.s3.amazonaws.com' },
  gitlab: { account: training, principal: `arn:aws:iam::${training}:oidc-provider/gitlab.com` },
  github: { account: training, principal: `arn:aws:iam::${training}:oidc-provider/token.actions.githubusercontent.com` },
}

const bound = [training, testing] // not the management account, not strangers

// judge is what the evaluator says to one request: Allowed, ExplicitlyDenied or
// ImplicitlyDenied. It throws if the evaluator could not judge or, unless the request is lax, left out a condition key
// that the request brings: then the answer would be to another question.
export async function judge(request, docs) {
  const principal = who[request.who]
  const member = bound.includes(principal.account) && principal.arn
  const context = {
    'aws:SecureTransport': 'true',
    'aws:RequestedRegion': 'us-west-2',
    ...(principal.arn && { 'aws:PrincipalArn': principal.arn, 'aws:PrincipalAccount': principal.account }),
    ...((member || principal.account === management) && { 'aws:PrincipalOrgID': 'o-example' }),
    'aws:PrincipalIsAWSService': String(principal.principal.endsWith('.amazonaws.com')),
    'aws:ViaAWSService': 'false',
    'aws:ResourceAccount': request.in ?? principal.account,
    ...(request.action.startsWith('s3:') && { 's3:TlsVersion': '1.3', ...(principal.arn && { 'aws:SourceVpc': vpc }) }),
    ...request.context,
  }
  for (const name in context) if (context[name] === null) delete context[name]
  const named = (name) => ({ name, policy: docs[name] })
  const full = { name: 'FullAWSAccess', policy: docs.FullAWSAccess ?? everything }
  const own = typeof principal.policy === 'string' ? docs[principal.policy] : principal.policy
  const simulation = {
    request: {
      principal: principal.principal,
      action: request.action,
      resource: { resource: request.on ?? '*', accountId: request.in ?? principal.account },
      contextVariables: context,
    },
    identityPolicies: own ? [{ name: 'own', policy: own }] : [],
    serviceControlPolicies: member
      ? [
          { orgIdentifier: 'r-root', policies: [{ name: 'FullAWSAccess', policy: everything }] },
          { orgIdentifier: 'ou-workloads', policies: [full, ...guardrails.map(named)] },
          { orgIdentifier: principal.account, policies: [full, ...(request.thrown ? [named('killswitch')] : [])] },
        ]
      : [],
    resourceControlPolicies: [],
    resourcePolicy: request.policy && docs[request.policy],
    ...(request.endpoint && { vpcEndpointPolicies: [named(request.endpoint)] }),
  }
  const answer = await runSimulation(knownKeys(simulation), {})
  if (answer.resultType === 'error') throw new Error(JSON.stringify(answer.errors))
  const results = answer.results ?? [answer.result]
  if (results.length === 0) throw new Error('nothing was judged')
  const ignored = results.flatMap((result) => result.ignoredContextKeys ?? [])
  const asked = Object.keys(request.context ?? {}).filter((name) => ignored.some((i) => i.toLowerCase() === name.toLowerCase()))
  if (asked.length > 0 && !request.lax) throw new Error(`left out ${asked}`)
  return answer.overallResult
}

// knownKeys puts keys that the evaluator knows for others: its list has sub and aud for one issuer of tokens only, and the encryption
// context only by the name that the service reference has, and it leaves out what is not in the list.
function knownKeys(simulation) {
  return JSON.parse(
    JSON.stringify(simulation)
      .replaceAll(/"(token\.actions\.githubusercontent\.com|gitlab\.com):/g, '"accounts.google.com:')
      .replaceAll('kms:EncryptionContext:aws:logs:arn', 'kms:EncryptionContext:${EncryptionContextKey}')
      .replaceAll('"kms:EncryptionContext:aws:s3:arn"', '"kms:RequestAlias"')
  )
}

// Mistakes to make in the documents.
const list = (value) => (Array.isArray(value) ? value : [value])

function statement(docs, name, sid) {
  if (!docs[name]) throw new Error(`no document ${name}`)
  const found = docs[name].Statement.find((s) => s.Sid === sid)
  if (!found) throw new Error(`no statement ${sid} in ${name}`)
  return found
}

// edit changes one statement; without takes one away; add puts one in.
export const edit = (name, sid, change) => (docs) => change(statement(docs, name, sid))
export const without = (name, sid) => (docs) => {
  docs[name].Statement.splice(docs[name].Statement.indexOf(statement(docs, name, sid)), 1)
}
export const add = (name, added) => (docs) => docs[name].Statement.push(added)
export const allow = (name, Action, Resource = '*') => add(name, { Effect: 'Allow', Action, Resource })
// exemptNobody forgets the deploying role; exempt leaves somebody else alone.
export const exemptNobody = (name, sid) => edit(name, sid, (s) => delete s.Condition.ArnNotLike)
export const exempt = (name, sid, arn) =>
  edit(name, sid, (s) => {
    s.Condition ??= {}
    s.Condition.ArnNotLike = { 'aws:PrincipalArn': [...list(s.Condition.ArnNotLike?.['aws:PrincipalArn'] ?? []), arn] }
  })
export const unconditional = (name, sid) => edit(name, sid, (s) => delete s.Condition)
export const drop = (name, sid, action) =>
  edit(name, sid, (s) => {
    const left = list(s.Action).filter((a) => a !== action)
    if (left.length === list(s.Action).length) throw new Error(`no ${action} in ${sid}`)
    s.Action = left
  })

// decide tests decisions: each has the answer that we want, and a mistake in one of the documents that must turn it, or make it
// the last element, if there is one.
export function decide(decisions, docs = documents) {
  for (const [name, person, action, request, want, mistake, becomes] of decisions) {
    test(`${name} [${person}, ${action}]`, async () => {
      const asked = { who: person, action, ...request }
      assert.equal(await judge(asked, docs), want)
      const wrong = structuredClone(docs)
      mistake(wrong)
      assert.notDeepEqual(wrong, docs, 'the mistake changes nothing')
      const got = await judge(asked, wrong)
      if (becomes) assert.equal(got, becomes, 'with the mistake')
      else assert.equal(got === Allowed, want !== Allowed, `the mistake turns nothing: still ${got}`)
    })
  }
}

// both makes several mistakes: an organization's guardrails deny it too, for example, and without one the role's own policy must.
export const both = (...mistakes) => (docs) => mistakes.forEach((mistake) => mistake(docs))

export function edit0(name, change) {
  return (docs) => change(docs[name].Statement[0])
}

export function drop0(name, action) {
  return edit0(name, (s) => (s.Action = s.Action.filter((a) => a !== action)))
}

export const iamRole = (name, account = training) => `arn:aws:iam::${account}:role/${name}`
export const Allowed = 'Allowed', Denied = 'ExplicitlyDenied', NotGranted = 'ImplicitlyDenied'
