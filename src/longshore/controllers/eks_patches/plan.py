"""Which control planes come to a new platform version next; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from longshore.model.eks_platforms import DONE, FAILED, ROLLING, Patch, Platform
from longshore.store.interface import Key

AT_ONCE = 3
"""So many control planes roll at the same time, of all versions together."""
PATCH_SECONDS = 600.0
"""For so long a control plane may take; then it is kept as it was."""
SOAK_SECONDS = 60.0
"""For so long one has to be well before others follow."""
BLAMED_SECONDS = 86_400.0
"""For so long others wait for one that came through and is not well: later it has fallen ill of
something else."""
QUIET_SECONDS = 60.0
"""For so long a new platform version rests: Longshore itself has just been started."""
RETRY_SECONDS = 86_400.0
"""After so long a failed patch is tried again."""


class Plane(NamedTuple):
    """A cluster's control plane: `platform` (as `eks.2`) is what runs, `nodes` how many nodes its
    node groups are to have. It is settled while nobody changes it, and sound without issues."""

    key: Key
    id: str
    minor: str
    platform: str
    settled: bool
    sound: bool
    nodes: int
    created_at: float
    patch: Patch | None = None


class Plan(NamedTuple):
    """What becomes of patches; `wait` is how many seconds to look again after."""

    begin: tuple[Plane, ...] = ()
    end: tuple[Plane, ...] = ()
    fail: tuple[Plane, ...] = ()
    forget: tuple[Plane, ...] = ()
    wait: float | None = None


def plan(planes: Iterable[Plane], newest: Mapping[str, Platform], now: float) -> Plan:
    """The next step, where `newest` are the platform versions by minor version."""
    known = list(planes)
    forget = [each for each in known if each.patch is not None and not _is_meant(each, newest)]
    left = [each for each in known if each not in forget]
    end = [each for each in left if _state(each) != DONE and _has_arrived(each)]
    rolling = [each for each in left if _state(each) == ROLLING and each not in end]
    fail = [each for each in rolling if now >= _of(each).began_at + PATCH_SECONDS]
    soaking = [each for each in left if _state(each) == DONE and _soaks(each, now)]
    busy = len(rolling) - len(fail) + len(soaking) + len(end)
    begin = _next(left, newest, busy, fail, now)
    # What has come through soaks first, whatever else might begin.
    begin = begin if not end else []
    waits = [
        *(_of(each).began_at + PATCH_SECONDS - now for each in rolling if each not in fail),
        *(_of(each).ended_at + _soak_seconds(each) - now for each in soaking),
        *(_of(each).ended_at + RETRY_SECONDS - now for each in left if _has_failed(each, now)),
        *(each.since + QUIET_SECONDS - now for each in newest.values()),
    ]
    if begin or end or fail or forget:
        wait: float | None = 0.0
    else:
        wait = min((each for each in waits if each > 0), default=None)
    return Plan(tuple(begin), tuple(end), tuple(fail), tuple(forget), wait)


def _of(plane: Plane) -> Patch:
    if plane.patch is None:
        raise ValueError("the control plane has no patch")
    return plane.patch


def _state(plane: Plane) -> str:
    return plane.patch.state if plane.patch is not None else DONE


def _is_meant(plane: Plane, newest: Mapping[str, Platform]) -> bool:
    """Whether its patch leads this very cluster to what is the newest still."""
    patch, platform = _of(plane), newest.get(plane.minor)
    return (
        platform is not None
        and (patch.id, patch.minor) == (plane.id, plane.minor)
        and patch.platform == platform.name
    )


def _has_arrived(plane: Plane) -> bool:
    return plane.patch is not None and plane.platform == plane.patch.platform


def _soaks(plane: Plane, now: float) -> bool:
    """Only just through, or not well since."""
    return plane.patch is not None and now < plane.patch.ended_at + _soak_seconds(plane)


def _soak_seconds(plane: Plane) -> float:
    return SOAK_SECONDS if plane.sound else BLAMED_SECONDS


def _has_failed(plane: Plane, now: float) -> bool:
    patch = plane.patch
    return patch is not None and patch.state == FAILED and now < patch.ended_at + RETRY_SECONDS


def _next(
    planes: Sequence[Plane],
    newest: Mapping[str, Platform],
    busy: int,
    failing: Sequence[Plane],
    now: float,
) -> list[Plane]:
    """Those that begin now, the quietest first: with the fewest nodes, then the oldest."""
    stopped = {each.minor for each in planes if _has_failed(each, now)}
    stopped |= {each.minor for each in failing}
    due = [
        each
        for each in planes
        if _is_behind(each, newest, now) and each.minor not in stopped and _state(each) != ROLLING
    ]
    due.sort(key=lambda each: (each.nodes, each.created_at, each.id))
    tried = {each.minor for each in planes if each.patch is not None and _is_through(each, now)}
    chosen: list[Plane] = []
    for plane in due:
        alone = plane.minor not in tried
        under_way = any(_is_under_way(each, plane.minor, now) for each in planes)
        if alone and (under_way or any(each.minor == plane.minor for each in chosen)):
            continue
        if busy + len(chosen) < AT_ONCE:
            chosen.append(plane)
    return chosen


def _is_behind(plane: Plane, newest: Mapping[str, Platform], now: float) -> bool:
    platform = newest.get(plane.minor)
    return (
        platform is not None
        and now >= platform.since + QUIET_SECONDS
        and plane.settled
        and plane.sound
        and plane.platform != platform.name
    )


def _is_through(plane: Plane, now: float) -> bool:
    return plane.patch is not None and plane.patch.state == DONE and not _soaks(plane, now)


def _is_under_way(plane: Plane, minor: str, now: float) -> bool:
    if plane.patch is None or plane.minor != minor:
        return False
    return plane.patch.state == ROLLING or (plane.patch.state == DONE and _soaks(plane, now))
