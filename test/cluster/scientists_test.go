package cluster

import (
	"context"
	"errors"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"llm-platform/internal/job"
	"llm-platform/internal/settings"
)

// The group of scientists may see the training namespace, follow logs and execute commands there, as kubectl asks for it, and
// nothing else or elsewhere.
func TestScientists(t *testing.T) {
	run := four(t)
	t.Cleanup(func() { deleteNamespace(t) })
	create(t, inNamespace(run)...)
	create(t, job.ScientistRole(), job.ScientistBinding())
	waitFor(t, "the API server to know the binding", func() error {
		if !mayScientist(t, authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods", Namespace: namespace}) {
			return errors.New("pods are refused")
		}
		return nil
	})
	for _, c := range []struct {
		verb, group, resource, subresource, namespace string
		allowed                                       bool
	}{
		{"list", "", "pods", "", namespace, true},
		{"watch", "", "pods", "", namespace, true}, // kubectl wait
		{"get", "", "pods", "log", namespace, true},
		{"get", "", "pods", "exec", namespace, true},    // kubectl exec, over WebSockets,
		{"create", "", "pods", "exec", namespace, true}, // which Kubernetes 1.35 asks for too
		{"get", "batch", "jobs", "", namespace, true},
		{"list", "", "events", "", namespace, true}, // kubectl describe
		{"get", "", "secrets", "", namespace, false},
		{"list", "", "secrets", "", namespace, false},
		{"create", "", "pods", "", namespace, false},
		{"delete", "", "pods", "", namespace, false},
		{"create", "", "pods", "ephemeralcontainers", namespace, false},
		{"delete", "batch", "jobs", "", namespace, false},
		{"create", "", "serviceaccounts", "token", namespace, false},
		{"get", "networking.k8s.io", "networkpolicies", "", namespace, true},
		{"update", "networking.k8s.io", "networkpolicies", "", namespace, false},
		{"delete", "networking.k8s.io", "networkpolicies", "", namespace, false},
		{"create", "networking.k8s.io", "networkpolicies", "", namespace, false},
		{"create", "", "services", "", namespace, false},
		{"create", "rbac.authorization.k8s.io", "rolebindings", "", namespace, false},
		{"list", "", "pods", "", "kube-system", false},
		{"get", "", "pods", "log", "kube-system", false},
		{"create", "", "pods", "exec", "default", false},
		{"list", "", "pods", "", "", false},
		{"list", "", "nodes", "", "", false},
	} {
		got := mayScientist(t, authorizationv1.ResourceAttributes{Verb: c.verb, Group: c.group, Resource: c.resource, Subresource: c.subresource, Namespace: c.namespace})
		if got != c.allowed {
			t.Errorf("%s %s/%s in %q: %v, want %v", c.verb, c.resource, c.subresource, c.namespace, got, c.allowed)
		}
	}
}

// mayScientist asks the API server whether a member of the group is allowed something.
func mayScientist(t *testing.T, what authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review, err := shared.client.AuthorizationV1().SubjectAccessReviews().Create(context.Background(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "arn:aws:sts::111122223333:assumed-role/scientist/ada", Groups: []string{settings.ScientistGroup, "system:authenticated"},
			ResourceAttributes: &what,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
