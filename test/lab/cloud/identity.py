"""Whose a token of `aws eks get-token` is, and which groups of Kubernetes that principal has by its access entries."""

import base64
import json
from urllib.parse import parse_qs, urlparse

from moto.eks.models import eks_backends
from moto.sts.models import sts_backends

PREFIX = "k8s-aws-v1."


def principal_of(token):
    """Returns the ARN of the role whose session made a token, or "": the token is a presigned URL."""
    if not token.startswith(PREFIX):
        return ""
    encoded = token[len(PREFIX):]
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    key = parse_qs(urlparse(url).query)["X-Amz-Credential"][0].split("/")[0]
    for account in list(sts_backends):
        for backend in list(sts_backends[account].values()):
            if role := backend.get_assumed_role_from_access_key(key):
                return role.role_arn
    return ""


def entries(principal):
    for account in list(eks_backends):
        for backend in list(eks_backends[account].values()):
            for cluster in backend.clusters.values():
                if entry := getattr(cluster, "entries", {}).get(principal):
                    yield entry


def review(body):
    """Answers a TokenReview. A principal without an access entry is taken for the creator of the cluster, its administrator."""
    principal = principal_of(json.loads(body)["spec"]["token"])
    found = list(entries(principal))
    groups = ["system:masters"] if not found else []
    for entry in found:
        groups += entry.get("kubernetesGroups") or []
        if any(policy.endswith("/AmazonEKSClusterAdminPolicy") for policy in entry["policies"]):
            groups.append("system:masters")
    return json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": {
        "authenticated": True, "user": {"username": principal or "lab", "groups": groups}}})
