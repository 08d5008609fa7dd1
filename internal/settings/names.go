package settings

// Names that the cluster and the Job on it have in common.
const (
	TrainingNamespace      = "training" // Kubernetes namespace of the training Job
	TrainingServiceAccount = "training" // its service account, which Pod Identity gives the training role
	RunsPrefix             = "runs/"    // of the checkpoints and artifacts buckets; a run writes under runs/<run>/

	PoolLabel  = "llm-platform/pool" // node label whose value is the name of the node's pool
	SystemPool = "system"            // pool of the cluster's own pods
)
