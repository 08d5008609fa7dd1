package job

import "strconv"

// checkEFA is POSIX shell, which every image has. It compares the number of devices that the kernel shows in a
// folder ($1) with the expected number ($2), and has libfabric open them. It exits with $3 if either fails.
const checkEFA = `
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

// checkEFACommand returns a command that ends with ExitEFA unless the folder has at least so many EFA devices and
// libfabric can open them.
func checkEFACommand(folder string, devices int) []string {
	return []string{"sh", "-c", checkEFA, "efa", folder, strconv.Itoa(devices), strconv.Itoa(ExitEFA)}
}
