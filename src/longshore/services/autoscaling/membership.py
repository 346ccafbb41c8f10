"""Instances that join a group, leave it, and stand by.

("Attach or detach EC2 instances", "Temporarily remove instances from your Auto Scaling group")
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.auto_scaling import AutoScalingGroup, Member
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, state_of
from longshore.services.autoscaling.activities import activity_shape
from longshore.services.autoscaling.capacity import counts
from longshore.services.autoscaling.describing import zones_of
from longshore.services.autoscaling.failures import invalid
from longshore.services.autoscaling.records import (
    at,
    begin_activity,
    changeable_group,
    details_of,
    find_member,
    members_of,
    put_group,
    put_member,
    some,
)
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]

AT_ONCE = 20
TEMPLATE_TAGS = ("aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version")


def in_group(context: Context, group: AutoScalingGroup, ids: Sequence[str]) -> list[Member]:
    """The group's members of these ids, in their order."""
    members = {member.instance_id: member for member in members_of(context, group)}
    for instance_id in ids:
        if instance_id not in members:
            raise invalid(
                f"The instance {instance_id} is not part of Auto Scaling group {group.name}."
            )
    return [members[instance_id] for instance_id in some(ids)]


def _few(request: Request, verb: str) -> list[str]:
    ids = some(request.get("InstanceIds"))
    if not ids:
        raise invalid("At least one instance ID must be specified.")
    if len(ids) > AT_ONCE:
        raise invalid(
            f"List exceeds the maximum number of instances to {verb}. Please retry your request "
            "with fewer instances."
        )
    return ids


def _no_place(group: AutoScalingGroup, verb: str, count: int) -> Exception:
    return invalid(
        f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, "
        f"and desired-size={group.desired}. To {verb} {count} instance{'s' * (count > 1)}, please "
        "update the AutoScalingGroup sizes appropriately."
    )


def attach(context: Context, request: Request) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    ids = _few(request, "attach")
    instances = [_attachable(context, group, each) for each in ids]
    if group.desired + len(ids) > group.max_size:
        raise _no_place(group, "attach", len(ids))
    for instance in instances:
        member = _joined(context, group, instance)
        put_member(context, member)
        cause = at(
            context.now,
            f"an instance was added in response to user request.  Keeping the capacity at the new "
            f"{group.desired + 1}",
        )
        details = details_of(context, member)
        begin_activity(context, member, "Attaching an existing EC2 instance", cause, details)
        group = msgspec.structs.replace(group, desired=group.desired + 1)
    put_group(context, group)
    return {}


def _attachable(context: Context, group: AutoScalingGroup, instance_id: str) -> Instance:
    place = (context.account, context.region, instance_id)
    record = context.tx.get(INSTANCE, *place)
    if record is None:
        raise invalid(f"Invalid Instance ID(s): [{instance_id}] specified")
    status = context.tx.get(INSTANCE_STATUS, *place)
    if state_of(record.value, status.value if status is not None else None) != "running":
        raise invalid(
            f"Instance {instance_id} is not in correct state. Instance(s) must be in 'running' "
            "state."
        )
    member = find_member(context, instance_id)
    if member is not None:
        raise invalid(f"Instance {instance_id} is already part of AutoScalingGroup:{member.group}")
    if record.value.zone not in zones_of(context, group):
        raise invalid(
            f"The availability zone '{record.value.zone}' of instance {instance_id} must be in "
            "the list of availability zones of the AutoScalingGroup"
        )
    return record.value


def _joined(context: Context, group: AutoScalingGroup, instance: Instance) -> Member:
    tags = dict(instance.tags)
    template = tuple(tags.get(key, "") for key in TEMPLATE_TAGS)
    named = {"LaunchTemplateId": template[0], "Version": template[1]} if all(template) else None
    return Member(
        group=group.name,
        instance_id=instance.id,
        instance_type=instance.instance_type,
        zone=instance.zone,
        launch_template=named,
        joined_at=context.now,
        protected=group.protect_from_scale_in,
    )


def detach(context: Context, request: Request) -> Response:
    return _leave(
        context,
        request,
        "detach",
        "detach",
        "Detaching EC2 instance",
        "was detached in response to a user request",
        ("InService", "Standby"),
    )


def enter_standby(context: Context, request: Request) -> Response:
    return _leave(
        context,
        request,
        "standby",
        "place into standby",
        "Moving EC2 instance to Standby",
        "was moved to standby in response to a user request",
        ("InService",),
    )


def _leave(
    context: Context,
    request: Request,
    asked: str,
    verb: str,
    description: str,
    happened: str,
    states: Sequence[str],
) -> Response:
    """Ask of members to leave service; with or without others in their place."""
    group = changeable_group(context, request["AutoScalingGroupName"])
    members = in_group(context, group, _few(request, verb))
    for member in members:
        if member.lifecycle not in states or member.asked:
            raise invalid(f"The instance {member.instance_id} is not in {' or '.join(states)}.")
    decrement = bool(request["ShouldDecrementDesiredCapacity"])
    fewer = sum(counts(each) for each in members) if decrement else 0
    if group.desired - fewer < group.min_size:
        raise _no_place(group, verb, len(members))
    activities = []
    for member in members:
        said = f"instance {member.instance_id} {happened}"
        if decrement and counts(member):
            said += f", shrinking the capacity from {group.desired} to {group.desired - 1}"
            group = msgspec.structs.replace(group, desired=group.desired - 1)
        cause = at(context.now, said)
        put_member(context, member, asked=asked, replace=not decrement, cause=cause)
        details = details_of(context, member)
        activities.append(begin_activity(context, member, description, cause, details))
    put_group(context, group)
    return {"Activities": [activity_shape(context, each) for each in activities]}


def exit_standby(context: Context, request: Request) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    members = in_group(context, group, _few(request, "take out of standby"))
    for member in members:
        if member.lifecycle != "Standby" or member.asked:
            raise invalid(f"The instance {member.instance_id} is not in Standby.")
    if group.desired + len(members) > group.max_size:
        raise _no_place(group, "take out of standby", len(members))
    activities = []
    for member in members:
        said = (
            f"instance {member.instance_id} was moved out of standby in response to a user "
            f"request, increasing the capacity from {group.desired} to {group.desired + 1}"
        )
        group = msgspec.structs.replace(group, desired=group.desired + 1)
        put_member(context, member, lifecycle="Pending")
        cause, details = at(context.now, said), details_of(context, member)
        description = "Moving EC2 instance out of Standby"
        activities.append(begin_activity(context, member, description, cause, details))
    put_group(context, group)
    return {"Activities": [activity_shape(context, each) for each in activities]}


OPERATIONS: Mapping[str, Operation] = {
    "AttachInstances": attach,
    "DetachInstances": detach,
    "EnterStandby": enter_standby,
    "ExitStandby": exit_standby,
}
