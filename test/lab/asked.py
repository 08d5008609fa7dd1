"""What the S3 requests of one access key ask for, as actions and resources of IAM, and the policies that decide about them.

Usage: asked.py RECORD OFFSET ACCESS_KEY ROLE_ARN

RECORD is what cloud/__main__.py writes; it is read from the byte OFFSET. Prints JSON: requests (without duplicates), policy (of the
role), buckets (policy by ARN). Needs AWS_ENDPOINT_URL with credentials.
"""

import json
import sys
from urllib.parse import unquote

import boto3
import botocore.config
import judge

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload", "CompleteMultipartUpload": "s3:PutObject", "CopyObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject", "DeleteObject": "s3:DeleteObject", "DeleteObjects": "s3:DeleteObject",
    "GetBucketLocation": "s3:GetBucketLocation", "GetObject": "s3:GetObject", "HeadBucket": "s3:ListBucket", "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads", "ListObjects": "s3:ListBucket", "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts", "PutObject": "s3:PutObject", "UploadPart": "s3:PutObject", "UploadPartCopy": "s3:PutObject",
}
REGION = "us-west-2"  # of the lab
ON_BUCKET = {"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}


def asked(record, offset, key):
    models, found = judge.Models(), set()
    with open(record, "rb") as file:
        file.seek(offset)
        for line in file:
            one = json.loads(line)
            if f"Credential={key}/" not in one["headers"].get("Authorization", ""):
                continue
            service, operation, parameters = judge.read(models, one)
            if service != "s3":
                raise SystemExit(f"{service}.{operation}: no action is known for it")
            action, bucket = ACTIONS[operation], "arn:aws:s3:::" + parameters["Bucket"]
            keys = [each["Key"] for each in parameters["Delete"]["Objects"]] if operation == "DeleteObjects" else [parameters.get("Key")]
            for name in keys:
                found.add((action, bucket if action in ON_BUCKET else f"{bucket}/{name}"))
            if source := parameters.get("CopySource"):
                found.add(("s3:GetObject", "arn:aws:s3:::" + unquote(source).lstrip("/").partition("?")[0]))
    return sorted(found)


def main():
    record, offset, key, role = sys.argv[1:]
    iam = boto3.client("iam", region_name=REGION)
    name = role.rpartition("/")[2]
    policies = [iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in iam.list_role_policies(RoleName=name)["PolicyNames"]]
    requests = asked(record, int(offset), key)
    s3 = boto3.client("s3", region_name=REGION, config=botocore.config.Config(s3={"addressing_style": "path"}))
    buckets = {resource.partition("/")[0] for _, resource in requests}
    print(json.dumps({
        "requests": requests, "policies": policies,
        "buckets": {each: json.loads(s3.get_bucket_policy(Bucket=each.rpartition(":")[2])["Policy"]) for each in sorted(buckets)},
    }))


if __name__ == "__main__":
    main()
