"""SetDesiredCapacity and TerminateInstanceInAutoScalingGroup."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.auto_scaling import (
    COUNTED,
    TERMINATING,
    Activity,
    AutoScalingGroup,
    Member,
)
from longshore.services.autoscaling.activities import activity_shape
from longshore.services.autoscaling.failures import in_progress, invalid, no_member
from longshore.services.autoscaling.records import (
    activities_of,
    at,
    begin_activity,
    changeable_group,
    details_of,
    member_of,
    put_group,
    put_member,
    resized,
    some,
)
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]


def set_desired_capacity(context: Context, request: Request) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    desired = request["DesiredCapacity"]
    if desired > group.max_size:
        raise invalid(
            f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for the "
            "AutoScalingGroup."
        )
    if desired < group.min_size:
        raise invalid(
            f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for the "
            "AutoScalingGroup."
        )
    if request.get("HonorCooldown"):
        _check_cooldown(context, group)
    reason = "a user request explicitly set group desired capacity"
    put_group(context, resized(context, group, desired, reason))
    return {}


def _check_cooldown(context: Context, group: AutoScalingGroup) -> None:
    """Nothing goes on, and nothing ended less than a cooldown ago ("Scaling cooldowns")."""
    for activity in activities_of(context, group.name):
        over = activity.ended_at and activity.ended_at + group.cooldown_seconds <= context.now
        if not over and activity.status != "Failed":
            raise in_progress(
                f"Scaling activity {activity.id} is in progress and blocks this action"
            )


def terminate_instance(context: Context, request: Request) -> Response:
    ids = some(request.get("InstanceIds")) or some([request.get("InstanceId")])
    if ids == [None]:
        raise invalid("Valid requests must contain either InstanceId or InstanceIds.")
    members = [_terminable(context, each, request.get("AutoScalingGroupName")) for each in ids]
    if len({member.group for member in members}) != 1:
        raise invalid("The instances must all be of the same AutoScalingGroup.")
    group = changeable_group(context, members[0].group)
    decrement = bool(request["ShouldDecrementDesiredCapacity"])
    fresh = [each for each in members if not _is_going(each)]
    if decrement:
        _check_minimum(group, fresh)
    activities = []
    for member in members:
        if member not in fresh:
            activities.append(_going_on(context, member))
            continue
        less = decrement and counts(member)
        after = group.desired - less
        activities.append(_terminate(context, group, member, after))
        if less:
            group = msgspec.structs.replace(group, desired=after)
    put_group(context, group)
    shapes = [activity_shape(context, each) for each in activities]
    return {"Activity": shapes[0], "Activities": shapes}


def counts(member: Member) -> bool:
    """Whether desired capacity has a place for it."""
    return member.lifecycle in COUNTED and not member.asked


def _is_going(member: Member) -> bool:
    return member.lifecycle in TERMINATING or member.asked == "terminate"


def _terminable(context: Context, instance_id: str, group: str | None) -> Member:
    member = member_of(context, instance_id)
    if group and member.group != changeable_group(context, group).name:
        raise no_member(instance_id)
    return member


def _check_minimum(group: AutoScalingGroup, members: Sequence[Member]) -> None:
    if group.desired - sum(counts(each) for each in members) < group.min_size:
        raise invalid(
            f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance "
            "without replacement will violate group's min size constraint. Either set "
            "shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )


def _terminate(context: Context, group: AutoScalingGroup, member: Member, after: int) -> Activity:
    said = f"instance {member.instance_id} was taken out of service in response to a user request"
    if after != group.desired:
        said += f", shrinking the capacity from {group.desired} to {after}"
    cause = at(context.now, said)
    put_member(context, member, asked="terminate", replace=after == group.desired, cause=cause)
    details = details_of(context, member)
    return begin_activity(context, member, "Terminating EC2 instance", cause, details)


def _going_on(context: Context, member: Member) -> Activity:
    """The activity by which it is being terminated already."""
    for activity in activities_of(context, member.group):
        about = activity.instance_id == member.instance_id and not activity.ended_at
        if about and activity.description.startswith("Terminating"):
            return activity
    cause = at(context.now, "an instance was taken out of service in response to a user request")
    details = details_of(context, member)
    return begin_activity(context, member, "Terminating EC2 instance", cause, details)


OPERATIONS: Mapping[str, Operation] = {
    "SetDesiredCapacity": set_desired_capacity,
    "TerminateInstanceInAutoScalingGroup": terminate_instance,
}
