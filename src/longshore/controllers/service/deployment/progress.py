"""How deployments go: failures counted, rollouts completed or failed; pure."""

from collections.abc import Sequence

import msgspec

from longshore.controllers.service.deployment.rollout import breaker_threshold, retry_seconds
from longshore.model.ecs import Progress, Service, Task

SHORT_SECONDS = 60.0
"""A task that ends by itself sooner than this counts towards the waiting."""
REMEMBERED = 200
BREAKER = "ECS deployment circuit breaker: tasks failed to start."


def failed_by_itself(task: Task) -> bool:
    """It ended, and not because someone wanted it to."""
    codes = {"TaskFailedToStart", "EssentialContainerExited"}
    return task.stop is not None and task.stop.code in codes


def count_failures(progress: Progress, tasks: Sequence[Task], now: float) -> Progress:
    """The dead that are not counted yet, and when to try again."""
    dead = [t for t in tasks if failed_by_itself(t) and t.id not in progress.counted]
    for task in sorted(dead, key=lambda each: each.stop.at if each.stop else 0.0):
        never_ran = not task.started_at
        lived = (task.stop.at if task.stop else now) - (task.started_at or now)
        again = progress.consecutive_failures + 1 if never_ran or lived < SHORT_SECONDS else 0
        progress = msgspec.structs.replace(
            progress,
            failed_tasks=progress.failed_tasks + (never_ran or lived < SHORT_SECONDS),
            consecutive_failures=again,
            retry_at=now + retry_seconds(again),
            counted=(*progress.counted, task.id)[-REMEMBERED:],
            updated_at=now,
        )
    return progress


def judge(progress: Progress, service: Service, *, done: bool, now: float) -> Progress:
    """The rollout state: COMPLETED when nothing is left to do, FAILED by the circuit breaker."""
    if progress.rollout_state != "IN_PROGRESS":
        return progress
    identity = progress.deployment_id
    if done:
        return msgspec.structs.replace(
            progress,
            rollout_state="COMPLETED",
            reason=f"ECS deployment {identity} completed.",
            consecutive_failures=0,
            updated_at=now,
        )
    limit = breaker_threshold(service.desired_count)
    if service.circuit_breaker and progress.failed_tasks >= limit:
        return msgspec.structs.replace(
            progress, rollout_state="FAILED", reason=BREAKER, updated_at=now
        )
    return progress
