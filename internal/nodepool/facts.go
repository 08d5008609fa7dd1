package nodepool

import (
	"maps"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/settings"
)

// Node labels that say which hardware a node has. Device plugins and their tools go by them.
const (
	nvidiaLabel = "nvidia.com/gpu.present"
	neuronLabel = "aws.amazon.com/neuron.present"
	efaLabel    = "vpc.amazonaws.com/efa.present"
)

// Facts is what a pod must know of a pool.
type Facts struct {
	Name       string
	Type       accelerator.Type  // figures of its instance type
	EFA        int               // EFA interfaces of a node; 0 without EFA
	DiskGB     int               // size of the disk that holds images and the pods' files, in GB (10^9 bytes)
	Labels     map[string]string // labels of its nodes, by which a pod selects them
	TaintKey   string            // key of the NoSchedule taint of its nodes, for example nvidia.com/gpu
	TaintValue string            // value of that taint
}

// NewFacts returns the facts of a pool in a cluster that this program manages, or else of a pool in an existing
// cluster. The nodes of an existing cluster have the labels that the configuration names; without any, they
// must have those of a managed one.
func NewFacts(name string, pool settings.Pool, managed bool) Facts {
	facts := Facts{Name: name, Type: pool.Type, DiskGB: pool.VolumeGB, TaintKey: pool.TaintKey, TaintValue: pool.TaintValue}
	if pool.Type.InstanceStoreGB > 0 {
		facts.DiskGB = pool.Type.InstanceStoreGB
	}
	if pool.EFA {
		facts.EFA = pool.Type.EFAInterfaces
	}
	if !managed && len(pool.Labels) > 0 {
		facts.Labels = maps.Clone(pool.Labels)
		return facts
	}
	facts.Labels = map[string]string{}
	maps.Copy(facts.Labels, pool.Labels)
	facts.Labels[settings.PoolLabel] = name
	switch pool.Type.Kind {
	case accelerator.Neuron:
		facts.Labels[neuronLabel] = "true"
	case accelerator.NVIDIA:
		facts.Labels[nvidiaLabel] = "true"
	}
	if facts.EFA > 0 {
		facts.Labels[efaLabel] = "true"
	}
	return facts
}
