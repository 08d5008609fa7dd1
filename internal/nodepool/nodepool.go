// Package nodepool decides what EKS and EC2 are told about the nodes of an
// accelerator pool, as plain values: all that follows from an instance type and a
// kind of capacity is settled here, where a test takes milliseconds.
package nodepool

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"mime/multipart"
	"net/textproto"

	"gopkg.in/yaml.v3"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/settings"
)

// Node labels that say what a node has. Device plugins and their tools go by them.
const (
	NVIDIALabel = "nvidia.com/gpu.present"
	NeuronLabel = "aws.amazon.com/neuron.present"
	EFALabel    = "vpc.amazonaws.com/efa.present"
)

// Node is what a node group and its launch template say about each node.
type Node struct {
	AMIType        string                  // EKS's, as AL2023_x86_64_NVIDIA
	CapacityType   string                  // EKS's: ON_DEMAND, SPOT or CAPACITY_BLOCK
	MarketType     string                  // EC2's: capacity-block, or empty
	ReservationID  string                  // cr-…, or empty
	PlacementGroup bool                    // stands in the pool's cluster placement group
	Interfaces     []accelerator.Interface // with EFA; empty leaves the one interface to EKS
	VolumeGB       int                     // root volume
	UserData       string                  // base64; empty where there is nothing to say
	Labels         map[string]string       // all labels that the node group sets
	TaintKey       string                  // of its NoSchedule taint
	TaintValue     string                  //
}

// Render decides what the nodes of a checked pool are.
func Render(name string, pool settings.Pool) (Node, error) {
	node := Node{
		AMIType:        pool.Type.AMIType(),
		CapacityType:   "ON_DEMAND", // a reservation is filled with on-demand instances
		ReservationID:  pool.ReservationID,
		PlacementGroup: pool.PlacementGroup,
		VolumeGB:       pool.VolumeGB,
		Labels:         Labels(name, pool),
		TaintKey:       pool.TaintKey,
		TaintValue:     pool.TaintValue,
	}
	switch pool.Capacity {
	case settings.Spot:
		node.CapacityType = "SPOT" // and no market type: the node group asks for Spot itself
	case settings.CapacityBlock:
		node.CapacityType, node.MarketType = "CAPACITY_BLOCK", "capacity-block"
	}
	if pool.EFA {
		node.Interfaces = pool.Type.Interfaces()
	}
	if pool.Type.InstanceStoreGB > 0 {
		var err error
		if node.UserData, err = raid(); err != nil {
			return Node{}, fmt.Errorf("user data: %w", err)
		}
	}
	return node, nil
}

// Labels is the labels of a pool's nodes: which pool, which hardware, and the
// configuration's own.
func Labels(name string, pool settings.Pool) map[string]string {
	labels := maps.Clone(pool.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[settings.PoolLabel] = name
	if pool.Type.Kind == accelerator.Neuron {
		labels[NeuronLabel] = "true"
	} else {
		labels[NVIDIALabel] = "true"
	}
	if pool.EFA {
		labels[EFALabel] = "true"
	}
	return labels
}

// raid is the user data that has nodeadm join the local NVMe disks to one volume and
// keep images and pods' scratch space on it, instead of on the root volume.
// https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/examples/#configuring-local-disks-with-raid0
func raid() (string, error) {
	type config struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Spec       any    `yaml:"spec"`
	}
	type object = map[string]any
	text, err := yaml.Marshal(config{"node.eks.aws/v1alpha1", "NodeConfig",
		object{"instance": object{"localStorage": object{"strategy": "RAID0"}}}})
	if err != nil {
		return "", err
	}
	const boundary = "NodeConfig" // fixed, so that an unchanged pool is no change
	var message bytes.Buffer
	fmt.Fprintf(&message, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%q\r\n\r\n", boundary)
	parts := multipart.NewWriter(&message)
	if err := parts.SetBoundary(boundary); err != nil {
		return "", err
	}
	part, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/node.eks.aws"}})
	if err != nil {
		return "", err
	}
	if _, err := part.Write(text); err != nil {
		return "", err
	}
	if err := parts.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(message.Bytes()), nil
}
