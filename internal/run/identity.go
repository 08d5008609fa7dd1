// Package run is what one training run is: its identity, the scripts that it runs,
// and what the codes that its processes end with mean. It knows no Pulumi.
package run

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Identity is everything that is decided once, when a run starts. Runs of equal
// identity are one run, and an up never touches it; what differs in any field is
// another run. The deadline is no part of it, since it can be moved while the run goes
// on, and neither are the values of secrets, which may be renewed.
type Identity struct {
	Image        string
	Command      []string
	Args         []string
	Environment  map[string]string // what the user sets beside the platform's own
	Secrets      []string          // names of the secrets in the environment, sorted
	Nodes        int
	Pool         string // name of the node pool
	InstanceType string // of its nodes, as p5.48xlarge
	EFA          int    // EFA interfaces that each node uses
	Dataset      string // prefix in the dataset bucket
	ResumeFrom   string // name of the earlier run that this one starts from; may be empty
	Scripts      string // Digest of the scripts
	Retries      int    // of each rank
	GraceSeconds int    // from SIGTERM to SIGKILL
	Queue        string // that admits the Job; may be empty
	Counter      int    // to train anew what is otherwise the same
}

// Name is the run's name: the prefix and ten hexadecimal digits of a hash, as
// train-5f0c2ab91e. It names the Job, its Service and the prefix of its checkpoints.
// Ten digits make a chance meeting of two among a thousand runs one in two million.
func (i Identity) Name(prefix string) string {
	// JSON is one text for one value: struct fields in order, the keys of maps sorted.
	// An absent list and an empty one are the same to a container.
	for _, list := range []*[]string{&i.Command, &i.Args, &i.Secrets} {
		if *list == nil {
			*list = []string{}
		}
	}
	if i.Environment == nil {
		i.Environment = map[string]string{}
	}
	text, err := json.Marshal(i)
	if err != nil {
		panic(fmt.Sprintf("run: an identity is plain text and numbers, which JSON always takes: %v", err))
	}
	sum := sha256.Sum256(text)
	return prefix + "-" + hex.EncodeToString(sum[:])[:10]
}
