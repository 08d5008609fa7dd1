package run

import (
	"strconv"

	"llm-platform/internal/accelerator"
)

// Variable is one variable of the environment.
type Variable struct{ Name, Value string }

// Network is what the communication libraries are told on nodes of a type that use
// so many EFA interfaces. A user's own setting of the same name goes before it.
func Network(t accelerator.Type, efa int) []Variable {
	var vars []Variable
	if t.Kind == accelerator.NVIDIA {
		vars = append(vars,
			// Only the loopback is ruled out: a pod's interface has another name with each CNI.
			Variable{"NCCL_SOCKET_IFNAME", "^lo"},
			Variable{"NCCL_DEBUG", "WARN"},
			// When a collective hangs, each rank writes what it was waiting for.
			// https://docs.pytorch.org/tutorials/unstable/flight_recorder_tutorial.html
			Variable{"TORCH_NCCL_DUMP_ON_TIMEOUT", "1"},
			Variable{"TORCH_NCCL_TRACE_BUFFER_SIZE", "2000"},
		)
	}
	if efa > 0 {
		vars = append(vars,
			Variable{"FI_PROVIDER", "efa"},
			// Huge pages break the fork of PyTorch's data loaders, and the pod asks for none.
			// https://github.com/aws/aws-ofi-nccl/blob/master/doc/efa-env-var.md
			Variable{"FI_EFA_USE_HUGE_PAGE", "0"},
		)
	}
	return vars
}

// MasterPort is where rank 0 waits for the others: torchrun's own default.
const MasterPort = 29500

// checkEFA is POSIX shell, which every image has. It counts the devices that the
// kernel shows in a folder ($1) against what must be there ($2), and has libfabric open them.
const checkEFA = `
found=$(ls "$1" 2>/dev/null | grep -c '^uverbs') || true
if [ "$found" -lt "$2" ]; then
  echo "EFA: $found of $2 devices in $1: is the EFA device plugin running, and does the pod ask for vpc.amazonaws.com/efa?" >&2
  exit "$3"
fi
PATH=$PATH:/opt/amazon/efa/bin
if ! fi_info -p efa >/dev/null; then
  echo "EFA: libfabric opens no EFA device: build the image with the EFA installer (scripts/Dockerfile)" >&2
  exit "$3"
fi
echo "EFA: $found devices"
`

// CheckEFA is a command that ends with ExitEFA unless so many EFA devices are in the
// folder, and libfabric can open them.
func CheckEFA(folder string, devices int) []string {
	return []string{"sh", "-c", checkEFA, "efa", folder, strconv.Itoa(devices), strconv.Itoa(ExitEFA)}
}
