"""What AWS refuses and moto lets pass, as far as the platform could meet it. moto does no more than its own checks:
no IAM, no SCP, no quota but those here.

LAB_LENIENT is a comma-separated list of error codes that are let pass all the same. LAB_ASSUME_ROLE_FAILURES is how many
AssumeRole calls to deny first, as a fresh account's role cannot be assumed for some seconds.
"""

import ipaddress
import itertools
import json
import os
import re

from moto.budgets.responses import BudgetsResponse
from moto.ec2.models import ec2_backends
from moto.ec2.responses import EC2Response
from moto.eks.responses import EKSResponse
from moto.iam import iam_backends
from moto.iam.responses import IamResponse
from moto.kms.responses import KmsResponse
from moto.logs.responses import LogsResponse
from moto.organizations.responses import OrganizationsResponse
from moto.s3.models import s3_backends
from moto.sts.responses import TokenResponse
from werkzeug.exceptions import Forbidden

from .budgets import budget_of
from .ec2 import template_data
from .patch import Refusal, asked, before, listed, refuse

lenient = [code.strip() for code in os.environ.get("LAB_LENIENT", "").split(",")]


def rule(responses, *operations):
    """before(), but for the codes of LAB_LENIENT."""

    def add(check):
        def unless_lenient(self):
            try:
                check(self)
            except Refusal as error:
                if error.code not in lenient:
                    raise

        return before(responses, *operations)(unless_lenient)

    return add


# Organizations

@rule(OrganizationsResponse, "create_organizational_unit")
def one_unit_of_a_name(self):
    wanted = asked(self)
    for unit in self.organizations_backend.ou:
        if (unit.parent_id, unit.name) == (wanted["ParentId"], wanted["Name"]):
            raise refuse("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")


@rule(OrganizationsResponse, "delete_organizational_unit")
def empty_units_go(self):
    backend, unit = self.organizations_backend, asked(self)["OrganizationalUnitId"]
    if any(child.parent_id == unit for child in (*backend.accounts, *backend.ou)):
        raise refuse("OrganizationalUnitNotEmptyException", "The specified OU is not empty.")


@rule(OrganizationsResponse, "attach_policy")
def attached_once(self):
    backend, wanted = self.organizations_backend, asked(self)
    policy = backend.get_policy_by_id(wanted["PolicyId"])
    roots = [unit for unit in backend.ou if unit.type == "ROOT"]
    if not any(kind["Type"] == policy.type for root in roots for kind in root.policy_types):
        raise refuse("PolicyTypeNotEnabledException", "This operation can be performed only for enabled policy types.")
    if any(target.id == wanted["TargetId"] for target in policy.attachments):
        raise refuse("DuplicatePolicyAttachmentException", "The selected policy is already attached to the specified target.")
    beside = [each for each in backend.policies if each.type == policy.type and any(target.id == wanted["TargetId"] for target in each.attachments)]
    if len(beside) >= 10:
        raise refuse("ConstraintViolationException", "You have attached the maximum number of policies of that type to the target: 10")


@rule(OrganizationsResponse, "create_policy", "update_policy")
def size_of_control_policies(self):
    """https://aws.amazon.com/about-aws/whats-new/2026/05/aws-organizations-increased-scp-quotas/"""
    if len(asked(self).get("Content", "")) > 10240:
        raise refuse("ConstraintViolationException", "You have exceeded the maximum policy size: 10240")


# EKS

@rule(EKSResponse, "create_nodegroup", "update_nodegroup_config")
def sizes_in_order(self):
    scaling = dict(asked(self).get("scalingConfig") or {})
    if "update" in self._get_action().lower():
        group = self.eks_backend.describe_nodegroup(self._get_param("name"), self._get_param("nodegroupName"))
        scaling = {**group.scaling_config, **scaling}
    least, wanted, most = (scaling.get(name) for name in ("minSize", "desiredSize", "maxSize"))
    if None not in (least, wanted) and least > wanted:
        raise refuse("InvalidParameterException", f"Minimum capacity {least} can't be greater than desired size {wanted}")
    if None not in (wanted, most) and wanted > most:
        raise refuse("InvalidParameterException", f"desired capacity {wanted} can't be greater than max size {most}")


# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html: "All subnets that you add must be in the same set of AZs as
# originally provided when you created the cluster", at least one in each, in the same VPC.
@rule(EKSResponse, "update_cluster_config")
def subnets_where_the_clusters_are(self):
    wanted = (asked(self).get("resourcesVpcConfig") or {}).get("subnetIds")
    if not wanted:
        return
    ec2 = ec2_backends[self.current_account][self.region]
    cluster = self.eks_backend.describe_cluster(name=self._get_param("name"))
    before_, after = ([ec2.get_subnet(each) for each in ids] for ids in (cluster.resources_vpc_config["subnetIds"], wanted))
    if {each.vpc_id for each in after} != {cluster.resources_vpc_config["vpcId"]}:
        raise refuse("InvalidParameterException", "Subnets provided must belong to the VPC of the cluster")
    if {each.availability_zone for each in before_} != {each.availability_zone for each in after}:
        raise refuse("InvalidParameterException", "Subnets provided must be in the same set of availability zones as those that the cluster was created with")


@rule(EKSResponse, "update_cluster_config")
def one_kind_of_update_at_once(self):
    body, network = asked(self), asked(self).get("resourcesVpcConfig") or {}
    kinds = [name for name in body if name not in ("resourcesVpcConfig", "name", "clientRequestToken")]
    kinds += [name for name in ("subnetIds", "securityGroupIds") if name in network]
    kinds += ["endpoint access"] * bool({"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"} & set(network))
    if len(kinds) > 1:
        raise refuse("InvalidParameterException", "Only one type of update can be allowed.")


# https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
@rule(EKSResponse, "create_nodegroup")
def what_a_node_groups_template_may_say(self):
    wanted = asked(self)
    data = template_data(self.current_account, self.region, wanted.get("launchTemplate"))
    market = (data.get("InstanceMarketOptions") or {}).get("MarketType")
    for wrong, message in (
        (data.get("InstanceType") and wanted.get("instanceTypes"), "an instance type if the request has some"),
        (data.get("IamInstanceProfile"), "an instance profile: the node role is used"),
        (any(card.get("SubnetId") for card in data.get("NetworkInterfaces") or []), "subnets"),
        (market == "spot", "spot instances: use capacityType"),
        ((market == "capacity-block") != (wanted.get("capacityType") == "CAPACITY_BLOCK"), "another market than capacityType"),
        (data.get("ImageId") and wanted.get("amiType") not in (None, "CUSTOM"), "an AMI unless the AMI type is CUSTOM"),
    ):
        if wrong:
            raise refuse("InvalidParameterException", f"The launch template must not specify {message}")


PRIVATE = [ipaddress.ip_network(each) for each in (
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
)]


@rule(EKSResponse, "create_cluster", "update_cluster_config")
def where_a_cluster_may_be(self):
    network, ec2 = asked(self).get("resourcesVpcConfig") or {}, ec2_backends[self.current_account][self.region]
    zones = {ec2.get_subnet(each).availability_zone for each in network.get("subnetIds", [])}
    if len(zones) == 1:
        raise refuse("InvalidParameterException", "Subnets specified must be in at least two different AZs")
    for each in network.get("publicAccessCidrs", []):
        if any(ipaddress.ip_network(each, strict=False).subnet_of(private) for private in PRIVATE):
            raise refuse("InvalidParameterException", f"The following CIDRs are not allowed in publicAccessCidrs: [{each}]")


@rule(EKSResponse, "update_cluster_config")
def something_must_change(self):
    cluster, network = self.eks_backend.describe_cluster(name=self._get_param("name")), asked(self).get("resourcesVpcConfig")
    if network and all(cluster.resources_vpc_config.get(name) == value for name, value in network.items()):
        raise refuse("InvalidParameterException", f"Cluster is already at the desired configuration with {network}")
    if asked(self).get("logging") == cluster.logging:
        raise refuse("InvalidParameterException", "No changes needed for the logging config provided")


# IAM. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

def characters(document):
    """AWS counts a policy without its white space."""
    return len(re.sub(r"\s", "", document))


@rule(IamResponse, "create_role")
def what_a_role_may_be(self):
    name, description = self._get_param("RoleName"), self._get_param("Description") or ""
    for what, value, fits in (
        ("roleName", name, re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.A)),
        ("description", description, re.fullmatch("[\t\n\r -~\u00a1-\u00ff]{0,1000}", description)),
    ):
        if not fits:
            raise refuse("ValidationError", f"1 validation error detected: Value '{value}' at '{what}' failed to satisfy constraint")
    if characters(self._get_param("AssumeRolePolicyDocument")) > 2048:
        raise refuse("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


@rule(IamResponse, "put_role_policy")
def what_a_roles_own_policies_may_say(self):
    name = self._get_param("RoleName")
    role = self.backend.get_role(name)
    all_of_it = {**role.policies, self._get_param("PolicyName"): self._get_param("PolicyDocument")}
    if sum(characters(document) for document in all_of_it.values()) > 10240:
        raise refuse("LimitExceeded", f"Maximum policy size of 10240 bytes exceeded for role {name}")


@rule(IamResponse, "attach_role_policy")
def ten_policies_to_a_role(self):
    attached = self.backend.get_role(self._get_param("RoleName")).managed_policies
    if len(attached) >= 10 and self._get_param("PolicyArn") not in attached:
        raise refuse("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")


# STS

denied = itertools.count(1)


@before(TokenResponse, "assume_role")
def roles_that_are_there(self):
    arn = self._get_param("RoleArn")
    roles = [role for role in iam_backends[arn.split(":")[4]]["global"].get_roles() if role.arn == arn]
    trusts = [who for role in roles for statement in listed(json.loads(role.assume_role_policy_document)["Statement"])
              for who in listed(statement["Principal"].get("AWS")) if who == "*" or self.current_account in who]
    if not trusts or next(denied) <= int(os.environ.get("LAB_ASSUME_ROLE_FAILURES") or 0):
        message = f"User: arn:aws:iam::{self.current_account}:user/lab is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise Forbidden(f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>")


# KMS

@rule(KmsResponse, "create_key", "put_key_policy")
def nobody_locks_himself_out(self):
    def keeps(statement):
        who = statement["Principal"] if isinstance(statement["Principal"], dict) else {"AWS": "*"}
        return (statement["Effect"] == "Allow" and {"kms:*", "kms:PutKeyPolicy"} & set(listed(statement["Action"]))
                and any(arn == "*" or self.current_account in arn for arn in listed(who.get("AWS"))))

    statements = listed(json.loads(asked(self).get("Policy") or '{"Statement": []}')["Statement"])
    if statements and not any(map(keeps, statements)) and not asked(self).get("BypassPolicyLockoutSafetyCheck"):
        raise refuse("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")


# CloudWatch Logs

@rule(LogsResponse, "put_retention_policy")
def days_of_a_kind(self):
    days = asked(self)["retentionInDays"]
    if days not in (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653):
        raise refuse("InvalidParameterException", f"{days} is not a valid value for retentionInDays")


# EC2

WORDS = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}"


@rule(EC2Response, "create_security_group", "authorize_security_group_ingress", "authorize_security_group_egress")
def words_of_security_groups(self):
    texts = [self._get_param("Description") or ""]
    for permission in self._get_param("IpPermissions", []):
        for kind in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
            texts += [each.get("Description") or "" for each in permission.get(kind) or []]
    for text in texts:
        if not re.fullmatch(WORDS, text):
            raise refuse("InvalidParameterValue", f"Invalid description {text!r}. Valid are at most 255 characters of {WORDS}")


@rule(EC2Response, "delete_vpc")
def empty_vpcs_go(self):
    vpc, backend = self._get_param("VpcId"), self.ec2_backend
    left = [gateway.id for gateway in backend.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc]
    left += [group.id for group in backend.groups.get(vpc, {}).values() if group.name != "default"]
    left += [endpoint.id for endpoint in backend.vpc_end_points.values() if endpoint.vpc_id == vpc]
    if left:
        raise refuse("DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted: {left}")


@rule(EC2Response, "delete_subnet")
def empty_subnets_go(self):
    subnet, backend = self._get_param("SubnetId"), self.ec2_backend
    left = [gateway.id for gateway in backend.nat_gateways.values() if gateway.subnet_id == subnet and gateway.state != "deleted"]
    left += [card.id for card in backend.enis.values() if card.subnet.id == subnet]
    if left:
        raise refuse("DependencyViolation", f"The subnet '{subnet}' has dependencies and cannot be deleted: {left}")


# Budgets

@rule(BudgetsResponse, "create_notification")
def notifications_of_a_budget(self):
    wanted, there = {**asked(self)["Notification"], "NotificationState": "OK"}, budget_of(self).notifications
    if any({**each.details, "NotificationState": "OK"} == wanted for each in there):
        raise refuse("DuplicateRecordException", "Unable to create notification - the notification already exists.")
    if len(there) >= 10:
        raise refuse("CreationLimitExceededException", "Unable to create notification - the budget has 10 already.")


# S3

def not_the_owner(request):
    """Whether a request names another owner of the bucket than it has. S3 answers 403."""
    owner = request.headers.get("x-amz-expected-bucket-owner")
    bucket = request.path.split("/")[1]
    return owner and s3_backends.bucket_accounts.get(bucket, ("aws", owner))[1] != owner
