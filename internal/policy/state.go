package policy

import "slices"

// stateObjects returns the ARNs of the objects in which the stack's state is, and nothing of another stack.
// https://github.com/pulumi/pulumi/tree/v3.259.0/pkg/backend/diy (store.go, state.go, stack_tags.go, lock.go), read 2026-11-26
func (c CI) stateObjects() []string {
	stack := c.Project + "/" + c.Stack
	return []string{
		c.State + "/.pulumi/stacks/" + stack + ".json*", // compressed ones and the last one, .bak, too
		c.State + "/.pulumi/stacks/" + stack + ".pulumi-tags",
		c.State + "/.pulumi/backups/" + stack + "/*",
		c.State + "/.pulumi/history/" + stack + "/*",
		c.State + "/.pulumi/locks/organization/" + stack + "/*",
	}
}

// useState returns the permissions for the actions on the stack's state and its key.
func (c CI) useState(objects, keys Values) Document {
	var d Document
	if c.State != "" {
		own := c.stateObjects()
		d = append(d,
			// Without a condition on the prefix: S3 says that an object is absent, which the backend asks of the tags, only to
			// whoever may list the bucket. The names of other stacks are no secret.
			Statement{Sid: "FindState", Effect: Allow, Action: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: []string{c.State}},
			// The version of the layout, which all stacks share. Whoever creates the first stack writes it.
			Statement{Sid: "SeeLayout", Effect: Allow, Action: []string{"s3:GetObject"}, Resource: []string{c.State + "/.pulumi/meta.yaml"}},
			Statement{Sid: "UseState", Effect: Allow, Action: objects, Resource: own},
			// The key with which S3 encrypts the bucket, whichever it is, and for nothing else. The context is the bucket, or the
			// object where the bucket has no bucket key. https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
			Statement{Sid: "OpenStateBucket", Effect: Allow, Action: keys,
				Resource: []string{"arn:" + c.Partition + ":kms:*:*:key/*"},
				Condition: Conditions{"StringLike": {
					"kms:ViaService":                   {"s3.*"},
					"kms:EncryptionContext:aws:s3:arn": slices.Concat([]string{c.State, c.State + "/.pulumi/meta.yaml"}, own),
				}},
			})
	}
	if c.StateKey != "" {
		d = append(d, Statement{Sid: "UseStateKey", Effect: Allow, Action: keys, Resource: []string{c.StateKey}})
	}
	return d
}
