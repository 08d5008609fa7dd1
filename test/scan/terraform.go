package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"llm-platform/test/simcloud"
)

// terraformTypes are the types whose name in Terraform does not follow from that in Pulumi.
var terraformTypes = map[string]string{
	"s3/bucketObjectv2":         "aws_s3_object",
	"s3/objectCopy":             "aws_s3_object_copy",
	"datasync/s3Location":       "aws_datasync_location_s3",
	"iam/openIdConnectProvider": "aws_iam_openid_connect_provider",
}

// terraformBlocks are the properties that Pulumi has as lists with a name in the plural, and Terraform as repeated blocks.
var terraformBlocks = map[string]string{
	"costFilters": "cost_filter", "encryptionConfigurations": "encryption_configuration", "notifications": "notification", "rules": "rule",
	"subscribers": "subscriber", "taints": "taint", "transitions": "transition",
}

var capital = regexp.MustCompile(`[A-Z]`)

func snake(name string) string {
	return strings.TrimPrefix(capital.ReplaceAllStringFunc(name, func(c string) string { return "_" + strings.ToLower(c) }), "_")
}

// terraformType returns a resource's type in Terraform. The types of ec2 have no prefix there.
func terraformType(token string) string {
	name := strings.Split(token, ":")[1]
	if special, ok := terraformTypes[name]; ok {
		return special
	}
	module, resource, _ := strings.Cut(name, "/")
	if module == "ec2" {
		return "aws_" + snake(resource)
	}
	return "aws_" + module + "_" + strings.TrimPrefix(snake(strings.TrimSuffix(resource, "V2")), module+"_")
}

// terraform returns the AWS resources in Terraform's language, with references in place of ids and ARNs.
func terraform(resources []simcloud.Resource) (string, error) {
	type named struct{ typ, name string }
	addresses, references := map[string]named{}, map[string]string{}
	for _, r := range resources {
		if !strings.HasPrefix(r.Type, "aws:") {
			continue
		}
		address := named{terraformType(r.Type), strings.Map(identifier, r.Name)}
		addresses[r.URN] = address
		arn, hasARN := r.Outputs["arn"].(string)
		if hasARN {
			references[arn] = address.typ + "." + address.name + ".arn"
		}
		// The settings of a bucket have its id too, but no ARN.
		if _, known := references[r.ID]; r.ID != arn && len(r.ID) > 7 && (hasARN || !known) {
			references[r.ID] = address.typ + "." + address.name + ".id"
		}
	}
	var out strings.Builder
	for _, r := range resources {
		address, ok := addresses[r.URN]
		if !ok {
			continue
		}
		own := address.typ + "." + address.name + "."
		w := hclWriter{out: &out, refer: func(value string) string {
			if reference := references[value]; !strings.HasPrefix(reference, own) {
				return reference
			}
			return ""
		}}
		fmt.Fprintf(&out, "resource %q %q {\n", address.typ, address.name)
		if err := w.body(r.Inputs); err != nil {
			return "", fmt.Errorf("%s %s: %w", r.Type, r.Name, err)
		}
		out.WriteString("}\n")
	}
	return out.String(), nil
}

// identifier replaces what the name of a resource cannot have.
func identifier(r rune) rune {
	if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}

type hclWriter struct {
	out   *strings.Builder
	refer func(string) string // returns the reference that a value stands for, or an empty string
}

// body writes the properties of a block: maps and lists of maps as blocks, but for those that are data, and all else as
// arguments.
func (w hclWriter) body(properties map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if key == "__defaults" {
			continue
		}
		name := snake(key)
		if block, ok := terraformBlocks[key]; ok {
			name = block
		}
		blocks, data := nestedBlocks(properties[key]), key == "tags" || key == "labels"
		if len(blocks) == 0 || data {
			fmt.Fprintf(w.out, "%s = ", name)
			if err := w.value(properties[key]); err != nil {
				return err
			}
			w.out.WriteString("\n")
			continue
		}
		for _, block := range blocks {
			fmt.Fprintf(w.out, "%s {\n", name)
			if err := w.body(block); err != nil {
				return err
			}
			w.out.WriteString("}\n")
		}
	}
	return nil
}

// nestedBlocks returns a map, or the maps of a list.
func nestedBlocks(value any) (blocks []map[string]any) {
	switch v := value.(type) {
	case map[string]any:
		return []map[string]any{v}
	case []any:
		for _, item := range v {
			blocks = append(blocks, nestedBlocks(item)...)
		}
	}
	return blocks
}

func (w hclWriter) value(value any) error {
	if list, ok := value.([]any); ok {
		w.out.WriteString("[")
		for _, item := range list {
			if err := w.value(item); err != nil {
				return err
			}
			w.out.WriteString(", ")
		}
		w.out.WriteString("]")
		return nil
	}
	text, isText := value.(string)
	if reference := w.refer(text); isText && reference != "" {
		w.out.WriteString(reference)
		return nil
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	w.out.WriteString(strings.ReplaceAll(strings.TrimSpace(encoded.String()), "${", "$${"))
	return nil
}
