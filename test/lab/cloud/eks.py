"""EKS: clusters and node groups that keep all that they are given, add-ons, access entries, Pod Identity and updates.

LAB_KUBE_ENDPOINT and LAB_KUBE_CA are what every cluster answers as its endpoint and its base64 CA bundle.
"""

import base64
import os
import uuid

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.eks import urls
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse

from .ec2 import template_data
from .patch import around, asked, operation, refuse

# All paths lead to the same place, which tells the operations apart by AWS's model.
urls.url_paths["{0}/clusters/(?P<name>[^/]+)/(?P<rest>.+)$"] = EKSResponse.dispatch


class Thing(dict):
    """What moto has no class for. Its names are AWS's."""

    @property
    def arn(self):
        return next(self[name] for name in ("addonArn", "accessEntryArn", "associationArn") if name in self)

    @property
    def tags(self):
        return self.setdefault("tags", {})


def cluster_of(self):
    return self.eks_backend.describe_cluster(name=self._get_param("name"))


def child_arn(cluster, kind, *rest):
    return cluster.arn.replace(":cluster/", f":{kind}/") + "/" + "/".join([*rest, str(uuid.uuid4())])


def updated(kind, update=None):
    """Every update is done at once."""
    return ActionResult({"update": {
        "id": update or str(uuid.uuid4()), "status": "Successful", "type": kind, "params": [], "errors": [], "createdAt": utcnow(),
    }})


@operation(EKSResponse)
def describe_update(self):
    return updated("ConfigUpdate", self._get_param("updateId"))


# Clusters

@around(EKSBackend, "create_cluster")
def create_cluster(whole, self, **wanted):
    cluster = whole(self, **wanted)
    ec2 = ec2_backends[self.account_id][self.region_name]
    vpc = ec2.get_subnet(wanted["resources_vpc_config"]["subnetIds"][0]).vpc_id
    name = f"eks-cluster-sg-{cluster.name}-{uuid.uuid4().hex[:10]}"
    group = ec2.create_security_group(name, "EKS created security group applied to ENI that is attached to control plane", vpc_id=vpc)
    cluster.resources_vpc_config = {
        "endpointPublicAccess": True, "endpointPrivateAccess": False, "publicAccessCidrs": ["0.0.0.0/0"],
        "securityGroupIds": [], **wanted["resources_vpc_config"], "vpcId": vpc, "clusterSecurityGroupId": group.id,
    }
    cluster.endpoint = os.environ.get("LAB_KUBE_ENDPOINT") or cluster.endpoint
    cluster.certificate_authority = {"data": os.environ.get("LAB_KUBE_CA") or base64.b64encode(b"no certificate").decode()}
    cluster.addons, cluster.entries, cluster.identities = {}, {}, {}
    return cluster


# What may be asked of a cluster and moto forgets.
REMEMBERED = {"accessConfig": "access_config", "upgradePolicy": "upgrade_policy", "storageConfig": "storage_config",
              "zonalShiftConfig": "zonal_shift_config", "deletionProtection": "deletion_protection"}


@around(EKSResponse, "create_cluster")
def create_cluster_response(whole, self):
    answer = whole(self)
    cluster = cluster_of(self)
    cluster.upgrade_policy = {"supportType": "EXTENDED"}
    for name, attribute in REMEMBERED.items():
        if name in asked(self):
            setattr(cluster, attribute, asked(self)[name])
    cluster.access_config = {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True,
                             **getattr(cluster, "access_config", {})}
    return answer


@operation(EKSResponse)
def update_cluster_config(self):
    cluster, body = cluster_of(self), asked(self)
    cluster.resources_vpc_config.update(body.get("resourcesVpcConfig", {}))
    cluster.logging = body.get("logging", cluster.logging)
    for name, attribute in REMEMBERED.items():
        if isinstance(body.get(name), dict):
            setattr(cluster, attribute, {**(getattr(cluster, attribute, None) or {}), **body[name]})
        elif name in body:
            setattr(cluster, attribute, body[name])
    return updated("ConfigUpdate")


@operation(EKSResponse)
def update_cluster_version(self):
    cluster_of(self).version = asked(self)["version"]
    return updated("VersionUpdate")


@operation(EKSResponse)
def associate_encryption_config(self):
    cluster_of(self).encryption_config = asked(self)["encryptionConfig"]
    return updated("AssociateEncryptionConfig")


@around(EKSBackend, "delete_cluster")
def delete_cluster(whole, self, name):
    """Its security group goes with it."""
    cluster = whole(self, name=name)
    ec2_backends[self.account_id][self.region_name].delete_security_group(group_id=cluster.resources_vpc_config["clusterSecurityGroupId"])
    return cluster


# Node groups

@around(EKSResponse, "create_nodegroup")
def create_nodegroup(whole, self):
    """What AWS leaves out moto makes up: remote access, and of a launch template's groups type and disk."""
    answer, body = whole(self), asked(self)
    group = self.eks_backend.describe_nodegroup(self._get_param("name"), body["nodegroupName"])
    group.remote_access = body.get("remoteAccess")
    group.resources = {"autoScalingGroups": group.resources["autoScalingGroups"]}
    group.update_config = body.get("updateConfig") or {"maxUnavailable": 1}
    group.node_repair_config = body.get("nodeRepairConfig")
    group.version = body.get("version") or cluster_of(self).version
    group.release_version = body.get("releaseVersion") or f"{group.version}.0-20251101"
    if group.launch_template:
        group.disk_size = None
        if template_data(self.current_account, self.region, group.launch_template).get("InstanceType"):
            group.instance_types = None
        group.launch_template.setdefault("version", "1")
    return answer


@operation(EKSResponse)
def update_nodegroup_version(self):
    group, body = self.eks_backend.describe_nodegroup(self._get_param("name"), self._get_param("nodegroupName")), asked(self)
    group.version = body.get("version", group.version)
    group.release_version = body.get("releaseVersion", group.release_version)
    if body.get("launchTemplate"):
        group.launch_template = {**group.launch_template, **body["launchTemplate"]}
    return updated("VersionUpdate")


# Add-ons

def thing_of(things, key, what):
    if key not in things:
        raise refuse("ResourceNotFoundException", f"{what} not found: {key}")
    return things[key]


@operation(EKSResponse)
def list_addons(self):
    return ActionResult({"addons": list(cluster_of(self).addons)})


@operation(EKSResponse)
def create_addon(self):
    cluster, body = cluster_of(self), asked(self)
    name = body["addonName"]
    if name in cluster.addons:
        raise refuse("ResourceInUseException", f"Addon already exists with name {name}")
    associations = [child_arn(cluster, "podidentityassociation") for _ in body.pop("podIdentityAssociations", [])]
    cluster.addons[name] = Thing({
        "addonVersion": "v1.0.0-eksbuild.1", **body, "clusterName": cluster.name, "status": "ACTIVE", "health": {"issues": []},
        "addonArn": child_arn(cluster, "addon", name), "createdAt": utcnow(), "modifiedAt": utcnow(), "podIdentityAssociations": associations,
    })
    return ActionResult({"addon": cluster.addons[name]})


def addon_of(self):
    return thing_of(cluster_of(self).addons, self._get_param("addonName"), "Addon")


@operation(EKSResponse)
def describe_addon(self):
    return ActionResult({"addon": addon_of(self)})


@operation(EKSResponse)
def update_addon(self):
    known = ("addonVersion", "serviceAccountRoleArn", "configurationValues")
    addon_of(self).update({k: v for k, v in asked(self).items() if k in known}, modifiedAt=utcnow())
    return updated("AddonUpdate")


@operation(EKSResponse)
def delete_addon(self):
    addon = addon_of(self)
    del cluster_of(self).addons[addon["addonName"]]
    return ActionResult({"addon": {**addon, "status": "DELETING"}})


# Access entries

@operation(EKSResponse)
def list_access_entries(self):
    return ActionResult({"accessEntries": list(cluster_of(self).entries)})


@operation(EKSResponse)
def create_access_entry(self):
    cluster, body = cluster_of(self), asked(self)
    principal = body["principalArn"]
    if principal in cluster.entries:
        raise refuse("ResourceInUseException", "The specified access entry resource is already in use on this cluster.")
    cluster.entries[principal] = Thing({
        "type": "STANDARD", "kubernetesGroups": [], "username": principal, **body, "clusterName": cluster.name,
        "accessEntryArn": child_arn(cluster, "access-entry"), "createdAt": utcnow(), "modifiedAt": utcnow(), "policies": {},
    })
    return ActionResult({"accessEntry": cluster.entries[principal]})


def entry_of(self):
    return thing_of(cluster_of(self).entries, self._get_param("principalArn"), "Access entry")


@operation(EKSResponse)
def describe_access_entry(self):
    return ActionResult({"accessEntry": entry_of(self)})


@operation(EKSResponse)
def update_access_entry(self):
    entry_of(self).update({k: v for k, v in asked(self).items() if k in ("kubernetesGroups", "username")}, modifiedAt=utcnow())
    return describe_access_entry(self)


@operation(EKSResponse)
def delete_access_entry(self):
    del cluster_of(self).entries[entry_of(self)["principalArn"]]
    return ActionResult({})


@operation(EKSResponse)
def list_associated_access_policies(self):
    entry = entry_of(self)
    return ActionResult({**entry, "associatedAccessPolicies": list(entry["policies"].values())})


@operation(EKSResponse)
def associate_access_policy(self):
    entry, body = entry_of(self), asked(self)
    policy = {"policyArn": body["policyArn"], "accessScope": body["accessScope"], "associatedAt": utcnow(), "modifiedAt": utcnow()}
    entry["policies"][body["policyArn"]] = policy
    return ActionResult({**entry, "associatedAccessPolicy": policy})


@operation(EKSResponse)
def disassociate_access_policy(self):
    entry_of(self)["policies"].pop(self._get_param("policyArn"), None)
    return ActionResult({})


# Pod Identity

@operation(EKSResponse)
def list_pod_identity_associations(self):
    of = {name: self._get_param(name) for name in ("namespace", "serviceAccount") if self._get_param(name)}
    found = [i for i in cluster_of(self).identities.values() if of.items() <= i.items()]
    return ActionResult({"associations": found})


@operation(EKSResponse)
def create_pod_identity_association(self):
    cluster, body = cluster_of(self), asked(self)
    of = (body["namespace"], body["serviceAccount"])
    if any((i["namespace"], i["serviceAccount"]) == of for i in cluster.identities.values()):
        raise refuse("ResourceInUseException", f"Association already exists: {of}")
    key = "a-" + uuid.uuid4().hex[:17]
    cluster.identities[key] = Thing({
        **body, "clusterName": cluster.name, "associationId": key, "createdAt": utcnow(), "modifiedAt": utcnow(),
        "associationArn": cluster.arn.replace(":cluster/", ":podidentityassociation/") + "/" + key,
    })
    return ActionResult({"association": cluster.identities[key]})


def identity_of(self):
    return thing_of(cluster_of(self).identities, self._get_param("associationId"), "Association")


@operation(EKSResponse)
def describe_pod_identity_association(self):
    return ActionResult({"association": identity_of(self)})


@operation(EKSResponse)
def update_pod_identity_association(self):
    identity_of(self).update({k: v for k, v in asked(self).items() if k == "roleArn"}, modifiedAt=utcnow())
    return describe_pod_identity_association(self)


@operation(EKSResponse)
def delete_pod_identity_association(self):
    return ActionResult({"association": cluster_of(self).identities.pop(identity_of(self)["associationId"])})


# Tags, of all of these

def tags_of(self):
    arn = self._extract_arn_from_path()
    for cluster in self.eks_backend.clusters.values():
        for things in ({"": cluster}, cluster.nodegroups, cluster.addons, cluster.entries, cluster.identities):
            for thing in things.values():
                if thing.arn == arn:
                    return thing.tags
    raise refuse("NotFoundException", "Resource was not found")


@operation(EKSResponse)
def list_tags_for_resource(self):
    return ActionResult({"tags": tags_of(self)})


@operation(EKSResponse)
def tag_resource(self):
    tags_of(self).update(asked(self)["tags"])
    return ActionResult({})


@operation(EKSResponse)
def untag_resource(self):
    for key in self.querystring.get("tagKeys", []):
        tags_of(self).pop(key, None)
    return ActionResult({})
