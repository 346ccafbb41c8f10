"""What comes next for the pods of a cluster that are Fargate's; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.kubernetes.client import Event
from longshore.kubernetes.fargate import PROFILE_LABEL, SCHEDULER, Size, size_of, unsupported
from longshore.model.eks_parts import FargateProfile
from longshore.model.instances import Instance

Object = Mapping[str, Any]
TIMEOUT_SECONDS = 900.0
"""For so long a machine may take to become a node, and be given up then."""
FAILED = ("Server.InsufficientInstanceCapacity", "Server.InternalError")
"""Reasons of machines that could not start; another is tried once they are forgotten."""
NO_CAPACITY = (
    "Fargate capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)
TOO_LARGE = "Your pod's cpu/memory requirements exceed the max Fargate configuration"


@dataclass(frozen=True, slots=True)
class Machine:
    """A pod's machine, and the state that it is in."""

    instance: Instance
    state: str

    @property
    def uid(self) -> str:
        return self.instance.fargate.pod_uid if self.instance.fargate is not None else ""

    @property
    def node(self) -> str:
        return self.instance.fargate.name if self.instance.fargate is not None else ""


@dataclass(slots=True)
class Plan:
    """`provision`: pods that get a machine, `bind`: pods and their nodes, `tell`: what is wrong
    with pods, `evict`: pods of profiles that are being deleted, `end`: ids of machines, `forget`:
    nodes without one."""

    provision: list[tuple[Object, FargateProfile, Size]] = field(default_factory=list)
    bind: list[tuple[Object, str, Size]] = field(default_factory=list)
    tell: list[tuple[Object, str]] = field(default_factory=list)
    evict: list[Object] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    forget: list[Object] = field(default_factory=list)


def next_steps(
    pods: Iterable[Object],
    nodes: Iterable[Object],
    machines: Iterable[Machine],
    profiles: Iterable[FargateProfile],
    now: float,
) -> Plan:
    """`pods` and `machines` are the cluster's, `nodes` those of Fargate's, `profiles` all that it
    has; `now` in epoch seconds."""
    plan = Plan()
    by_pod = {machine.uid: machine for machine in machines}
    by_name = {node["metadata"]["name"]: node for node in nodes}
    by_profile = {profile.name: profile for profile in profiles}
    ours = [pod for pod in pods if pod["spec"].get("schedulerName") == SCHEDULER]
    for pod in ours:
        profile = by_profile.get((pod["metadata"].get("labels") or {}).get(PROFILE_LABEL, ""))
        if profile is not None and profile.deleted_at:
            if not pod["metadata"].get("deletionTimestamp"):
                plan.evict.append(pod)
        elif profile is not None and waits(pod):
            machine = by_pod.get(pod["metadata"]["uid"])
            _step(plan, pod, profile, machine, by_name, now)
    _end_others(plan, ours, by_pod.values())
    alive = {machine.node for machine in by_pod.values() if machine.state != "terminated"}
    plan.forget = [node for name, node in by_name.items() if name not in alive]
    return plan


def waits(pod: Object) -> bool:
    """Whether the pod is to be given a node."""
    spec, metadata = pod["spec"], pod["metadata"]
    phase = (pod.get("status") or {}).get("phase", "Pending")
    return not (
        spec.get("nodeName")
        or spec.get("schedulingGates")
        or metadata.get("deletionTimestamp")
        or phase != "Pending"
    )


def is_pods_turn(event: Event) -> bool:
    """Whether there is something to do for the pod of a watch's event: one with a node is its
    kubelet's until it goes."""
    return event.type != "MODIFIED" or not event.object["spec"].get("nodeName")


def _step(
    plan: Plan,
    pod: Object,
    profile: FargateProfile,
    machine: Machine | None,
    nodes: Mapping[str, Object],
    now: float,
) -> None:
    size, objection = size_of(pod), unsupported(pod)
    if objection or size is None:
        plan.tell.append((pod, objection or TOO_LARGE))
    elif machine is None:
        plan.provision.append((pod, profile, size))
    elif machine.instance.wanted == "terminated":
        reason = machine.instance.reason
        if reason is not None and reason.code.startswith(FAILED):
            plan.tell.append((pod, NO_CAPACITY))
    elif _is_ready(nodes.get(machine.node)):
        plan.bind.append((pod, machine.node, size))
    elif now > machine.instance.launched_at + TIMEOUT_SECONDS:
        metadata = pod["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        plan.tell.append((pod, f"Pod provisioning timed out (will retry) for pod: {name}"))
        plan.end.append(machine.instance.id)


def _is_ready(node: Object | None) -> bool:
    conditions = ((node or {}).get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _end_others(plan: Plan, pods: Iterable[Object], machines: Iterable[Machine]) -> None:
    """A machine goes with its pod: not before that is deleted, as on EKS."""
    there = {pod["metadata"]["uid"] for pod in pods}
    plan.end += [
        machine.instance.id
        for machine in machines
        if machine.uid not in there and machine.instance.wanted != "terminated"
    ]
