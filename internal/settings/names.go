package settings

// None is the value of every setting that can name nothing.
const None = "none"

// Names that several parts of the platform share.
const (
	projectName = "llm-platform" // in Pulumi.yaml; names of roles begin with it

	TrainingNamespace      = "training"                // Kubernetes namespace of training runs
	TrainingServiceAccount = "training"                // their service account in an existing cluster; in a new one each run has its own
	RunServiceAccounts     = "?*-??????????"           // the names of runs, and of their service accounts, as IAM writes patterns
	ScientistGroup         = "llm-platform:scientists" // Kubernetes group of the role for scientists
	RunsPrefix             = "runs/"                   // in the checkpoint and artifact buckets; a run writes under runs/<run>/
	SageMakerPrefix        = "sagemaker/"              // in the same buckets; jobs and notebooks of SageMaker write below it

	PoolLabel  = "llm-platform/pool" // node label whose value is the name of the node's pool
	SystemPool = "system"            // pool of the nodes that run the cluster's own pods
)
