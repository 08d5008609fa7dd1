package settings

import "k8s.io/apimachinery/pkg/util/validation/field"

// validateCIServer refuses CI roles for a repository of a self-managed server: they trust the tokens of github.com, where
// a repository of the same name may belong to anybody.
func validateCIServer(p *field.Path, s Settings) field.ErrorList {
	if s.CI.Repository == "" || s.Git.Provider != GitHub || !apiURL.MatchString(s.Git.BaseURL) {
		return nil
	}
	return field.ErrorList{field.Invalid(p.Child("repository"), s.CI.Repository,
		"must be on the server of git.baseUrl, but the CI roles trust github.com, where a repository of this name may belong to "+
			"anybody; set it to \"\", or remove git.baseUrl")}
}
