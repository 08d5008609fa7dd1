package catalog

// Images of the device plugins that come from a public registry.
const (
	// https://github.com/NVIDIA/k8s-device-plugin/blob/main/deployments/static/nvidia-device-plugin.yml, read 2026-11-22
	NVIDIADevicePlugin = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"

	// https://github.com/aws-neuron/aws-neuron-sdk/blob/master/src/k8/k8s-neuron-device-plugin.yml, read 2026-11-22
	NeuronDevicePlugin = "public.ecr.aws/neuron/neuron-device-plugin:2.22.4.0"
)

// EFADevicePlugin returns the image of the EFA device plugin, which EKS publishes in every region.
// https://github.com/aws/eks-charts/blob/master/stable/aws-efa-k8s-device-plugin/values.yaml, read 2026-11-22
func EFADevicePlugin(region string) string {
	return EKSRegistry(region) + "/eks/aws-efa-k8s-device-plugin:v0.5.20"
}
