package simcloud

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// saved is a cloud as JSON.
type saved struct {
	Caller   string
	Records  []savedRecord
	Objects  map[string]savedObject
	Images   map[string]bool
	Branches map[string]string
	Ended    map[string]bool
	Births   map[string]int
	Denied   map[string]int
	Closed   map[string]bool
}

type savedRecord struct {
	Type, ID, URN, Account, Region, Partition, Salt string
	Revision                                        int
	Inputs, Outputs                                 json.RawMessage // in the provider protocol's encoding, which keeps secrets and assets
}

type savedObject struct {
	ETag, Class string
	Size        int64
}

// Save returns what exists as JSON, from which Load makes another cloud. It excludes OnCall and DenyRoles.
func (c *Cloud) Save() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := saved{
		Caller: c.caller, Objects: map[string]savedObject{}, Images: c.images, Branches: c.branches, Ended: c.ended,
		Births: c.births, Denied: c.denied, Closed: c.closed,
	}
	for path, o := range c.objects {
		s.Objects[path] = savedObject{ETag: o.etag, Size: o.size, Class: o.class}
	}
	for _, r := range c.records {
		inputs, err := encode(r.inputs)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.typ, r.id, err)
		}
		outputs, err := encode(r.outputs)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.typ, r.id, err)
		}
		record := savedRecord{
			Type: r.typ, ID: r.id, URN: r.urn, Account: r.account, Region: r.region, Partition: r.partition, Salt: r.salt, Revision: r.revision,
		}
		if record.Inputs, err = protojson.Marshal(inputs); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.typ, r.id, err)
		}
		if record.Outputs, err = protojson.Marshal(outputs); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.typ, r.id, err)
		}
		s.Records = append(s.Records, record)
	}
	return json.Marshal(s)
}

// Load returns a cloud with what Save returned.
func Load(content []byte) (*Cloud, error) {
	var s saved
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("saved cloud: %w", err)
	}
	c := New()
	c.caller = s.Caller
	maps.Copy(c.images, s.Images)
	maps.Copy(c.branches, s.Branches)
	maps.Copy(c.ended, s.Ended)
	maps.Copy(c.births, s.Births)
	maps.Copy(c.denied, s.Denied)
	maps.Copy(c.closed, s.Closed)
	for path, o := range s.Objects {
		c.objects[path] = object{etag: o.ETag, size: o.Size, class: o.Class}
	}
	for _, from := range s.Records {
		r := &record{
			instance: instance{account: from.Account, region: from.Region, partition: from.Partition},
			typ:      from.Type, id: from.ID, urn: from.URN, salt: from.Salt, revision: from.Revision,
		}
		for _, part := range []struct {
			from json.RawMessage
			into *resource.PropertyMap
		}{{from.Inputs, &r.inputs}, {from.Outputs, &r.outputs}} {
			var message structpb.Struct
			err := protojson.Unmarshal(part.from, &message)
			if err == nil {
				*part.into, err = decode(&message)
			}
			if err != nil {
				return nil, fmt.Errorf("saved %s %s: %w", from.Type, from.ID, err)
			}
		}
		c.records = append(c.records, r)
	}
	return c, nil
}
