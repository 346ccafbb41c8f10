"""StartInstanceRefresh, CancelInstanceRefresh, RollbackInstanceRefresh."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.auto_scaling import AutoScalingGroup, Refresh, rolled_back
from longshore.model.errors import AwsError, not_built
from longshore.services.autoscaling.checks import check_percentages
from longshore.services.autoscaling.failures import invalid, no_active_refresh
from longshore.services.autoscaling.records import (
    active_refresh,
    changeable_group,
    group_named,
    put_refresh,
)
from longshore.services.autoscaling.sources import source_fields
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]

MOVING = frozenset({"$Default", "$Latest"})


def start_refresh(context: Context, request: Request) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    preferences = dict(request.get("Preferences") or {})
    _check_built(request, preferences)
    low, high = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    if high is not None:
        check_percentages(low, high)
    if active_refresh(context, group) is not None:
        raise AwsError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance "
            "Refresh.",
        )
    before = _configuration(group.launch_template, group.mixed_instances)
    desired = _desired(context, request.get("DesiredConfiguration") or {}, group)
    if preferences.get("AutoRollback"):
        _check_reversible(before, desired, "ValidationError")
    refresh = Refresh(
        id=context.ids.uuid(),
        group=group.name,
        started_at=context.now,
        preferences=preferences,
        desired=desired,
        before=before,
    )
    put_refresh(context, refresh)
    return {"InstanceRefreshId": refresh.id}


def _check_built(request: Request, preferences: Request) -> None:
    alarms = (preferences.get("AlarmSpecification") or {}).get("Alarms")
    unbuilt = {
        "instance refreshes that replace root volumes": request.get("Strategy", "Rolling")
        != "Rolling",
        "checkpoints of instance refreshes": preferences.get("CheckpointPercentages"),
        "alarms of instance refreshes": alarms,
        "bake times of instance refreshes": preferences.get("BakeTime"),
    }
    for what, asked in unbuilt.items():
        if asked:
            raise not_built(what)


def _desired(context: Context, given: Request, group: AutoScalingGroup) -> dict[str, Any]:
    fields = source_fields(context, given, group.mixed_instances)
    return _configuration(fields.get("launch_template"), fields.get("mixed_instances"))


def _configuration(
    template: Mapping[str, Any] | None, mixed: Mapping[str, Any] | None
) -> dict[str, Any]:
    found = {"LaunchTemplate": template, "MixedInstancesPolicy": mixed}
    return {name: dict(value) for name, value in found.items() if value is not None}


def _check_reversible(before: Request, desired: Request, code: str) -> None:
    """A rollback needs something to go back from, and something fixed to go back to."""
    if not desired:
        raise AwsError(
            code, "The instance refresh cannot be rolled back without a desired configuration."
        )
    mixed = before.get("MixedInstancesPolicy")
    parts = mixed["LaunchTemplate"] if mixed else {}
    templates = [before.get("LaunchTemplate"), parts.get("LaunchTemplateSpecification")]
    templates += [each.get("LaunchTemplateSpecification") for each in parts.get("Overrides", ())]
    if any(each and each.get("Version") in MOVING for each in templates):
        raise AwsError(
            code,
            "The instance refresh cannot be rolled back because the Auto Scaling group uses the "
            "$Latest or $Default version of its launch template.",
        )


def _active(context: Context, request: Request) -> Refresh:
    group = group_named(context, request["AutoScalingGroupName"])
    refresh = active_refresh(context, group)
    if refresh is None:
        raise no_active_refresh(
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}"
        )
    return refresh


def cancel_refresh(context: Context, request: Request) -> Response:
    refresh = _active(context, request)
    wait = bool(request.get("WaitForTransitioningInstances", True))
    if refresh.status != "Cancelling" or refresh.wait != wait:
        put_refresh(context, msgspec.structs.replace(refresh, status="Cancelling", wait=wait))
    return {"InstanceRefreshId": refresh.id}


def rollback_refresh(context: Context, request: Request) -> Response:
    refresh = _active(context, request)
    if refresh.status not in {"Pending", "InProgress"}:
        raise invalid(f"The instance refresh cannot be rolled back: it is {refresh.status}.")
    _check_reversible(refresh.before, refresh.desired, "IrreversibleInstanceRefresh")
    reason = "The instance refresh was rolled back due to user request."
    put_refresh(context, rolled_back(refresh, reason, context.now))
    return {"InstanceRefreshId": refresh.id}


OPERATIONS: Mapping[str, Operation] = {
    "CancelInstanceRefresh": cancel_refresh,
    "RollbackInstanceRefresh": rollback_refresh,
    "StartInstanceRefresh": start_refresh,
}
