"""Blocks of public snapshots and images, which moto lacks, and KMS's policies: moto takes a statement that denies for one
without conditions.
"""

import moto.kms.policy_validator as kms
from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from .patch import around, operation


def blocks(self):
    return self.ec2_backend.__dict__.setdefault("lab_blocks", {"snapshots": "unblocked", "images": "unblocked"})


@operation(EC2Response)
def enable_snapshot_block_public_access(self):
    blocks(self)["snapshots"] = self._get_param("State")
    return ActionResult({"State": blocks(self)["snapshots"]})


@operation(EC2Response)
def disable_snapshot_block_public_access(self):
    blocks(self)["snapshots"] = "unblocked"
    return ActionResult({"State": "unblocked"})


@operation(EC2Response)
def get_snapshot_block_public_access_state(self):
    return ActionResult({"State": blocks(self)["snapshots"]})


@operation(EC2Response)
def enable_image_block_public_access(self):
    blocks(self)["images"] = self._get_param("ImageBlockPublicAccessState")
    return ActionResult({"ImageBlockPublicAccessState": blocks(self)["images"]})


@operation(EC2Response)
def disable_image_block_public_access(self):
    blocks(self)["images"] = "unblocked"
    return ActionResult({"ImageBlockPublicAccessState": "unblocked"})


@operation(EC2Response)
def get_image_block_public_access_state(self):
    return ActionResult({"ImageBlockPublicAccessState": blocks(self)["images"]})


@around(kms, "check_statement")
def check_statement(whole, statement, resource, action):
    return "Condition" not in statement and whole(statement, resource, action)
