package job

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"llm-platform/internal/settings"
)

// ScientistRole returns what scientists may do in the namespace: see everything but secrets, follow logs, and execute
// commands in pods. AWS's access policies do not fit: AmazonEKSViewPolicy does not allow exec, and AmazonEKSEditPolicy also
// allows to read secrets, to change network policies, and to create pods, which may then write checkpoints and models.
//
// kubectl opens exec with a GET since it uses WebSockets, and Kubernetes 1.35 asks for create beside it.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/
func ScientistRole() *rbacv1.Role {
	see := []string{"get", "list", "watch"}
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"},
		ObjectMeta: shared(scientists),
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Verbs: see, Resources: []string{"configmaps", "events", "pods", "pods/log", "resourcequotas", "serviceaccounts", "services"}},
			{APIGroups: []string{"batch"}, Verbs: see, Resources: []string{"jobs"}},
			{APIGroups: []string{"networking.k8s.io"}, Verbs: see, Resources: []string{"networkpolicies"}},
			{APIGroups: []string{"events.k8s.io"}, Verbs: see, Resources: []string{"events"}},
			{APIGroups: []string{""}, Verbs: []string{"create", "get"}, Resources: []string{"pods/exec"}},
		},
	}
}

// ScientistBinding gives ScientistRole to settings.ScientistGroup.
func ScientistBinding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"},
		ObjectMeta: shared(scientists),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: scientists},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: settings.ScientistGroup}},
	}
}

const scientists = "scientists" // name of both
