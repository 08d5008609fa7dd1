"""Keeps what NCCL's ranks write when a collective hangs (flight recorder), since a pod's files go with it; see launch.py."""

import glob
import os
import time

from exits import say


def upload(prefix, env):
    """Moves the files whose names begin with prefix to ARTIFACT_URI/traces/."""
    files = glob.glob(prefix + "*")
    if not files or not env.get("ARTIFACT_URI"):
        return
    bucket, _, folder = env["ARTIFACT_URI"].removeprefix("s3://").partition("/")
    folder = f"{folder.rstrip('/')}/traces/{time.strftime('%Y%m%d-%H%M%S')}-node-{env['PET_NODE_RANK']}"
    try:
        import boto3
        s3 = boto3.client("s3", region_name=env.get("AWS_REGION"))
        for file in files:
            s3.upload_file(file, bucket, f"{folder}/{os.path.basename(file)}")
            os.remove(file)
        say(f"launch: traces of {len(files)} ranks: s3://{bucket}/{folder}/")
    except Exception as error:  # of S3, or of an image without boto3: the run goes on without traces
        say(f"launch: traces are not kept: {type(error).__name__}: {error}")
