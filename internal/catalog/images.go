package catalog

// Images of the device plugins that come from a public registry.
const (
	// v0.20.1 was seen too; v0.20.0 is the one whose source was read for the settings of nodepool.DevicePlugins.
	// https://github.com/NVIDIA/k8s-device-plugin/blob/v0.20.0/deployments/static/nvidia-device-plugin.yml, read 2026-11-26
	//
	// The digest is the one that NVIDIA's own bundle of GPU Operator 26.7.0 names for v0.20.0.
	// https://github.com/NVIDIA/gpu-operator/blob/a22dbf67/bundle/manifests/gpu-operator-certified.clusterserviceversion.yaml, read 2026-11-26
	NVIDIADevicePlugin = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0" +
		"@sha256:a61ba9fd8efb82f3a79f877f7580e02c1e8e7593f62473644bc9c79e315c3312"

	// Image of the Helm chart 1.10.0 (Neuron 2.32, 2026-08-19), seen running with the digest below; the first whose list
	// of instance types has trn2. The static manifest of aws-neuron-sdk still names 2.22.4.0, which lacks it.
	// https://github.com/aws-neuron/neuron-helm-charts, read 2026-11-26
	NeuronDevicePlugin = "public.ecr.aws/neuron/neuron-device-plugin:2.32.0.0" +
		"@sha256:64d7473b547bec24d3683adeba5d98a17be1929b263e99695607c7e31270faf8"
)

// EFADevicePlugin returns the image of the EFA device plugin, which EKS publishes in every region, in a registry of AWS whose tags
// nobody else can move. It has no digest here, since no public source quotes that of v0.5.20.
// https://github.com/aws/eks-charts/blob/master/stable/aws-efa-k8s-device-plugin/values.yaml, read 2026-11-22
func EFADevicePlugin(region string) string {
	return EKSRegistry(region) + "/eks/aws-efa-k8s-device-plugin:v0.5.20"
}
