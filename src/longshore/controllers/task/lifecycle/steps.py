"""A task's states and what comes next; pure ("Amazon ECS task lifecycle")."""

from dataclasses import dataclass

import msgspec

from longshore.model.ecs import ContainerStatus, Stop, Task

FORGET_SECONDS = 3600.0
"""A stopped task can be described for an hour."""
START_SECONDS = 3600.0
"""An agent that has not brought a task up by then never will: it swallowed the payload."""
ESSENTIAL_EXITED = "Essential container in task exited"
SWALLOWED = "Task failed to start: the container agent did not report on it in time."
STARTING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})
ENDING = frozenset({"DEACTIVATING", "STOPPING", "DEPROVISIONING"})


@dataclass(frozen=True, slots=True)
class Step:
    """The task as it is to be now; None where it is to be forgotten. `free` says to give back its
    ENI and its place; `again` is when to look again, in seconds."""

    task: Task | None
    free: bool = False
    again: float | None = None


def next_step(task: Task, now: float) -> Step:
    """What becomes of the task at this moment."""
    if task.last_status == "STOPPED":
        left = task.stopped_at + FORGET_SECONDS - now
        return Step(task, again=left) if left > 0 else Step(None)
    if task.last_status == "DEPROVISIONING":
        return Step(_stopped(task, now), free=True, again=FORGET_SECONDS)
    if task.reported.status == "STOPPED" or _never_placed(task):
        return Step(_deprovisioning(task, now), again=0.0)
    if task.desired_status == "STOPPED":
        return Step(_stopping(task, now))
    if task.reported.status == "RUNNING" and task.last_status in STARTING:
        return Step(_replace(task, last_status="RUNNING", started_at=now))
    if task.placement is not None and task.last_status in STARTING:
        return _starting(task, now)
    return Step(task)


def _replace(task: Task, **changes: object) -> Task:
    return msgspec.structs.replace(task, version=task.version + 1, **changes)


def _never_placed(task: Task) -> bool:
    return task.desired_status == "STOPPED" and task.placement is None


def _starting(task: Task, now: float) -> Step:
    """An hour without a word of the agent ends the task."""
    left = max(task.created_at, task.reported.at) + START_SECONDS - now
    if left > 0:
        return Step(task, again=left)
    stop = Stop(code="TaskFailedToStart", reason=SWALLOWED, at=now)
    return Step(_replace(task, desired_status="STOPPED", stop=stop), again=0.0)


def _stopping(task: Task, now: float) -> Task:
    """RUNNING → DEACTIVATING → STOPPING: with no load balancer there is nothing to wait for."""
    if task.last_status in ENDING:
        return task
    # The agent may have heard of it, and stopped the containers, before this loop looks.
    at = task.stop.at if task.stop is not None else now
    return _replace(task, last_status="STOPPING", stopping_at=at)


def _deprovisioning(task: Task, now: float) -> Task:
    return _replace(
        task,
        last_status="DEPROVISIONING",
        desired_status="STOPPED",
        stop=task.stop or reason_of(task, now),
        started_at=task.started_at or _start_of(task, now),
        stopping_at=task.stopping_at or now,
        reported=msgspec.structs.replace(
            task.reported, execution_stopped_at=task.reported.execution_stopped_at or now
        ),
    )


def reason_of(task: Task, now: float) -> Stop:
    """The stop code and reason of a task that ended by itself ("Stopped task error codes")."""
    if task.started_at or (task.reported.reason == "" and _exited(task)):
        reason = task.reported.reason or ESSENTIAL_EXITED
        return Stop(code="EssentialContainerExited", reason=reason, at=now)
    reason = task.reported.reason or _first_reason(task) or "Task failed to start"
    return Stop(code="TaskFailedToStart", reason=reason, at=now)


def _start_of(task: Task, now: float) -> float:
    """When a task began that ended before it was seen running; 0 where it never did."""
    if task.reported.reason or not _exited(task):
        return 0.0
    return task.reported.pull_stopped_at or task.reported.at or now


def _exited(task: Task) -> bool:
    return any(each.exit_code is not None for each in task.containers if each.essential)


def _first_reason(task: Task) -> str:
    return next((each.reason for each in task.containers if each.reason), "")


def _stopped(task: Task, now: float) -> Task:
    containers: tuple[ContainerStatus, ...] = tuple(
        msgspec.structs.replace(each, last_status="STOPPED") for each in task.containers
    )
    return _replace(task, last_status="STOPPED", stopped_at=now, containers=containers)
