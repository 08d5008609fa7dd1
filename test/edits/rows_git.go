package edits

func gitRows() []Row {
	return []Row{
		{Base: "existing cluster", Path: "git.provider", Change: Value, To: "gitlab", Effect: Refused, Says: []string{"git.provider: ", "Set git.provider to none"},
			Note: "Set git.provider to none and run pulumi up; then set the new server."},
		{Base: "existing cluster", Path: "git.provider", Change: Removed, To: "none", Effect: Deletes, Says: []string{"git.branch: ", "is deleted with its commits"}, Loses: []string{"Branch"}, Note: "The branch, unless git.keepBranch is true."},
		{Base: "existing cluster", Path: "git.baseUrl", Change: Added, To: "https://git.example.com/api/v3/", Effect: Refused, Says: []string{"git.baseUrl: cannot change"},
			Note: "Set git.provider to none and run pulumi up; then set the new server."},
		{Base: "existing cluster", Path: "git.repository", Change: Value, To: "other/training-scripts", Effect: Refused, Quick: true, Says: []string{"git.repository: cannot change"},
			Note: "With another owner: set git.provider to none and run pulumi up; then set the new repository."},
		{Base: "existing cluster", Path: "git.repository", Change: Renamed, To: "llm/scripts", Effect: Replaces, Says: []string{"git.repository: ", "is deleted with its commits"}, Loses: []string{"Branch"},
			Note: "The branch is created in the other repository. The old one is deleted or retained according to git.keepBranch."},
		{Base: "existing cluster", Path: "git.branch", Change: Value, To: "training/new", Effect: Replaces, Says: []string{"git.branch: ", "is deleted with its commits"}, Loses: []string{"Branch"},
			Note: "Creates a branch. The old one is deleted or retained according to git.keepBranch."},
		{Base: "prod", Path: "git.branch", Change: Value, To: "training/new", Effect: Refused, Says: []string{"git.branch: ", "Set protect to false"},
			Note: "The old branch is protected: set protect to false and run pulumi up before."},
		{Base: "existing cluster", Path: "git.source", Change: Value, To: "develop", Effect: Ignored, Note: "For a branch from another start, change git.branch too."},
		{Base: "existing cluster", Path: "git.adopt", Change: Value, To: true, Effect: Nothing, Note: "The branch is retained on destroy."},
		{Base: "existing cluster", Path: "git.keepBranch", Change: Value, To: true, Effect: Nothing, Note: "Takes effect on the next destroy."},
		{Base: "dev", Path: "git.token", Change: Value, To: "second", Secret: true, Effect: InPlace},
	}
}
