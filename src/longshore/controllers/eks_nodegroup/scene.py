"""A node group as decisions see it: its members, their nodes, and what the group may be."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.model.auto_scaling import COUNTED, Activity, Member

HOOK = "Terminate-LC-Hook"
"""The lifecycle hook of node groups' Auto Scaling groups: a node is drained before it goes."""
LAUNCHING = "Launching a new EC2 instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster; times are epoch seconds."""

    name: str
    instance_id: str
    ready: bool = True
    since: float = 0.0
    """Since when it is ready, or is not."""
    reason: str = ""
    """Why, in a word: `NodeStatusUnknown` of one whose kubelet is not heard of any more."""
    cordoned: bool = False
    marked: bool = False
    """Whether an update has made it unschedulable, not its administrator."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A member of the Auto Scaling group, and its node if it has joined."""

    instance_id: str
    version: int = 0
    """Of the launch template that it was made of."""
    joined_at: float = 0.0
    """When it was launched."""
    in_service: bool = True
    leaving: bool = False
    """It is being terminated, or is asked to be."""
    zone: str = ""
    runs: bool = True
    """Whether its instance does."""
    waits_since: float = 0.0
    """Since when it is to go, once it has been drained; 0 where nobody waits for that."""
    protected: bool = False
    """Whether nothing but an administrator takes it out of the group."""
    node: Node | None = None

    @property
    def ready(self) -> bool:
        return self.in_service and not self.leaving and self.node is not None and self.node.ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a look has found. `seats` are in the order of the instances' ids."""

    now: float
    desired: int
    maximum: int
    """Of the Auto Scaling group."""
    seats: Sequence[Seat] = ()
    reached: bool = True
    """Whether the cluster's API server answered; without it no seat has a node."""
    failure: str = ""
    """Why the last launch came to nothing; empty where it did not."""

    @property
    def live(self) -> list[Seat]:
        return [seat for seat in self.seats if not seat.leaving]


def seats_of(
    members: Sequence[Member], nodes: Sequence[Node], stopped: Collection[str] = ()
) -> list[Seat]:
    """`stopped` are the instances that do not run any more."""
    by_instance = {node.instance_id: node for node in nodes}
    return [
        _seat(member, by_instance.get(member.instance_id), member.instance_id not in stopped)
        for member in members
    ]


def _seat(member: Member, node: Node | None, runs: bool) -> Seat:
    number = str((member.launch_template or {}).get("Version", ""))
    return Seat(
        instance_id=member.instance_id,
        version=int(number) if number.isdecimal() else 0,
        joined_at=member.joined_at,
        in_service=member.lifecycle == "InService",
        leaving=bool(member.asked) or member.lifecycle not in COUNTED,
        runs=runs,
        waits_since=_waits_since(member),
        zone=member.zone,
        protected=member.protected,
        node=node,
    )


def _waits_since(member: Member) -> float:
    waiting = (each for each in member.actions if each.hook == HOOK and not each.result)
    return next((each.since for each in waiting), 0.0)


def last_failure(activities: Sequence[Activity]) -> str:
    """What the newest launch that failed says, unless a later one came about."""
    launches = [
        each for each in activities if each.ended_at and each.description.startswith(LAUNCHING)
    ]
    failed = [each for each in launches if each.status == "Failed"]
    if not failed:
        return ""
    last = max(failed, key=lambda each: each.started_at)
    later = (each for each in launches if each.started_at > last.started_at)
    return "" if any(each.status == "Successful" for each in later) else last.message
