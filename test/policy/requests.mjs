// Judges what asked.py has read: the requests of a role, by the role's policies and those of the buckets.
//
//   node requests.mjs '{"python": …, "record": …, "offset": …, "key": …, "role": ARN, "context": {…}}'
//
// Prints how many requests were judged, or those that are not allowed and exit code 1.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const { python, record, offset, key, role, context } = JSON.parse(process.argv[2])
const read = fileURLToPath(new URL('../lab/asked.py', import.meta.url))
const { requests, policies, buckets } = JSON.parse(execFileSync(python, ['-B', read, record, String(offset), key, role], { maxBuffer: 1 << 26 }))
const account = role.split(':')[4]
const session = role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/') + '/session'

const refused = []
for (const [action, resource] of requests) {
  const bucket = resource.split('/')[0]
  const answer = await runSimulation({
    request: {
      principal: session, action, resource: { resource, accountId: account },
      contextVariables: { 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.3', 'aws:PrincipalArn': role, 'aws:PrincipalAccount': account, ...context },
    },
    identityPolicies: policies.map((policy, i) => ({ name: `own${i}`, policy })),
    serviceControlPolicies: [], resourceControlPolicies: [], resourcePolicy: buckets[bucket],
  }, {})
  const result = answer.resultType === 'error' ? JSON.stringify(answer.errors) : answer.overallResult
  if (result !== 'Allowed') refused.push(`${action} ${resource}: ${result}`)
}
if (requests.length < 10 || refused.length > 0) {
  console.error(requests.length < 10 ? `only ${requests.length} requests` : refused.join('\n'))
  process.exit(1)
}
console.log(`${requests.length} actions and resources, all allowed`)
