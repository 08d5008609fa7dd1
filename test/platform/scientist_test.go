package platform

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

// The outputs for data scientists, as the engine exports them with and without a run: dataScientist is as its schema says,
// names what the other outputs name, and is not a secret. userKubeconfig is not one either, and names no role.
func TestScientistOutputs(t *testing.T) {
	t.Parallel()
	repository, err := enginetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.Compile(filepath.Join(repository, "docs", "data-scientist.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	const person = "arn:aws:iam::222222222222:role/research"
	for _, stack := range []string{"dev", "solo"} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			cloud, s := enginetest.Open(t, stack)
			if stack == "dev" {
				set(t, s, "roles", map[string]any{"scientists": []any{person}, "imagePushers": []any{person}})
			} else {
				set(t, s, "organization.accounts.training.id", simcloud.ManagementAccount)
			}
			up := enginetest.Run(t, s, "up")
			platform, ok := up.Outputs["dataScientist"].(map[string]any)
			if !ok {
				t.Fatalf("dataScientist is %v", up.Outputs["dataScientist"])
			}
			if err := schema.Validate(platform); err != nil {
				t.Error(err)
			}
			run := platform["runs"].(map[string]any)["train"].(map[string]any)
			for key, output := range map[string]any{
				"dataset": platform["dataset"], "role": platform["role"], "run": run["name"], "checkpoints": run["checkpoints"], "commit": run["commit"],
			} {
				name := map[string]string{"dataset": "destinationDataUrl", "role": "scientistRoleArn", "run": "runName", "checkpoints": "runCheckpointUrl", "commit": "scriptCommit"}[key]
				if output != up.Outputs[name] || stack == "dev" && output == "" {
					t.Errorf("%s is %v, the output %s %v", key, output, name, up.Outputs[name])
				}
			}
			user := fmt.Sprint(up.Outputs["userKubeconfig"])
			if !strings.Contains(user, "get-token") || strings.Contains(user, "role-arn") {
				t.Errorf("userKubeconfig is %s", user)
			}
			printed, err := s.CLI(t.Context(), "stack", "output", "--json")
			if err != nil {
				t.Fatal(err)
			}
			var outputs map[string]any
			if err := json.Unmarshal([]byte(printed), &outputs); err != nil {
				t.Fatal(err)
			}
			if outputs["kubeconfig"] != "[secret]" || outputs["userKubeconfig"] == "[secret]" || schema.Validate(outputs["dataScientist"]) != nil {
				t.Errorf("pulumi stack output prints %s", printed)
			}
			entries := named(cloud, "aws:eks/accessEntry:AccessEntry", "roles-scientist")
			if has := len(entries) > 0; has != (stack == "dev") {
				t.Errorf("access entries: %v", entries)
			}
			enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
			enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))
		})
	}
}
