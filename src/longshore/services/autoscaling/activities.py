"""DescribeScalingActivities, and how an activity is shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.model.auto_scaling import ACTIVITY, Activity
from longshore.services.autoscaling.failures import invalid
from longshore.services.autoscaling.pages import page
from longshore.services.autoscaling.records import activities_of, find_group, group_named
from longshore.services.interface import Context, Operation, Response

Document = Mapping[str, Any]

LONGEST_MESSAGE = 255


def activity_shape(context: Context, activity: Activity) -> dict[str, Any]:
    group = find_group(context, activity.group)
    shape: dict[str, Any] = {
        "ActivityId": activity.id,
        "AutoScalingGroupName": activity.group,
        "AutoScalingGroupARN": group.arn if group is not None else None,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": activity.started_at,
        "EndTime": activity.ended_at or None,
        "StatusCode": activity.status,
        "StatusMessage": activity.message[:LONGEST_MESSAGE] or None,
        "Progress": activity.progress,
        "Details": activity.details or "{}",
    }
    return {name: value for name, value in shape.items() if value is not None}


def describe_activities(context: Context, request: Document) -> Response:
    """Those that go on come first, then the newest ("DescribeScalingActivities")."""
    name = request.get("AutoScalingGroupName")
    if name and request.get("IncludeDeletedGroups"):
        group = find_group(context, name)
        found = activities_of(context, group.name) if group is not None else []
    elif name:
        found = activities_of(context, group_named(context, name).name)
    else:
        records = context.tx.scan(ACTIVITY, context.account, context.region)
        found = [record.value for record in records]
    ids = set(request.get("ActivityIds") or ())
    passes = [_filter(each) for each in request.get("Filters") or ()]
    chosen = [
        each
        for each in found
        if (not ids or each.id in ids) and all(condition(each) for condition in passes)
    ]
    chosen.sort(key=lambda each: (bool(each.ended_at), -each.started_at, each.id))
    some, token = page(chosen, request, lambda each: each.id, usual=100)
    return {"Activities": [activity_shape(context, each) for each in some], **token}


def _filter(given: Document) -> Any:
    name, values = given.get("Name"), given.get("Values") or ()
    if name == "Status":
        return lambda activity: activity.status in values
    if name == "StartTimeLowerBound":
        least = _moment(values)
        return lambda activity: activity.started_at >= least
    if name == "StartTimeUpperBound":
        most = _moment(values)
        return lambda activity: activity.started_at <= most
    raise invalid(
        f"Filter type {name} is not correct. Allowed Filter types are: StartTimeLowerBound, "
        "StartTimeUpperBound, Status"
    )


def _moment(values: Sequence[str]) -> float:
    try:
        (text,) = values
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("A bound of start times must be one timestamp in ISO 8601 format.") from None
    if moment.tzinfo is None:
        raise invalid("A bound of start times must have a time zone, such as Z.")
    return moment.timestamp()


OPERATIONS: Mapping[str, Operation] = {"DescribeScalingActivities": describe_activities}
