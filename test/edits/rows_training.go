package edits

// restarts is the note of an edit that identifies a run.
const restarts = "Both runs keep their checkpoints. To continue from the old run's, set training.resumeFrom to its name."

func trainingRows() []Row {
	const base = "existing cluster"
	const roles = "accounts by id"
	return []Row{
		{Base: roles, Path: "roles.scientists", Change: Added, To: list{"arn:aws:iam::444455556666:role/research", "arn:aws:iam::444455556666:user/ada"}, Effect: InPlace,
			Note: "The trust policy of the role."},
		{Base: roles, Path: "roles.scientists", Change: Removed, To: list{}, Effect: Deletes, Note: "The role, and its access to the cluster. Runs continue."},
		{Base: roles, Path: "roles.imagePushers", Change: Value, To: list{"arn:aws:iam::444455556666:role/pipeline"}, Effect: InPlace, Note: "The trust policy of the role."},
		{Base: roles, Path: "roles.imagePushers", Change: Removed, To: list{}, Effect: Deletes, Note: "The role. Images remain."},
		{Base: "dev", Path: "roles.scientists", Change: Added, To: list{"arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Research_*"}, Effect: Creates,
			Note: "The role, with its access to the cluster. Runs continue."},
		{Base: base, Path: "training.enabled", Change: Value, To: false, Effect: Ends,
			Note: "Its pods save a checkpoint before they end. Checkpoints and artifacts remain."},
		{Base: base, Path: "training.name", Change: Value, To: "llama", Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.image", Change: Value, To: digest, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.command", Change: Value, To: list{"python", "-u", "train.py"}, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.args", Change: Value, To: list{"--steps=50", "--batch=4"}, Effect: Restarts, Note: restarts, Quick: true},
		{Base: base, Path: "training.args", Change: Reordered, To: list{"--batch=4", "--steps=100"}, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.environment.LOG_LEVEL", Change: Value, To: "info", Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.environment.SEED", Change: Added, To: "seven", Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.environment.LOG_LEVEL", Change: Removed, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.environment.SEED", Change: Value, To: 7, Effect: Refused, Says: []string{"training.environment.SEED: ", "quote"},
			Note: "YAML reads 007, 1e-4, true and a date as something else than text. With the CLI: `--type string`."},
		{Base: base, Path: "training.secrets.HF_TOKEN", Change: Value, To: "hf-second", Secret: true, Effect: Replaces,
			Note: "The Kubernetes Secret. The run goes on with the old value; a pod that starts later gets the new one."},
		{Base: base, Path: "training.secrets.WANDB_API_KEY", Change: Added, To: "wandb", Secret: true, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.secrets.HF_TOKEN", Change: Removed, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.pool", Change: Value, To: "spare", Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.nodes", Change: Value, To: 2, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.datasetPrefix", Change: Value, To: "text/", Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.resumeFrom", Change: Value, To: "train-0123456789", Effect: Restarts, Note: "From the last checkpoint of that run."},
		{Base: base, Path: "training.runNumber", Change: Value, To: 2, Effect: Restarts, Note: "From scratch. " + restarts},
		{Base: base, Path: "training.retries", Change: Value, To: 5, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.graceSeconds", Change: Value, To: 600, Effect: Restarts, Note: restarts},
		{Base: base, Path: "training.deadlineHours", Change: Value, To: 48, Effect: InPlace,
			Note: "The run goes on; the hours count from its start."},
	}
}
