package simcloud

// gitKinds are the types of github and gitlab. A GitHub branch that is there already is adopted without a
// word, as the real provider does; a GitLab one is refused.
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
			outputs: map[string]any{"webUrl": "https://gitlab.com/{project}/-/tree/{name}", "canPush": true, "default": false, "developerCanMerge": false,
				"developerCanPush": false, "merged": false, "protected": false, "commits": []any{map[string]any{"id": "{hex40}", "shortId": "{hex8}"}}}},
		"gitlab:index/repositoryFile:RepositoryFile": {id: "{project}:{branch}:{filePath}", unique: "id",
			replace: "branch filePath project",
			outputs: map[string]any{"blobId": "{hex40}", "commitId": "{hex40}", "lastCommitId": "{commitId}", "contentSha256": "{hex64}",
				"encoding": "text", "fileName": "{filePath}", "ref": "{branch}", "size": 0},
			moves: map[string]string{"blobId": "content", "commitId": "*", "lastCommitId": "*", "contentSha256": "content"}},
	}
}
