package edits

func generalRows() []Row {
	return []Row{
		{Base: "dev", Path: "region", Change: Value, To: "us-east-1", Effect: Refused, Quick: true,
			Note: "Everything is in this region. For another one, bring up another stack, copy the data, and destroy this one.",
			Says: []string{"region: cannot change from us-west-2 to us-east-1", "nothing was changed"}},
		{Base: "dev", Path: "tags.Team", Change: Value, To: "vision", Effect: InPlace, Quick: true,
			Note: "No node is replaced: running nodes and their volumes keep their tags, and so do those that a pool creates later.", Says: []string{"tags: running nodes"}},
		{Base: "dev", Path: "tags.Owner", Change: Added, To: "ml", Effect: InPlace, Note: "Likewise.", Says: []string{"tags: running nodes"}},
		{Base: "dev", Path: "tags.Wave", Change: Removed, Effect: InPlace, Note: "Likewise.", Says: []string{"tags: running nodes"}},
		{Base: "existing cluster", Path: "protect", Change: Value, To: true, Effect: Nothing,
			Note: "From then on, an edit that would delete or replace what is protected is refused."},
		{Base: "prod", Path: "protect", Change: Value, To: false, Effect: Nothing, Note: "Lifts the protection; nothing is deleted by this edit."},
	}
}
