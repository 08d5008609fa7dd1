package simcloud

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

// gitKinds are the types of github and gitlab. A GitHub branch that is there already is adopted without a
// word, as the real provider does; a GitLab one is refused. Files are overwritten on both, as if all were made
// with overwriteOnCreate.
func gitKinds() map[string]kind {
	return map[string]kind{
		"github:index/branch:Branch": {id: "{repository}:{branch}",
			replace: "repository sourceBranch sourceSha",
			outputs: map[string]any{"ref": "refs/heads/{branch}", "sha": "{hex40}", "sourceSha": "{sha}", "sourceBranch": "main", "etag": "W/\"{hex40}\""}},
		"github:index/repositoryFile:RepositoryFile": {id: "{repository}/{file}", within: "branch",
			replace: "branch file repository",
			outputs: map[string]any{"commitSha": "{hex40}", "sha": "{hex40}", "ref": "{branch}", "commitMessage": "Add {file}"},
			moves:   map[string]string{"commitSha": "*", "sha": "content"}},
		"gitlab:index/branch:Branch": {name: "name", id: "{project}:{name}", unique: "id",
			replace: "name project ref",
			compute: gitlabDefault, computed: "default",
			outputs: map[string]any{"webUrl": "https://gitlab.com/{project}/-/tree/{name}", "canPush": true, "developerCanMerge": false,
				"developerCanPush": false, "merged": false, "protected": false, "commits": []any{map[string]any{"id": "{hex40}", "shortId": "{hex8}"}}}},
		"gitlab:index/repositoryFile:RepositoryFile": {id: "{project}:{branch}:{filePath}",
			replace: "branch filePath project",
			outputs: map[string]any{"blobId": "{hex40}", "commitId": "{hex40}", "lastCommitId": "{commitId}", "contentSha256": "{hex64}",
				"encoding": "text", "fileName": "{filePath}", "ref": "{branch}", "size": 0},
			moves: map[string]string{"blobId": "content", "commitId": "*", "lastCommitId": "*", "contentSha256": "content"}},
	}
}

// defaultBranch is that of a repository (a GitHub Repository's name or a GitLab Project's path is its id): main,
// unless somebody Put the repository with another.
func (c *Cloud) defaultBranch(typ, id, account string) string {
	for _, r := range c.records {
		if r.typ == typ && r.id == id && r.account == account {
			return text(r.inputs["defaultBranch"])
		}
	}
	return "main"
}

func gitlabDefault(c *Cloud, r, _ *record) {
	name := c.defaultBranch("gitlab:index/project:Project", text(r.inputs["project"]), r.account)
	r.outputs["default"] = resource.NewProperty(text(r.inputs["name"]) == name)
}

// goesWith says whether a record is gone with another: a file with its branch.
func goesWith(file, branch *record) bool {
	on := func(kind string, repository, name resource.PropertyKey) bool {
		return file.typ == kind && file.account == branch.account &&
			text(file.inputs[repository]) == text(branch.inputs[repository]) && text(file.inputs["branch"]) == text(branch.inputs[name])
	}
	switch branch.typ {
	case "github:index/branch:Branch":
		return on("github:index/repositoryFile:RepositoryFile", "repository", "branch")
	case "gitlab:index/branch:Branch":
		return on("gitlab:index/repositoryFile:RepositoryFile", "project", "name")
	}
	return false
}
