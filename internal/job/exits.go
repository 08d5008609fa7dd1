package job

// Outcome is what Kubernetes does about a pod that has ended with an exit code.
type Outcome string

// The outcomes of a pod that has failed. A pod whose node was drained or lost is replaced without being counted, whatever
// its code.
const (
	Fatal   Outcome = "fatal"       // the whole Job fails at once
	Counted Outcome = "counted"     // the pod is replaced, at most Run.Retries times
	Ignored Outcome = "not counted" // the pod is replaced
)

// Exit is an exit code of ranks, launcher or init container.
type Exit struct {
	Code    int32
	Name    string // as in scripts/exits.py
	Meaning string
	Outcome Outcome
}

// The exit codes that Go uses by name.
const (
	ExitEFA        = 13
	ExitTerminated = 143 // 128 + SIGTERM
)

// Exits returns the exit codes with a meaning of their own; scripts/exits.py has the same. Every other code but 0 is
// counted, for example 1 (an exception), 137 (killed, mostly for memory) or 139 (a crash). They avoid the codes that a
// shell, Go or Python use for anything (1, 2), a shell's own (126, 127) and those of signals.
func Exits() []Exit {
	return []Exit{
		{10, "configuration", "an argument or environment variable is missing or wrong, or the image lacks a package", Fatal},
		{11, "dataset", "the dataset is missing, unreadable or does not match the arguments", Fatal},
		{12, "checkpoint", "no usable checkpoint where there must be one, or one of another model", Fatal},
		{ExitEFA, "efa", "the pool has EFA, but the container does not see all of its devices or cannot lock memory", Fatal},
		{14, "interrupted", "another rank is gone; the launcher stays and starts over, so that no pod ends with it", Ignored},
		{15, "accelerator", "an accelerator is missing or does not work: a fault of the node, which the log names", Counted},
		{16, "fabric", "reserved for a test of the network between the nodes", Fatal},
		{17, "progress", "three failures from one checkpoint, and none newer", Fatal},
		{18, "credentials", "no credentials for S3, no permission, or no answer", Counted},
		{ExitTerminated, "terminated", "told to stop by SIGTERM, after saving a checkpoint", Ignored},
	}
}

// exitsWith returns the exit codes with an outcome.
func exitsWith(outcome Outcome) []int32 {
	var codes []int32
	for _, exit := range Exits() {
		if exit.Outcome == outcome {
			codes = append(codes, exit.Code)
		}
	}
	return codes
}

// FatalExitCodes returns the exit codes that fail the whole Job at once.
func FatalExitCodes() []int32 { return exitsWith(Fatal) }
