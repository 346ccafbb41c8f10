"""CreateTargetGroup, DescribeTargetGroups, ModifyTargetGroup, DeleteTargetGroup."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.balancing import new_target_group, remove_target_group, users_of
from longshore.model.ec2 import VPC
from longshore.model.elbv2 import (
    LISTENER,
    HealthCheck,
    TargetGroup,
    elb_arn,
    load_balancer_name,
    target_group_name,
)
from longshore.model.errors import AwsError, not_built
from longshore.services.elbv2.checks import check_name, health_check, tag_pairs
from longshore.services.elbv2.failures import in_use, invalid, no_target_group, too_many
from longshore.services.elbv2.limits import LIMITS
from longshore.services.elbv2.pages import page
from longshore.services.elbv2.records import (
    find_target_group,
    load_balancer_of,
    place_of,
    put_target_group,
    target_group_of,
    target_groups,
)
from longshore.services.elbv2.tags import authorize_tags
from longshore.services.elbv2.view import target_group_shape
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]


def create_target_group(context: Context, request: Request) -> Response:
    name = check_name(request["Name"], "The target group")
    _check_built(request)
    if not request.get("Port"):
        raise invalid("A port must be specified")
    vpc_id = request.get("VpcId")
    if not vpc_id:
        raise invalid("A VPC ID must be specified")
    if context.tx.get(VPC, context.account, context.region, vpc_id) is None:
        raise invalid(f"The VPC ID '{vpc_id}' is not found")
    tags = tag_pairs(request.get("Tags") or ())
    wanted: dict[str, Any] = {
        "port": request["Port"],
        "vpc_id": vpc_id,
        "target_type": request.get("TargetType") or "instance",
        "health_check": health_check(request, HealthCheck()),
    }
    pattern = elb_arn(context.region, context.account, "targetgroup", target_group_name(name, "*"))
    authorize_tags(context, pattern, tags)
    before = next((each for each in target_groups(context) if each.name == name), None)
    if before is not None:
        if any(getattr(before, field) != value for field, value in wanted.items()):
            raise AwsError(
                "DuplicateTargetGroupName",
                f"A target group with the same name '{name}' exists, but with different settings",
            )
        return {"TargetGroups": [target_group_shape(context, before)]}
    if len(target_groups(context)) >= LIMITS["target-groups"]:
        raise too_many("TooManyTargetGroups", "The limit on target groups has been reached")
    made = new_target_group(context.tx, place_of(context), name=name, tags=tags, **wanted)
    return {"TargetGroups": [target_group_shape(context, made)]}


def _check_built(request: Request) -> None:
    kind = request.get("TargetType") or "instance"
    if kind not in {"instance", "ip"}:
        raise not_built(f"targets of type {kind}")
    protocol = request.get("Protocol")
    if not protocol:
        raise invalid("A protocol must be specified")
    if protocol != "TCP":
        raise not_built(f"target groups of protocol {protocol}")
    if request.get("IpAddressType", "ipv4") != "ipv4":
        raise not_built("IPv6 addresses of targets")
    for member in ("ProtocolVersion", "TargetControlPort"):
        if request.get(member):
            raise invalid(f"{member} is not supported for target groups of protocol TCP")


def describe_target_groups(context: Context, request: Request) -> Response:
    arns, names = request.get("TargetGroupArns") or (), request.get("Names") or ()
    balancer = request.get("LoadBalancerArn")
    if sum(bool(each) for each in (arns, names, balancer)) > 1:
        raise invalid(
            "Target group ARNs, names and a load balancer ARN cannot be specified at the same time"
        )
    found = target_groups(context)
    if set(arns) - {each.arn for each in found} or set(names) - {each.name for each in found}:
        raise no_target_group()
    if arns or names:
        found = [each for each in found if each.arn in arns or each.name in names]
    if balancer:
        found = _of_balancer(context, found, balancer)
    some, marker = page(found, request, lambda each: each.arn)
    return {"TargetGroups": [target_group_shape(context, each) for each in some], **marker}


def _of_balancer(context: Context, groups: list[TargetGroup], arn: str) -> list[TargetGroup]:
    balancer = load_balancer_of(context, arn)
    name = load_balancer_name(balancer.name, balancer.id)
    place = (context.account, context.region)
    listeners = context.tx.find(LISTENER, *place, "load-balancer", name)
    used = {record.value.target_group for record in listeners}
    return [each for each in groups if target_group_name(each.name, each.id) in used]


def modify_target_group(context: Context, request: Request) -> Response:
    group = target_group_of(context, request["TargetGroupArn"])
    check = health_check(request, group.health_check)
    changed = msgspec.structs.replace(group, health_check=check)
    put_target_group(context, changed)
    return {"TargetGroups": [target_group_shape(context, changed)]}


def delete_target_group(context: Context, request: Request) -> Response:
    """One that is not there is deleted already."""
    arn = request["TargetGroupArn"]
    group = find_target_group(context, arn)
    if group is None:
        return {}
    name = target_group_name(group.name, group.id)
    if users_of(context.tx, context.account, context.region, name):
        raise in_use(f"Target group '{arn}' is currently in use by a listener or a rule")
    remove_target_group(context.tx, place_of(context), name)
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateTargetGroup": create_target_group,
    "DeleteTargetGroup": delete_target_group,
    "DescribeTargetGroups": describe_target_groups,
    "ModifyTargetGroup": modify_target_group,
}
