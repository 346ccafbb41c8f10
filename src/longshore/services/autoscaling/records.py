"""Groups, members and activities in the store, or Auto Scaling's errors that there are none."""

import json
from collections.abc import Mapping, Sequence
from time import gmtime, strftime
from typing import Any

import msgspec

from longshore.model.auto_scaling import (
    ACTIVE_REFRESHES,
    ACTIVITY,
    AUTO_SCALING_GROUP,
    MEMBER,
    REFRESH,
    Activity,
    AutoScalingGroup,
    Member,
    Refresh,
    member_name,
)
from longshore.model.instances import INSTANCE
from longshore.services.autoscaling.failures import no_group, no_member, pending_delete
from longshore.services.interface import Context


def find_group(context: Context, name: str) -> AutoScalingGroup | None:
    """By name, or by ARN, which the API takes in a name's place."""
    name = name.rpartition("autoScalingGroupName/")[2] if name.startswith("arn:") else name
    record = context.tx.get(AUTO_SCALING_GROUP, context.account, context.region, name)
    return record.value if record is not None else None


def group_named(context: Context, name: str) -> AutoScalingGroup:
    group = find_group(context, name)
    if group is None:
        raise no_group(name)
    return group


def changeable_group(context: Context, name: str) -> AutoScalingGroup:
    group = group_named(context, name)
    if group.deleted_at:
        raise pending_delete()
    return group


def put_group(context: Context, group: AutoScalingGroup) -> None:
    context.tx.put(AUTO_SCALING_GROUP, context.account, context.region, group.name, group)


def members_of(context: Context, group: AutoScalingGroup) -> list[Member]:
    found = context.tx.find(MEMBER, context.account, context.region, "group", group.name)
    return [record.value for record in found]


def find_member(context: Context, instance_id: str) -> Member | None:
    found = context.tx.find(MEMBER, context.account, context.region, "instance", instance_id)
    return found[0].value if found else None


def member_of(context: Context, instance_id: str) -> Member:
    member = find_member(context, instance_id)
    if member is None:
        raise no_member(instance_id)
    return member


def put_member(context: Context, member: Member, **fields: Any) -> None:
    changed = msgspec.structs.replace(member, **fields)
    name = member_name(member.group, member.instance_id)
    context.tx.put(MEMBER, context.account, context.region, name, changed)


def activities_of(context: Context, group: str) -> list[Activity]:
    found = context.tx.find(ACTIVITY, context.account, context.region, "group", group)
    return [record.value for record in found]


def begin_activity(
    context: Context, member: Member, description: str, cause: str, details: Mapping[str, str]
) -> Activity:
    """Write an activity that the controller is to end."""
    activity = Activity(
        id=context.ids.uuid(),
        group=member.group,
        description=f"{description}: {member.instance_id}",
        cause=cause,
        started_at=context.now,
        details=json.dumps(dict(details)),
        instance_id=member.instance_id,
    )
    name = member_name(member.group, activity.id)
    context.tx.create(ACTIVITY, context.account, context.region, name, activity)
    return activity


def details_of(context: Context, member: Member) -> dict[str, str]:
    """Where the member is, as its activities say it."""
    place = (context.account, context.region, member.instance_id)
    record = context.tx.get(INSTANCE, *place)
    subnet = {"Subnet ID": record.value.subnet_id} if record is not None else {}
    return {**subnet, "Availability Zone": member.zone}


def refreshes_of(context: Context, group: AutoScalingGroup) -> list[Refresh]:
    """The newest first."""
    found = context.tx.find(REFRESH, context.account, context.region, "group", group.name)
    refreshes = [record.value for record in found]
    return sorted(refreshes, key=lambda each: (each.started_at, each.id), reverse=True)


def active_refresh(context: Context, group: AutoScalingGroup) -> Refresh | None:
    refreshes = refreshes_of(context, group)
    return next((each for each in refreshes if each.status in ACTIVE_REFRESHES), None)


def put_refresh(context: Context, refresh: Refresh) -> None:
    name = member_name(refresh.group, refresh.id)
    context.tx.put(REFRESH, context.account, context.region, name, refresh)


def at(now: float, happened: str) -> str:
    """A sentence of an activity's cause."""
    return f"At {strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(now))} {happened}."


def resized(
    context: Context, group: AutoScalingGroup, desired: int, reason: str
) -> AutoScalingGroup:
    """The group with another desired capacity, and why it has it; `reason` is in AWS's words."""
    if desired == group.desired:
        return group
    sentence = at(
        context.now, f"{reason} changing the desired capacity from {group.desired} to {desired}"
    )
    return msgspec.structs.replace(group, desired=desired, change=sentence, changed_at=context.now)


def some(items: Sequence[Any] | None) -> list[str]:
    """Each text once, in order."""
    return list(dict.fromkeys(items or ()))
