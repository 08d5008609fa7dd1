package nodepool

import "llm-platform/internal/accelerator"

// Facts are what a pod must know about the nodes of one pool.
type Facts struct {
	Name       string
	Type       accelerator.Type  // figures of the instance type
	EFA        int               // EFA interfaces that each node uses; 0 if none
	Labels     map[string]string // select the pool's nodes
	TaintKey   string            // of the NoSchedule taint on its nodes, for example nvidia.com/gpu
	TaintValue string            // of that taint
}
