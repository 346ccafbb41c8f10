"""Security groups."""

import re
from typing import TYPE_CHECKING, Any

from longshore.model.arn import make_arn
from longshore.model.ec2 import NETWORK_INTERFACE, SECURITY_GROUP, VPC, SecurityGroup
from longshore.model.errors import AwsError
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.permissions import permission_items
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.creation import egress_to_everywhere
from longshore.vpc.lookup import absent, require

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateSecurityGroupRequestTypeDef,
        DeleteSecurityGroupRequestTypeDef,
        DescribeSecurityGroupsRequestTypeDef,
    )

LISTING = Listing(
    member="SecurityGroups",
    ids="GroupIds",
    id="GroupId",
    absent=("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    filters={
        "description": "Description",
        "group-id": "GroupId",
        "group-name": "GroupName",
        "owner-id": "OwnerId",
        "vpc-id": "VpcId",
        **{
            f"{prefix}.{name}": f"{member}[].{path}"
            for prefix, member in (
                ("ip-permission", "IpPermissions"),
                ("egress.ip-permission", "IpPermissionsEgress"),
            )
            for name, path in (
                ("cidr", "IpRanges[].CidrIp"),
                ("from-port", "FromPort"),
                ("group-id", "UserIdGroupPairs[].GroupId"),
                ("ipv6-cidr", "Ipv6Ranges[].CidrIpv6"),
                ("protocol", "IpProtocol"),
                ("to-port", "ToPort"),
                ("user-id", "UserIdGroupPairs[].UserId"),
            )
        },
    },
)
TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def group_item(context: Context, group: SecurityGroup) -> Item:
    return {
        "GroupId": group.id,
        "SecurityGroupArn": group_arn(context, group.id),
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": context.account,
        "VpcId": group.vpc_id,
        "IpPermissions": permission_items(r for r in group.rules if not r.egress),
        "IpPermissionsEgress": permission_items(r for r in group.rules if r.egress),
        "Tags": tag_list(group.tags),
    }


def group_arn(context: Context, group_id: str) -> str:
    return make_arn("ec2", context.region, context.account, f"security-group/{group_id}")


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def find_group(context: Context, request: Any) -> SecurityGroup:
    """The group that a request names by id, or by name in the default VPC."""
    if request.get("GroupId"):
        group_id = request["GroupId"]
        if not group_id.startswith("sg-"):
            raise AwsError(
                "InvalidGroupId.Malformed", f'Invalid id: "{group_id}" (expecting "sg-...")'
            )
        return require(context.tx, SECURITY_GROUP, *_place(context), group_id)
    name = request.get("GroupName")
    if not name:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter groupName or groupId"
        )
    for record in context.tx.find(SECURITY_GROUP, *_place(context), "vpc", _default_vpc(context)):
        if record.value.name == name:
            return record.value
    raise absent(SECURITY_GROUP, name)


def _default_vpc(context: Context) -> str:
    for record in context.tx.scan(VPC, *_place(context)):
        if record.value.is_default:
            return record.value.id
    raise AwsError("VPCIdNotSpecified", "No default VPC for this user")


def create_security_group(
    context: Context, request: "CreateSecurityGroupRequestTypeDef"
) -> Response:
    name, description = request["GroupName"], request["Description"]
    for parameter, text in (("groupName", name), ("groupDescription", description)):
        if not TEXT.fullmatch(text):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ({text}) for parameter {parameter} is invalid. Character sets beyond "
                "ASCII are not supported.",
            )
    if name.startswith("sg-"):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the "
            "format sg-*",
        )
    vpc_id = request.get("VpcId") or _default_vpc(context)
    vpc = require(context.tx, VPC, *_place(context), vpc_id)
    _refuse_duplicate(context, vpc_id, name)
    # Two groups of one name at once must meet: both write the VPC.
    context.tx.put(VPC, *_place(context), vpc.id, vpc)
    group = SecurityGroup(
        id=f"sg-{context.ids.hex(17)}",
        vpc_id=vpc_id,
        name=name,
        description=description,
        rules=(egress_to_everywhere(context.ids),),
        tags=tags_at_creation(context, request, "security-group"),
    )
    context.tx.create(SECURITY_GROUP, *_place(context), group.id, group)
    return {
        "GroupId": group.id,
        "SecurityGroupArn": group_arn(context, group.id),
        "Tags": tag_list(group.tags),
    }


def _refuse_duplicate(context: Context, vpc_id: str, name: str) -> None:
    if name.lower() == "default":
        raise AwsError("InvalidParameterValue", "Cannot use reserved security group name: default")
    for record in context.tx.find(SECURITY_GROUP, *_place(context), "vpc", vpc_id):
        if record.value.name == name:
            raise AwsError(
                "InvalidGroup.Duplicate",
                f"The security group '{name}' already exists for VPC '{vpc_id}'",
            )


def describe_security_groups(
    context: Context, request: "DescribeSecurityGroupsRequestTypeDef"
) -> Response:
    groups = [r.value for r in context.tx.scan(SECURITY_GROUP, *_place(context))]
    names = request.get("GroupNames") or ()
    if names:
        default = _default_vpc(context)
        known = {group.name for group in groups if group.vpc_id == default}
        for name in names:
            if name not in known:
                raise absent(SECURITY_GROUP, name)
        groups = [group for group in groups if group.vpc_id == default and group.name in names]
    return describe(LISTING, (group_item(context, group) for group in groups), request)


def delete_security_group(
    context: Context, request: "DeleteSecurityGroupRequestTypeDef"
) -> Response:
    """Delete a group that no ENI uses and no other group's rule refers to."""
    group, tx, place = find_group(context, request), context.tx, _place(context)
    if group.name == "default":
        raise AwsError(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
        )
    others = (r.value for r in tx.scan(SECURITY_GROUP, *place) if r.value.id != group.id)
    referred = any(rule.group_id == group.id for other in others for rule in other.rules)
    if referred or tx.find(NETWORK_INTERFACE, *place, "group", group.id):
        raise AwsError("DependencyViolation", f"resource {group.id} has a dependent object")
    tx.delete(SECURITY_GROUP, *place, group.id)
    return {"Return": True, "GroupId": group.id}
