"""A node group's nodes, by the API of their cluster: looked at, changed, drained.

("Safely Drain a Node", "API-initiated Eviction", Kubernetes' documentation.)
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.eks_nodegroup.scene import Node
from longshore.controllers.eks_nodegroup.user_data import EFFECTS, NODEGROUP_LABEL
from longshore.kubernetes.client import Client, Refused
from longshore.kubernetes.objects import NODES, PODS, path_of
from longshore.model.eks_parts import Drain, Taint

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
MARK = "eks.amazonaws.com/cordoned"
"""The annotation of nodes that an update has made unschedulable."""
MIRROR = "kubernetes.io/config.mirror"
ENDED = frozenset({"Succeeded", "Failed"})
PROVIDER_ID = re.compile("aws:///[^/]+/(i-[0-9a-f]+)")
BUSY, TOO_MANY = 409, 429
"""The object has changed meanwhile; a PodDisruptionBudget forbids."""
Object = Mapping[str, Any]
log = logger(__name__)


async def nodes_of(client: Client, nodegroup: str) -> list[Node]:
    """The nodes that say that they are of this node group."""
    found = await client.list(NODES, labelSelector=f"{NODEGROUP_LABEL}={nodegroup}")
    return [node for node in map(_node, found) if node.instance_id]


def _node(found: Object) -> Node:
    spec, metadata = found.get("spec") or {}, found["metadata"]
    conditions = (found.get("status") or {}).get("conditions") or ()
    ready: Object = next((each for each in conditions if each.get("type") == "Ready"), {})
    provider = PROVIDER_ID.fullmatch(str(spec.get("providerID", "")))
    return Node(
        name=metadata["name"],
        instance_id=provider[1] if provider is not None else "",
        ready=ready.get("status") == "True",
        reason=str(ready.get("reason", "")),
        since=_seconds(ready.get("lastTransitionTime") or metadata.get("creationTimestamp")),
        cordoned=bool(spec.get("unschedulable")),
        marked=MARK in (metadata.get("annotations") or {}),
        labels=metadata.get("labels") or {},
        taints=spec.get("taints") or (),
        revision=metadata.get("resourceVersion", ""),
    )


def _seconds(time: str | None) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0


async def have_cordoned(client: Client, cordoned: Sequence[str], uncordoned: Sequence[str]) -> None:
    for name in cordoned:
        await cordon(client, name)
    for name in uncordoned:
        await uncordon(client, name)


async def cordon(client: Client, name: str) -> None:
    """Have no more pods placed on the node, and no load balancer send to it."""
    labels, annotations = {EXCLUDED: "true"}, {MARK: "true"}
    await _patch(client, name, labels, annotations, unschedulable=True)


async def uncordon(client: Client, name: str) -> None:
    await _patch(client, name, {EXCLUDED: None}, {MARK: None}, unschedulable=None)


async def _patch(
    client: Client,
    name: str,
    labels: Object,
    annotations: Object,
    unschedulable: bool | None,
) -> None:
    body = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"unschedulable": unschedulable},
    }
    try:
        await client.patch(f"{NODES}/{name}", body)
    except Refused as refused:
        if not refused.is_absence:
            raise


async def have_labels(
    client: Client, node: Node, labels: Mapping[str, str], removed: Sequence[str]
) -> None:
    """Have these labels on the node, and none of those that were taken away."""
    wrong = {key: value for key, value in labels.items() if node.labels.get(key) != value}
    change = {**wrong, **{key: None for key in removed if key in node.labels}}
    if change:
        await client.patch(f"{NODES}/{node.name}", {"metadata": {"labels": change}})


async def have_taints(
    client: Client, node: Node, taints: Sequence[Taint], removed: Sequence[Taint]
) -> bool:
    """The same of taints; False where the node was changed at the same time."""
    gone = {(taint.key, EFFECTS[taint.effect]) for taint in (*taints, *removed)}
    others = [each for each in node.taints if (each.get("key"), each.get("effect")) not in gone]
    wanted = [*others, *(_taint(taint) for taint in taints)]
    if _as_set(wanted) == _as_set(node.taints):
        return True
    body = {"metadata": {"resourceVersion": node.revision}, "spec": {"taints": wanted}}
    try:
        await client.patch(f"{NODES}/{node.name}", body)
    except Refused as refused:
        if refused.status != BUSY:
            raise
        return False
    return True


def _taint(taint: Taint) -> dict[str, str]:
    made = {"key": taint.key, "value": taint.value, "effect": EFFECTS[taint.effect]}
    return {key: value for key, value in made.items() if value}


def _as_set(taints: Sequence[Object]) -> set[tuple[str, str, str]]:
    return {(each.get("key", ""), each.get("value", ""), each.get("effect", "")) for each in taints}


async def drain(client: Client, name: str, *, force: bool = False, silent_at: float = 0.0) -> int:
    """Ask the node's pods to leave, as far as their PodDisruptionBudgets let them; where it is
    forced, delete them. How many are still there: DaemonSets' own do not count.

    `silent_at` is now (epoch seconds) where the node's kubelet is not heard of: nobody says then
    that a pod has ended, whose time to do so is over."""
    pods = await client.list(PODS, fieldSelector=f"spec.nodeName={name}")
    staying = [pod for pod in pods if _is_to_leave(pod) and not _is_over(pod, silent_at)]
    for pod in staying:
        if not pod["metadata"].get("deletionTimestamp"):
            await (_delete if force else _evict)(client, pod)
    return len(staying)


def _is_to_leave(pod: Object) -> bool:
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences") or ()
    return not (
        MIRROR in (metadata.get("annotations") or {})
        or any(each.get("controller") and each.get("kind") == "DaemonSet" for each in owners)
        or (pod.get("status") or {}).get("phase") in ENDED
    )


def _is_over(pod: Object, now: float) -> bool:
    """Whether its time to end is over: a deletion's time stamp has the grace period in it."""
    deleted = pod["metadata"].get("deletionTimestamp")
    return deleted is not None and _seconds(deleted) <= now


async def _evict(client: Client, pod: Object) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": pod["metadata"].get("uid")}},
    }
    try:
        await client.create(f"{path_of(PODS, pod)}/eviction", body)
    except Refused as refused:
        # Whatever else is wrong with one pod keeps no other from leaving; it is asked again.
        if not (refused.is_absence or refused.status in {BUSY, TOO_MANY, 500}):
            raise


async def _delete(client: Client, pod: Object) -> None:
    try:
        await client.delete(path_of(PODS, pod), preconditions={"uid": pod["metadata"].get("uid")})
    except Refused as refused:
        if refused.status != BUSY:
            raise


async def drain_all(
    client: Client, drains: Sequence[Drain], silent_at: float = 0.0
) -> dict[str, int]:
    """Go on with these drains; how many pods are still on each node. Where the API server does not
    answer, one is thought to be. `silent_at` is as in `drain`, of all nodes."""
    left: dict[str, int] = {}
    for each in drains:
        if not each.node:
            continue
        try:
            left[each.node] = await drain(client, each.node, force=each.forced, silent_at=silent_at)
        except (OSError, Refused) as failure:
            log.warning("a node could not be drained", node=each.node, reason=str(failure))
            left[each.node] = 1
    return left
