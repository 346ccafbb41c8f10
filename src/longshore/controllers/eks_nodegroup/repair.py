"""Which nodes are replaced because they are not ready; pure.

("Detect node health issues and enable automatic node repair", EKS User Guide: a node that is not
ready is replaced after 30 minutes; where too many are not, none is.)
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from longshore.controllers.eks_nodegroup.scene import Scene, Seat
from longshore.model.eks_parts import Drain, Nodegroup

NOT_READY_SECONDS = 1800.0
LEAVE_SECONDS = 300.0
"""For so long pods may take to leave a node that is ill: who does not answer evicts nobody."""
MOST_UNHEALTHY_PERCENT = 20
SMALL = 5
"""Groups of so many nodes are repaired however many are ill."""
CONDITION = "Ready"


class Repair(NamedTuple):
    """`drains` go on or begin; `terminate` are instances that others come for."""

    drains: tuple[Drain, ...] = ()
    terminate: tuple[str, ...] = ()


def repair(
    nodegroup: Nodegroup, drains: Sequence[Drain], scene: Scene, left: Mapping[str, int]
) -> Repair:
    """The next step; `left` has the number of pods that are still on each draining node."""
    config = nodegroup.repair
    if not config.get("enabled") or not scene.reached:
        return Repair()
    ill = {seat.instance_id: seat for seat in scene.live if _is_ill(seat, config, scene.now)}
    going = [drain for drain in drains if drain.instance_id in ill]
    over = [drain for drain in going if _is_over(drain, scene.now, left)]
    kept = [drain for drain in going if drain not in over]
    leaving = sum(seat.leaving for seat in scene.seats)
    room = _parallel(config, len(ill)) - len(going) - leaving
    if _too_many(config, len(ill), len(scene.live)):
        room = 0
    waiting = [
        seat for name, seat in sorted(ill.items()) if all(name != d.instance_id for d in going)
    ]
    fresh = [_drain(seat, scene.now) for seat in waiting[: max(0, room)]]
    return Repair((*kept, *fresh), tuple(drain.instance_id for drain in over))


def _is_ill(seat: Seat, config: Mapping[str, Any], now: float) -> bool:
    node = seat.node
    if node is None or node.ready:
        return False
    return now >= node.since + _patience(config, node.reason)


def _patience(config: Mapping[str, Any], reason: str) -> float:
    """Seconds; what the user says of the condition and its reason goes before the rule."""
    for override in config.get("nodeRepairConfigOverrides", ()):
        named = (override.get("nodeMonitoringCondition"), override.get("nodeUnhealthyReason"))
        if named == (CONDITION, reason):
            if override.get("repairAction") == "NoAction":
                return float("inf")
            return 60.0 * float(override["minRepairWaitTimeMins"])
    return NOT_READY_SECONDS


def _parallel(config: Mapping[str, Any], ill: int) -> int:
    """How many may be repaired at once: all of them where nothing is said."""
    count = config.get("maxParallelNodesRepairedCount")
    if count:
        return int(count)
    percent = config.get("maxParallelNodesRepairedPercentage")
    return max(1, ill * int(percent) // 100) if percent else ill


def _too_many(config: Mapping[str, Any], ill: int, total: int) -> bool:
    count = config.get("maxUnhealthyNodeThresholdCount")
    if count:
        return ill > int(count)
    percent = config.get("maxUnhealthyNodeThresholdPercentage")
    if percent is None and total <= SMALL:
        return False
    return ill * 100 > total * int(percent or MOST_UNHEALTHY_PERCENT)


def _is_over(drain: Drain, now: float, left: Mapping[str, int]) -> bool:
    return not left.get(drain.node, 0) or now >= drain.since + LEAVE_SECONDS


def _drain(seat: Seat, now: float) -> Drain:
    name = seat.node.name if seat.node is not None else ""
    return Drain(instance_id=seat.instance_id, node=name, since=now)
