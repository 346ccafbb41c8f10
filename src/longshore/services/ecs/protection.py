"""Task scale-in protection."""

from typing import Any

import msgspec

from longshore.model.ecs import TASK
from longshore.services.ecs.naming import arn_of, find_task, invalid, member_name, missing
from longshore.services.ecs.naming import require_cluster as cluster_of
from longshore.services.interface import Context, Response

DEFAULT_MINUTES = 120
LONGEST_MINUTES = 2880
MOST_TASKS = 10


def update_task_protection(context: Context, request: Any) -> Response:
    cluster = cluster_of(context, request["cluster"])
    minutes = request.get("expiresInMinutes") or DEFAULT_MINUTES
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise invalid(f"expiresInMinutes must be between 1 and {LONGEST_MINUTES}.")
    if not 1 <= len(request["tasks"]) <= MOST_TASKS:
        raise invalid("tasks can have at most 10 items and at least 1.")
    shown: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for reference in request["tasks"]:
        record = find_task(context, cluster.name, reference)
        if record is None:
            name = member_name(context, cluster.name, reference, "task")
            failures.append(missing(arn_of(context, f"task/{name}")))
            continue
        if not record.value.service or record.value.desired_status == "STOPPED":
            failures.append({"arn": record.value.arn, "reason": "TASK_NOT_VALID"})
            continue
        until = context.now + minutes * 60 if request["protectionEnabled"] else 0.0
        changed = msgspec.structs.replace(record.value, protected_until=until)
        context.tx.put(TASK, context.account, context.region, changed.name, changed)
        shown.append(_show(context, changed.arn, until))
    return {"protectedTasks": shown, "failures": failures}


def get_task_protection(context: Context, request: Any) -> Response:
    cluster = cluster_of(context, request["cluster"])
    shown: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for reference in request.get("tasks") or ():
        record = find_task(context, cluster.name, reference)
        if record is None:
            name = member_name(context, cluster.name, reference, "task")
            failures.append(missing(arn_of(context, f"task/{name}")))
        else:
            shown.append(_show(context, record.value.arn, record.value.protected_until))
    return {"protectedTasks": shown, "failures": failures}


def _show(context: Context, arn: str, until: float) -> dict[str, Any]:
    enabled = until > context.now
    shown: dict[str, Any] = {"taskArn": arn, "protectionEnabled": enabled}
    return shown | ({"expirationDate": until} if enabled else {})
