package settings

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// foreignKey returns an error for a key of a namespace that the program does not read. Pulumi passes such keys only to
// default providers, which the project has disabled, so that they would be ignored: a stack with aws:profile or
// aws:allowedAccountIds would be deployed to whichever account the shell is logged in to. Pulumi's own keys are allowed.
func foreignKey(namespace, name string) field.ErrorList {
	key := field.NewPath(namespace + ":" + name)
	replacements, provider := replacements()[namespace]
	section, _, _ := strings.Cut(name, ".")
	switch {
	case namespace == "pulumi":
		return nil
	case provider:
		return field.ErrorList{field.Forbidden(key, "is ignored, since the program configures its providers itself; remove it, and use "+
			cmp.Or(replacements[section], replacements[""])+" instead")}
	case slices.Contains(topLevelKeys(), section):
		return field.ErrorList{field.Forbidden(key, fmt.Sprintf("is ignored, since %s is not the project's namespace; remove it, and run `pulumi config set --path %s`", namespace, name))}
	default:
		return field.ErrorList{field.Forbidden(key, fmt.Sprintf("is ignored, since the program does not read the namespace %s; remove it", namespace))}
	}
}

// topLevelKeys returns the project's own keys.
func topLevelKeys() []string {
	var keys []string
	for i := range reflect.TypeFor[raw]().NumField() {
		keys = append(keys, reflect.TypeFor[raw]().Field(i).Tag.Get("json"))
	}
	return keys
}

// replacements returns what to use instead of the settings of a provider, by namespace and key. The empty key stands for
// all that are not listed.
func replacements() map[string]map[string]string {
	const credentials = "the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment"
	return map[string]map[string]string{
		"aws": {
			"region": "the key region", "defaultTags": "the key tags",
			"profile": "the variable AWS_PROFILE of the environment", "sharedConfigFiles": "the variable AWS_CONFIG_FILE of the environment",
			"sharedCredentialsFiles": "the variable AWS_SHARED_CREDENTIALS_FILE of the environment",
			"accessKey":              credentials, "secretKey": credentials, "token": credentials,
			"allowedAccountIds": "organization.managementAccountId", "forbiddenAccountIds": "organization.managementAccountId",
			"assumeRole": "organization.roleName, or a profile with role_arn in the variable AWS_PROFILE of the environment",
			"endpoints":  "the variable AWS_ENDPOINT_URL of the environment",
			"":           "AWS's variables of the environment",
		},
		"github": {
			"owner": "git.repository", "organization": "git.repository", "token": "git.token", "baseUrl": "git.baseUrl", "": "the keys git.*",
		},
		"gitlab":     {"token": "git.token", "baseUrl": "git.baseUrl", "": "the keys git.*"},
		"kubernetes": {"kubeconfig": "cluster.kubeconfig", "context": "cluster.kubeconfig", "cluster": "cluster.kubeconfig", "": "the keys cluster.*"},
		"eks":        {"": "the keys cluster.*"},
	}
}
