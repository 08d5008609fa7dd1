package job

// Exit codes by which a training process or the init container reports what another try cannot fix. They avoid the
// codes that a shell, Go or Python use for anything (1, 2), a shell's own (126, 127) and those of signals (128 and
// up, for example 137: killed, mostly for memory; 143: terminated, after saving a checkpoint).
const (
	ExitConfiguration = 10 // an argument or an environment variable is missing or wrong
	ExitDataset       = 11 // the dataset is missing, unreadable or does not match the arguments
	ExitCheckpoint    = 12 // no usable checkpoint where there must be one, or a checkpoint of another model
	ExitEFA           = 13 // the pool has EFA, but the container does not see all of its devices or cannot lock memory
)

// FatalExitCodes returns the exit codes that fail the whole Job at once. After any other code but 0, the rank is
// retried up to Run.Retries times.
func FatalExitCodes() []int32 {
	return []int32{ExitConfiguration, ExitDataset, ExitCheckpoint, ExitEFA}
}
