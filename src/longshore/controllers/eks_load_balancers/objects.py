"""What is told to the cluster: finalizers, statuses, events."""

from collections.abc import Mapping
from typing import Any

from longshore.base.clock import rfc_3339
from longshore.controllers.eks_load_balancers.wanted import FINALIZER
from longshore.kubernetes.client import Client, Refused

Object = Mapping[str, Any]
SOURCE = "service-controller"


def path_of(service: Object) -> str:
    metadata = service["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"


async def put_finalizer(client: Client, service: Object, *, wanted: bool) -> None:
    """Refused with 409 where the Service was changed meanwhile."""
    metadata = service["metadata"]
    others = [each for each in metadata.get("finalizers") or () if each != FINALIZER]
    finalizers = [*others, FINALIZER] if wanted else others
    body = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
    try:
        await client.patch(path_of(service), body)
    except Refused as refused:
        if not refused.is_absence:
            raise


async def put_hostname(client: Client, service: Object, hostname: str) -> bool:
    """Whether the Service's status had another one; an empty name for none."""
    known = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
    ingress = [{"hostname": hostname}] if hostname else []
    if [each.get("hostname") for each in known] == [each["hostname"] for each in ingress]:
        return False
    body = {"status": {"loadBalancer": {"ingress": ingress or None}}}
    try:
        await client.patch(f"{path_of(service)}/status", body)
    except Refused as refused:
        if not refused.is_absence:
            raise
    return True


async def tell(client: Client, service: Object, now: float, reason: str, message: str) -> None:
    """An event of the Service; SyncLoadBalancerFailed is a warning."""
    metadata = service["metadata"]
    at = rfc_3339(now)
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "reason": reason,
        "message": message,
        "type": "Warning" if reason == "SyncLoadBalancerFailed" else "Normal",
        "source": {"component": SOURCE},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    await client.create(f"/api/v1/namespaces/{metadata['namespace']}/events", event)
