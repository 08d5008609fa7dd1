package job

import "strconv"

// minLockedKiB is the least memory that a container with EFA must be able to lock: 16 GiB. What the libraries register
// grows with ranks and messages; the default limit of 8 MiB is too low for any, and nodepool lifts it to 1 PiB.
const minLockedKiB = 16 << 20

// checkEFA is POSIX shell, which every image has. It compares the limit on locked memory with the least ($4, KiB), and
// the number of devices that the kernel shows in a folder ($1) with the expected number ($2), and has libfabric open
// them, which locks next to nothing. It exits with $3 if any of these fails.
const checkEFA = `
locked=$(ulimit -l)
if [ "$locked" != unlimited ] && [ "$locked" -lt "$4" ]; then
  echo "EFA: this container may lock $locked KiB of memory, but needs $4: raise RLIMIT_MEMLOCK of the node's containers (docs/training.md)" >&2
  exit "$3"
fi
found=$(ls "$1" 2>/dev/null | grep -c '^uverbs') || true
if [ "$found" -lt "$2" ]; then
  echo "EFA: $found of $2 devices in $1: is the EFA device plugin running, and does the pod request vpc.amazonaws.com/efa?" >&2
  exit "$3"
fi
PATH=$PATH:/opt/amazon/efa/bin
if ! fi_info -p efa >/dev/null; then
  echo "EFA: libfabric opens no EFA device: build the image with the EFA installer (image/Dockerfile)" >&2
  exit "$3"
fi
echo "EFA: $found devices"
`

// checkEFACommand returns a command that ends with ExitEFA unless the folder has at least so many EFA devices, libfabric
// can open them, and the container may lock so much memory.
func checkEFACommand(folder string, devices, lockedKiB int) []string {
	return []string{"sh", "-c", checkEFA, "efa", folder, strconv.Itoa(devices), strconv.Itoa(ExitEFA), strconv.Itoa(lockedKiB)}
}
