package nodepool

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/settings"
)

// The types of nodeadm's API (nodeadm/api/v1alpha1/nodeconfig_types.go of awslabs/amazon-eks-ami at 81fec2e8), as far as
// the program uses them, with the same JSON names. The module itself cannot be imported: the newest version on the Go
// module proxy, of 2024-02, has no baseRuntimeSpec.
type (
	apiNodeConfig struct {
		APIVersion string  `json:"apiVersion"`
		Kind       string  `json:"kind"`
		Spec       apiSpec `json:"spec"`
	}
	apiSpec struct {
		Containerd struct {
			BaseRuntimeSpec map[string]any `json:"baseRuntimeSpec"`
		} `json:"containerd"`
		Instance struct {
			LocalStorage struct {
				Strategy string `json:"strategy"`
			} `json:"localStorage"`
		} `json:"instance"`
	}
	// The runtime specification (opencontainers/runtime-spec, specs-go/config.go), as containerd reads it.
	ociSpec struct {
		Process struct {
			Terminal bool       `json:"terminal"`
			Rlimits  []ociLimit `json:"rlimits"`
		} `json:"process"`
	}
	ociLimit struct {
		Type string `json:"type"`
		Hard uint64 `json:"hard"`
		Soft uint64 `json:"soft"`
	}
)

// read returns the NodeConfig in user data, which must be one MIME part, as nodeadm reads it.
func read(t *testing.T, userData string) apiNodeConfig {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(userData)
	if err != nil {
		t.Fatal(err)
	}
	message, err := mail.ReadMessage(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || message.Header.Get("MIME-Version") != "1.0" {
		t.Fatalf("%s, %v: %s", kind, err, text)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	part, err := parts.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	if got := part.Header.Get("Content-Type"); got != "application/node.eks.aws" {
		t.Errorf("part is %s", got)
	}
	var tree any
	if err := yaml.NewDecoder(part).Decode(&tree); err != nil {
		t.Fatal(err)
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("a second part, or no end: %v", err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var config apiNodeConfig
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		t.Fatal(err)
	}
	if config.APIVersion != "node.eks.aws/v1alpha1" || config.Kind != "NodeConfig" {
		t.Errorf("%s %s", config.APIVersion, config.Kind)
	}
	return config
}

// merge merges as nodeadm does (internal/util/merge.go: mergo with override): both sides pass through JSON into maps,
// so that every number becomes a float64; maps are merged, everything else is replaced.
func merge(into, from map[string]any) {
	for key, value := range from {
		inner, isMap := value.(map[string]any)
		if existing, ok := into[key].(map[string]any); ok && isMap {
			merge(existing, inner)
		} else {
			into[key] = value
		}
	}
}

func generic(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// Containers of every node with accelerators may lock memory, and open as many files as before. What containerd reads
// is what nodeadm makes of it.
func TestLockedMemory(t *testing.T) {
	// Part of nodeadm/internal/containerd/base-runtime-spec.json.
	const image = `{"process": {"terminal": true, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 65536, "hard": 1048576}]}}`
	want := []ociLimit{{"RLIMIT_NOFILE", 1048576, 65536}, {"RLIMIT_MEMLOCK", lockedBytes, lockedBytes}}
	if len(accelerator.Known()) < 30 {
		t.Fatalf("%d types: this test tests little", len(accelerator.Known()))
	}
	for _, instanceType := range accelerator.Known() {
		node, err := Describe("gpu", checked(t, instanceType, settings.OnDemand))
		if err != nil {
			t.Fatal(err)
		}
		if node.UserData == "" {
			t.Errorf("%s has no user data", instanceType)
			continue
		}
		given, err := json.Marshal(read(t, node.UserData).Spec.Containerd.BaseRuntimeSpec)
		if err != nil {
			t.Fatal(err)
		}
		base := generic(t, []byte(image))
		merge(base, generic(t, given))
		written, err := json.Marshal(base)
		if err != nil {
			t.Fatal(err)
		}
		var spec ociSpec
		if err := json.Unmarshal(written, &spec); err != nil {
			t.Fatalf("%s: containerd cannot read %s: %v", instanceType, written, err)
		}
		if !spec.Process.Terminal || !reflect.DeepEqual(spec.Process.Rlimits, want) {
			t.Errorf("%s: %s", instanceType, written)
		}
	}
}

// Infinity is what one would write, and what no node survives: see lockedBytes.
func TestInfinityDoesNotSurviveNodeadm(t *testing.T) {
	tree := generic(t, []byte(`{"type": "RLIMIT_MEMLOCK", "hard": 18446744073709551615, "soft": 18446744073709551615}`))
	written, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(written, new(ociLimit)); err == nil {
		t.Errorf("%s can be read: lockedBytes may be infinite", written)
	}
}

// Local disks are joined where there are some. Equal types have equal user data, or every update would replace their
// nodes; nodes without accelerators and disks have none.
func TestUserData(t *testing.T) {
	describe := func(name, instanceType string) Node {
		node, err := Describe(name, checked(t, instanceType, settings.OnDemand))
		if err != nil {
			t.Fatal(err)
		}
		return node
	}
	if describe("gpu", "p5.48xlarge").UserData != describe("other", "g5.xlarge").UserData {
		t.Error("it differs between pools")
	}
	if got := read(t, describe("gpu", "p5.48xlarge").UserData).Spec.Instance.LocalStorage.Strategy; got != "RAID0" {
		t.Errorf("local disks: %q", got)
	}
	diskless := checked(t, "g5.xlarge", settings.OnDemand)
	diskless.Type.InstanceStoreGB = 0
	node, err := Describe("gpu", diskless)
	if err != nil {
		t.Fatal(err)
	}
	if config := read(t, node.UserData).Spec; config.Instance.LocalStorage.Strategy != "" || config.Containerd.BaseRuntimeSpec == nil {
		t.Errorf("without local disks: %+v", config)
	}
	if got := describe("cpu", "m7i.large").UserData; got != "" {
		t.Errorf("without accelerators: %s", got)
	}
}
