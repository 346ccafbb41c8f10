"""How many tasks a service starts and which it stops now; pure.

("Rolling update deployments", ECS Developer Guide): never fewer healthy tasks than
minimumHealthyPercent of the desired count (rounded up) by a stop of ours, never more tasks than
maximumPercent (rounded down).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A task that is neither stopped nor stopping. `rank` orders stops: the lowest go first."""

    id: str
    current: bool
    """Of the primary deployment."""
    healthy: bool
    protected: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """How many tasks of the primary deployment to start, and which tasks to stop."""

    start: int
    stop: tuple[str, ...]


def rollout(
    members: Sequence[Member], desired: int, minimum_percent: int, maximum_percent: int
) -> Rollout:
    """The next step towards `desired` tasks of the primary deployment and no other."""
    lowest = math.ceil(desired * minimum_percent / 100)
    highest = math.floor(desired * maximum_percent / 100)
    current = [each for each in members if each.current]
    room = max(0, highest - len(members))
    start = max(0, min(desired - len(current), room))
    stop = _surplus(current, desired)
    stop += _outdated(members, desired, lowest, blocked=room == 0 and len(current) < desired)
    return Rollout(start, tuple(_guarded(stop, members, lowest)))


def _in_order(members: Sequence[Member]) -> list[Member]:
    """Unhealthy ones first; protected ones never."""
    free = [each for each in members if not each.protected]
    return sorted(free, key=lambda each: (each.healthy, each.rank, each.id))


def _surplus(current: Sequence[Member], desired: int) -> list[Member]:
    return _in_order(current)[: max(0, len(current) - desired)]


def _outdated(
    members: Sequence[Member], desired: int, lowest: int, *, blocked: bool
) -> list[Member]:
    """Old tasks that new ones have replaced; more of them where they take the new ones' room."""
    old = _in_order([each for each in members if not each.current])
    current = sum(each.current for each in members)
    replaced = sum(each.current and each.healthy for each in members)
    keep = lowest if blocked else max(lowest, desired)
    healthy_old = sum(not each.current and each.healthy for each in members)
    spare = max(0, min(healthy_old, healthy_old + replaced - keep))
    if blocked:
        spare = min(spare, desired - current)
    unhealthy = [each for each in old if not each.healthy]
    healthy = [each for each in old if each.healthy]
    return unhealthy + healthy[:spare]


def _guarded(stop: Sequence[Member], members: Sequence[Member], lowest: int) -> list[str]:
    """The stops, in order, as far as enough healthy tasks are left."""
    left = sum(each.healthy for each in members)
    chosen = []
    for each in stop:
        if each.healthy and left - 1 < lowest:
            continue
        left -= each.healthy
        chosen.append(each.id)
    return chosen


def retry_seconds(failures: int) -> float:
    """How long to wait after so many tasks in a row that never ran or soon died."""
    return 0.0 if failures < 3 else min(900.0, 5.0 * 2 ** min(failures - 3, 10))


def breaker_threshold(desired: int) -> int:
    """Failed tasks after which the circuit breaker opens: half of the desired count, 3 to 200."""
    return max(3, min(200, math.ceil(desired / 2)))
