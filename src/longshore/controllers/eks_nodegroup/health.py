"""Whether a node group is what it is asked to be, and what it lacks; pure.

("Issue", Amazon EKS API Reference, has the codes.)
"""

from collections.abc import Sequence
from typing import NamedTuple

from longshore.controllers.eks_nodegroup.scene import Scene, Seat
from longshore.model.eks import Issue
from longshore.model.eks_parts import Nodegroup

JOIN_SECONDS = 900.0
"""For so long an instance may take to join its cluster."""
ROOM_SECONDS = 300.0
"""For so long its launches may fail for a reason that may pass."""
PASSING = ("We currently do not have sufficient", "Instance became unhealthy while waiting")
"""What launches say that come to nothing for now: no host has room, a machine did not come up."""
NO_ADDRESSES = "not enough free addresses"
OPTIONS = {"ON_DEMAND": "On-Demand", "SPOT": "Spot"}


class Health(NamedTuple):
    """`status` is one of `NodegroupStatus.status`."""

    status: str
    issues: tuple[Issue, ...] = ()


def judge(
    nodegroup: Nodegroup,
    before: str,
    scene: Scene,
    troubles: Sequence[Issue],
    began: float,
) -> Health:
    """The node group's health, whose status was `before`.

    `troubles` are what is missing of what it is made of; `began` is since when it is being created.
    """
    if before == "CREATING":
        return _created(nodegroup, scene, troubles, began)
    issues = (*troubles, *_launch_issues(nodegroup, scene), *_strangers(scene))
    return Health("DEGRADED" if issues else "ACTIVE", issues)


def _created(nodegroup: Nodegroup, scene: Scene, troubles: Sequence[Issue], began: float) -> Health:
    if troubles:
        return Health("CREATE_FAILED", tuple(troubles))
    ready = sum(seat.ready for seat in scene.seats)
    if scene.reached and ready >= scene.desired:
        return Health("ACTIVE")
    issues = _launch_issues(nodegroup, scene)
    if scene.now < began + (_patience(scene.failure) if issues else JOIN_SECONDS):
        return Health("CREATING", issues)
    return Health("CREATE_FAILED", issues or (_unjoined(nodegroup, scene),))


def _patience(failure: str) -> float:
    """For how long launches that fail so may come to nothing. What is wrong with the group itself
    fails all that come later too."""
    return ROOM_SECONDS if any(each in failure for each in PASSING) else 0.0


def _launch_issues(nodegroup: Nodegroup, scene: Scene) -> tuple[Issue, ...]:
    if not scene.failure or len(scene.live) >= scene.desired:
        return ()
    if NO_ADDRESSES in scene.failure:
        return (
            Issue(
                "InsufficientFreeAddresses",
                "Amazon Autoscaling was unable to launch instances because there are not enough"
                " free addresses in the subnet associated with your AutoScaling group(s).",
                nodegroup.subnets,
            ),
        )
    option = OPTIONS.get(nodegroup.capacity_type, "On-Demand")
    said = f"Could not launch {option} Instances. {scene.failure}"
    return (Issue("AsgInstanceLaunchFailures", said, (f"eks-{nodegroup.name}-{nodegroup.id}",)),)


def _unjoined(nodegroup: Nodegroup, scene: Scene) -> Issue:
    if not scene.reached:
        return Issue(
            "ClusterUnreachable",
            "The API server of the cluster could not be reached.",
            (nodegroup.cluster,),
        )
    return _creation_failure([seat for seat in scene.live if not seat.ready])


def _creation_failure(seats: Sequence[Seat]) -> Issue:
    return Issue(
        "NodeCreationFailure",
        "Instances failed to join the kubernetes cluster",
        tuple(seat.instance_id for seat in seats),
    )


def _strangers(scene: Scene) -> tuple[Issue, ...]:
    """Members that have had their time, and are no nodes."""
    found = [
        seat
        for seat in scene.live
        if scene.reached and seat.node is None and scene.now >= seat.joined_at + JOIN_SECONDS
    ]
    return (_creation_failure(found),) if found else ()
