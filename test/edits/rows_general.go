package edits

func generalRows() []Row {
	return []Row{
		{Base: "dev", Path: "storage.logDays", Change: Value, To: 60, Effect: InPlace, Steps: []string{"update BucketLifecycleConfigurationV2 storage-logs-lifecycle"}, Quick: true},
		{Base: "dev", Path: "tags.Team", Change: Value, To: "vision", Effect: InPlace},
		{Base: "existing cluster", Path: "training.args", Change: Value, To: list{"--steps=50"}, Effect: Restarts},
	}
}
func organizationRows() []Row { return nil }
func storageRows() []Row      { return nil }
func networkRows() []Row      { return nil }
func clusterRows() []Row      { return nil }
func poolRows() []Row         { return nil }
func gitRows() []Row          { return nil }
func trainingRows() []Row     { return nil }
