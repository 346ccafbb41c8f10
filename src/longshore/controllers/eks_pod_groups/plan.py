"""What comes next for the branch interfaces of a cluster; pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.kubernetes.pod_groups import RESOURCE, TRUNK_LABEL, WAITS, wants
from longshore.model.ec2 import NetworkInterface

Object = Mapping[str, Any]
ENDED = frozenset({"Succeeded", "Failed"})
SWITCH = "ENABLE_POD_ENI"


@dataclass(slots=True)
class Plan:
    """`allocate`: bound pods without an interface, `annotate`: pods that are not told of theirs,
    `remove`: ids of interfaces whose pods need them no more."""

    allocate: list[Object] = field(default_factory=list)
    annotate: list[tuple[Object, NetworkInterface]] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)


def next_steps(
    pods: Iterable[Object], branches: Collection[NetworkInterface], trunks: Collection[str]
) -> Plan:
    """`pods` are all of the cluster, `branches` its interfaces, `trunks` the ids of the instances'
    own interfaces that are there."""
    plan = Plan()
    by_pod = {each.branch.pod_uid: each for each in branches if each.branch is not None}
    needed = set()
    for pod in pods:
        uid = pod["metadata"]["uid"]
        if (pod.get("status") or {}).get("phase") in ENDED:
            continue
        needed.add(uid)
        if not wants(pod) or not pod["spec"].get("nodeName"):
            continue
        found = by_pod.get(uid)
        if found is None:
            if not pod["metadata"].get("deletionTimestamp"):
                plan.allocate.append(pod)
        elif waits(pod):
            plan.annotate.append((pod, found))
    plan.remove = [
        each.id
        for each in branches
        if each.branch is None
        or each.branch.pod_uid not in needed
        or each.branch.trunk not in trunks
    ]
    return plan


def waits(pod: Object) -> bool:
    """Whether the pod is not told yet which interface it has."""
    annotations = pod["metadata"].get("annotations") or {}
    return bool(annotations.get(RESOURCE, WAITS) == WAITS)


def free_number(branches: Iterable[NetworkInterface], trunk: str) -> int:
    """The lowest number that no branch of this trunk has, from 1 on."""
    taken = {each.branch.vlan for each in branches if each.branch and each.branch.trunk == trunk}
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def is_switched_on(daemon_set: Object | None) -> bool:
    """Whether nodes have branch interfaces: the VPC CNI add-on's `ENABLE_POD_ENI` says so where
    the cluster has its DaemonSet; else they do."""
    if daemon_set is None:
        return True
    spec = ((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return any(
        each.get("name") == SWITCH and str(each.get("value", "")).lower() == "true"
        for container in containers
        for each in container.get("env") or ()
    )


def node_change(node: Object, branches: int) -> tuple[Object, Object]:
    """Patches of a node, which may have so many branch interfaces, and of its status; empty where
    it says so already."""
    status = node.get("status") or {}
    labels = node["metadata"].get("labels") or {}
    told = {
        part: (status.get(part) or {}).get(RESOURCE, "0") for part in ("capacity", "allocatable")
    }
    wrong = {part: {RESOURCE: str(branches)} for part, v in told.items() if v != str(branches)}
    label = {TRUNK_LABEL: "true"} if branches else {}
    is_labelled = all(labels.get(name) == value for name, value in label.items())
    metadata = {} if is_labelled else {"metadata": {"labels": label}}
    return metadata, ({"status": wrong} if wrong else {})
