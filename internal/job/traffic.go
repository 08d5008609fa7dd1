package job

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// podIdentityAgent is where the agent of EKS Pod Identity on every node gives pods their credentials.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html, read 2026-11-26
const podIdentityAgent = "169.254.170.23/32"

// NetworkPolicy returns what the pods of the namespace may reach, and be reached from: each other; the cluster's DNS; the agent
// that gives them credentials; and HTTPS anywhere, for S3 and the services that a training reports to. EFA has no IP, and no
// policy sees it: its security group lets nodes with EFA reach each other only.
//
// It is one for all runs and not one of each, since the pods of an old run still save a checkpoint together while the new run
// replaces it, and its own objects are already deleted.
func NetworkPolicy() *networkingv1.NetworkPolicy {
	pods := []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}
	dns := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: metav1.NamespaceSystem}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: shared("training"),
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: pods}},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: pods},
				{To: []networkingv1.NetworkPolicyPeer{dns}, Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolUDP, 53), port(corev1.ProtocolTCP, 53)}},
				{To: block(podIdentityAgent), Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, 80)}},
				{To: block("0.0.0.0/0"), Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, 443)}},
			},
		},
	}
}

func block(cidr string) []networkingv1.NetworkPolicyPeer {
	return []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}}
}

func port(protocol corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(number))}
}
