"""Which instances that Auto Scaling is to end may go; pure.

("Managed node groups" and "UpdateNodegroupVersion", Amazon EKS: a node that is terminated by a
scaling action is drained first.)
"""

from collections.abc import Mapping, Sequence

from longshore.controllers.eks_nodegroup.repair import LEAVE_SECONDS
from longshore.controllers.eks_nodegroup.rollout import EVICTION_SECONDS
from longshore.controllers.eks_nodegroup.scene import Scene, Seat
from longshore.model.eks_parts import Drain


def waiting(scene: Scene) -> list[Seat]:
    """The members that wait for their nodes to be drained."""
    return [seat for seat in scene.seats if seat.waits_since]


def drains(seats: Sequence[Seat]) -> list[Drain]:
    """Of the nodes of these members, as far as pods can still leave them."""
    return [
        Drain(instance_id=seat.instance_id, node=seat.node.name, since=seat.waits_since)
        for seat in seats
        if seat.runs and seat.node is not None
    ]


def free(scene: Scene, left: Mapping[str, int]) -> list[str]:
    """Instances that may go: without a node, empty, or waited for long enough. `left` has the
    number of pods that are still on each node."""
    return [seat.instance_id for seat in waiting(scene) if _may_go(seat, scene, left)]


def _may_go(seat: Seat, scene: Scene, left: Mapping[str, int]) -> bool:
    if not seat.runs:
        return True
    if seat.node is None:
        return scene.reached or scene.now >= seat.waits_since + EVICTION_SECONDS
    limit = EVICTION_SECONDS if seat.node.ready else LEAVE_SECONDS
    return not left.get(seat.node.name, 1) or scene.now >= seat.waits_since + limit
