"""CreateAutoScalingGroup, UpdateAutoScalingGroup, DeleteAutoScalingGroup."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.auto_scaling import (
    AUTO_SCALING_GROUP,
    TERMINATING,
    AutoScalingGroup,
    group_arn,
)
from longshore.services.autoscaling.checks import (
    check_built,
    check_name,
    check_sizes,
    places,
    settings,
)
from longshore.services.autoscaling.failures import (
    already_exists,
    in_progress,
    in_use,
    invalid,
    limit_exceeded,
)
from longshore.services.autoscaling.hooks import put_hook
from longshore.services.autoscaling.kinds import MOST_GROUPS
from longshore.services.autoscaling.records import (
    active_refresh,
    changeable_group,
    find_group,
    group_named,
    members_of,
    put_group,
    resized,
)
from longshore.services.autoscaling.roles import have_linked_role
from longshore.services.autoscaling.sources import given_source, source_fields
from longshore.services.autoscaling.tags import given_tags
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]

PROTECTED = "prevent-all-deletion"
PROTECTED_FROM_FORCE = "prevent-force-deletion"


def create_group(context: Context, request: Request) -> Response:
    name = check_name(request["AutoScalingGroupName"])
    _check_absent(context, name)
    check_built(request)
    low, high = request["MinSize"], request["MaxSize"]
    desired = request.get("DesiredCapacity", low)
    check_sizes(low, high, desired)
    where = places(context, request)
    if not where:
        raise invalid("At least one Availability Zone or VPC Subnet is required.")
    arn = group_arn(context.region, context.account, context.ids.uuid(), name)
    group = AutoScalingGroup(
        name=name,
        arn=arn,
        min_size=low,
        max_size=high,
        desired=0,
        created_at=context.now,
        **where,
        **given_source(context, request),
        **settings(request),
        tags=given_tags(context, request.get("Tags") or (), name),
        service_linked_role_arn=have_linked_role(context, request.get("ServiceLinkedRoleARN")),
    )
    if group.tags:
        context.authorize("autoscaling:CreateOrUpdateTags", arn)
    put_group(
        context, resized(context, group, desired, "a user request created an AutoScalingGroup")
    )
    for specification in request.get("LifecycleHookSpecificationList") or ():
        put_hook(context, group, specification)
    return {}


def _check_absent(context: Context, name: str) -> None:
    known = find_group(context, name)
    said = "AutoScalingGroup by this name already exists - A group with the name"
    if known is not None and known.deleted_at:
        raise already_exists(
            f"{said} {name} already exists and is pending delete.  Please wait until Autoscaling "
            "completes the deletion process before creating another group with the same name."
        )
    if known is not None:
        raise already_exists(f"{said} {name} already exists")
    groups = context.tx.scan(AUTO_SCALING_GROUP, context.account, context.region)
    if len(groups) >= MOST_GROUPS:
        raise limit_exceeded(
            f"You have already reached the limit of {MOST_GROUPS} AutoScalingGroups."
        )


def update_group(context: Context, request: Request) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    check_built(request)
    source = source_fields(context, request, group.mixed_instances)
    if source:
        _check_no_refresh(context, group)
    low = request.get("MinSize", group.min_size)
    high = request.get("MaxSize", group.max_size)
    # "MinSize … larger than the current size of the group": the group grows to it, and shrinks to
    # a lower MaxSize.
    desired = request.get("DesiredCapacity", max(low, min(group.desired, high)))
    check_sizes(low, high, desired)
    changed = msgspec.structs.replace(
        group,
        min_size=low,
        max_size=high,
        **places(context, request),
        **source,
        **settings(request),
    )
    if request.get("ServiceLinkedRoleARN"):
        role = have_linked_role(context, request["ServiceLinkedRoleARN"])
        changed = msgspec.structs.replace(changed, service_linked_role_arn=role)
    reason = (
        "a user request update of AutoScalingGroup constraints to "
        f"min: {low}, max: {high}, desired: {desired}"
    )
    put_group(context, resized(context, changed, desired, reason))
    return {}


def _check_no_refresh(context: Context, group: AutoScalingGroup) -> None:
    refresh = active_refresh(context, group)
    if refresh is not None and refresh.desired:
        raise invalid(
            "An active instance refresh with a desired configuration exists. All configuration "
            "options derived from the desired configuration are not available for update while "
            "the instance refresh is active."
        )


def delete_group(context: Context, request: Request) -> Response:
    group = group_named(context, request["AutoScalingGroupName"])
    force = bool(request.get("ForceDelete"))
    if group.deleted_at:
        return {}
    if group.deletion_protection == PROTECTED or (
        force and group.deletion_protection == PROTECTED_FROM_FORCE
    ):
        raise invalid(
            f"The AutoScalingGroup {group.name} cannot be deleted: its deletion protection is "
            f"{group.deletion_protection}."
        )
    members = members_of(context, group)
    if members and not force:
        if any(member.lifecycle not in TERMINATING for member in members):
            raise in_use(
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot "
                "instance request(s) still in the group."
            )
        raise in_progress(
            "You cannot delete an AutoScalingGroup while there are scaling activities in progress "
            "for that group."
        )
    put_group(context, msgspec.structs.replace(group, deleted_at=context.now))
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateAutoScalingGroup": create_group,
    "DeleteAutoScalingGroup": delete_group,
    "UpdateAutoScalingGroup": update_group,
}
