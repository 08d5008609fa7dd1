"""Objects in S3, by URI: s3://bucket/key."""

import os

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

# A part of an upload, in bytes. S3 accepts 10,000 parts of an object, and 5 GiB in one PUT:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html. The largest object is 625 GiB with this part.
PART = 64 << 20
CLIENT = boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=Config(
    max_pool_connections=32, retries={"mode": "standard", "max_attempts": 8}))


def split(uri):
    """Returns bucket and key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def join(uri, name):
    return f"{uri.rstrip('/')}/{name}"


def listing(uri, start=""):
    """Returns name (relative to the URI), size and ETag of every object under a URI, sorted by name. start: of the names."""
    bucket, prefix = split(join(uri, ""))
    pages = CLIENT.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + start)
    return sorted((o["Key"][len(prefix):], o["Size"], o["ETag"]) for page in pages for o in page.get("Contents", ()))


def folders(uri):
    """Returns the names of the folders directly under a URI, sorted."""
    bucket, prefix = split(join(uri, ""))
    pages = CLIENT.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return sorted(p["Prefix"][len(prefix):-1] for page in pages for p in page.get("CommonPrefixes", ()))


def read(uri, first=0, end=None, etag=None):
    """Returns the bytes of an object from first up to end. An object with another ETag is an error."""
    bucket, key = split(uri)
    if end is not None and end <= first:
        return b""
    options = {"IfMatch": etag} if etag else {}
    if first or end is not None:
        options["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
    return CLIENT.get_object(Bucket=bucket, Key=key, **options)["Body"].read()


def read_if_present(uri):
    """Returns the bytes of an object, or None if there is none."""
    try:
        return read(uri)
    except CLIENT.exceptions.NoSuchKey:
        return None


def exists(uri):
    bucket, key = split(uri)
    try:
        CLIENT.head_object(Bucket=bucket, Key=key)
    except CLIENT.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return False
    return True


def write(uri, body):
    bucket, key = split(uri)
    CLIENT.put_object(Bucket=bucket, Key=key, Body=body)


def upload(path, uri):
    """Writes a file as an object, in parts."""
    bucket, key = split(uri)
    CLIENT.upload_file(path, bucket, key, Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART))


def remove(uri):
    """Deletes every object under a URI."""
    bucket, prefix = split(join(uri, ""))
    names = [prefix + name for name, _, _ in listing(uri)]
    for i in range(0, len(names), 1000):  # the most in one request
        CLIENT.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": n} for n in names[i:i + 1000]], "Quiet": True})
