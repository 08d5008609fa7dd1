package run

// Exit is what it means that a training process ends with a code.
type Exit struct {
	Code    int
	Name    string
	Meaning string
	Fatal   bool // trying again cannot help: the whole Job fails at once
}

// Codes that the scripts and the init container end with. Low ones that a shell, Go
// or Python use for anything (1, 2), those of a shell (126 and up) and those of
// signals (128 and up) are left alone.
const (
	ExitConfiguration = 10
	ExitDataset       = 11
	ExitCheckpoint    = 12
	ExitEFA           = 13
)

// Exits is the contract between the Job and what runs in it. Any code that is not
// here, as 1 or 137 (killed, mostly for memory), is tried again within bounds.
func Exits() []Exit {
	return []Exit{
		{0, "done", "the run is finished, its model is in the artifacts bucket", false},
		{ExitConfiguration, "configuration", "an argument or a variable of the environment is missing or wrong", true},
		{ExitDataset, "dataset", "the dataset is missing, unreadable or not what the arguments say", true},
		{ExitCheckpoint, "checkpoint", "no usable checkpoint where one must be, or one of another model", true},
		{ExitEFA, "efa", "the pool has EFA, but the container does not see all of its devices", true},
		{143, "terminated", "SIGTERM: the node is drained or the Job deleted; a checkpoint was saved", false},
	}
}

// FatalCodes is the codes of Exits that fail the Job at once, in order.
func FatalCodes() []int {
	var codes []int
	for _, exit := range Exits() {
		if exit.Fatal {
			codes = append(codes, exit.Code)
		}
	}
	return codes
}
