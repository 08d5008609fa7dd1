package nodepool

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/textproto"

	"gopkg.in/yaml.v3"

	"llm-platform/internal/accelerator"
)

// lockedBytes is how much memory a container may lock: 1 PiB, more than any node has. Registering memory with EFA, or
// with another RDMA device, locks it, and a pod without privileges cannot raise its limit. The containers of AL2023 get
// containerd's, which is systemd's default of 8 MiB: nothing in the image raises it
// (https://github.com/awslabs/amazon-eks-ami at 81fec2e8, nodeadm/internal/containerd/base-runtime-spec.json and
// templates/al2023; https://github.com/NVIDIA/nvidia-container-toolkit/issues/2037; read 2026-11-26). PR 595 of that
// repository raised the limit of AL2's Docker only.
//
// It must be below 2^53: nodeadm passes it through floating point, and infinity, 2^64-1, arrives as a number that
// containerd refuses, so that no container of the node starts.
const lockedBytes = 1 << 50

// nodeConfig is the part of nodeadm's NodeConfig that the program sets.
// https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/
type nodeConfig struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Spec       nodeSpec `yaml:"spec"`
}

type nodeSpec struct {
	Containerd *containerdSpec `yaml:"containerd,omitempty"`
	Instance   *instanceSpec   `yaml:"instance,omitempty"`
}

type containerdSpec struct {
	BaseRuntimeSpec runtimeSpec `yaml:"baseRuntimeSpec"` // merged into the image's, lists replaced
}

type runtimeSpec struct {
	Process struct {
		Rlimits []rlimit `yaml:"rlimits"`
	} `yaml:"process"`
}

type rlimit struct {
	Type string `yaml:"type"`
	Soft uint64 `yaml:"soft"`
	Hard uint64 `yaml:"hard"`
}

type instanceSpec struct {
	LocalStorage struct {
		Strategy string `yaml:"strategy"`
	} `yaml:"localStorage"`
}

// userData returns the user data of the nodes of an instance type, or "" if they need none. Nodes with accelerators
// let containers lock memory. Local NVMe disks become one volume, which then holds images and the pods' scratch space in
// place of the root volume.
// https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/examples/#configuring-local-disks-with-raid0
func userData(t accelerator.Type) (string, error) {
	var spec nodeSpec
	if t.Kind != accelerator.None {
		spec.Containerd = &containerdSpec{}
		spec.Containerd.BaseRuntimeSpec.Process.Rlimits = []rlimit{
			{"RLIMIT_NOFILE", 65536, 1048576}, // the image's own, which the list replaces
			{"RLIMIT_MEMLOCK", lockedBytes, lockedBytes},
		}
	}
	if t.InstanceStoreGB > 0 {
		spec.Instance = &instanceSpec{}
		spec.Instance.LocalStorage.Strategy = "RAID0"
	}
	if spec == (nodeSpec{}) {
		return "", nil
	}
	text, err := yaml.Marshal(nodeConfig{"node.eks.aws/v1alpha1", "NodeConfig", spec})
	if err != nil {
		return "", err
	}
	const boundary = "NodeConfig" // fixed, because a random one would be a change on every update
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
