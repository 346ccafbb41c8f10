"""An add-on's objects in its cluster: put there, looked at, taken away.

What others have changed is theirs in Kubernetes' books ("Server-Side Apply"): applying it again
conflicts, and `resolveConflicts` says what then ("CreateAddon", "UpdateAddon").
"""

from collections.abc import Iterable, Sequence
from typing import Any

from longshore.addons.objects import path_of, workload_path
from longshore.controllers.eks_addons.fields import without
from longshore.kubernetes.client import Client, Refused
from longshore.model.eks import Issue

MANAGER = "eks"
"""Who EKS is in the books of the cluster."""
Object = dict[str, Any]


async def install(
    client: Client, objects: Sequence[Object], mode: str, *, updating: bool
) -> list[str]:
    """Have the objects in the cluster; what others have changed that stands in the way, in EKS's
    words, where nothing was done because of that.

    Raises `Refused` where the API server takes an object in no case.
    """
    if mode == "OVERWRITE":
        for each in objects:
            await client.apply(path_of(each), each, MANAGER, force=True)
    elif mode == "PRESERVE" and updating:
        await preserve(client, objects)
    else:
        found = await conflicts(client, objects)
        if found:
            return found
        for each in objects:
            await client.apply(path_of(each), each, MANAGER)
    return []


async def conflicts(client: Client, objects: Iterable[Object]) -> list[str]:
    """What of the objects others have changed; nothing is written."""
    found: list[str] = []
    for each in objects:
        try:
            await client.apply(path_of(each), each, MANAGER, dry=True)
        except Refused as refused:
            if not refused.conflicts:
                raise
            found += [f"{_named(each)} - {field}" for field, _ in refused.conflicts]
    return found


async def preserve(client: Client, objects: Iterable[Object]) -> None:
    """Have the objects as they are here, but for what others have changed."""
    for each in objects:
        try:
            await client.apply(path_of(each), each, MANAGER)
        except Refused as refused:
            if not refused.conflicts:
                raise
            left = without(each, [field for field, _ in refused.conflicts])
            await client.apply(path_of(each), left, MANAGER)


async def remove(client: Client, objects: Sequence[Object]) -> None:
    """Have none of them, the last that came first; but kinds stay, with which all that people have
    made of them would go."""
    for each in reversed(objects):
        if each["kind"] == "CustomResourceDefinition":
            continue
        await client.delete(path_of(each), propagationPolicy="Background")


async def look(client: Client, workload: tuple[str, str]) -> Issue | None:
    """What is wrong with the add-on's pods, which are of this Deployment or DaemonSet."""
    found = await client.find(workload_path(*workload))
    if found is None:
        return Issue("K8sResourceNotFound", f"The {workload[0]} {workload[1]} was not found.")
    if is_rolled_out(found):
        return None
    return Issue(
        "InsufficientNumberOfReplicas",
        "The add-on is unhealthy because it doesn't have the desired number of replicas.",
    )


def is_rolled_out(workload: Object) -> bool:
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, available = "updatedNumberScheduled", "numberAvailable"
    else:
        wanted = workload["spec"].get("replicas", 1)
        updated, available = "updatedReplicas", "availableReplicas"
    return bool(status.get(updated, 0) >= wanted and status.get(available, 0) >= wanted)


def _named(found: Object) -> str:
    """As kubectl names it: `Deployment.apps coredns`."""
    group, _, _ = found["apiVersion"].rpartition("/")
    kind = f"{found['kind']}.{group}" if group else found["kind"]
    return f"{kind} {found['metadata']['name']}"
