"""What is written to the cluster's Services: finalizers, statuses."""

from longshore.controllers.eks_load_balancers.wanted import FINALIZER
from longshore.kubernetes.client import Client, Refused
from longshore.kubernetes.objects import SERVICES, Object, path_of


async def put_finalizer(client: Client, service: Object, *, wanted: bool) -> None:
    """Refused with 409 where the Service was changed meanwhile."""
    metadata = service["metadata"]
    others = [each for each in metadata.get("finalizers") or () if each != FINALIZER]
    finalizers = [*others, FINALIZER] if wanted else others
    body = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
    try:
        await client.patch(path_of(SERVICES, service), body)
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
        await client.patch(f"{path_of(SERVICES, service)}/status", body)
    except Refused as refused:
        if not refused.is_absence:
            raise
    return True
