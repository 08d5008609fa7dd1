package simcloud

import (
	"fmt"
	"os"

	"gopkg.in/yaml.v3"
)

// Load puts into the cloud what a YAML file says was there before: resources, each with type, account, region,
// id (where the vendor chooses it) and inputs; and objects, each with bucket, key, content and size.
func (c *Cloud) Load(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var given struct {
		Resources []struct {
			Type, ID, Account, Region string
			Inputs                    map[string]any
		}
		Objects []struct {
			Bucket, Key, Content string
			Size                 int64
		}
	}
	if err := yaml.Unmarshal(data, &given); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, r := range given.Resources {
		if r.Account == "" {
			r.Account = ManagementAccount
		}
		if _, err := c.Put(Resource{Type: r.Type, ID: r.ID, Account: r.Account, Region: r.Region, Inputs: r.Inputs}); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, o := range given.Objects {
		c.PutObject(o.Bucket, o.Key, []byte(o.Content), o.Size)
	}
	return nil
}
