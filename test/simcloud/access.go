package simcloud

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const (
	bucketPolicyType = "aws:s3/bucketPolicy:BucketPolicy"
	keyType          = "aws:kms/key:Key"
	trailType        = "aws:cloudtrail/trail:Trail"
)

// written refuses an object that a bucket's policy denies to whoever runs the provider, and a copy whose source it denies
// or another account owns. Requests come from outside every VPC.
func (c *Cloud) written(r *record) error {
	if err := c.accessible(r.instance, "s3:PutObject", text(r.inputs["bucket"]), text(r.inputs["key"])); err != nil || r.typ != copyType {
		return err
	}
	source, err := url.PathUnescape(text(r.inputs["source"]))
	if err != nil {
		return fmt.Errorf("InvalidArgument: copy source %s: %w", source, err)
	}
	bucket, key, _ := strings.Cut(source, "/")
	if !c.owns(bucket, text(r.inputs["expectedSourceBucketOwner"])) {
		return fmt.Errorf("AccessDenied: the bucket %s has another owner than expected", bucket)
	}
	if err := c.accessible(r.instance, "s3:GetObject", bucket, key); err != nil {
		return err
	}
	return c.copied(source)
}

// owns reports whether an account owns a bucket. An empty account, and a bucket that nobody has created here, is not checked.
func (c *Cloud) owns(bucket, account string) bool {
	for _, r := range c.records {
		if r.typ == bucketType && r.id == bucket && account != "" {
			return r.account == account
		}
	}
	return true
}

// accessible refuses an action on an object in S3's words if a statement of its bucket's policy denies it.
func (c *Cloud) accessible(in instance, action, bucket, key string) error {
	for _, r := range c.records {
		if r.typ != bucketPolicyType || text(r.inputs["bucket"]) != bucket {
			continue
		}
		sid, err := c.denies(text(r.inputs["policy"]), in, action, "arn:"+in.partition+":s3:::"+bucket+"/"+key)
		if err != nil {
			return fmt.Errorf("policy of bucket %s: %w", bucket, err)
		}
		if sid != "" {
			return fmt.Errorf("AccessDenied: %s is not authorized to perform: %s on resource: %q with an explicit deny in a resource-based policy (%s)",
				in.principal, action, "arn:aws:s3:::"+bucket+"/"+key, sid)
		}
	}
	return nil
}

// statement is a statement of a policy, as far as the simulator knows it.
type statement struct {
	Sid, Effect                 string
	Action, Resource, Principal any
	Condition                   map[string]map[string]any
}

func statements(policy string) ([]statement, error) {
	var document struct{ Statement []statement }
	err := json.Unmarshal([]byte(policy), &document)
	return document.Statement, err
}

// denies returns the Sid of the first statement for everyone that denies a request from outside every VPC, or "".
func (c *Cloud) denies(policy string, in instance, action, on string) (string, error) {
	context := map[string]string{
		"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false",
		"aws:PrincipalArn": in.principal, "aws:PrincipalAccount": in.account,
	}
	if organization := c.first(organizationType); organization != nil && (in.account == c.caller || c.find(accountType, in.account, instance{account: c.caller}) != nil) {
		context["aws:PrincipalOrgID"] = organization.id
	}
	all, err := statements(policy)
	for _, s := range all {
		if s.Effect != "Deny" || !like(action, s.Action) || !like(on, s.Resource) {
			continue
		}
		met, err := meets(context, s.Condition)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.Sid, err)
		}
		if met {
			return s.Sid, nil
		}
	}
	return "", err
}

// meets reports whether a request meets all conditions of a statement.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func meets(context map[string]string, conditions map[string]map[string]any) (bool, error) {
	for operator, keys := range conditions {
		base, ifExists := strings.CutSuffix(operator, "IfExists")
		for key, wanted := range keys {
			value, exists := context[key]
			var met bool
			switch base {
			case "Null":
				met = fmt.Sprint(wanted) == fmt.Sprint(!exists)
			case "Bool", "StringEquals", "ArnLike":
				met = exists && like(value, wanted)
			case "StringNotEquals", "ArnNotLike":
				met = !like(value, wanted) // also if there is no value
			case "NumericLessThan":
				met = exists && value < fmt.Sprint(wanted) // versions of one digit before and after the point
			default:
				return false, fmt.Errorf("the simulator does not know the condition operator %s: add it to test/simcloud/access.go", operator)
			}
			if !met && !(ifExists && !exists) {
				return false, nil
			}
		}
	}
	return true, nil
}

// like reports whether a value matches one of the patterns, which are a string or a list. * stands for any text, ? for one character.
func like(value string, patterns any) bool {
	list, isList := patterns.([]any)
	if !isList {
		list = []any{patterns}
	}
	return slices.ContainsFunc(list, func(pattern any) bool {
		expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(fmt.Sprint(pattern)))
		return regexp.MustCompile(`^` + expression + `$`).MatchString(value)
	})
}

// permits reports whether a policy allows an action to a service whatever the conditions are.
func permits(policy resource.PropertyValue, service, action string) bool {
	all, err := statements(text(policy))
	return err == nil && slices.ContainsFunc(all, func(s statement) bool {
		principal, _ := s.Principal.(map[string]any)
		return s.Effect == "Allow" && principal != nil && like(service, principal["Service"]) && like(action, s.Action)
	})
}

// trail refuses an organization trail without trusted access, and one that may not write to its bucket.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html, read 2026-11-26
func (c *Cloud) trail(r *record) error {
	organization := c.first(organizationType)
	trusted := organization != nil && slices.ContainsFunc(elements(organization.inputs["awsServiceAccessPrincipals"]), func(v resource.PropertyValue) bool {
		return text(v) == "cloudtrail.amazonaws.com"
	})
	if !trusted {
		return fmt.Errorf("CloudTrailAccessNotEnabledException: Enable trusted access for CloudTrail in the organization")
	}
	name, bucket := text(r.inputs["name"]), text(r.inputs["s3BucketName"])
	for _, policy := range c.records {
		if policy.typ == bucketPolicyType && text(policy.inputs["bucket"]) == bucket && permits(policy.inputs["policy"], "cloudtrail.amazonaws.com", "s3:PutObject") &&
			strings.Contains(text(policy.inputs["policy"]), ":trail/"+name+`"`) {
			return nil
		}
	}
	return fmt.Errorf("InsufficientS3BucketPolicyException: Incorrect S3 bucket policy is detected for bucket: %s", bucket)
}

// encrypted refuses a log group whose key CloudWatch Logs may not use.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html, read 2026-11-26
func (c *Cloud) encrypted(r *record) error {
	arn := text(r.inputs["kmsKeyId"])
	if arn == "" {
		return nil
	}
	for _, key := range c.records {
		if key.typ == keyType && text(key.outputs["arn"]) == arn && permits(key.inputs["policy"], "logs."+r.region+".amazonaws.com", "kms:GenerateDataKeyWithoutPlaintext") {
			return nil
		}
	}
	return fmt.Errorf("AccessDeniedException: The specified KMS key does not exist or is not allowed to be used with LogGroup '%s'", r.id)
}
