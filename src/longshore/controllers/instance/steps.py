"""What comes next for an instance; pure ("Amazon EC2 instance state changes")."""

from dataclasses import dataclass

from longshore.model.ecs import Task
from longshore.model.instances import FORGET_SECONDS, Instance, InstanceStatus, Reason

RESTARTED, HALTED = 129, 130
"""Exit codes of an init that asked the kernel for a restart (SIGHUP), or to halt (SIGINT):
reboot(2), of a process in a PID namespace."""
BOOT_AGAIN_SECONDS = 5.0
"""The least time from one start to the next of an instance that ends by itself."""
HALTED_INSIDE = Reason(
    code="Client.InstanceInitiatedShutdown",
    message="Client.InstanceInitiatedShutdown: Instance initiated shutdown",
)
FARGATE_FORGET_SECONDS = 20.0
"""Nobody describes the machine of a Fargate pod: for so long is known how it ended."""
NO_CAPACITY = "Capacity is unavailable"


@dataclass(frozen=True, slots=True)
class Step:
    """`state` is the one to show, `ill` whether its checks fail.

    At most one of the rest: `boot` a new task, `stop` the one that runs, `halted` (from inside),
    `failed` (could not start), `gone` (is terminated: take its parts away), `forget`. `again` is
    when to look again, in seconds.
    """

    state: str
    ill: bool = False
    boot: bool = False
    stop: bool = False
    halted: bool = False
    failed: Reason | None = None
    gone: bool = False
    forget: bool = False
    again: float | None = None


def next_step(instance: Instance, status: InstanceStatus, task: Task | None, now: float) -> Step:
    """`task` is the newest one, None where it is gone or there was none yet."""
    if status.state == "terminated":
        kept = FORGET_SECONDS if instance.fargate is None else FARGATE_FORGET_SECONDS
        left = status.changed_at + kept - now
        return Step("terminated", forget=left <= 0, again=max(left, 0.0))
    alive = task is not None and task.last_status != "STOPPED"
    if instance.wanted == "running":
        return _running(instance, status, task if alive else None, task, now)
    ending = "stopping" if instance.wanted == "stopped" else "shutting-down"
    if alive:
        return Step(ending, stop=True)
    return Step("stopped") if instance.wanted == "stopped" else Step("terminated", gone=True)


def _running(
    instance: Instance, status: InstanceStatus, alive: Task | None, last: Task | None, now: float
) -> Step:
    if alive is not None:
        if instance.reboots > status.reboots:
            return Step("running", stop=True)
        runs = alive.last_status == "RUNNING"
        if runs or status.state == "running":
            return Step("running", ill=not runs and instance.reboots == status.reboots)
        return Step("pending")
    # A reboot goes through a task's end, which the API does not show.
    shown = "running" if status.state == "running" else "pending"
    if last is not None and status.state in {"pending", "running"}:
        if _exit_code(last) == HALTED and instance.reboots == status.reboots:
            return Step("stopping", halted=True)
        if last.stop is not None and last.stop.code == "TaskFailedToStart":
            return Step("stopping", failed=_reason(last))
        left = last.created_at + BOOT_AGAIN_SECONDS - now
        if left > 0 and _ended_by_itself(last):
            return Step(shown, ill=status.state == "running", again=left)
    return Step(shown, boot=True)


def _exit_code(task: Task) -> int | None:
    return task.containers[0].exit_code if task.containers else None


def _ended_by_itself(task: Task) -> bool:
    return (
        task.stop is not None
        and task.stop.code == "EssentialContainerExited"
        and _exit_code(task) != RESTARTED
    )


def _reason(task: Task) -> Reason:
    """Why the instance could not start, by AWS's codes."""
    told = task.stop.reason if task.stop is not None else ""
    if told.startswith(NO_CAPACITY):
        code = "Server.InsufficientInstanceCapacity"
        message = f"{code}: Insufficient capacity to satisfy instance request"
        return Reason(code=code, message=message)
    code = "Server.InternalError"
    return Reason(code=code, message=f"{code}: Internal error on launch: {told}")
