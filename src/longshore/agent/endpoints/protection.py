"""Task scale-in protection as the task itself asks for it, with its role's credentials.

Paths, members and refusals: "Amazon ECS task scale-in protection endpoint" (ECS Developer Guide).
"""

import asyncio
from typing import Any

import msgspec

from longshore.agent.endpoints.documents import timestamp
from longshore.agent.endpoints.http import Response, json_response
from longshore.agent.host import Host
from longshore.agent.patience import patiently
from longshore.agent.records import TaskRecord
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.nodeapi import acs

PROTECTION_PATH = "task-protection/v1/state"
METHODS = ("GET", "PUT")
CALL_SECONDS = 4.0
"""How long ECS may take, a control plane that just comes back included."""
INVALID = "InvalidParameterException"
Document = dict[str, Any]


class Wanted(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename=lambda name: name.replace("_", ""),
):
    """A PUT's body; names in lower case, since Go reads them in any."""

    protection_enabled: bool | None = None
    expires_in_minutes: int | None = None


def parse_wanted(body: bytes) -> Wanted | None:
    """None where it is no request."""
    try:
        given = msgspec.json.decode(body, type=dict[str, bool | int | None])
        return msgspec.convert({name.lower(): given[name] for name in given}, Wanted)
    except msgspec.DecodeError:
        return None


async def protect(host: Host, record: TaskRecord | None, wanted: Wanted | None) -> Response:
    """The answer to a PUT; `record` is the asking task's."""
    if wanted is None:
        return _error("", INVALID, "UpdateTaskProtection: failed to decode request", 400)
    if record is None:
        return _no_task()
    if wanted.protection_enabled is None:
        message = "Invalid request: does not contain 'ProtectionEnabled' field"
        return _error(record.task.arn, INVALID, message, 400)
    request: Document = {"protectionEnabled": wanted.protection_enabled}
    if wanted.expires_in_minutes is not None:
        request["expiresInMinutes"] = wanted.expires_in_minutes
    return await _ask(host, record.task, "UpdateTaskProtection", request)


async def show_protection(host: Host, record: TaskRecord | None) -> Response:
    """The answer to a GET."""
    if record is None:
        return _no_task()
    return await _ask(host, record.task, "GetTaskProtection", {})


async def _ask(host: Host, task: acs.Task, operation: str, request: Document) -> Response:
    role = task.role_credentials
    if role is None or not role.access_key_id:
        message = "Invalid Request: no task IAM role credentials available for task"
        return _error(task.arn, "AccessDeniedException", message, 403)
    whole = {"cluster": task.task_cluster_arn, "tasks": [task.arn], **request}
    arn = parse_arn(task.arn)
    try:
        async with (
            asyncio.timeout(CALL_SECONDS),
            host.client(role, arn.region if arn is not None else "") as client,
        ):
            reply = await patiently(lambda: client.call("ecs", operation, whole), host.clock)
    except TimeoutError:
        message = "Timed out calling ECS Task Protection API"
        return _error(task.arn, "RequestCanceled", message, 504)
    except AwsError as error:
        return _error(task.arn, error.code, error.message, error.status, error.request_id)
    return _shown(task, reply)


def _shown(task: acs.Task, reply: Document) -> Response:
    if reply.get("failures"):
        failure = reply["failures"][0]
        members = {name: failure.get(name.lower()) for name in ("Arn", "Detail", "Reason")}
        return json_response({"failure": members})
    if not reply.get("protectedTasks"):
        return _error(task.arn, "ServerException", "Unexpected error occurred", 500)
    protected = reply["protectedTasks"][0]
    return json_response(
        {
            "protection": {
                "ExpirationDate": timestamp(protected.get("expirationDate") or 0) or None,
                "ProtectionEnabled": protected["protectionEnabled"],
                "TaskArn": protected["taskArn"],
            }
        }
    )


def _no_task() -> Response:
    return _error("", "ResourceNotFoundException", "Failed to find a task for the request", 404)


def _error(arn: str, code: str, message: str, status: int, request_id: str = "") -> Response:
    body: Document = {"requestID": request_id} if request_id else {}
    body["error"] = {**({"Arn": arn} if arn else {}), "Code": code, "Message": message}
    return json_response(body, status)
