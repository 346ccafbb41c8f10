"""How members are replaced that serve until others do; pure.

("How an instance refresh works in an Auto Scaling group", "Instance maintenance policies")
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from longshore.controllers.auto_scaling.seen import Seen, Warmup


@dataclass(frozen=True, slots=True)
class Limits:
    """Never fewer members ready than `low`, never more alive than `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Step:
    """Members for which others are launched beforehand, and those that go at once."""

    launch: tuple[str, ...] = ()
    terminate: tuple[str, ...] = ()


def limits(desired: int, minimum_percent: int, maximum_percent: int) -> Limits:
    """`low` is rounded up; `high` down, but to one more than desired where the percentage is more
    than a hundred."""
    low = math.ceil(desired * minimum_percent / 100)
    if maximum_percent <= 100:
        return Limits(low, desired)
    return Limits(low, max(desired + 1, math.floor(desired * maximum_percent / 100)))


def step(
    members: Collection[Seen],
    old: Sequence[str],
    desired: int,
    allowed: Limits,
    warmup: Warmup,
) -> Step:
    """What to do next for the members `old`, in their order.

    Where there is no room above what is desired and none below, one at a time goes first, once all
    others are ready.
    """
    live = [each for each in members if each.live]
    ids = {each.id for each in live}
    followed = {each.instead_of for each in live}
    waiting = [name for name in old if name in ids and name not in followed]
    # Who serves since before the replacements began has warmed up long ago.
    at_once = Warmup(now=warmup.now)
    ready = {each.id for each in live if (at_once if each.id in old else warmup).is_ready(each)}
    idle = [name for name in waiting if name not in ready]
    rest = [name for name in waiting if name in ready]
    launch: list[str] = []
    if allowed.high > desired:
        launch = rest[: max(0, allowed.high - len(live))]
        rest = rest[len(launch) :]
    spare = max(0, len(ready) - allowed.low)
    going = rest[:spare] if len(live) <= allowed.high else []
    if _is_stuck(allowed, desired, len(live), len(ready), launch, idle, going):
        going = rest[:1]
    return Step(tuple(launch), (*idle, *going))


def _is_stuck(
    allowed: Limits,
    desired: int,
    live: int,
    ready: int,
    launch: Collection[str],
    idle: Collection[str],
    going: Collection[str],
) -> bool:
    """Nothing is on its way, and percentages leave room for nothing."""
    moving = bool(launch or idle or going) or ready < live
    return not moving and live >= desired and allowed.high <= desired
