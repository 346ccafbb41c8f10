"""What clusters' API servers tell of themselves. Raises OSError where none answers, `Refused`."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.controllers.eks_insights.facts import Part
from longshore.controllers.eks_insights.uses import group_of, requested
from longshore.kubernetes.client import Client
from longshore.kubernetes.objects import NODES
from longshore.model.eks_insights import ApiUse

PODS = "/api/v1/namespaces/kube-system/pods"
PROXIES = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
PROXY = "kube-proxy"
Object = Mapping[str, Any]


async def nodes(client: Client) -> tuple[Part, ...]:
    """Nodes and their kubelets' versions."""
    found = await client.list(NODES)
    return tuple(Part(f"{NODES}/{_name(node)}", _kubelet(node)) for node in found)


async def proxies(client: Client) -> tuple[Part, ...]:
    """The DaemonSet of kube-proxy, and its pods that are not of its version yet; nothing where
    others do its work."""
    wanted = await client.find(PROXIES)
    if wanted is None:
        return ()
    version = _proxy_version(wanted["spec"]["template"])
    pods = await client.list(PODS, labelSelector=f"k8s-app={PROXY}")
    running = [Part(f"{PODS}/{_name(pod)}", _proxy_version(pod)) for pod in pods]
    return (Part(PROXIES, version), *(part for part in running if part.version != version))


async def uses(client: Client) -> Mapping[str, ApiUse]:
    """Deprecated APIs that were asked for since the API server began, by path."""
    # Its text is long; nothing else waits for that.
    found = await asyncio.to_thread(requested, await client.text("/metrics"))
    return {path: await _with_replacement(client, use) for path, use in found.items()}


async def _with_replacement(client: Client, use: ApiUse) -> ApiUse:
    """The same resource in the version that its group prefers, where that has it."""
    group, version, resource = group_of(use.usage)
    if not group:
        return use
    told = await client.find(f"/apis/{group}")
    preferred = str(((told or {}).get("preferredVersion") or {}).get("version", ""))
    if not preferred or preferred == version:
        return use
    has = await client.find(f"/apis/{group}/{preferred}")
    names = {each.get("name") for each in (has or {}).get("resources", ())}
    if resource not in names:
        return use
    return msgspec.structs.replace(use, replacement=f"/apis/{group}/{preferred}/{resource}")


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _kubelet(node: Object) -> str:
    told = (node.get("status") or {}).get("nodeInfo") or {}
    return str(told.get("kubeletVersion", ""))


def _proxy_version(pod: Object) -> str:
    """The tag of its image, as `v1.35.4-eksbuild.1`; empty where the image has none."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    images = [str(each.get("image", "")) for each in containers if each.get("name") == PROXY]
    last = images[0].partition("@")[0].rpartition("/")[2] if images else ""
    return last.partition(":")[2]
