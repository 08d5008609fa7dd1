"""S3: bucket policies with conditions, who may write access logs, and deletion of versions from a bucket whose versioning is suspended."""

import fnmatch
import json

from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.s3.models import FakeBucket, S3Backend

from .patch import around, listed

# What every request here is taken to have, though it comes without TLS.
CONTEXT = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


def met(conditions):
    """Whether a request meets a statement's conditions. What is not known here is not met."""
    holds = {
        "Bool": lambda value, wanted: value in wanted,
        "StringEquals": lambda value, wanted: value in wanted,
        "NumericLessThan": lambda value, wanted: value is not None and float(value) < float(wanted[0]),
        "Null": lambda value, wanted: ("true" if value is None else "false") in wanted,
    }
    return all(
        operator in holds and holds[operator](CONTEXT.get(key), listed(wanted))
        for operator, keys in (conditions or {}).items() for key, wanted in keys.items()
    )


def is_action_permitted(self, action, resource="*", principal=None, incoming_condition_values=None):
    """A statement whose principal or condition does not match says nothing. moto has it deny."""
    statement = self._statement
    of = "NotAction" if "NotAction" in statement else "Action"
    if (self._check_element_matches(of, action) == (of == "NotAction")
            or self.is_unknown_principal(statement.get("Principal"))
            or principal and not self._check_principal(principal)
            or not met(statement.get("Condition"))
            or "Resource" in statement and not self._check_element_matches("Resource", resource)):
        return PermissionResult.NEUTRAL
    return PermissionResult.DENIED if statement["Effect"] == "Deny" else PermissionResult.PERMITTED


IAMPolicyStatement.is_action_permitted = is_action_permitted


def log_permissions(target_bucket, target_prefix):
    """Whether a bucket's policy lets access logs in. moto takes no lists in it."""
    key = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
    for statement in listed(json.loads(target_bucket.policy or b"{}").get("Statement")):
        principal = statement.get("Principal")
        services = listed(principal.get("Service")) if isinstance(principal, dict) else []
        if (statement["Effect"] == "Allow" and "logging.s3.amazonaws.com" in services
                and any(fnmatch.fnmatchcase("s3:PutObject", action) for action in listed(statement.get("Action")))
                and any(fnmatch.fnmatchcase(key, resource) for resource in listed(statement.get("Resource")))):
            return True
    return False


FakeBucket._log_permissions_enabled_policy = staticmethod(log_permissions)


@around(S3Backend, "delete_object")
def delete_object(whole, self, bucket_name, key_name, version_id=None, bypass=False):
    """With a version's id only that version goes, also from a bucket whose versioning is suspended, as the provider has it when it
    destroys one (docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectsfromVersioningSuspendedBuckets.html). moto deletes
    all of the key there, and fails on a delete marker, which the provider then tries again without end."""
    bucket = self.get_bucket(bucket_name)
    if not version_id or getattr(bucket, "versioning_status", "") != "Suspended":
        return whole(self, bucket_name, key_name, version_id, bypass)
    kept = [version for version in bucket.keys.getlist(key_name) or [] if str(version.version_id) != str(version_id)]
    bucket.keys.setlist(key_name, kept)
    if not kept:
        bucket.keys.pop(key_name)
    return True, {"version-id": version_id}
