"""Which nodes go when a node group is made smaller, and when; pure.

("UpdateNodegroupVersion", Amazon EKS API Reference: "When a node in a managed node group is
terminated due to a scaling action or update, every Pod on that node is drained first.")
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from longshore.controllers.eks_nodegroup.rollout import EVICTION_SECONDS
from longshore.controllers.eks_nodegroup.scene import Scene, Seat
from longshore.model.eks_parts import Drain


class Shrink(NamedTuple):
    """`drains` go on or begin; `end` are instances that nobody comes for; `spared` are drains that
    are given up since their nodes are wanted again."""

    drains: tuple[Drain, ...] = ()
    end: tuple[str, ...] = ()
    spared: tuple[Drain, ...] = ()


def shrink(desired: int, drains: Sequence[Drain], scene: Scene, left: Mapping[str, int]) -> Shrink:
    """The next step towards `desired` nodes; `left` has the number of pods that are still on each
    draining node. Pods that would not leave within a quarter of an hour go with their node."""
    live = {seat.instance_id: seat for seat in scene.live}
    surplus = max(0, len(live) - desired)
    known = [drain for drain in drains if drain.instance_id in live]
    going, spared = known[:surplus], known[surplus:]
    chosen = {drain.instance_id for drain in known}
    free = [seat for seat in live.values() if seat.instance_id not in chosen]
    fresh = [_drain(seat, scene.now) for seat in _victims(free, surplus - len(going))]
    over = [drain for drain in going if _is_over(drain, scene.now, left)]
    over += [drain for drain in fresh if not drain.node]
    kept = [drain for drain in (*going, *fresh) if drain not in over]
    return Shrink(tuple(kept), tuple(drain.instance_id for drain in over), tuple(spared))


def _victims(seats: Sequence[Seat], count: int) -> list[Seat]:
    """Those that are no use first, then those of the fullest zone, the oldest software first."""
    left = [seat for seat in seats if not seat.protected]
    found: list[Seat] = []
    while left and len(found) < count:
        taken = Counter(seat.zone for seat in left)
        victim = min(
            left,
            key=lambda seat: (
                seat.ready,
                -taken[seat.zone],
                seat.version,
                seat.joined_at,
                seat.instance_id,
            ),
        )
        left.remove(victim)
        found.append(victim)
    return found


def _is_over(drain: Drain, now: float, left: Mapping[str, int]) -> bool:
    return not left.get(drain.node, 0) or now >= drain.since + EVICTION_SECONDS


def _drain(seat: Seat, now: float) -> Drain:
    name = seat.node.name if seat.node is not None else ""
    return Drain(instance_id=seat.instance_id, node=name, since=now)
