package nodes

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// TestNetworkPolicy: with the registered network policy enforced, three pods start, get their credentials, train and save to S3. They
// reach no other port, and nobody outside the namespace reaches them, which everybody does without it.
func TestNetworkPolicy(t *testing.T) {
	threeNodes(t)
	open := listen(t)
	end := enforce(t)
	began := time.Now()
	r := start(t, "processors", func(kind string, object map[string]any) {
		withArgs(endless, nil)(kind, object)
		if kind == "NetworkPolicy" {
			withLabPorts(object)
		}
	})
	r.trains(t, began)
	r.says(t, began, `{"event": "saved"`)
	pods, err := r.pods()
	if err != nil || len(pods) != 3 {
		t.Fatalf("%d pods: %v", len(pods), err)
	}
	outside := outsidePod(t, pods[1].Spec.NodeName) // the packet filter does not see what stays on the bridge of a node
	inside := pods[1].Name
	serve(t, pods[0].Name)
	probes := []struct {
		what, namespace, pod, to string
		allowed                  bool
	}{
		{"a pod of the run reaches another", namespace, inside, pods[0].Status.PodIP + ":7000", true},
		{"it reaches S3", namespace, inside, fmt.Sprintf("%s:%d", lab.nodes.Host(), s3Port()), true},
		{"it reaches no other port there", namespace, inside, open, false},
		{"nor the agent on another port", namespace, inside, strings.Replace(open, strings.Split(open, ":")[0], identityAddress, 1), false},
		{"nor the kubelet of its node", namespace, inside, fmt.Sprintf("%s:10250", pods[1].Status.HostIP), false},
		{"a pod of another namespace does not reach it", "default", outside, pods[0].Status.PodIP + ":7000", false},
		{"but all else", "default", outside, open, true},
	}
	probe := func(enforced bool) {
		for _, p := range probes {
			if got := reaches(p.namespace, p.pod, p.to); got != (p.allowed || !enforced) {
				t.Errorf("enforced %t: %s: %t", enforced, p.what, got)
			}
		}
	}
	probe(true)
	end()
	probe(false)
	deleteAsPulumi(t, r)
}

// deleteAsPulumi deletes a run as an update does: the Job, then the ConfigMap that it belongs to, then the service account. Pulumi
// waits for the ConfigMap, and so for the last pod, which saves a checkpoint before that.
func deleteAsPulumi(t *testing.T, r *run) {
	t.Helper()
	maps, jobs := lab.client.CoreV1().ConfigMaps(namespace), lab.client.BatchV1().Jobs(namespace)
	owner, err := maps.Get(background, r.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	patch := fmt.Sprintf(`{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": %q, "uid": %q, "blockOwnerDeletion": true}]}}`, r.name, owner.UID)
	if _, err := jobs.Patch(background, r.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	before, _ := newestCheckpoint(t)
	foreground := metav1.DeletePropagationForeground
	if err := jobs.Delete(background, r.name, metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	if err := maps.Delete(background, r.name, metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the ConfigMap to be deleted", func() error {
		_, err := maps.Get(background, r.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it exists: %v", err)
	})
	if pods, err := r.pods(); err != nil || len(pods) > 0 {
		t.Errorf("the ConfigMap is deleted, but %d pods are not: %v", len(pods), err)
	}
	if after, complete := newestCheckpoint(t); after <= before || !complete {
		t.Errorf("the newest checkpoint is %s (complete: %t), before %s", after, complete, before)
	}
}

// withLabPorts gives a policy the ports that this machine has in place of 443 and 80.
func withLabPorts(policy map[string]any) {
	for _, rule := range policy["spec"].(map[string]any)["egress"].([]any) {
		ports, _ := rule.(map[string]any)["ports"].([]any)
		for _, p := range ports {
			switch port := p.(map[string]any); port["port"] {
			case float64(443):
				port["port"] = int64(s3Port())
			case float64(80):
				port["port"] = int64(identityPort())
			}
		}
	}
}

// listen accepts connections on every address of this machine until the test ends, and returns the address that no lost node takes
// away.
func listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	return fmt.Sprintf("%s:%d", lab.nodes.Host(), listener.Addr().(*net.TCPAddr).Port)
}

func inPod(namespace, pod, program string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, "kubectl", "--kubeconfig", lab.dir+"/kubeconfig", "-n", namespace, "exec", pod, "--", "python", "-c", program).CombinedOutput()
}

// serve accepts connections on port 7000 of a pod.
func serve(t *testing.T, pod string) {
	t.Helper()
	const program = `
import os, socket
server = socket.create_server(("", 7000))
if os.fork() == 0:
    os.setsid()
    for fd in (0, 1, 2): os.close(fd)
    while True: server.accept()[0].close()`
	if out, err := inPod(namespace, pod, program); err != nil {
		t.Fatalf("serving in %s: %v: %s", pod, err, out)
	}
}

// reaches reports whether a pod opens a connection within three seconds.
func reaches(namespace, pod, address string) bool {
	host, port, _ := strings.Cut(address, ":")
	_, err := inPod(namespace, pod, fmt.Sprintf("import socket; socket.create_connection((%q, %s), 3)", host, port))
	return err == nil
}

// outsidePod starts a pod in another namespace on a node, and returns its name.
func outsidePod(t *testing.T, node string) string {
	t.Helper()
	const name = "outside"
	pods := lab.client.CoreV1().Pods("default")
	waitFor(t, "the service account of a pod outside", func() error {
		_, err := pods.Create(background, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PodSpec{
				NodeName:    node,
				Containers:  []corev1.Container{{Name: "sleep", Image: image, Command: []string{"/bin/sleep", "100000"}, ImagePullPolicy: corev1.PullNever}},
				Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			},
		}, options)
		return err
	})
	t.Cleanup(func() {
		now := int64(0)
		_ = pods.Delete(background, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	})
	waitFor(t, "a pod outside", func() error {
		pod, err := pods.Get(background, name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodRunning {
			err = fmt.Errorf("it is %s", pod.Status.Phase)
		}
		return err
	})
	return name
}

// enforce makes this machine's packet filter do what the network policies of the training namespace say, as the CNI of a cluster does,
// and returns what ends that. The pods of the cluster's DNS are a server on each node here, which answers at the node's address.
func enforce(t *testing.T) (end func()) {
	t.Helper()
	table := fmt.Sprintf("llmpolicy%d", first())
	stop, stopped := make(chan struct{}), make(chan struct{})
	end = func() {
		select {
		case <-stop:
		default:
			close(stop)
		}
		<-stopped
		_ = exec.Command("nft", "delete", "table", "inet", table).Run()
	}
	t.Cleanup(end)
	go func() {
		defer close(stopped)
		last := ""
		for {
			rules, err := filter()
			if err == nil && rules != last {
				command := exec.Command("nft", "-f", "-")
				command.Stdin = strings.NewReader(fmt.Sprintf("table inet %[1]s {}\nflush table inet %[1]s\ntable inet %[1]s {\n%[2]s}\n", table, rules))
				var out []byte
				if out, err = command.CombinedOutput(); err != nil {
					err = fmt.Errorf("%w: %s\n%s", err, out, rules)
				}
				last = rules
			}
			if err != nil {
				t.Errorf("enforcing network policies: %v", err)
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return end
}

// filter returns the rules of the policies for the pods that have an address now.
func filter() (string, error) {
	policies, err := lab.client.NetworkingV1().NetworkPolicies(namespace).List(background, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	var out, in strings.Builder
	var from, to []string
	for _, policy := range policies.Items {
		selected, err := addressesOf(networkingv1.NetworkPolicyPeer{PodSelector: &policy.Spec.PodSelector})
		if err != nil || len(selected) == 0 {
			return "", err
		}
		for _, kind := range policy.Spec.PolicyTypes {
			if kind == networkingv1.PolicyTypeEgress {
				from = append(from, selected...)
			} else {
				to = append(to, selected...)
			}
		}
		for _, rule := range policy.Spec.Egress {
			if err := allow(&out, "ip saddr", selected, "ip daddr", rule.To, rule.Ports); err != nil {
				return "", err
			}
		}
		for _, rule := range policy.Spec.Ingress {
			if err := allow(&in, "ip daddr", selected, "ip saddr", rule.From, rule.Ports); err != nil {
				return "", err
			}
		}
	}
	if len(from) == 0 && len(to) == 0 {
		return "", nil
	}
	var chains strings.Builder
	fmt.Fprintf(&chains, "chain out {\n%sdrop\n}\nchain in {\n%saccept\n}\n", strings.ReplaceAll(out.String(), "accept\n", "goto in\n"), in.String()+refuse("ip daddr", to))
	for _, hook := range []string{"input", "forward"} {
		fmt.Fprintf(&chains, "chain %s {\ntype filter hook %[1]s priority 0; policy accept;\nct state established,related accept\n%sjump in\n}\n", hook, goTo("ip saddr", from, "out"))
	}
	return chains.String(), nil
}

func refuse(direction string, addresses []string) string { return goTo(direction, addresses, "drop") }

// goTo returns the rule for packets from, or to, some addresses.
func goTo(direction string, addresses []string, where string) string {
	if len(addresses) == 0 {
		return ""
	}
	if where != "drop" {
		where = "goto " + where
	}
	return fmt.Sprintf("%s { %s } %s\n", direction, strings.Join(addresses, ", "), where)
}

// allow writes the rules that accept what a rule of a policy allows.
func allow(chain *strings.Builder, direction string, selected []string, other string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) error {
	for _, peer := range peers {
		addresses, err := addressesOf(peer)
		if err != nil {
			return err
		}
		if len(addresses) == 0 {
			continue
		}
		pair := fmt.Sprintf("%s { %s } %s { %s } ", direction, strings.Join(selected, ", "), other, strings.Join(addresses, ", "))
		for _, port := range ports {
			fmt.Fprintf(chain, "%s%s dport %s accept\n", pair, strings.ToLower(string(*port.Protocol)), port.Port.String())
		}
		if len(ports) == 0 {
			fmt.Fprintf(chain, "%saccept\n", pair)
		}
	}
	return nil
}

// addressesOf returns the addresses of the pods that a peer selects, or its range.
func addressesOf(peer networkingv1.NetworkPolicyPeer) ([]string, error) {
	if peer.IPBlock != nil {
		return []string{peer.IPBlock.CIDR}, nil
	}
	if peer.NamespaceSelector != nil {
		system := labels.Set{corev1.LabelMetadataName: metav1.NamespaceSystem}
		dns := labels.Set{"k8s-app": "kube-dns"}
		for selector, set := range map[*metav1.LabelSelector]labels.Set{peer.NamespaceSelector: system, peer.PodSelector: dns} {
			if selects, err := metav1.LabelSelectorAsSelector(selector); err != nil || !selects.Matches(set) {
				return nil, err
			}
		}
		var nodes []string
		for index := range 3 {
			nodes = append(nodes, fmt.Sprintf("10.244.%d.1", first()+index))
		}
		return nodes, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
	if err != nil {
		return nil, err
	}
	pods, err := lab.client.CoreV1().Pods(namespace).List(background, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, pod := range pods.Items {
		if pod.Status.PodIP != "" {
			addresses = append(addresses, pod.Status.PodIP)
		}
	}
	return addresses, nil
}
