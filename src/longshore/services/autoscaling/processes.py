"""SuspendProcesses and ResumeProcesses ("Suspend and resume Amazon EC2 Auto Scaling processes")."""

from collections.abc import Mapping
from time import gmtime, strftime
from typing import Any

import msgspec

from longshore.services.autoscaling.failures import invalid
from longshore.services.autoscaling.kinds import PROCESSES
from longshore.services.autoscaling.records import group_named, put_group, some
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]


def _processes(request: Request) -> list[str]:
    """Those that the request names; all where it names none."""
    named = some(request.get("ScalingProcesses"))
    for process in named:
        if process not in PROCESSES:
            raise invalid(f"Invalid scaling process: {process}")
    return named or list(PROCESSES)


def suspend(context: Context, request: Request) -> Response:
    group = group_named(context, request["AutoScalingGroupName"])
    if group.deleted_at:
        raise invalid(
            "Processes may not be suspended while the AutoScaling group is pending delete"
        )
    when = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(context.now))
    known = dict(group.suspended)
    fresh = {process: f"User suspended at {when}" for process in _processes(request)}
    suspended = tuple(sorted({**fresh, **known}.items()))
    put_group(context, msgspec.structs.replace(group, suspended=suspended))
    return {}


def resume(context: Context, request: Request) -> Response:
    group = group_named(context, request["AutoScalingGroupName"])
    gone = _processes(request)
    left = tuple(each for each in group.suspended if each[0] not in gone)
    put_group(context, msgspec.structs.replace(group, suspended=left))
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "ResumeProcesses": resume,
    "SuspendProcesses": suspend,
}
