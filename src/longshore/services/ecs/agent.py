"""The calls of agents: where to connect to, and what became of their tasks."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.model.ecs import TASK, ContainerStatus, Reported, Task
from longshore.model.host import speaks_for_hosts
from longshore.services.ecs.naming import cluster_of_task, find_task, require_cluster
from longshore.services.interface import Context, Response
from longshore.store.interface import Record

STATES = ("", "PENDING", "RUNNING", "STOPPED")
"""In the order in which they follow; a later report never takes an earlier one back."""
TELEMETRY_PATH = "/tcs"
"""The agent adds `/ws` to the endpoints that it is given."""


def discover_poll_endpoint(context: Context, request: Any) -> Response:
    endpoint = context.installation.endpoint_url
    return {"endpoint": endpoint, "telemetryEndpoint": endpoint + TELEMETRY_PATH}


def submit_task_state_change(context: Context, request: Any) -> Response:
    """Take a report in; one about a task that is not known is acknowledged too, or the agent
    would send it for ever."""
    record = _reported_task(context, request)
    if record is None:
        return {"acknowledgment": "ACK"}
    task = record.value
    changed = msgspec.structs.replace(
        task,
        reported=merge_report(task.reported, request, context.now),
        containers=merge_containers(task.containers, request.get("containers") or ()),
    )
    if changed != task:
        context.tx.put(TASK, record.key.account, record.key.region, task.name, changed)
    return {"acknowledgment": "ACK"}


def _reported_task(context: Context, request: Mapping[str, Any]) -> Record[Task] | None:
    """The task; that of another account only from a host, which runs tasks for all of them."""
    reference = request.get("task") or ""
    parts = reference.split(":", 5)
    own = [context.region, context.account]
    if len(parts) == 6 and parts[3:5] != own:
        if not speaks_for_hosts(context.principal, context.installation):
            return None
        name = parts[5].removeprefix("task/")
        return context.tx.get(TASK, parts[4], parts[3], name)
    cluster = (
        cluster_of_task(context, reference) or require_cluster(context, request.get("cluster")).name
    )
    return find_task(context, cluster, reference)


def merge_report(known: Reported, request: Mapping[str, Any], now: float) -> Reported:
    """What is known after a report; states only go forward."""
    status = request.get("status") or ""
    later = status if _rank(status) > _rank(known.status) else known.status
    attached = any(a.get("status") == "ATTACHED" for a in request.get("attachments") or ())
    return Reported(
        status=later,
        reason=known.reason or request.get("reason") or "",
        attached=known.attached or attached,
        pull_started_at=_time(request.get("pullStartedAt")) or known.pull_started_at,
        pull_stopped_at=_time(request.get("pullStoppedAt")) or known.pull_stopped_at,
        execution_stopped_at=(
            _time(request.get("executionStoppedAt")) or known.execution_stopped_at
        ),
        at=now if later != known.status else known.at,
    )


def _time(value: Any) -> float:
    if value is None:
        return 0.0
    return float(value.timestamp() if hasattr(value, "timestamp") else value)


def _rank(status: str) -> int:
    return STATES.index(status) if status in STATES else 0


def merge_containers(
    known: tuple[ContainerStatus, ...], reports: Iterable[Mapping[str, Any]]
) -> tuple[ContainerStatus, ...]:
    """The containers after the reports, in order: one container may be in them twice."""
    containers = {container.name: container for container in known}
    for report in reports:
        container = containers.get(report.get("containerName") or "")
        if container is not None:
            containers[container.name] = _merge_container(container, report)
    return tuple(containers.values())


def _merge_container(container: ContainerStatus, report: Mapping[str, Any]) -> ContainerStatus:
    status = report.get("status") or ""
    if _rank(status) < _rank(container.last_status):
        status = container.last_status
    code = report.get("exitCode")
    return msgspec.structs.replace(
        container,
        last_status=status or container.last_status,
        exit_code=container.exit_code if code is None else code,
        reason=report.get("reason") or container.reason,
        image_digest=report.get("imageDigest") or container.image_digest,
        runtime_id=report.get("runtimeId") or container.runtime_id,
        bindings=tuple(report.get("networkBindings") or container.bindings),
    )


def submit_container_state_change(context: Context, request: Any) -> Response:
    """What agents before 1.0 sent beside the task's report; today's send everything in that."""
    report = {**request, "containers": [{**request}]}
    report.pop("status", None)
    report.pop("reason", None)
    return submit_task_state_change(context, report)


def submit_attachment_state_changes(context: Context, request: Any) -> Response:
    """A host's ENIs are watched in its network's acknowledgements; nothing more is kept."""
    return {"acknowledgment": "ACK"}
