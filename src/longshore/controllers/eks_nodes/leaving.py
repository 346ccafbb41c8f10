"""Nodes whose instances have ended: with them go their pods, and their volumes are let go.

Kubernetes leaves a volume for six minutes with a Node that had it mounted, also when the Node is
deleted, since its machine might run on. Who knows that it does not says so by a taint ("Node
Shutdowns", Kubernetes' documentation, non-graceful node shutdown): volumes are detached at once
then. So a Node with volumes is tainted first, and deleted when they have left it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from longshore.base.clock import rfc_3339
from longshore.base.logs import logger
from longshore.kubernetes.client import Client, Refused
from longshore.kubernetes.objects import NODES, PODS, path_of

ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
LONGEST_SECONDS = 360.0
"""For so long a Node is kept for its volumes: a driver that is not there any more lets none go."""
TIME = "%Y-%m-%dT%H:%M:%SZ"
Object = Mapping[str, Any]
log = logger(__name__)


async def leave(client: Client, node: Object, now: float) -> bool:
    """Do what comes next for a Node whose instance is no more; whether it is gone."""
    name, uid = node["metadata"]["name"], node["metadata"]["uid"]
    pods = await client.list(PODS, fieldSelector=f"spec.nodeName={name}")
    waits = has_volumes(name, await client.list(ATTACHMENTS)) and not is_overdue(node, now)
    if not waits:
        # An instance that joins under the name just now is another node.
        await client.delete(f"{NODES}/{name}", preconditions={"uid": uid})
    elif not is_out_of_service(node):
        taints = [*node["spec"].get("taints", ()), taint(now)]
        changed = {"metadata": {"uid": uid}, "spec": {"taints": taints}}
        await client.patch(f"{NODES}/{name}", changed)
    await _forget(client, pods)
    return not waits


def has_volumes(name: str, attachments: Iterable[Object]) -> bool:
    return any(each["spec"]["nodeName"] == name for each in attachments)


def taint(now: float) -> dict[str, str]:
    return {
        "key": OUT_OF_SERVICE,
        "value": "nodeshutdown",
        "effect": "NoExecute",
        "timeAdded": rfc_3339(now),
    }


def is_out_of_service(node: Object) -> bool:
    return bool(_since(node))


def is_overdue(node: Object, now: float) -> bool:
    """Whether its volumes were waited for long enough."""
    return any(now > each + LONGEST_SECONDS for each in _since(node))


def _since(node: Object) -> list[float]:
    """When it was tainted; 0 where nothing says when."""
    return [
        _parsed(each.get("timeAdded") or "")
        for each in node["spec"].get("taints", ())
        if each["key"] == OUT_OF_SERVICE
    ]


def _parsed(text: str) -> float:
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


async def _forget(client: Client, pods: Sequence[Object]) -> None:
    """Have none of these: what replaces them need not wait for the collector of such pods, who
    leaves them for a minute."""
    for pod in pods:
        path, only = path_of(PODS, pod), {"uid": pod["metadata"]["uid"]}
        try:
            await client.delete(path, gracePeriodSeconds=0, preconditions=only)
        except Refused as refused:
            # Another pod of the same name is there, or somebody forbids it.
            log.info("a pod was not removed", path=path, reason=refused.message)
