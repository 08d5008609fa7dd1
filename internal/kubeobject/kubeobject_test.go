package kubeobject

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// recorder keeps what is registered.
type recorder struct {
	mu         sync.Mutex
	registered []pulumi.MockResourceArgs
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(args.TypeToken, "kubernetes:") {
		r.registered = append(r.registered, args)
	}
	return args.Name, args.Inputs, nil
}

func (*recorder) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

func register(t *testing.T, object runtime.Object, outputs pulumi.Map) (pulumi.MockResourceArgs, error) {
	t.Helper()
	seen := &recorder{}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := New(ctx, "object", object, outputs)
		return err
	}, pulumi.WithMocks("project", "stack", seen))
	if err == nil && len(seen.registered) != 1 {
		t.Fatalf("%d objects registered", len(seen.registered))
	}
	if err != nil {
		return pulumi.MockResourceArgs{}, err
	}
	return seen.registered[0], nil
}

// An object is registered under the typed SDK's token, as JSON has it.
func TestNew(t *testing.T) {
	got, err := register(t, &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"x": "1"}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"example.com/pool": "gpu"},
			Containers:   []corev1.Container{{Name: "c", Command: []string{"a", "b"}, TTY: true}},
		}}},
	}, pulumi.Map{"metadata": pulumi.Map{"labels": pulumi.Map{"y": pulumi.String("2").ToStringOutput()}}})
	if err != nil {
		t.Fatal(err)
	}
	if got.TypeToken != "kubernetes:batch/v1:Job" {
		t.Errorf("token is %s", got.TypeToken)
	}
	want := map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"name": "a", "labels": map[string]any{"x": "1", "y": "2"}},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{}, "spec": map[string]any{
			"nodeSelector": map[string]any{"example.com/pool": "gpu"},
			"containers":   []any{map[string]any{"name": "c", "command": []any{"a", "b"}, "tty": true, "resources": map[string]any{}}},
		}}},
	}
	if inputs := got.Inputs.Mappable(); !reflect.DeepEqual(inputs, want) {
		t.Errorf("inputs are %v, want %v", inputs, want)
	}
}

func TestTypeTokens(t *testing.T) {
	configMap := metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	clusterRole := metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}
	for want, object := range map[string]runtime.Object{
		"kubernetes:core/v1:ConfigMap":                        &corev1.ConfigMap{TypeMeta: configMap},
		"kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": &rbacv1.ClusterRole{TypeMeta: clusterRole},
	} {
		if got, err := register(t, object, nil); err != nil || got.TypeToken != want {
			t.Errorf("token is %s (%v), want %s", got.TypeToken, err, want)
		}
	}
	if _, err := register(t, &corev1.ConfigMap{}, nil); err == nil {
		t.Error("an object without a kind is registered")
	}
}

// A Secret's values are secret in the request and in the state, and no other object's are.
func TestSecretsAreSecret(t *testing.T) {
	got, err := register(t, &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, StringData: map[string]string{"TOKEN": "plain"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if value := got.Inputs["stringData"]; !value.IsSecret() {
		t.Errorf("stringData is %v", value)
	}
	if outputs := got.RegisterRPC.GetAdditionalSecretOutputs(); !reflect.DeepEqual(outputs, []string{"data", "stringData"}) {
		t.Errorf("secret outputs are %v", outputs)
	}
	if got, err = register(t, &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, Data: map[string]string{"TOKEN": "plain"},
	}, nil); err != nil || got.Inputs["data"].IsSecret() {
		t.Errorf("a ConfigMap's data is %v (%v)", got.Inputs["data"], err)
	}
}
