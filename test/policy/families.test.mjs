// Families of actions, found by rules in AWS's service authorization reference. Each member is denied, or an exception
// names it with the reason. When the reference is renewed, a new action of a family fails here.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actions, categories, resources } from './reference.mjs'
import { deployRole, documents, guardrails, judge, testing, training } from './world.mjs'

const of = (a, ...services) => services.includes(a.service)
const keys = (a) => [...a.conditionKeys, ...a.resourceTypes.flatMap((r) => r.conditionKeys)]
const grows = (a) => /^(Activate|Add|Attach|BatchAdd|BatchPut|BatchReplace|Create|Deploy|Enable|Execute|Exit|Extend|Import|Launch|Modify|Put|Register|Replace|Request|Restore|Resume|Retry|Rollback|Run|Scale|Set|Start|Submit|Train|Update)/.test(a.verb)
const weakens = (a) => /^(Archive|BatchDisable|BatchUpdate|Bypass|Create.*Filter|CreateArchive|CreateAutomationRule|CreateIPSet|CreateTrusted|Delete|Deregister|Disable|Disassociate|Put|Remove|Stop|Update)/.test(a.verb)

// What the request is about, where a condition decides.
function accelerated(a) {
  if (keys(a).includes('ec2:InstanceType')) return { 'ec2:InstanceType': 'p4d.24xlarge' }
  if (keys(a).includes('sagemaker:InstanceTypes')) return { 'sagemaker:InstanceTypes': ['ml.p4d.24xlarge'] }
  if (a.name === 'eks:CreateCluster') return { 'eks:computeConfigEnabled': 'true' }
  return {}
}

const launches = (a) =>
  (of(a, 'autoscaling', 'autoscaling-plans', 'application-autoscaling', 'batch', 'imagebuilder', 'pcs') && grows(a)) ||
  (of(a, 'eks') && /Nodegroup/.test(a.verb) && grows(a)) ||
  (of(a, 'ecs', 'lambda') && /CapacityProvider/.test(a.verb) && grows(a)) ||
  (of(a, 'ec2') && grows(a) && /Fleet|SpotInst|LaunchTemplate|RunInst|StartInst|ScheduledInst|ImportInst|InstanceAttribute|FastLaunch/.test(a.verb) && !/Capacity/.test(a.verb))
const sagemaker = (a) => of(a, 'sagemaker') && grows(a)
const rentable = ['compute', 'containers', 'machine-learning-and-ai', 'end-user-computing', 'game-tech', 'quantum-technologies', 'developer-tools', 'media', 'analytics']
const rentals = (a) =>
  !of(a, 'ec2', 'sagemaker') && !launches(a) && rentable.includes(categories[a.service]) && grows(a) &&
  /Fleet|Instance|Compute|Node[gG]roup|Notebook|Workspaces?$|ImageBuilder|Workers?$|Cluster$|JobFlow|StreamGroup|CapacityProvider|QuantumTask|Throughput|Environment$|Endpoint$/.test(a.verb)
const purchases = (a) =>
  /Purchase|Reserv(ation|ed)|SavingsPlan|AllocateHosts|ProvisionedModelThroughput|TrainingPlan|CapacityBlock|^Subscribe$|Agreement|^(Register|Transfer|Renew)Domain$|CreateSubscription$|(Account|Product|Paid|EksAnywhere)Subscription|CreateOrder|Offering$/.test(a.verb) &&
  !/^(Cancel|Delete|Disassociate|Reject|Release|Remove|Return|Stop|Terminate)/.test(a.verb)

// The exceptions of all launches: [reason, names].
const harmless = [
  ['does not start an instance, nor choose one', /^autoscaling:(Attach(Load|Traffic)|CreateOrUpdateTags|EnableMetrics|ExitStandby|Put(Account|Lifecycle|Notification)|SetInstance)/],
  ['queues and limits; the compute environments are the deploying role\'s', /^batch:(SetCapacityTags|CreateConsumable|CreateJobQueue|CreateQuota|CreateScheduling|Register|UpdateConsumable|UpdateJobQueue|UpdateQuota|UpdateScheduling)/],
  ['a node announces itself', /^pcs:Register/],
  ['a template starts nothing, and existing groups do not use a new one', /^ec2:CreateLaunchTemplate$/],
  ['StartInstances sees the type', /^ec2:ModifyInstanceAttribute$/],
]
const resizing = [['sizes or feeds what the deploying role created, with its types', /^(autoscaling:(AttachInstances|ResumeProcesses|SetDesiredCapacity)|batch:SubmitJob|eks:UpdateNodegroupConfig)$/]]
const records = [
  ['keeps records, definitions and access of people, and starts nothing', /^sagemaker:(Add|BatchPutMetrics|(Create|Update)(Action|AIWorkload|AppImage|Artifact|CodeRepository|Context|DeviceFleet|Experiment|FeatureGroup|FeatureMetadata|FlowDefinition|Hub|HumanTaskUi|Image|ModelCard|ModelPackage|MonitoringAlert|NotebookInstanceLifecycle|Presigned|Project|Reward|StudioLifecycle|Trial|Work(force|team))|CreateModel$|CreateModelPackageGroup|CreatePartnerAppPresignedUrl|EnableSagemakerServicecatalog|ImportHub|PutRecord|StartHumanLoop)/],
  ['divides the nodes of a HyperPod cluster, or joins disks, networks and sessions to them', /^sagemaker:(AttachCluster|(Create|Update)(ClusterScheduler|ComputeQuota)|StartClusterHealth|StartSession)/],
  ['runs on devices of the caller', /^sagemaker:(CreateEdge|RegisterDevices|StartEdge|UpdateDevices)/],
  ['starts its jobs as a role that guardrails bind', /^sagemaker:(CreatePipeline|RetryPipeline|StartPipeline|UpdatePipeline)/],
  ['has sizes without accelerators', /^sagemaker:(Create|Start|Update)Mlflow/],
]
const letIn = [['starts what the types of another action, such as CreateEndpointConfig, have let in', /^sagemaker:(BatchReplaceClusterNodes|(Create|Update)(Endpoint|InferenceComponent)|StartMonitoringSchedule|StartNotebookInstance|UpdateEndpointWeights|UpdateInferenceComponentRuntime)/]]
const managed = [
  ['launches as a service role that guardrails bind', /^(elasticbeanstalk|elasticmapreduce|emr-containers):/],
  ['a service that AWS runs without accelerators', /^(aoss|athena|cloud9|cloudshell|dax|es|finspace|glue|kafka|kinesis|mediaconnect|medialive|mediapackage|mediapackagev2|neptune-graph|odb|osis|redshift|sqlworkbench|thinclient|timestream-influxdb):/],
  ['a model or an agent that AWS runs, paid by use', /^(aws-external-anthropic|bedrock-agentcore:(Create|Update)(AgentRuntime|Harness)|bedrock:Register|comprehend|forecast|machinelearning):?/],
  ['starts its tools as a role that guardrails bind', /^datazone:/],
  ['machines of the caller', /^(codedeploy|ecs:RegisterContainer|ecs:UpdateContainer|eks:RegisterCluster|gamelift:RegisterCompute|panorama):?/],
  ['an ECS cluster has no instances of its own', /^ecs:(Create|Update)Cluster$/],
  ['changes or repairs an existing machine', /^(lightsail|workspaces:Restore|workspaces-instances)/],
  ['a service that AWS has closed', /^worklink:/],
]
const unpaid = [
  ['accepts terms, and pays nothing', /^(artifact|braket|directconnect):/],
  ['divides, lends or sells what is paid for already', /^ec2:(AssociateCapacity|CreateCapacityReservationBySplitting|CreateCapacityReservationCancellation|CreateInterruptible|CreateReservedInstancesListing|ModifyInstanceCapacity|ModifyReservedInstances|MoveCapacity|UpdateInterruptible)/],
  ['for sellers, or about orders that bills refer to', /^(aws-marketplace:(Update|SendAgreementCancellation)|purchase-orders:)/],
  ['computes a recommendation', /^ce:/],
  ['messages, addresses and workflows', /^(codestar-notifications|ec2:CreateSubnetCidr|iot|sns|swf|transfer):?/],
  ['keeps a name that the account has', /^route53domains:RenewDomain$/],
]

const stored = ['s3', 's3-object-lambda', 's3express', 's3files', 's3tables', 's3vectors', 'ebs', 'ec2', 'ecr', 'ecr-public', 'kms', 'ram', 'lambda', 'sagemaker', 'secretsmanager', 'ssm', 'elasticfilesystem', 'fsx', 'backup', 'logs', 'rds', 'cloudfront', 'globalaccelerator', 'imagebuilder']
const shares = (a) =>
  of(a, ...stored) && !/^(Accept|AddSource|BatchDelete|Cancel|Delete|Deny|Disassociate|Get|List|Reject|Remove|Reset|Retire|Revoke|Search|Stop|Untag|Validate)/.test(a.verb) &&
  (/Permissions management/.test(a.accessLevel) || of(a, 'ram', 'ecr-public') ||
    /Public|Shar(e|ing)|Policy$|Replicat|Acl$|Permission|Url$|UrlConfig|Export|Grant|SubscriptionFilter$|DeliveryDestination|RepositoryCreation|StoreImage|(Image|Snapshot)Attribute|Distribution(WithTags)?$|DistributeImage|^Create.*Accelerator/.test(a.verb))
const unshared = [
  ['limits access, or is the limit itself', /^(ec2:(CreateNetworkAcl|CreateIpamPolicy|CreateTransitGatewayMetering|Enable(Image|Ipam)|ModifyTransitGatewayMetering|ReplaceNetworkAcl)|kms:DeriveShared|logs:(PutIndex)|s3:BypassGovernance)/],
  ['networks and addresses, without data', /^ec2:(Associate|Attach|CreateCoip|CreateLocalGateway|CreateNetworkInterfacePermission|CreateOdb|CreatePublicIpv4|Detach|Deprovision|Disable(Ipam)|EnableReachability|Export(TransitGateway|Client|Verified)|Modify(Odb|PublicIp|VerifiedAccess)|ProvisionPublic)/],
  ['leaves the account no further than its buckets, whose policies are guarded', /^(ec2:CreateCapacityManagerDataExport|logs:CreateExportTask|rds:StartExport|sagemaker:CreateModelCardExport|s3:(Initiate|Pause)Replication)/],
  ['a right of whoever receives copies', /^(ecr:ReplicateImage|elasticfilesystem:Replication|s3:(ObjectOwner|Replicate))/],
  ['a link for the caller', /^(sagemaker:Create(PartnerAppPresigned|Presigned)|lambda:InvokeFunctionUrl)/],
  ['within the account', /^(backup:(ListIndexed|Search)|ecr:PutLifecycle|elasticfilesystem:PutBackup|fsx:(Bypass|UpdateShared)|imagebuilder|lambda:(Enable|Disable)Replication|logs:(PutRetention|PutStorage)|rds:(Authorize|StartDBInstanceAutomated)|s3:Dissociate|s3express:PutAccessPointScope|secretsmanager:Replicate|ssm:UpdateManagedInstance|ecr-public:Tag|ram:Untag|ram:Tag|sagemaker:SendShared|cloudfront:AllowVended)/],
]
const context = (a) => ({ 'kms:CreateGrant': { 'kms:GrantIsForAWSResource': 'false' }, 'lambda:AddPermission': { 'lambda:Principal': '999999999999' } })[a.name] ?? {}

const evidence = (a) =>
  (of(a, 'access-analyzer', 'cloudtrail', 'config', 'detective', 'guardduty', 'inspector2', 'macie2', 'securityhub', 'logs') && weakens(a)) ||
  /FlowLogs|QueryLogConfig$/.test(a.verb) && weakens(a)
const kept = [
  ['answers, comments and saved queries of a person', /^(cloudtrail:(DeleteDashboard|UpdateDashboard|RemoveTags|DisableFederation)|inspector2:(StopCis)|logs:(Delete|Put|Update)(Index|Lookup|QueryDefinition|ScheduledQuery|Anomaly|LogAnomaly))/],
  ['adds rules or results to those that exist', /^config:Put/],
  ['writes or routes logs, or adds to how they are read', /^logs:(Delete(Integration|PipelineRule|RetentionPolicy|Syslog|Transformer)|DisassociateSource|Put(Bearer|DeliverySource|Destination|Integration|LogEvents|MetricFilter|PipelineRule|Syslog))/],
]

const identity = (a) => of(a, 'iam') && a.resourceTypes.some((r) => ['role', 'oidc-provider', 'saml-provider'].includes(r.name)) && !/^(Untag|Tag)/.test(a.verb)
const guarded = (type) =>
  ({ role: `arn:aws:iam::${training}:role/${deployRole}`, 'oidc-provider': `arn:aws:iam::${training}:oidc-provider/example.com`, 'saml-provider': `arn:aws:iam::${training}:saml-provider/x` })[type]

// people are all others, in the account that trains and in another; switched are all principals over budget.
const people = [{ who: 'scientist', account: training }, { who: 'tester', account: testing }]
const switched = [{ who: 'deployer', account: training, thrown: true }]
const families = [
  { name: 'launches of instances', member: launches, asks: people, context: accelerated, exceptions: [...harmless, ...resizing] },
  { name: 'compute of SageMaker', member: sagemaker, asks: people.slice(0, 1), context: accelerated, exceptions: [...records, ...letIn] },
  { name: 'instances in accounts of AWS', member: rentals, asks: people.slice(0, 1), context: accelerated, exceptions: managed },
  { name: 'purchases', member: purchases, asks: people, exceptions: unpaid },
  { name: 'launches over budget', member: launches, asks: switched, context: accelerated, exceptions: harmless },
  { name: 'compute of SageMaker over budget', member: sagemaker, asks: switched, context: accelerated, exceptions: [...records, ['no compute', /^sagemaker:(CreateLineageGroupPolicy|(Create|Update)SharedModel|Put.*Policy)$/]] },
  { name: 'instances in accounts of AWS over budget', member: rentals, asks: switched, context: accelerated, exceptions: [...managed, ['a cluster has no instances of its own', /^eks:CreateCluster$/]] },
  { name: 'purchases over budget', member: purchases, asks: switched, exceptions: unpaid },
  { name: 'what shares or publishes', member: shares, asks: people, context, exceptions: unshared },
  { name: 'what silences evidence', member: evidence, asks: people, exceptions: kept },
  { name: 'what changes an exempt role or an identity provider', member: identity, asks: people.slice(0, 1), on: (a) => a.resourceTypes.map((r) => guarded(r.name)), exceptions: [['AWS alone assumes service-linked roles', /^iam:(Create|Delete)ServiceLinkedRole$/]] },
]

// allowed returns the members that somebody may use in spite of the documents.
async function allowed(family, docs) {
  const open = []
  for (const action of actions.filter(family.member)) {
    for (const { account, ...person } of family.asks) {
      let denied = false
      for (const on of family.on?.(action) ?? (await resources(action, account))) {
        denied ||= (await judge({ ...person, action: action.name, on, context: family.context?.(action) ?? {}, lax: true }, docs)) === 'ExplicitlyDenied'
      }
      if (!denied && !open.includes(action.name)) open.push(action.name)
    }
  }
  return open
}

const without = structuredClone(documents)
for (const name of [...guardrails, 'killswitch']) without[name].Statement = []

for (const family of families) {
  test(family.name, async () => {
    const members = actions.filter(family.member).map((a) => a.name)
    assert.ok(members.length > 15, `${members.length} members`)
    const open = await allowed(family, documents)
    const excepted = (name) => family.exceptions.some(([, names]) => names.test(name))
    assert.deepEqual(open.filter((name) => !excepted(name)), [], 'allowed, without a reason')
    for (const [reason, names] of family.exceptions) assert.ok(open.some((name) => names.test(name)), `no exception is needed because it ${reason}`)
  })
}

test('without guardrails, every member is allowed', async () => {
  const few = families.map((f) => ({ ...f, member: (a) => f.member(a) && a.name.length % 9 === 0 })) // a sample
  for (const family of few) assert.deepEqual(await allowed(family, without), actions.filter(family.member).map((a) => a.name), family.name)
})
