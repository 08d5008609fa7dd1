"""Prints what this rank was given, and ends. Stands in for the training script."""

import os

NAMES = (
    "RANK WORLD_SIZE LOCAL_RANK MASTER_ADDR MASTER_PORT DATASET_URI CHECKPOINT_URI ARTIFACT_URI "
    "RESUME_FROM_URI RUN_NAME AWS_REGION SCRIPT_COMMIT"
).split()

print({name: os.environ.get(name, "") for name in NAMES}, flush=True)
