package accelerator

import "regexp"

// A training pod has a node for itself, beside the pods of the system: CNI, kube-proxy, CloudWatch agent and log
// collector, node monitoring, device plugins. What they and the node itself take is estimated here, so that the pod fits.
//
// nodeadm reserves for the kubelet 255 MiB and 11 MiB for each pod that the node may have, of the processors 6 percent
// of the first, 1 percent of the second, 0.5 percent of the third and fourth and 0.25 percent of the rest, and evicts
// below 100 MiB (https://github.com/awslabs/amazon-eks-ami, nodeadm/internal/kubelet/config.go at 81fec2e8). A kernel and
// its firmware take up to 7.5 percent of the nominal memory, Karpenter's estimate. Read 2026-11-26.
const (
	// systemMiB is for the system's pods: CloudWatch agent and log collector request 153 MiB, DCGM or Neuron monitors
	// 128, device plugins 64 each.
	systemMiB = 512

	// systemMilli is for the system's pods: CloudWatch agent 250, log collector 50, kube-proxy 100, CNI 50, node
	// monitoring 10, with room for an agent of the user's.
	systemMilli = 700
)

// FreeMiB returns the memory of a node that a pod of a training may use, in MiB. It errs on the low side: a pod that
// needs more is killed, which counts as a failure. Without a limit the node would evict it, which does not.
func (t Type) FreeMiB() int {
	return t.MemoryGiB*1024*925/1000 - (255 + 11*t.pods()) - 100 - systemMiB
}

// RequestMiB returns the memory that a training pod requests: three quarters of the node's, or what is free if that is
// less.
func (t Type) RequestMiB() int { return min(t.MemoryGiB*1024*3/4, t.FreeMiB()) }

// RequestMilli returns the processors that a training pod requests, in thousandths. With accelerators it is three
// quarters: the processors only feed them. Otherwise it is what is free, and at least half.
func (t Type) RequestMilli() int {
	if t.Kind != None {
		return t.VCPU * 750
	}
	reserved := 60 + 10*min(t.VCPU-1, 1) + 5*max(min(t.VCPU-2, 2), 0) + 5*max(t.VCPU-4, 0)/2
	return max(t.VCPU*1000-reserved-systemMilli, t.VCPU*500)
}

// fewerPods matches the families whose nodes may have fewer pods than newer ones: the limit follows from the network
// interfaces of a type.
var fewerPods = regexp.MustCompile(`^(g[456]|gr6|p[3-6]|trn[12]|inf2|[mcr][5-7]|[mcr]8g)`)

// pods returns a number of pods that the node's maximum does not exceed. The maximum of every type is in Karpenter's
// instance-types.md.
func (t Type) pods() int {
	steps := []struct{ vcpu, fewer, more int }{{2, 29, 59}, {8, 58, 254}, {16, 234, 506}, {32, 234, 632}}
	step := struct{ vcpu, fewer, more int }{0, 737, 1514}
	for i := len(steps) - 1; i >= 0 && t.VCPU <= steps[i].vcpu; i-- {
		step = steps[i]
	}
	if fewerPods.MatchString(t.Name) {
		return step.fewer
	}
	return step.more
}
