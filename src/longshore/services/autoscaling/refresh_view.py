"""DescribeInstanceRefreshes."""

from collections.abc import Mapping
from typing import Any

from longshore.model.auto_scaling import AutoScalingGroup, Refresh
from longshore.services.autoscaling.pages import page
from longshore.services.autoscaling.records import group_named, refreshes_of
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]

PREFERENCES: Mapping[str, Any] = {
    "MinHealthyPercentage": 90,
    "SkipMatching": False,
    "AutoRollback": False,
    "ScaleInProtectedInstances": "Wait",
    "StandbyInstances": "Wait",
}
"""AWS's defaults ("RefreshPreferences")."""


def refresh_shape(group: AutoScalingGroup, refresh: Refresh) -> dict[str, Any]:
    left = len(refresh.to_replace)
    shape: dict[str, Any] = {
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": refresh.group,
        "Status": refresh.status,
        "StatusReason": refresh.reason or None,
        "StartTime": refresh.started_at if refresh.status != "Pending" else None,
        "EndTime": refresh.ended_at or None,
        "PercentageComplete": refresh.percentage,
        "InstancesToUpdate": left,
        "ProgressDetails": {"LivePoolProgress": _progress(refresh.percentage, left)},
        "Preferences": _preferences(group, refresh),
        "DesiredConfiguration": refresh.desired or None,
        "RollbackDetails": _rollback(refresh) if refresh.rollback_at else None,
        "Strategy": refresh.strategy,
    }
    return {name: value for name, value in shape.items() if value is not None}


def _progress(percentage: int, left: int) -> dict[str, int]:
    return {"PercentageComplete": percentage, "InstancesToUpdate": left}


def _preferences(group: AutoScalingGroup, refresh: Refresh) -> dict[str, Any]:
    return {**PREFERENCES, **(group.maintenance_policy or {}), **refresh.preferences}


def _rollback(refresh: Refresh) -> dict[str, Any]:
    percentage, left = refresh.rolled_back_from
    return {
        "RollbackReason": refresh.rollback_reason,
        "RollbackStartTime": refresh.rollback_at,
        "PercentageCompleteOnRollback": percentage,
        "InstancesToUpdateOnRollback": left,
        "ProgressDetailsOnRollback": {"LivePoolProgress": _progress(percentage, left)},
    }


def describe_refreshes(context: Context, request: Request) -> Response:
    group = group_named(context, request["AutoScalingGroupName"])
    ids = set(request.get("InstanceRefreshIds") or ())
    found = [each for each in refreshes_of(context, group) if not ids or each.id in ids]
    some, token = page(found, request, lambda each: each.id)
    return {"InstanceRefreshes": [refresh_shape(group, each) for each in some], **token}


OPERATIONS: Mapping[str, Operation] = {"DescribeInstanceRefreshes": describe_refreshes}
