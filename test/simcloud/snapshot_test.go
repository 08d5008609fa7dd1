package simcloud

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// A cloud that was saved and loaded is the same, with secrets and what is refused later.
func TestSaveAndLoad(t *testing.T) {
	c := New()
	c.SetCaller("222222222222")
	if err := c.PutOrganization(); err != nil {
		t.Fatal(err)
	}
	c.PutAccount("333333333333", "training")
	c.PutObject("data", "a.jsonl", []byte("a"), 6<<30)
	c.Archive("data", "a.jsonl", "GLACIER")
	c.PutImage("image")
	c.SetDefaultBranch("llm/scripts", "trunk")
	c.DenyRole("platform", true)
	c.ended["cluster"], c.births["urn"], c.denied["role"] = true, 2, 3
	c.records = append(c.records, &record{typ: bucketType, id: "data", salt: "salt", revision: 4, inputs: resource.PropertyMap{
		"policy": resource.MakeSecret(resource.NewProperty("hidden")),
	}, outputs: resource.PropertyMap{}})
	first, err := c.Save()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := loaded.Save()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("saved\n%s\nand after a load\n%s", first, second)
	}
	if !reflect.DeepEqual(c.Resources(), loaded.Resources()) || len(loaded.Resources()) != 3 {
		t.Errorf("loaded %v", loaded.Resources())
	}
	if last := loaded.records[2]; !last.inputs["policy"].IsSecret() {
		t.Errorf("the secret is %v", last.inputs["policy"])
	}
	if _, err := Load([]byte("{")); err == nil {
		t.Error("loaded half a file")
	}
}

// Save knows every field that holds what exists: a new one is added to it, or here.
func TestSaveIsComplete(t *testing.T) {
	left := []string{"OnCall", "kinds", "mu", "denyRoles", "port", "endpoint"}
	saves := []string{"caller", "records", "objects", "images", "branches", "ended", "births", "denied", "closed"}
	cloud := reflect.TypeFor[Cloud]()
	if cloud.NumField() < 10 {
		t.Fatalf("%d fields: this test tests nothing", cloud.NumField())
	}
	for i := range cloud.NumField() {
		if name := cloud.Field(i).Name; !slices.Contains(left, name) && !slices.Contains(saves, name) {
			t.Errorf("Cloud.%s is neither saved nor left behind", name)
		}
	}
}
