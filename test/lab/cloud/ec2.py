"""EC2: placement groups; launch templates without their own tags among those of what they start; endpoints that go, and
NAT gateways with all that is theirs.
"""

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses import EC2Response
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, EC2_RESOURCE_TO_PREFIX
from moto.moto_api._internal import mock_random

from .patch import around, operation, refuse


EC2_RESOURCE_TO_PREFIX["placement-group"], EC2_PREFIX_TO_RESOURCE["pg"] = "pg", "placement-group"


class PlacementGroup(TaggedEC2Resource):
    def __init__(self, backend, name, strategy, tags):
        self.ec2_backend = backend
        self.id = "pg-" + mock_random.get_random_hex(17)
        self.name, self.strategy = name, strategy
        self.add_tags(tags)

    def answer(self):
        arn = f"arn:aws:ec2:{self.ec2_backend.region_name}:{self.ec2_backend.account_id}:placement-group/{self.name}"
        return {"GroupName": self.name, "GroupId": self.id, "GroupArn": arn, "State": "available", "Strategy": self.strategy,
                "Tags": self.get_tags()}


def placement_groups(self) -> dict[str, PlacementGroup]:
    return self.ec2_backend.__dict__.setdefault("lab_placement_groups", {})


@operation(EC2Response)
def create_placement_group(self):
    name, groups = self._get_param("GroupName"), placement_groups(self)
    if name in groups:
        raise refuse("InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists.")
    tags = self._parse_tag_specification().get("placement-group", {})
    groups[name] = PlacementGroup(self.ec2_backend, name, self._get_param("Strategy", "cluster"), tags)
    return ActionResult({"PlacementGroup": groups[name].answer()})


@operation(EC2Response)
def describe_placement_groups(self):
    groups = placement_groups(self)
    for name in self._get_param("GroupNames", []):
        if name not in groups:
            raise refuse("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    wanted = self._get_param("GroupNames", []) or list(groups)
    ids = self._get_param("GroupIds", [])
    return ActionResult({"PlacementGroups": [groups[name].answer() for name in wanted if not ids or groups[name].id in ids]})


@operation(EC2Response)
def delete_placement_group(self):
    name = self._get_param("GroupName")
    if placement_groups(self).pop(name, None) is None:
        raise refuse("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    return ActionResult({})


@around(LaunchTemplateBackend, "create_launch_template")
def create_launch_template(whole, self, name, description, template_data, tag_spec):
    """The template's own tags are not its instances'."""
    specifications = template_data.get("TagSpecifications", [])
    template_data["TagSpecifications"] = [s for s in specifications if s["ResourceType"] != "launch-template"]
    return whole(self, name, description, template_data, tag_spec)


# moto answers the tags of the template's first day.
LaunchTemplate.tags = property(LaunchTemplate.get_tags, lambda self, tags: None)


@around(VPCBackend, "modify_vpc_endpoint")
def modify_vpc_endpoint(whole, self, vpc_id, *args, **kwargs):
    """A gateway endpoint has a route in each of its route tables, also in those that it gets later; moto deletes them all with it."""
    endpoint = self.vpc_end_points[vpc_id]
    before = set(endpoint.route_table_ids or [])
    whole(self, vpc_id, *args, **kwargs)
    after = set(endpoint.route_table_ids or [])
    for table in after - before:
        self.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=endpoint.destination_prefix_list_id)
    for table in before - after:
        self.delete_route(table, endpoint.destination_prefix_list_id)


@around(VPCBackend, "delete_vpc_endpoints")
def delete_vpc_endpoints(whole, self, vpce_ids=None):
    whole(self, vpce_ids)
    for endpoint in vpce_ids or []:
        self.vpc_end_points.pop(endpoint, None)


@around(NatGatewayBackend, "delete_nat_gateway")
def delete_nat_gateway(whole, self, nat_gateway_id):
    """Its network interface goes, and its address is free."""
    gateway = whole(self, nat_gateway_id)
    for address in self.addresses:
        if address.eni is gateway._eni:
            self.disassociate_address(association_id=address.association_id)
    self.enis.pop(gateway._eni.id, None)
    return gateway


def template_data(account, region, specification):
    """The data of the launch template that a node group's request names, or none."""
    backend, specification = ec2_backends[account][region], specification or {}
    if "id" in specification:
        template = backend.get_launch_template(specification["id"])
    elif "name" in specification:
        template = backend.get_launch_template_by_name(specification["name"])
    else:
        return {}
    return template.get_version(specification.get("version") or "$Default").data
