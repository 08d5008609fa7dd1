"""CloudWatch Logs: the key of a log group that exists, which moto cannot change."""

from moto.logs.responses import LogsResponse

from .patch import operation


def group(self):
    return self.logs_backend.groups[self._get_param("logGroupName")]


@operation(LogsResponse)
def associate_kms_key(self):
    group(self).kms_key_id = self._get_param("kmsKeyId")
    return ""


@operation(LogsResponse)
def disassociate_kms_key(self):
    group(self).kms_key_id = None
    return ""
