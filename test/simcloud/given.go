package simcloud

import (
	"gopkg.in/yaml.v3"
)

// Load adds what exists beforehand from YAML: a list resources, each with type, account (the management account by
// default), region, id (where the vendor chooses it) and inputs.
func (c *Cloud) Load(text []byte) error {
	var content struct {
		Resources []struct {
			Type, ID, Account, Region string
			Inputs                    map[string]any
		}
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		return err
	}
	for _, r := range content.Resources {
		if r.Account == "" {
			r.Account = ManagementAccount
		}
		if _, err := c.Put(Resource{Type: r.Type, ID: r.ID, Account: r.Account, Region: r.Region, Inputs: r.Inputs}); err != nil {
			return err
		}
	}
	return nil
}
